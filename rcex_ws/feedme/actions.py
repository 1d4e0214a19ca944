"""Actions: what a client asks the server to do, and how each one settles."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, cast

from rcex_ws.connection import Pending, RequestTable, call, utc_now
from rcex_ws.connection.event_queue import EventQueue
from rcex_ws.errors import RequestTimeout
from rcex_ws.feedme.codec import encode
from rcex_ws.feedme.errors import Disconnected, FeedmeError, Rejected, TimedOut
from rcex_ws.feedme.messages import Action, ActionResponse
from rcex_ws.feedme.values import FrozenDict
from rcex_ws.loop import Signal, now

__all__ = ["ActionCall", "ActionCallback", "Actions"]

logger = logging.getLogger("rcex_ws.feedme")

ActionCallback = Callable[[FeedmeError | None, Mapping[str, Any] | None], object]
"""Sync or async; called with an error or the action data, in order with the events."""


class ActionCall:
    """An action that was sent; await it for its action data, any number of times or never.

    Awaiting raises `Rejected`, `TimedOut` (the server may still perform it) or `Disconnected` (before it was sent, or
    before the answer came). A failure is logged if there is no callback and it is never awaited.

    Attributes:
        name: the name of the action.
        args: its arguments.
        sent_at: when `action` was called, by the wall clock.
    """

    __slots__ = ("_callback", "_data", "_error", "_reported", "_settled", "args", "name", "sent_at")

    def __init__(self, name: str, args: FrozenDict, callback: ActionCallback | None) -> None:
        self.name: str = name
        self.args: FrozenDict = args
        self.sent_at: datetime = utc_now()
        self._callback = callback
        self._settled = Signal()
        self._data: Mapping[str, Any] = FrozenDict()
        self._error: FeedmeError | None = None
        self._reported = callback is not None

    def __await__(self) -> Generator[Any, Any, Mapping[str, Any]]:
        return self._wait().__await__()

    def __repr__(self) -> str:
        return f"<ActionCall {self.name!r} {'settled' if self._settled.is_set() else 'pending'}>"

    def settle(self, events: EventQueue, error: FeedmeError | None, data: Mapping[str, Any] | None = None) -> None:
        """Settle it with an error or the action data; called once, by the client."""
        self._error, self._data = error, FrozenDict() if data is None else data
        self._settled.set()
        if self._callback is not None:
            events.put(partial(call, self._callback, error, data))

    def __del__(self) -> None:
        if self._error is not None and not self._reported:
            logger.warning("the action %r has failed, and nobody has awaited it: %s", self.name, self._error)

    async def _wait(self) -> Mapping[str, Any]:
        self._reported = True
        await self._settled.wait()
        if self._error is not None:
            raise self._error.with_traceback(None)  # otherwise each await would add to the last one's
        return self._data


class Actions:
    """The actions of one client; each settles at the latest with its connection.

    Args:
        events: runs the callbacks.
        start_watcher: as for `RequestTable`.

    Attributes:
        table: the actions that wait for an answer.
    """

    def __init__(self, events: EventQueue, start_watcher: Callable[[], object]) -> None:
        self.table: RequestTable[ActionResponse] = RequestTable(start_watcher)
        self._events = events
        self._calls: dict[str, ActionCall] = {}
        self._late: set[str] = set()  # ids of actions that timed out: their answers may still come
        self._last_id = 0

    @property
    def pending(self) -> tuple[ActionCall, ...]:
        """The actions that wait for an answer, as they were sent."""
        return tuple(self._calls.values())

    def connect(self, send: Callable[[Pending[ActionResponse]], None]) -> None:
        """Send over a new connection from now on; the ids start anew, as in the original."""
        self._last_id = 0
        self._late.clear()
        self.table.connect(send)

    def disconnect(self) -> None:
        """Settle all actions: the connection is lost."""
        self.table.disconnect(lambda _: Disconnected("the connection was lost before the answer came"))

    def perform(self, name: str, args: FrozenDict, timeout: float, callback: ActionCallback | None) -> ActionCall:
        """Send an action; without a connection it settles at once."""
        action = ActionCall(name, args, callback)
        if not self.table.connected:
            action.settle(self._events, Disconnected("the client is not connected; wait_connected() waits for that"))
            return action
        self._last_id += 1
        key = str(self._last_id)
        self._calls[key] = action
        deadline = now() + timeout if timeout else math.inf
        self.table.submit(key, encode(Action(name, args, key)), deadline=deadline, on_settled=self._on_settled)
        return action

    def on_response(self, message: ActionResponse) -> bool:
        """Settle the action that this answers; return whether there is one."""
        if message.callback_id in self._late:
            self._late.discard(message.callback_id)
            return True
        return self.table.settle(message.callback_id, message)

    def _on_settled(self, pending: Pending[ActionResponse]) -> None:
        action, answer, error = self._calls.pop(pending.key), pending.result, pending.error
        if isinstance(error, RequestTimeout):
            self._late.add(pending.key)
            action.settle(self._events, TimedOut(f"the server did not answer the action {action.name!r} in time"))
        elif isinstance(error, FeedmeError):
            action.settle(self._events, error)
        elif answer is not None and answer.success:
            action.settle(self._events, None, cast("FrozenDict", answer.action_data))
        elif answer is not None:  # pragma: no branch - it has an answer or an error
            action.settle(self._events, Rejected(cast("str", answer.error_code), answer.error_data))
