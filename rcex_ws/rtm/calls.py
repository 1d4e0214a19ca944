"""Calls of functions of the server: their ids, the queue in which they wait for a connection, and how each settles."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, cast

from msgspec import UNSET

from rcex_ws.connection import Pending, RequestTable
from rcex_ws.errors import ConfigurationError, NotConnected, RcexError, RequestLost
from rcex_ws.loop import now
from rcex_ws.rtm.errors import QueueFull, RemoteError
from rcex_ws.rtm.frames import ClientFrame, RtmServerFrame, encode_frame, is_true

__all__ = ["RemoteCalls", "error_of"]

logger = logging.getLogger("rcex_ws.rtm")


def error_of(frame: RtmServerFrame) -> RemoteError | None:
    """Return the error that a reply stands for, or None if it is the result of a call."""
    data: object = frame.data
    error = cast("dict[str, Any]", data).get("error") if isinstance(data, dict) else None
    return RemoteError(error) if is_true(error) else None


class RemoteCalls:
    """The calls of one life of a client.

    Args:
        ids: the ids of its frames, unique over all lives of the client.
        max_queue: most calls that may wait for a connection.
        on_error: called with the error of a call that nobody waits for; must not wait.
        watch: starts a task that watches the deadlines of a table.

    Attributes:
        table: the calls that have no reply yet.
        requests: the client's own requests that have none, for push subscriptions; they end with their connection.
    """

    def __init__(
        self,
        ids: Iterator[int],
        *,
        max_queue: int,
        on_error: Callable[[Exception], object],
        watch: Callable[[RequestTable[Any]], object],
    ) -> None:
        self.table: RequestTable[Any] = RequestTable(lambda: watch(self.table))
        self.requests: RequestTable[Any] = RequestTable(lambda: watch(self.requests))
        self._ids = ids
        self._max_queue = max_queue
        self._on_error = on_error

    def next_id(self) -> str:
        """Return the id for another frame."""
        return str(next(self._ids))

    async def call(self, function: str, args: tuple[Any, ...], *, timeout: float) -> Any:
        """Call a function and wait for its result; None if it has none.

        Raises:
            RemoteError: the call was refused.
            RequestLost: the connection was lost.
            RequestTimeout: the reply did not come within `timeout` seconds, including the time in the queue.
            QueueFull: too many calls wait for a connection.
            ConfigurationError: JSON cannot express an argument.
        """
        key, frame = self._encode(function, args)
        return await self.table.call(key, frame, deadline=now() + timeout)

    def submit(self, function: str, args: tuple[Any, ...], *, timeout: float) -> None:
        """Call a function without waiting; errors are reported. See `call`."""
        key, frame = self._encode(function, args)

        def on_settled(pending: Pending[Any]) -> None:
            if pending.error is not None:
                pending.error.add_note(f"in the call of {function!r}")
                self._on_error(pending.error)

        self.table.submit(key, frame, deadline=now() + timeout, on_settled=on_settled)

    def _encode(self, function: str, args: tuple[Any, ...]) -> tuple[str, bytes]:
        key = self.next_id()
        try:
            frame = encode_frame(ClientFrame(key, "invoke", [*args], function))
        except ConfigurationError as exc:
            raise _naming_argument(function, args, str(exc)) from None
        if not self.table.connected and len(self.table) >= self._max_queue:
            raise QueueFull(f"{self._max_queue} calls wait for a connection already")
        return key, frame

    # -- for the connection --------------------------------------------------------------------------------------------

    def on_reply(self, frame: RtmServerFrame) -> None:
        """Settle what a frame replies to."""
        key = str(frame.id)
        error = error_of(frame)
        if error is not None:
            known = self.table.fail(key, error) or self.requests.fail(key, error)
        else:
            result = None if frame.data is UNSET else frame.data
            known = self.table.settle(key, result) or self.requests.settle(key, result)
        if not known:
            logger.debug("a reply that nothing waits for")

    def disconnect(self) -> None:
        """Handle the loss of the connection: calls that were sent fail, the others wait for the next one."""
        self.requests.disconnect(_lost)
        self.table.disconnect()
        for pending in self.table.waiting():
            if pending.sent:
                self.table.fail(pending.key, _lost(pending))

    def end(self) -> None:
        """Fail all that waits for a connection: none follows."""
        self.table.disconnect(_ended)


def _lost(pending: Pending[Any]) -> RcexError:
    return RequestLost("the connection was lost before the reply came", sent=pending.sent)


def _ended(_: Pending[Any]) -> RcexError:
    return NotConnected("not sent: the client has ended")


def _naming_argument(function: str, args: tuple[Any, ...], why: str) -> ConfigurationError:
    """Return the error for the first argument that JSON cannot express."""
    for number, value in enumerate(args):
        try:
            encode_frame(ClientFrame(data=[value]))
        except ConfigurationError as exc:
            return ConfigurationError(f"args[{number}] of {function!r}: {str(exc).removeprefix('data: ')}")
    return ConfigurationError(f"function: {why.removeprefix('data: ')}")
