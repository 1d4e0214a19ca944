"""What an open page of the console is told as it happens, as server-sent events.

Made by `routes.py`, one for each page. It begins with `hello` (the newest entries of the log), then come `entries` (of
the log, and frames) and `state` after anything that may have changed it. A page that is too slow misses the oldest.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.problem import Problem
from rcex_ws.loop import Signal

__all__ = ["ConsoleFeed", "EventStream"]

_MOST_PAGES = 20
_MOST_PENDING = 1000
_HISTORY = 200
_PAUSE = 0.05
"""Seconds between two batches: what happens at once is shown at once, and a flood does not become one of states."""


class ConsoleFeed:
    """What one page is to be told; a context manager, under which it collects.

    Args:
        core: the rules and the state of the gateway.
        state: returns what is there at the moment.
    """

    def __init__(self, core: GatewayCore, state: Callable[[], dict[str, Any]]) -> None:
        self._core = core
        self._state = state
        self._pending: deque[dict[str, Any]] = deque()
        self._missed = 0
        self._more = Signal()
        self._ending = ExitStack()

    def __enter__(self) -> ConsoleFeed:
        """Begin to collect.

        Raises:
            Problem: 503, as too many pages are open.
        """
        if len(self._core.tap) >= _MOST_PAGES:
            raise Problem(503, "CMN-211", f"There are {_MOST_PAGES} pages of the console open already")
        self._ending.callback(self._core.tap.watch(self._add))
        self._ending.callback(self._core.journal.watch(self._add))
        return self

    def __exit__(self, *_: object) -> None:
        """Collect no more."""
        self._ending.close()

    def first(self) -> str:
        """Return what a page is told when it is opened."""
        return _event("hello", {"entries": self._core.journal.entries(_HISTORY)}) + _event("state", self._state())

    async def more(self) -> str:
        """Wait until there is something to tell, and return it."""
        await self._more.wait()
        self._more = Signal()
        batch = [one for one in self._pending if one["kind"] != "changed"]
        missed, self._missed = self._missed, 0
        self._pending.clear()
        told = _event("entries", {"entries": batch, "missed": missed}) if batch else ""
        return told + _event("state", self._state())

    def _add(self, entry: dict[str, Any]) -> None:
        """Take an entry, perhaps in a callback of the event loop."""
        if len(self._pending) >= _MOST_PENDING:
            self._pending.popleft()
            self._missed += 1
        self._pending.append(entry)
        self._more.set()


class EventStream(Response):
    """The answer that goes on until the page is closed.

    Args:
        feed: what the page is told.
    """

    def __init__(self, feed: ConsoleFeed) -> None:
        super().__init__()
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell the page what happens (ASGI)."""
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        with self._feed:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async with anyio.create_task_group() as group:
                group.start_soon(_until_gone, receive, group.cancel_scope)
                told = self._feed.first()
                while True:
                    await send({"type": "http.response.body", "body": told.encode(), "more_body": True})
                    await anyio.sleep(_PAUSE)
                    told = await self._feed.more()


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _event(name: str, value: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n"
