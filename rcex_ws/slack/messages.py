"""Messages on their way out: their numbers, who waits for which answer, and how each ends.

Every message settles: acknowledged, refused, assumed delivered, not sent, timed out. It outlives the connection it was
sent over, as with `@slack/client` 3.x: a reply that comes after a reconnect still finds its message.
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

#: Slack answers these; all else it only takes.
_ANSWERED = frozenset({"message", "ping"})

_Step = Callable[[], Awaitable[object]]

Callback = Callable[[Exception | None, MessageReply | None], object]
"""Sync or async; gets an error or a reply, in turn with the events."""


class Sent:
    """A message that was given away; await it for its `MessageReply`, as often as you like, or leave it.

    Awaiting raises `MessageRejected` (Slack refused it), `RequestLost` (`.sent` says whether Slack may have it),
    `NotConnected` (there is no connection, and messages are not queued) or `RequestTimeout`. Once cancelled while it is
    queued, it is not sent any more; what was sent can be awaited again.

    Attributes:
        id: the number it is sent under.
    """

    def __init__(self, message_id: int, event_type: str, body: Mapping[str, Any], callback: Callback | None) -> None:
        self.id = message_id
        self.event_type = event_type
        self.body = body
        self.callback = callback
        self.awaited = False
        self.connection_number = 0  # the number of the connection that it was sent over last
        self.in_doubt = False  # it was written, and that connection is lost
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
                self.pending.fail(RequestLost("not sent: the wait for it was cancelled before its turn", sent=False))
                self.table.abandon(self.pending)


class Messages:
    """Number and send messages, and settle them.

    Args:
        while_disconnected: "refuse" or "queue" what is sent then.
        queue_callback: runs a callback in turn with the events.
        in_turn: runs a step of ours in turn with the events.
        watch: starts a task that watches the deadlines of `table`.
        log: where a failure goes that nobody waits for.
    """

    def __init__(
        self,
        *,
        while_disconnected: WhileDisconnected,
        queue_callback: Callable[[_Step], None],
        in_turn: Callable[[_Step], None],
        watch: Callable[[], object],
        log: logging.Logger,
    ) -> None:
        self.table: RequestTable[MessageReply] = RequestTable(watch)
        self.self_id = ""
        self._while_disconnected = while_disconnected
        self._queue_callback = queue_callback
        self._in_turn = in_turn
        self._log = log
        self._last_id = 0  # counts on over all connections
        self._sent: dict[str, Sent] = {}
        self._last_answered: dict[int, int] = {}  # by connection: the last message that was answered over it

    def next_id(self) -> int:
        """Give the number of the next message."""
        self._last_id += 1
        return self._last_id

    def send(
        self, event_type: str, body: Mapping[str, Any], *, timeout: float, callback: Callback | None = None
    ) -> Sent:
        """Send a message, now or when there is a connection; see `RTMClient.send`."""
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
        """Hear that a connection is lost: what was sent over it and has no answer is in doubt."""
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
        """Give the ids of what was sent over a connection that is lost, and has no answer."""
        return frozenset(pending.key for pending in self.table.waiting() if self._is_in_doubt(pending))

    def transmit(
        self, pending: Pending[MessageReply], send: Callable[[Pending[MessageReply] | bytes], None], *, connection: int
    ) -> None:
        """Send over a connection, named by its number; what Slack does not answer is settled by that."""
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
        """Take the answer to a message; give the message as the store should see it, if it is one."""
        sent = self._sent.get(str(message_id))
        if sent is None:
            self._log.info("an answer to message %d, which nobody waits for", message_id)
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
        """Take Slack's word that `message_id` was the last message it took over the connection that this was sent over.

        It says nothing of what was sent over another; nor anything at all when nobody knows over which it was sent.
        """
        connection = next((one for one, last in self._last_answered.items() if last == message_id), None)
        for pending in self.table.waiting():
            sent = self._sent.get(pending.key)
            if sent is None or sent.connection_number != connection or not sent.in_doubt:
                continue
            if sent.id > message_id:
                self.table.fail(pending.key, RequestLost("not sent: the connection went before", sent=False))
            elif sent.id < message_id:
                self.table.settle(pending.key, MessageReply(sent.id, MessageOutcome.ASSUMED, self._as_event(sent)))

    def fail_in_doubt(self, ids: frozenset[str]) -> None:
        """Hear that Slack has had its time to speak of these."""
        for pending in self.table.waiting():
            if pending.key in ids:
                self.table.fail(pending.key, RequestLost("the connection was lost before Slack answered", sent=True))

    def end(self) -> None:
        """Settle everything: there will be no connection any more."""
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
        elif error is not None and not sent.awaited:  # but it may still be, by who has just sent it
            self._in_turn(partial(self._log_error, sent, error))

    async def _log_error(self, sent: Sent, error: Exception) -> None:
        if not sent.awaited:
            self._log.warning("%r: %s", sent, error)


def _closed(pending: Pending[MessageReply]) -> RcexError:
    if pending.sent:
        return RequestLost("the client was closed before the answer came", sent=True)
    return RequestLost("not sent: the client was closed", sent=False)


def _is_refusal(event: Event) -> bool:
    """Tell a refusal: "ok" is false, or an acknowledgement lacks it; or it is an event `error` that says of what."""
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
