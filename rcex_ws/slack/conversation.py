"""One connection to Slack: hello, pings, replies and events. `on_message` runs in the reader and never waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from rcex_ws.connection import Conversation, Link, Loss, LossKind, Pending
from rcex_ws.errors import BadFrame
from rcex_ws.loop import Signal, now
from rcex_ws.readers import read_digits
from rcex_ws.slack.feed import EventFeed
from rcex_ws.slack.frames import Event, decode, encode
from rcex_ws.slack.messages import Messages
from rcex_ws.slack.models import Events, MessageReply
from rcex_ws.slack.overlap import Overlap
from rcex_ws.slack.web import StartData

__all__ = ["SlackConversation", "SlackShared"]

#: Events between server and client, which are not emitted (as in `@slack/client` 3.x).
_INTERNAL = frozenset({"hello", "pong", "team_migration_started"})


@dataclass(slots=True, kw_only=True)
class SlackShared:
    """What the connections of one life share.

    Attributes:
        feed, messages: see their classes.
        on_goodbye: called when the server announces that it will close the active connection.
        is_closing: returns whether the application is closing the client.
        replay_window: seconds after hello in which Slack may still reply to messages sent over a lost connection.
        start: the answer to the last rtm.connect or rtm.start.
        active: the conversation that messages are sent over; None while there is none.
        overlap: compares connections while one replaces another.
        presence: body of the last presence_sub, which is sent again over every new connection.
        migration: team_migration_started, emitted when the next attempt starts (as in `@slack/client` 3.x).
    """

    feed: EventFeed
    messages: Messages
    on_goodbye: Callable[[], None]
    is_closing: Callable[[], bool]
    replay_window: float
    start: StartData | None = None
    active: SlackConversation | None = None
    overlap: Overlap = field(default_factory=Overlap)
    presence: Mapping[str, Any] | None = None
    migration: Event | None = None


class SlackConversation(Conversation):
    """What is received and sent over one connection.

    Args:
        link: the connection.
        shared: what outlives it.
        connection_number: identifies it among those of this life; later connections have higher numbers.

    Attributes:
        connection_number: as given.
        emitted_close: whether `ws_close` was emitted for it.
    """

    def __init__(self, link: Link, shared: SlackShared, connection_number: int) -> None:
        self.connection_number = connection_number
        self._link = link
        self._shared = shared
        self._hello_came = Signal()
        self._in_doubt = frozenset[str]()  # ids of unanswered messages, sent over connections lost before this one
        self._predecessor: SlackConversation | None = None  # the one that this replaces, until this is ready
        self._lost = False
        self._ping_id = 0  # the id of the last ping
        self.emitted_close = False

    # -- in the reader ---------------------------------------------------------------------------------------------

    def on_message(self, data: bytes, binary: bool) -> None:
        """Handle one inbound frame."""
        try:
            event = decode(data)
            message_id = _reply_to(event)
        except BadFrame as exc:
            self._shared.feed.bad_frame(data, exc)
            return
        kind = event.get("type")
        if message_id is not None:
            self._handle_reply(data, event, message_id)
        elif not isinstance(kind, str):
            self._shared.feed.bad_frame(data, BadFrame("a frame without type and reply_to"))
        elif kind in _INTERNAL:
            self._handle_internal(data, event)
        else:
            if kind == "goodbye" and self._shared.active is self:
                self._shared.on_goodbye()
            overlap = self._shared.overlap
            if overlap.alone or overlap.accept(self.connection_number, data, event, now()):
                self._shared.feed.frame(data, event, public=True)

    def heartbeat(self) -> bytes:
        """Return an RTM ping: the pong proves that Slack itself is alive, not only a proxy in front of it."""
        self._ping_id = self._shared.messages.next_id()
        return encode("ping", self._ping_id, {})

    def on_lost(self, loss: Loss) -> None:
        """Handle the loss; messages stay pending, since their replies may come over the next connection."""
        shared = self._shared
        greeted, was_active = self._hello_came.is_set(), shared.active is self
        shared.overlap.remove(self.connection_number, now())
        self._lost = True
        shared.messages.connection_lost(self.connection_number)
        if was_active:
            shared.active = None
            shared.messages.table.disconnect()
            predecessor = self._predecessor
            if predecessor is not None and not predecessor._lost:  # lost right after its hello: the old one continues
                predecessor._become_active()
        elif greeted:
            return  # closed by this side, after it was replaced
        if not shared.is_closing() and loss.kind in (LossKind.CLOSED, LossKind.DROPPED, LossKind.UNREADABLE):
            shared.feed.emit(Events.WS_CLOSE, loss.code or 1006, loss.text)
            self.emitted_close = True

    # -- in tasks --------------------------------------------------------------------------------------------------

    async def handshake(self) -> None:
        """Wait for hello."""
        await self._hello_came.wait()

    async def after_ready(self) -> None:
        """Fail the messages of lost connections that Slack has not answered within the replay window."""
        self._predecessor = None
        if self._in_doubt:
            await anyio.sleep(self._shared.replay_window)
            self._shared.messages.fail_in_doubt(self._in_doubt)

    # -- kinds of frames -------------------------------------------------------------------------------------------

    def _handle_internal(self, data: bytes, event: Event) -> None:
        shared = self._shared
        shared.feed.frame(data, event, public=False)
        if event["type"] == "hello" and not self._hello_came.is_set():
            self._handle_hello()
        elif event["type"] == "team_migration_started":
            shared.migration = event
            self._link.lose(Loss(LossKind.REFUSED, text="the team moves to another server"))

    def _handle_hello(self) -> None:
        """Take the messages over from the connection that this one replaces, if there is one."""
        shared = self._shared
        shared.feed.hello(fill=shared.active is None)
        self._in_doubt = shared.messages.ids_in_doubt()
        self._predecessor = shared.active
        if self._predecessor is not None:  # what it has not written yet is sent over this one
            self._predecessor._link.withdraw_requests()
            shared.messages.table.disconnect()
        if shared.presence is not None:
            self._link.send(encode("presence_sub", shared.messages.next_id(), shared.presence))
        self._become_active()
        self._hello_came.set()

    def _handle_reply(self, data: bytes, event: Event, message_id: int) -> None:
        """Handle an acknowledgement, a pong, or the repeated last reply of an earlier connection."""
        shared, kind = self._shared, event.get("type")
        if message_id >= self._ping_id:
            self._link.monitor.record_answer(now())
        if kind == "pong" and message_id == self._ping_id:
            self._link.heartbeat_answered()
            shared.feed.frame(data, event, public=False)
            return
        message = shared.messages.handle_reply(message_id, event)
        if kind is None or kind == "pong":
            shared.feed.frame(data, event, public=False)
            if message is not None:
                shared.feed.own_message(message)
        elif kind == "error":  # both a refusal and an event
            shared.feed.frame(data, event, public=True)
        else:
            shared.messages.settle_by_replay(message_id)
            shared.feed.frame(data, event, public=True)

    def _become_active(self) -> None:
        self._shared.active = self
        self._shared.messages.table.connect(self._transmit)

    def _transmit(self, pending: Pending[MessageReply]) -> None:
        self._link.monitor.record_sent(now())
        self._shared.messages.transmit(pending, self._link.send, connection=self.connection_number)


def _reply_to(event: Event) -> int | None:
    match event.get("reply_to"):
        case None | False | 0 | "":
            return None
        case other:
            message_id = read_digits(other)
            if message_id is None:
                raise BadFrame(f"reply_to is not an id of ours: {str(other)[:40]!r}")
            return message_id
