"""The records of `listen` as lines: JSON for pipes, or a note on stderr where stdout belongs to somebody else."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from functools import partial

import anyio
import anyio.to_thread

from rcex_ws.cli.output import compact, say, write
from rcex_ws.cli.records import Record
from rcex_ws.readers import printable

__all__ = ["JsonLines", "Notes", "reader_gone"]


class JsonLines:
    """Writes each record as a line of JSON to stdout, and waits until it is out.

    A reader that is too slow makes the notifications wait, and in the end a gap; it never delays the connection.

    Args:
        end: called when nobody reads any more.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._turn = anyio.Lock()

    async def take(self, record: Record) -> None:
        """Write one line."""
        async with self._turn:
            try:
                await anyio.to_thread.run_sync(partial(write, compact(record)), abandon_on_cancel=True)
            except BrokenPipeError:
                self._end()


class Notes:
    """Says on stderr what is no notification."""

    async def take(self, record: Record) -> None:
        """Say it in one line."""
        if record["kind"] != "notification":
            facts = " ".join(f"{name}={printable(value)}" for name, value in record.items() if name != "kind")
            say(f"{record['kind']}: {facts}")


async def reader_gone() -> None:
    """Return when the reader of a pipe that stdout leads to has gone; never if stdout is something else.

    `rcex-ws listen ... | head -1` ends by this right after the first line, not with the second.
    """
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # stdout is closed, or is no file
        descriptor = None
    if descriptor is None or not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        await anyio.sleep_forever()
    else:
        await anyio.wait_readable(descriptor)  # the writing end of a pipe tells only that the other end was closed
