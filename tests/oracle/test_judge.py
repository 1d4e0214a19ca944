"""The oracle judges truly: a seed gives one run, a clean run passes, and a promise that is broken in it is noticed."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from oracle import journal as j
from oracle.judge import judge

ROOT = Path(__file__).parents[2]
Records = list[j.AnyRecord]


def simulate(folder: Path, faults: str, *, seed: int = 1, hours: str = "0.1") -> tuple[str, Records, Records]:
    """Run a seed in a process of its own; give its digest and its journals."""
    command = [sys.executable, "-m", "oracle.simulate", "--faults", faults, "--hours", hours, "--seed", str(seed)]
    ended = subprocess.run(
        [*command, "--journals", str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert "digest" in ended.stdout, ended.stdout + ended.stderr
    server, client = (
        j.read_journal((folder / f"{who}.jsonl").read_bytes().splitlines(keepends=True)) for who in ("server", "client")
    )
    return ended.stdout.split()[3], server, client


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Records, Records]:
    _, server, client = simulate(tmp_path_factory.mktemp("clean"), "stop", seed=4, hours="0.2")
    return server, client


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_gives_one_run(tmp_path: Path, seed: int) -> None:
    first = simulate(tmp_path / "first", "all", seed=seed)
    assert simulate(tmp_path / "second-and-longer", "all", seed=seed) == first


def test_a_clean_run_passes(clean: tuple[Records, Records]) -> None:
    verdict = judge(*clean)
    assert verdict.violations == []
    assert verdict.figures["handled"] > 20
    assert verdict.figures["calls"] > 5


def without_one(records: Records, one: j.Handled) -> Records:
    return [record for record in records if record is not one]


def with_one_twice(records: Records, one: j.Handled) -> Records:
    index = records.index(one)
    return [*records[: index + 1], msgspec.structs.replace(one, at=one.at + 0.001), *records[index + 1 :]]


def test_what_is_lost_or_doubled_is_noticed(clean: tuple[Records, Records]) -> None:
    server, client = clean
    handled = [record for record in client if isinstance(record, j.Handled)]
    for one in random.Random(1).sample(handled, 10):
        assert judge(server, with_one_twice(client, one), rules=["twice"]).rules == ["twice"], one
    noticed = [judge(server, without_one(client, one), rules=["lost"]).rules == ["lost"] for one in handled]
    assert sum(noticed) >= 0.8 * len(handled), "the others came while the filters were being changed"


def _post_twice(server: Records, client: Records) -> tuple[Records, Records]:
    done = next(record for record in server if isinstance(record, j.Done) and record.method == "POST")
    return [*server, msgspec.structs.replace(done, at=done.at + 1, times=2)], client


def _gap_without_cause(server: Records, client: Records) -> tuple[Records, Records]:
    one = next(record for record in client if isinstance(record, j.Handled))
    return server, [
        *client,
        j.GapTold(at=one.at, life=one.life, how="event", since=one.at, until=one.at, certain=True, reason="none"),
    ]


def _escape(server: Records, client: Records) -> tuple[Records, Records]:
    return server, [*client, j.Escaped(at=client[-1].at, life=1, where="loop", error="boom")]


@pytest.mark.parametrize(
    ("broken", "rule"), [(_post_twice, "call"), (_gap_without_cause, "no-cause"), (_escape, "escaped")]
)
def test_other_promises_that_are_broken_are_noticed(
    clean: tuple[Records, Records], broken: Callable[[Records, Records], tuple[Records, Records]], rule: str
) -> None:
    assert rule in judge(*broken(*clean)).rules
