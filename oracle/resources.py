"""What a process holds: memory, descriptors, tasks; sampled during its life and once more after its orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import sniffio
import trio

__all__ = ["Resources", "descriptors", "sample", "tasks"]

_PROCESS = psutil.Process()


@dataclass(frozen=True, slots=True)
class Resources:
    """One sample.

    Attributes:
        rss: resident memory, in bytes.
        descriptors: what is open, by number.
        tasks: names of the tasks of this loop, the asking one left out; on trio only their number is known,
            so they have no names.
        garbage: objects that the collector could not free.
    """

    rss: int
    descriptors: dict[int, str]
    tasks: list[str] = field(default_factory=list)
    garbage: int = 0


def sample() -> Resources:
    """Take one; to be called by a task."""
    return Resources(_PROCESS.memory_info().rss, descriptors(), tasks(), len(gc.garbage))


def descriptors() -> dict[int, str]:
    """Tell what is open; sockets with their two ends, so that a leak can be told from what belongs there."""
    ends = {
        connection.fd: f"tcp {_address(connection.laddr)} -> {_address(connection.raddr)} {connection.status}"
        for connection in _PROCESS.net_connections("inet")
    }
    found: dict[int, str] = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor by which the folder itself was read is gone
            found[int(entry.name)] = ends.get(int(entry.name)) or os.readlink(entry)
    return found


def tasks() -> list[str]:
    """Name the other tasks of this loop."""
    if sniffio.current_async_library() == "trio":
        # One is the asking task; trio's own (init, the run's nurseries) are there from the start, see `Baseline`.
        return ["task"] * (trio.lowlevel.current_statistics().tasks_living - 1)
    current = asyncio.current_task()
    return [_describe(task) for task in asyncio.all_tasks() if task is not current]


def _describe(task: asyncio.Task[object]) -> str:
    stack = task.get_stack(limit=1)
    where = f"{stack[0].f_code.co_filename.rsplit('/', 1)[-1]}:{stack[0].f_lineno}" if stack else "done"
    return f"{task.get_name()} {getattr(task.get_coro(), '__qualname__', '?')} at {where}"


def _address(address: tuple[str, int] | tuple[()]) -> str:
    return f"{address[0]}:{address[1]}" if address else "-"
