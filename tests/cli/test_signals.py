from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

import anyio
import pytest

from rcex_ws.cli.exits import ExitCode
from rcex_ws.cli.signals import until_signal


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
)
async def test_a_signal_ends_a_command_in_order(number: signal.Signals, code: ExitCode) -> None:
    closed: list[bool] = []

    async def command() -> None:
        await anyio.wait_all_tasks_blocked()  # those that obey
        os.kill(os.getpid(), number)
        try:
            await anyio.sleep(10)
        finally:
            closed.append(True)

    before = signal.getsignal(number)
    assert await until_signal(command) is code
    assert closed == [True]
    assert signal.getsignal(number) is before


TWICE = """
import os, signal, anyio
from rcex_ws.cli.signals import until_signal

async def command():
    await anyio.wait_all_tasks_blocked()
    os.kill(os.getpid(), signal.SIGTERM)
    try:
        await anyio.sleep(10)
    finally:
        os.kill(os.getpid(), signal.SIGINT)

anyio.run(until_signal, command)
"""


def test_a_second_signal_ends_it_at_once_without_a_traceback_and_with_a_cursor() -> None:
    terminal, its_end = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", TWICE], stdout=its_end, stderr=subprocess.PIPE, check=False, timeout=30
        )
        assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
        assert os.read(terminal, 100) == b"\x1b[?25h"
    finally:
        os.close(terminal)
        os.close(its_end)


async def test_a_command_that_ends_by_itself_returns_its_result() -> None:
    async def command() -> int:
        return 5

    assert await until_signal(command) == 5


async def test_what_a_shell_has_told_a_background_job_to_ignore_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def command() -> int:
        await anyio.wait_all_tasks_blocked()
        os.kill(os.getpid(), signal.SIGINT)
        return 5

    try:
        assert await until_signal(command) == 5
    finally:
        signal.signal(signal.SIGINT, before)
