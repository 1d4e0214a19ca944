from __future__ import annotations

import os
import signal

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
