"""The client's process: run for a bounded time, and suspended now and then."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator

import trio


def suspensions(seed: int, seconds: float) -> Iterator[tuple[float, float]]:
    """Plan when the process is stopped in its tracks: after so many seconds, for so many."""
    rng = random.Random(f"suspend {seed}")
    while (after := rng.uniform(3, 12)) < seconds - 3:
        length = rng.uniform(0.2, 2.5)
        seconds -= after + length
        yield after, length


async def run_bounded(
    command: list[str], log: int, seconds: float, suspend: Iterator[tuple[float, float]] | None = None
) -> bool:
    """Run a process; have it write its stacks and die when it takes longer. Return whether it ended by itself."""
    process = await trio.lowlevel.open_process(command, stdout=log, stderr=log)

    async def suspend_it() -> None:
        for after, length in suspend or ():
            await trio.sleep(after)
            process.send_signal(signal.SIGSTOP)
            await trio.sleep(length)
            process.send_signal(signal.SIGCONT)

    with trio.move_on_after(seconds) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(suspend_it)
            await process.wait()
            nursery.cancel_scope.cancel()
    if scope.cancelled_caught:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGABRT)
        with trio.CancelScope(shield=True):
            await process.wait()
    return not scope.cancelled_caught
