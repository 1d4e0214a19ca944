"""The suite itself: garbage is attributed to the test that left it, not to the next one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LEAVES = """
import asyncio, socket

def test_that_leaves_a_task_in_an_ended_loop():
    async def main():
        asyncio.ensure_future(asyncio.sleep(1000))
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()

def test_innocent_1():
    pass

def test_that_leaves_a_socket_in_a_cycle():
    left = [socket.socket()]
    left.append(left)

def test_innocent_2():
    pass
"""


def test_e9_what_a_collector_finds_is_charged_to_the_test_that_left_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(LEAVES)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_it.py"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    told = [line for line in ended.stdout.splitlines() if line.startswith(("ERROR test", "FAILED test"))]
    assert [line.split(" - ")[0] for line in told] == [
        "ERROR test_it.py::test_that_leaves_a_task_in_an_ended_loop",
        "ERROR test_it.py::test_that_leaves_a_socket_in_a_cycle",
    ], ended.stdout
    assert "4 passed, 2 errors" in ended.stdout
