"""Run a program by its loop's own entry point, as applications do; watch what escapes it and what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import sniffio
import trio
import uvloop

from oracle import resources
from oracle.lines import Escaped, Lagged, Pen

LOOPS = ("asyncio", "trio", "uvloop")
# What was closed may need so long, in seconds, until the loop has let it go.
GRACE = 0.6
_TICK = 0.05
_WORTH_TELLING = 0.1


def run_plainly(loop: str, main: Callable[[], Awaitable[None]]) -> None:
    """Run a program by `asyncio.run`, `trio.run` or `uvloop.run`, not by anyio's."""

    async def as_coroutine() -> None:
        await main()

    if loop == "trio":
        trio.run(main)
    elif loop == "uvloop":
        uvloop.run(as_coroutine())
    else:
        asyncio.run(as_coroutine())


def watch_for_escapes(pen: Pen) -> None:
    """Write down what would only be printed: exceptions nobody took, warnings, errors in the log."""

    def escaped(where: str, error: object) -> None:
        pen.put(Escaped(where=where, error=str(error)))

    def in_loop(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        escaped("loop", f"{context.get('message')}: {context.get('exception')!r}")

    def as_warning(message: Warning | str, category: type[Warning], filename: str, line: int, *_: object) -> None:
        escaped("warning", f"{category.__name__}: {message} ({Path(filename).name}:{line})")

    if sniffio.current_async_library() == "asyncio":
        asyncio.get_running_loop().set_exception_handler(in_loop)
    sys.unraisablehook = lambda raised: escaped("finalizer", repr(raised.exc_value))
    threading.excepthook = lambda raised: escaped("thread", repr(raised.exc_value))
    warnings.simplefilter("always")
    warnings.showwarning = as_warning  # type: ignore[assignment]


class LogToPen(logging.Handler):
    """Hand what is logged to a function."""

    def __init__(self, take: Callable[[logging.LogRecord], None], level: int) -> None:
        super().__init__(level)
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record."""
        self._take(record)


async def measure_lag(pen: Pen) -> None:
    """Note when the loop is late, so that a bound can be stretched by it."""
    while True:
        before = anyio.current_time()
        await anyio.sleep(_TICK)
        late = anyio.current_time() - before - _TICK
        if late > _WORTH_TELLING:
            pen.put(Lagged(seconds=late))


async def left_over(before: resources.Resources) -> list[str]:
    """Name tasks and descriptors that were not there before and do not go by themselves."""
    for _ in range(2):  # the first time may have passed in one leap, while the process was suspended
        with anyio.move_on_after(GRACE):
            while _more_than(before):  # noqa: ASYNC110 - nobody tells when a loop has let go
                await anyio.sleep(0.02)
    gc.collect()
    return _more_than(before)


def _more_than(before: resources.Resources) -> list[str]:
    now = resources.sample()
    tasks = now.tasks[len(before.tasks) :]
    opened = [what for number, what in now.descriptors.items() if number not in before.descriptors]
    opened = [what for what in opened if what != "/dev/null"]  # libuv keeps one in reserve
    return [f"task: {what}" for what in tasks] + [f"descriptor: {what}" for what in opened]
