"""The examples of metrics and traces, as programs of their own on a local gateway."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rcex_ws import Step

DEMO = Path(__file__).parents[2] / "demo"


def run(program: str, tmp_path: Path) -> str:
    """Run an example until it ends; give what it prints."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(DEMO / program)],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout


def missing(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is None
    except ModuleNotFoundError:  # of the package above it
        return True


@pytest.mark.skipif(missing("prometheus_client"), reason="prometheus-client is not installed (extra: test)")
def test_prometheus_reads_stats_and_steps(tmp_path: Path) -> None:
    page = run("prometheus_metrics.py", tmp_path)
    for line in (
        'rcex_ws_ready{name="bot"} 1.0',
        'rcex_ws_connections_total{name="bot"} 2.0',
        'rcex_ws_received_total{name="bot"} 1.0',
        'rcex_ws_delivered_total{name="bot"} 1.0',
        'rcex_ws_recoveries_total{name="bot",outcome="recovered"} 1.0',
        'rcex_ws_gaps_total{kind="possible",name="bot"} 1.0',
        'rcex_ws_calls_total{name="bot",way="websocket"} 1.0',
        'rcex_ws_step_seconds_count{name="bot",phase="done",step="attempt"} 2.0',
        'rcex_ws_step_seconds_count{name="bot",phase="done",step="recover"} 1.0',
    ):
        assert line in page.splitlines(), page


@pytest.mark.skipif(missing("opentelemetry.sdk"), reason="opentelemetry-sdk is not installed (extra: test)")
def test_opentelemetry_has_a_span_for_each_step(tmp_path: Path) -> None:
    printed = run("opentelemetry_traces.py", tmp_path)
    spans = re.findall(r"^rcex_ws\.(\w+) +(UNSET|ERROR) +\d+\.\d{3} s", printed, re.MULTILINE)
    assert {name for name, _ in spans} <= set(Step)
    of_calls = [name for name, _ in spans if name in ("subscribe", "call")]
    assert of_calls[:3] == ["call", "subscribe", "call"]
    assert [one for one in spans if one[1] == "ERROR"] == [("upgrade", "ERROR"), ("attempt", "ERROR")]
    assert ("recover", "UNSET") in spans
    assert spans[-1] == ("close", "UNSET")
