"""The client as a process: one life of the random application, under the loop an application would run it by.

    python -m oracle.client --server http://127.0.0.1:8080 --loop asyncio --journal FILE --state DIR --seed 1 --life 1

It may be killed at any moment: what it has written down by then is in the file. A file `calm` in the folder of its
state says that the plan is over. SIGTERM lets it end in order; then it says what it still holds.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import functools
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import sniffio
from anyio.abc import TaskStatus

from oracle import resources
from oracle.acts import Raised
from oracle.application import live
from oracle.faults import choose_kinds
from oracle.growth import EVERY, Sampled
from oracle.journal import Escaped, Handled, Journal, Record
from oracle.lifeplan import draw_life
from oracle.plain import LOOPS, left_over, run_plainly
from oracle.world import Access, DiskFull, ProcessWorld
from rcex_ws import RcexError

#: However fast all goes, real processes on a busy machine need so much of these, in seconds.
_AT_LEAST = {"attempt_timeout": 1.0, "request_timeout": 1.0, "heartbeat_timeout": 0.5, "close_timeout": 0.2}


def main() -> None:
    """Run one life."""
    options = _parse()
    logging.basicConfig(level="INFO", format="%(relativeCreated)d %(name)s %(levelname)s %(message)s")
    run_plainly(options.loop, functools.partial(_life, options))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="its URL")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--journal", type=Path, required=True, help="is appended to; samples go to FILE.samples")
    parser.add_argument("--state", type=Path, required=True, help="folder of the two stores")
    parser.add_argument("--client-id", default="id")
    parser.add_argument("--client-secret", default="secret")
    parser.add_argument("--jwt", default="jwt")
    parser.add_argument("--faults", default="none", help="of the application, as the server takes them")
    parser.add_argument("--pace", type=float, default=1.0, help="all times are multiplied by this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--life", type=int, default=1, help="the number of this process")
    parser.add_argument("--last", action="store_true", help="no life follows; it is judged at its end")
    return parser.parse_args()


class FileJournal(Journal):
    """A journal that writes each line at once, by one system call: a kill loses nothing that was put.

    Args:
        path: is appended to, also by others.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.handled = 0
        super().__init__(time.monotonic, functools.partial(os.write, self._file))

    def put(self, record: Record) -> None:
        """Write one record, and count what was handled."""
        if isinstance(record, Handled):
            self.handled += 1
        super().put(record)


class _Crashes(logging.Handler):
    """Look in the library's log for exceptions that are its own fault.

    Args:
        tell: takes the text of each.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of an exception that is neither one of the library's errors nor raised on purpose."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, RcexError | Raised | DiskFull):
            self._tell(f"{record.getMessage()}: {error!r}")


async def _life(options: argparse.Namespace) -> None:
    journal = FileJournal(options.journal)
    _watch_for_escapes(journal, options.life)
    samples = os.open(f"{options.journal}.samples", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    before = resources.sample()
    access = Access(options.server, options.client_id, options.client_secret, options.jwt)
    kinds = choose_kinds(options.faults)
    world = ProcessWorld(access, options.state, options.pace, options.seed, kinds)
    plan = draw_life(options.seed, options.life, kinds, last=options.last, pace=options.pace)
    real = {name: max(float(plan.options[name]), least) for name, least in _AT_LEAST.items()}
    plan = dataclasses.replace(plan, options={**plan.options, **real})
    try:
        async with anyio.create_task_group() as helpers:
            await helpers.start(_obey_sigterm, world)
            helpers.start_soon(_take_samples, journal, samples, options.life)
            await live(world, journal, plan)
            helpers.cancel_scope.cancel()
    except Exception as error:
        journal.put(Escaped(life=options.life, where="application", error=repr(error)))
        logging.exception("the application raised")
    for what in await left_over(before):
        journal.put(Escaped(life=options.life, where="left over", error=what))


async def _obey_sigterm(world: ProcessWorld, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            world.stop.set()


async def _take_samples(journal: FileJournal, file: int, life: int) -> None:
    while True:
        held = resources.sample()
        sampled = Sampled(life, time.monotonic(), held.rss, len(held.descriptors), len(held.tasks), journal.handled)
        os.write(file, msgspec.json.encode(sampled) + b"\n")
        await anyio.sleep(EVERY)


def _watch_for_escapes(journal: Journal, life: int) -> None:
    """Write down what would only be printed: exceptions in the loop, in threads, in finalizers; warnings."""

    def escaped(where: str, error: object) -> None:
        journal.put(Escaped(life=life, where=where, error=str(error)))

    def in_loop(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        escaped("loop", f"{context.get('message')}: {context.get('exception')!r}")

    def as_warning(message: Warning | str, category: type[Warning], filename: str, line: int, *_: object) -> None:
        escaped("warning", f"{category.__name__}: {message} ({Path(filename).name}:{line})")

    if sniffio.current_async_library() == "asyncio":
        asyncio.get_running_loop().set_exception_handler(in_loop)
    logging.getLogger("rcex_ws").addHandler(_Crashes(functools.partial(escaped, "log")))
    sys.unraisablehook = lambda raised: escaped("finalizer", repr(raised.exc_value))
    threading.excepthook = lambda raised: escaped("thread", repr(raised.exc_value))
    warnings.simplefilter("always")
    # A cancelled call of httpx's leaves a generator to the collector, on trio; it holds nothing.
    warnings.filterwarnings("ignore", "Async generator 'http", ResourceWarning)
    warnings.showwarning = as_warning  # type: ignore[assignment]


if __name__ == "__main__":
    main()
