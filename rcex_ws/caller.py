"""Which task or thread calls, and whether because of an exception.

Used where an application closes: what its loop has in hand counts as processed when the same task goes on to close in
order, and not when an exception led there.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from rcex_ws.loop import on_trio

__all__ = ["CallOrigin", "current_caller", "on_behalf_of", "this_thread"]


class CallOrigin(NamedTuple):
    """Who calls.

    Attributes:
        who: the task, or the thread of a blocking client; the object itself, as the id of one that ended is used again.
        failing: whether it is handling an exception: in `__aexit__`, in a `finally` or an `except`.
    """

    who: object
    failing: bool


_known: ContextVar[CallOrigin | None] = ContextVar("rcex_ws_caller", default=None)


def current_caller() -> CallOrigin:
    """Return who calls the current code: the one it runs on behalf of, or else the current task."""
    known = _known.get()
    if known is not None:
        return known
    who = sys.modules["trio"].lowlevel.current_task() if on_trio() else asyncio.current_task()
    return CallOrigin(who, _failing())


def this_thread() -> CallOrigin:
    """Return the current thread as a caller."""
    return CallOrigin(threading.current_thread(), _failing())


@contextmanager
def on_behalf_of(caller: CallOrigin) -> Generator[None]:
    """Let the block, also where another task runs it, count as called by this one."""
    token = _known.set(caller)
    try:
        yield
    finally:
        _known.reset(token)


def _failing() -> bool:
    return sys.exc_info()[1] is not None
