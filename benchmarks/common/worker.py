"""The contenders' side: take orders from stdin, one JSON object per line, and answer each with one line.

The order `{"do": "rest", "in_flight": 10}` calls the method `rest(in_flight=10)`. One process serves all orders of a
run, so that every contender is warm when it is measured.
"""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import anyio
import anyio.to_thread

from benchmarks.common.files import allow_many_files

__all__ = ["Sample", "keep_in_flight", "measured", "run", "serve"]


class Sample:
    """What one measurement gave, from its making to `stop()`.

    Attributes:
        count: how often the work was done; for the one who measures to set.
        seconds: wall-clock time of all of it.
        cpu: CPU seconds of this process, user and system.
    """

    def __init__(self) -> None:
        self.count = 0
        self.seconds = self.cpu = 0.0
        self._running = True
        gc.collect()  # of earlier work
        self._cpu, self._start = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        """Stop the clocks, unless they have been stopped before."""
        if self._running:
            self.seconds, self.cpu = time.perf_counter() - self._start, time.process_time() - self._cpu
            self._running = False

    def __call__(self) -> dict[str, float]:
        """Give it as the answer to an order."""
        return {"count": self.count, "seconds": self.seconds, "cpu": self.cpu}


@contextlib.contextmanager
def measured() -> Generator[Sample]:
    """Measure what runs inside."""
    sample = Sample()
    yield sample
    sample.stop()


async def keep_in_flight(call: Callable[[], Awaitable[object]], in_flight: int, seconds: float) -> dict[str, float]:
    """Call as fast as answers come for some seconds, so many calls at a time; the last ones are waited for."""
    with measured() as sample:
        end = time.perf_counter() + seconds

        async def caller() -> None:
            while True:  # at least once, however long it took to get here
                await call()
                sample.count += 1
                if time.perf_counter() >= end:
                    return

        async with anyio.create_task_group() as group:
            for _ in range(in_flight):
                group.start_soon(caller)
    return sample()


async def serve(contender: object) -> None:
    """Say that the contender is ready, then do as ordered until stdin ends."""
    _say({"ready": True})
    while line := await anyio.to_thread.run_sync(sys.stdin.readline):
        order: dict[str, Any] = json.loads(line)
        _say(await getattr(contender, order.pop("do"))(**order))


def run(main: Callable[..., Awaitable[None]], *args: Any) -> None:
    """Run a contender; its first argument on the command line names the loop: asyncio, uvloop or trio."""
    allow_many_files()
    loop = sys.argv[1]
    if loop == "trio":
        anyio.run(main, *args, backend="trio")
    else:
        anyio.run(main, *args, backend_options={"use_uvloop": loop == "uvloop"})


def _say(answer: object) -> None:
    print(json.dumps(answer), flush=True)
