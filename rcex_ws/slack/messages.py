"""Outbound messages: their ids, their replies, and how each one settles.

Every message settles: acknowledged, refused, assumed delivered, not sent, or timed out. As in `@slack/client` 3.x it
outlives the connection that it was sent over: a reply that comes after a reconnect still settles it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from functools import partial
from typing import Any

from rcex_ws.connection import Pending, RequestTable, call
from rcex_ws.errors import NotConnected, RcexError, RequestLost
from rcex_ws.loop import Signal, now
from rcex_ws.slack.errors import MessageRejected
from rcex_ws.slack.frames import Event, encode
from rcex_ws.slack.models import MessageOutcome, MessageReply
from rcex_ws.slack.settings import WhileDisconnected

__all__ = ["Callback", "Messages", "Sent"]

#: Types that Slack replies to.
_ANSWERED = frozenset({"message", "ping"})

_Step = Callable[[], Awaitable[object]]

Callback = Callable[[Exception | None, MessageReply | None], object]
"""Sync or async; called with an error or a reply, in order with the events."""


class Sent:
    """A message that is sent or queued; await it for its `MessageReply`, any number of times or never.

    Awaiting raises `MessageRejected` (Slack refused it), `RequestLost` (`.sent` says whether Slack may have it),
    `NotConnected` (there is no connection, and messages are not queued) or `RequestTimeout`. If the wait is cancelled
    while the message is queued, it is not sent any more; a message that was sent can be awaited again.

    Attributes:
        id: the id it is sent with.
    """

    def __init__(self, message_id: int, event_type: str, body: Mapping[str, Any], callback: Callback | None) -> None:
        self.id = message_id
        self.event_type = event_type
        self.body = body
        self.callback = callback
        self.awaited = False
        self.connection_number = 0  # of the connection that it was last sent over
        self.in_doubt = False  # it was written, but its connection is lost
        self.settled = Signal()
        self.pending: Pending[MessageReply]
        self.table: RequestTable[MessageReply]

    def __await__(self) -> Generator[Any, Any, MessageReply]:
        return self._wait().__await__()

    def __repr__(self) -> str:
        return f"<Sent {self.event_type} {self.id}>"

    async def _wait(self) -> MessageReply:
        self.awaited = True
        try:
            await self.settled.wait()
            return await self.pending.wait()
        finally:
            if not self.pending.settled and not self.pending.sent:
                self.pending.fail(RequestLost("not sent: the wait was cancelled while it was queued", sent=False))
                self.table.abandon(self.pending)


class Messages:
    """The outbound messages of one life.

    Connections are identified by numbers; later ones have higher numbers.

    Args:
        while_disconnected: "refuse" or "queue" messages while there is no connection.
        queue_callback: runs the callback of a message in order with the events.
        in_turn: runs a step of the library in order with the events.
        start_watcher: starts a task that watches the deadlines of `table`.
        log: gets the failures of messages that were neither awaited nor had a callback.

    Attributes:
        table: the messages that are not settled.
        self_id: the id of the user who sends them.
    """

    def __init__(
        self,
        *,
        while_disconnected: WhileDisconnected,
        queue_callback: Callable[[_Step], None],
        in_turn: Callable[[_Step], None],
        start_watcher: Callable[[], object],
        log: logging.Logger,
    ) -> None:
        self.table: RequestTable[MessageReply] = RequestTable(start_watcher)
        self.self_id = ""
        self._while_disconnected = while_disconnected
        self._queue_callback = queue_callback
        self._in_turn = in_turn
        self._log = log
        self._last_id = 0  # never reset: ids are unique over all connections
        self._sent: dict[str, Sent] = {}
        self._last_answered: dict[int, int] = {}  # by connection: the last id replied to over it

    def next_id(self) -> int:
        """Return a new message id."""
        self._last_id += 1
        return self._last_id

    def send(
        self, event_type: str, body: Mapping[str, Any], *, timeout: float, callback: Callback | None = None
    ) -> Sent:
        """Send a message now, or once there is a connection; see `RTMClient.send`."""
        message_id = self.next_id()
        sent = Sent(message_id, event_type, dict(body), callback)
        sent.table = self.table
        frame = encode(event_type, message_id, body)
        on_settled = partial(self._on_settled, sent)
        if self.table.connected or self._while_disconnected == "queue":
            self._sent[str(message_id)] = sent
            sent.pending = self.table.submit(str(message_id), frame, deadline=now() + timeout, on_settled=on_settled)
        else:
            sent.pending = Pending(str(message_id), frame, 0.0)
            sent.pending.on_settled = on_settled
            sent.pending.fail(NotConnected("there is no connection to Slack now, and messages are not queued"))
        return sent

    # -- for the conversation --------------------------------------------------------------------------------------

    def connection_lost(self, connection: int) -> None:
        """Handle the loss of a connection: unanswered messages that were sent over it are in doubt."""
        carried = set[int]()
        for pending in self.table.waiting():
            sent = self._sent.get(pending.key)
            if sent is not None and pending.sent:
                sent.in_doubt = sent.in_doubt or sent.connection_number == connection
                carried.add(sent.connection_number)
        self._last_answered = {
            one: last for one, last in self._last_answered.items() if one in carried or one > connection
        }

    def ids_in_doubt(self) -> frozenset[str]:
        """Return the ids of unanswered messages that were sent over lost connections."""
        return frozenset(pending.key for pending in self.table.waiting() if self._is_in_doubt(pending))

    def transmit(
        self, pending: Pending[MessageReply], send: Callable[[Pending[MessageReply] | bytes], None], *, connection: int
    ) -> None:
        """Send a message over a connection, and settle it if Slack does not reply to its type."""
        sent = self._sent.get(pending.key)
        if sent is not None:
            sent.connection_number = connection
        if sent is None or sent.event_type in _ANSWERED:
            send(pending)
        else:
            send(pending.frame)
            pending.sent = True
            pending.answer(MessageReply(sent.id, MessageOutcome.WRITTEN))

    def handle_reply(self, message_id: int, event: Event) -> Mapping[str, Any] | None:
        """Settle a message by its reply; return it as an event for the store, or None for other types and refusals."""
        sent = self._sent.get(str(message_id))
        if sent is None:
            self._log.info("a reply to message %d, which is not pending", message_id)
            return None
        self._last_answered[sent.connection_number] = message_id
        if _is_refusal(event):
            self.table.fail(str(message_id), _rejection(event))
            return None
        message: Mapping[str, Any] = {name: value for name, value in event.items() if name != "reply_to"}
        if sent.event_type == "message" and "type" not in event:
            message = self._as_event(sent, **{name: event[name] for name in ("text", "ts") if name in event})
        self.table.settle(str(message_id), MessageReply(message_id, MessageOutcome.ACKNOWLEDGED, message))
        return message if sent.event_type == "message" else None

    def settle_by_replay(self, message_id: int) -> None:
        """Settle the messages in doubt that were sent over the same connection as this one.

        After a reconnect Slack repeats its last reply: it has received the messages up to that id, and none after it.
        That says nothing about the messages of other connections.
        """
        connection = next((one for one, last in self._last_answered.items() if last == message_id), None)
        for pending in self.table.waiting():
            sent = self._sent.get(pending.key)
            if sent is None or sent.connection_number != connection or not sent.in_doubt:
                continue
            if sent.id > message_id:
                self.table.fail(pending.key, RequestLost("not sent: the connection was lost before", sent=False))
            elif sent.id < message_id:
                self.table.settle(pending.key, MessageReply(sent.id, MessageOutcome.ASSUMED, self._as_event(sent)))

    def fail_in_doubt(self, ids: frozenset[str]) -> None:
        """Fail those of these messages that are still unanswered: the replay window is over."""
        for pending in self.table.waiting():
            if pending.key in ids:
                self.table.fail(pending.key, RequestLost("the connection was lost before Slack answered", sent=True))

    def end(self) -> None:
        """Fail all pending messages: no further connection follows."""
        self.table.disconnect(_closed)

    def _is_in_doubt(self, pending: Pending[MessageReply]) -> bool:
        sent = self._sent.get(pending.key)
        return sent is not None and sent.in_doubt

    def _as_event(self, sent: Sent, **known: Any) -> Mapping[str, Any]:
        return {"type": sent.event_type, "user": self.self_id, **sent.body, **known}

    def _on_settled(self, sent: Sent, pending: Pending[MessageReply]) -> None:
        self._sent.pop(pending.key, None)
        sent.settled.set()
        reply, error = pending.result, pending.error
        if sent.callback is not None and (reply is not None or error is not None):
            self._queue_callback(partial(call, sent.callback, error, reply))
        elif error is not None and not sent.awaited:  # the sender may still await it before that step runs
            self._in_turn(partial(self._log_error, sent, error))

    async def _log_error(self, sent: Sent, error: Exception) -> None:
        if not sent.awaited:
            self._log.warning("%r: %s", sent, error)


def _closed(pending: Pending[MessageReply]) -> RcexError:
    if pending.sent:
        return RequestLost("the client was closed before the answer came", sent=True)
    return RequestLost("not sent: the client was closed", sent=False)


def _is_refusal(event: Event) -> bool:
    """Return whether a reply is a refusal: an "error" event, or an acknowledgement without a true "ok"."""
    if event.get("type") == "error" or event.get("ok") is False:
        return True
    return "type" not in event and event.get("ok") is not True


def _rejection(event: Event) -> MessageRejected:
    match event.get("error"):
        case {"msg": text, **rest}:
            code = rest.get("code")
            return MessageRejected(code if isinstance(code, int) else None, str(text), event)
        case other:
            return MessageRejected(None, str(other), event)
