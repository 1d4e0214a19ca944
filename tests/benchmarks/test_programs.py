"""Each benchmark runs and writes a report with the keys that scripts read. Nothing here looks at a measured time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = (
    *("blocking", "broadcast", "feedme", "growth", "idle", "notifications", "recovery"),
    *("rest_https", "rest_over_websocket", "rtm", "slack", "startup", "wire"),
)
#: Seconds; the slowest takes 26 on an idle machine, so that this ends only what hangs.
TIME_LIMIT = 200.0

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="uvloop, which the server runs on, is not for Windows"),
    pytest.mark.timeout(TIME_LIMIT + 20),
]


def test_there_is_a_test_for_every_program() -> None:
    found = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert found == {*PROGRAMS, "__init__", "plots"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_runs_and_writes_its_report(program: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"

    ended = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{program}", "--quick", "--json", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"== {program} ==" in ended.stdout
    report = json.loads(file.read_text())
    assert report["benchmark"] == program
    assert report["quick"] is True
    assert {"cpu", "cpus", "python", "packages"} <= report["machine"].keys()
    for result in report["results"]:
        assert {"case", "contender"} < result.keys()
        spreads = [value for value in result.values() if isinstance(value, dict)]
        assert spreads
        assert all(spread["min"] <= spread["median"] <= spread["max"] for spread in spreads)
    assert any("rcex_ws" in result["contender"] for result in report["results"]) or program == "growth"
    assert report["ratios"] or report["absent"]  # those of Feedme are all beside npm
    for goal in report["goals"]:
        assert goal.keys() == {"name", "goal", "measured", "met"}
        assert isinstance(goal["met"], bool)
    assert report["goals"]
