"""Stop a command cleanly on SIGINT and SIGTERM: cancel it, let it close what it has opened, and set the exit code.

Called by `rcex_ws.cli.app` for the commands that are coroutines. A second signal ends the process at once.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Awaitable, Callable

import anyio

from rcex_ws.cli.exits import ExitCode

__all__ = ["until_signal"]


async def until_signal(command: Callable[[], Awaitable[object]]) -> object:
    """Run a command until it ends or a signal comes; return what it returns, or the exit code of the signal."""
    ended_by: signal.Signals | None = None
    before = {number: signal.getsignal(number) for number in _signals()}

    async def obey(scope: anyio.CancelScope) -> None:
        nonlocal ended_by
        with anyio.open_signal_receiver(*before) as signals:
            async for number in signals:
                ended_by = number
                break
        for number in before:
            signal.signal(number, _end_at_once)
        scope.cancel()

    result: object = None
    try:
        async with anyio.create_task_group() as group:
            if threading.current_thread() is threading.main_thread():  # no other one gets signals
                group.start_soon(obey, group.cancel_scope)
            result = await command()
            group.cancel_scope.cancel()
    finally:
        if ended_by is not None:
            for number, handler in before.items():
                signal.signal(number, handler)
    if ended_by is None:
        return result
    return ExitCode.INTERRUPTED if ended_by is signal.SIGINT else ExitCode.TERMINATED


def _signals() -> list[signal.Signals]:
    """Return the signals to obey: what a shell has told its background jobs to ignore stays ignored."""
    return [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is not signal.SIG_IGN]


def _end_at_once(number: int, _frame: object) -> None:
    """End the process as the signal does that nobody handles: an exception in any task would end in a traceback."""
    for descriptor in (1, 2):
        if os.isatty(descriptor):
            os.write(descriptor, b"\x1b[?25h")  # rich hides the cursor
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
