"""Many runs at once give what one after the other gives; tables add up; a day of virtual time is lived through."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from oracle.jobs import run_jobs
from oracle.tables import GapTally, Tally, generalise

ROOT = Path(__file__).parents[2]


def run(*arguments: str, timeout: float = 55) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)


def test_what_is_printed_does_not_depend_on_the_number_of_processes() -> None:
    arguments = ("oracle.simulate", "--seeds", "1-6", "--hours", "0.02,0.05", "--faults", "all")
    one, three = (re.sub(r", \d+ s$", "", run(*arguments, "--jobs", jobs).stdout) for jobs in ("1", "3"))
    assert "6 runs" in one
    assert one == three


def test_a_seed_gives_one_run_also_when_it_is_repeated() -> None:
    # The library's messages have numbers, which a slow line makes visible: each run needs a process of its own.
    ended = run("oracle.simulate", "--seeds", "2-3", "--hours", "0.1", "--faults", "offset,step,rst,slow", "--repeat")
    assert "2 runs" in ended.stdout
    assert "digests" not in ended.stdout


def test_a_day_with_all_that_takes_hours() -> None:
    ended = run("oracle.day")
    assert "1 runs, 37.00 hours" in ended.stdout, ended.stderr
    assert ended.returncode == 0, ended.stdout


def test_jobs_give_their_results_in_order_and_each_has_its_own_process() -> None:
    results = list(run_jobs(lambda job: (job, os.getpid()), range(5), 3))
    assert [job for job, _ in results] == [0, 1, 2, 3, 4]
    assert len({pid for _, pid in results} | {os.getpid()}) == 6


def test_a_job_that_dies_is_noticed() -> None:
    with pytest.raises(EOFError):
        list(run_jobs(lambda _: os._exit(3), [1], 1))


def test_tallies_add_up() -> None:
    total = Tally()
    for seed, over in ((1, -3.0), (2, 4.0), (3, None)):
        gaps = {("lost", True): GapTally([1.0 * seed, 100.0], endless=seed == 3, over=over, seed=seed)}
        total.add(Tally(1, 0.5, Counter(rst=seed), Counter(handled=10), gaps, {f"seed {seed}": Counter(lost=seed)}))
    text = "\n".join(total.lines())
    assert "3 runs, 1.50 hours" in text
    assert "6 rst" in text
    assert "30 handled" in text
    assert re.search(r"7 certain +51.5 +None +\+4.0 +2 lost", text), text
    assert text.index("seed 3: 3 lost") < text.index("seed 1: 1 lost")


@pytest.mark.parametrize(
    ("reason", "general"),
    [
        ("27 notifications dropped", "N notifications dropped"),
        ("refused (WSG-1005)", "refused (WSG-1005)"),
        ("not granted: /restapi/v1.0/a?b=1, /restapi/v1.0/c (SUB-403)", "not granted: PATHS (SUB-403)"),
        ("/tmp/runs-3/session.json is unreadable", "PATH is unreadable"),
        ("no answer within 0.5 s", "no answer within N s"),
    ],
)
def test_reasons_are_told_without_what_differs(reason: str, general: str) -> None:
    assert generalise(reason) == general
