"""The home of a client: one event loop, in one thread of one process. Used by every public entry point.

A task that waits in one loop can only be woken there. A call from elsewhere would hang or corrupt state, so it is
refused at once. And what a forked process inherits belongs to the parent: the fork cannot use it, and must not keep it
open.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from typing import Protocol
from weakref import WeakSet

from rcex_ws.errors import WrongEventLoop
from rcex_ws.loop import on_trio

__all__ = ["Home", "close_in_forks"]

_generation = 0  # incremented by each fork, so that no call has to query the process id


class Home:
    """The event loop that first used a client; refuses calls from elsewhere.

    Args:
        what: what an error calls the client.
    """

    __slots__ = ("_generation", "_loop", "_running", "_what")

    def __init__(self, what: str = "this client") -> None:
        self._what = what
        self._generation = 0
        self._running: Callable[[], object] | None = None  # returns the running loop; None until the first use
        self._loop: object = None

    def check(self) -> None:
        """Check that the caller runs in the client's event loop.

        Raises:
            WrongEventLoop: another loop runs here, or none, or this process was forked from the client's.
        """
        if self._running is None:
            self._bind()
            return
        if self._generation != _generation:
            raise WrongEventLoop(
                f"{self._what} belongs to another process, from which this one was forked; make one here"
            )
        try:
            loop = self._running()
        except RuntimeError:
            loop = None
        if loop is not self._loop:
            raise (
                self._no_loop_here()
                if _none_runs()
                else WrongEventLoop(f"{self._what} belongs to another event loop; make one per loop")
            )

    def _bind(self) -> None:
        if _none_runs():
            raise self._no_loop_here()
        running: Callable[[], object] = asyncio.get_running_loop
        if on_trio():
            running = sys.modules["trio"].lowlevel.current_trio_token
        self._running, self._loop, self._generation = running, running(), _generation

    def _no_loop_here(self) -> WrongEventLoop:
        return WrongEventLoop(
            f"{self._what} belongs to an event loop, and none runs here; from another thread call async methods by "
            f"anyio.from_thread.run or asyncio.run_coroutine_threadsafe, plain ones by anyio.from_thread.run_sync "
            f"or loop.call_soon_threadsafe, or use a client and a loop of that thread's own"
        )


def _none_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return not on_trio()
    return False


class _Holder(Protocol):
    def descriptors(self) -> Iterable[int]:
        """Return the file descriptors that are open now."""
        ...


_holders: WeakSet[_Holder] = WeakSet()


def close_in_forks(holder: _Holder) -> None:
    """Close the file descriptors of `holder` in every process forked from now on."""
    _holders.add(holder)


def _forked() -> None:
    global _generation
    _generation += 1
    nothing = os.open(os.devnull, os.O_RDWR)
    for holder in tuple(_holders):
        for descriptor in holder.descriptors():
            os.dup2(nothing, descriptor)  # not closed: an object owns the number and will close it
    os.close(nothing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
