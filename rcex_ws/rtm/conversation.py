"""One connection to a server: authentication, sessions, replies and events. `on_message` runs in the reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from rcex_ws.connection import Conversation, Link, Loss, LossKind
from rcex_ws.errors import BadFrame
from rcex_ws.headers import is_header_text
from rcex_ws.loop import Signal
from rcex_ws.readers import printable
from rcex_ws.rtm.account import SessionAccount
from rcex_ws.rtm.calls import RemoteCalls, error_of
from rcex_ws.rtm.errors import AuthenticationRefused
from rcex_ws.rtm.events import RtmEvents, RtmInbox
from rcex_ws.rtm.frames import GAP_EVENT, RESERVED, SESSION_EVENT, RtmServerFrame, decode_server_frame, is_true
from rcex_ws.rtm.pushes import PushSubscriptions
from rcex_ws.rtm.resumption import GapNotice, SessionStart
from rcex_ws.rtm.settings import encode_authentication
from rcex_ws.websocket.frames import Ping

__all__ = ["RtmConversation", "RtmShared"]

T = TypeVar("T")

#: Whoever answers this first has no sessions: a server of ours writes `rtm:session` before anything else.
_FIRST_PING = b"rtm"

#: The server has closed the connection after all that it had to send: 1012 to move its clients to another server.
_ORDERLY = frozenset({1000, 1001, 1012})

#: What this side closes with after a frame that is larger than `max_size`: RFC 6455, section 7.4.1.
_TOO_LARGE = 1009


@dataclass(frozen=True, slots=True, kw_only=True)
class RtmShared:
    """What the connections of one life share.

    Attributes:
        account, inbox, calls, pushes: see their classes.
        resume: whether the client asks for sessions.
        now: returns the time by the wall clock, in seconds.
    """

    account: SessionAccount
    inbox: RtmInbox
    calls: RemoteCalls
    pushes: PushSubscriptions
    resume: bool
    now: Callable[[], float]


class RtmConversation(Conversation):
    """What is sent and received over one connection.

    Args:
        link: the connection.
        shared: what outlives it.
        authentication: what to authenticate with; UNSET for no authentication.
        on_open: called when it is ready.

    Attributes:
        authenticated: whether the server has accepted the authentication.
        refusal: why the server has refused it.
        loss: how the connection ended.
    """

    def __init__(
        self, link: Link, shared: RtmShared, authentication: Any | UnsetType, on_open: Callable[[], object]
    ) -> None:
        self.authenticated = False
        self.refusal: AuthenticationRefused | None = None
        self.loss: Loss | None = None
        self._link = link
        self._shared = shared
        self._authentication = authentication
        self._on_open = on_open
        self._authentication_id: str | None = None  # of the frame, until its reply comes
        self._answered = Signal()
        shared.account.begin_connection()

    # -- in tasks ------------------------------------------------------------------------------------------------------

    async def handshake(self) -> None:
        """Authenticate, and find out whether the server has sessions."""
        shared = self._shared
        if self._authentication is not UNSET:
            shared.inbox.emit(RtmEvents.AUTHENTICATING)
            self._authentication_id = shared.calls.next_id()
            self._link.send(encode_authentication(self._authentication_id, self._authentication))
            self._authentication = UNSET
        elif shared.resume:
            self._link.send(Ping(_FIRST_PING))
        else:
            self._without_session(shared.now())
            return
        await self._answered.wait()

    async def after_ready(self) -> None:
        """Tell the server what it has to know, and send what has waited."""
        shared = self._shared
        self._on_open()
        shared.inbox.emit(RtmEvents.OPEN)
        shared.calls.requests.connect(self._link.send)
        shared.pushes.connect(shared.calls, ours=shared.account.ours, resumed=shared.account.resumed)
        shared.calls.table.connect(self._link.send)

    # -- in the reader -------------------------------------------------------------------------------------------------

    def on_message(self, data: bytes, binary: bool) -> None:
        """Handle one frame."""
        shared = self._shared
        now = shared.now()
        try:
            frame = decode_server_frame(data)
        except BadFrame as exc:
            shared.inbox.raw(data)
            gaps = shared.account.doubt(now, certain=False, reason="a frame could not be read")
            shared.inbox.bad_frame(exc, gaps, len(data))
            return
        event = frame.event
        if not isinstance(event, str) or not event:
            shared.inbox.raw(data)
            self._on_reply(frame, now)
        elif event.startswith(RESERVED):
            self._on_reserved(event, frame, data, now)
        else:
            shared.inbox.raw(data)
            self._on_event(event, frame, len(data), now)

    def on_pong(self, data: bytes) -> None:
        """Handle a pong."""
        now = self._shared.now()
        self._shared.account.hear(now)
        if data == _FIRST_PING and not self._answered.is_set():
            self._without_session(now)
            self._answered.set()

    def on_lost(self, loss: Loss) -> None:
        """Handle the loss: what was sent fails, what was not is sent over the next connection."""
        shared = self._shared
        self.loss, self.authenticated = loss, False
        shared.account.lose(
            orderly=loss.kind is LossKind.CLOSED and loss.code in _ORDERLY,
            too_large=loss.kind is LossKind.UNREADABLE and loss.code == _TOO_LARGE,
        )
        shared.inbox.emit(RtmEvents.CLOSE, loss)
        shared.pushes.disconnect()
        shared.calls.disconnect()

    # -- kinds of frames -----------------------------------------------------------------------------------------------

    def _on_event(self, event: str, frame: RtmServerFrame, size: int, now: float) -> None:
        shared = self._shared
        self._without_session(now)
        data: object = frame.data
        is_list = isinstance(data, list)
        gaps = [] if is_list else shared.account.doubt(now, certain=True, reason="an event could not be read")
        position = frame.id if isinstance(frame.id, str) and is_header_text(frame.id) else None
        since = shared.account.count(position, now)
        if is_list:
            shared.inbox.event(event, frame.data, size, since)
        else:
            error = BadFrame(f"an event whose data is no list: {printable(event, most=100)!r}")
            shared.inbox.bad_frame(error, gaps, size)

    def _on_reply(self, frame: RtmServerFrame, now: float) -> None:
        shared = self._shared
        self._without_session(now)
        shared.account.hear(now)
        if self._authentication_id is None or str(frame.id) != self._authentication_id:
            shared.calls.on_reply(frame)
            return
        self._authentication_id = None
        error = error_of(frame)
        if error is None and frame.data is not UNSET and is_true(frame.data):
            self.authenticated = True
            self._answered.set()
            return
        why = "" if error is None else f": {printable(error.error)}"
        self.refusal = AuthenticationRefused(f"the server does not accept the authentication{why}")
        self._link.lose(Loss(LossKind.REFUSED, text=str(self.refusal)))

    def _on_reserved(self, event: str, frame: RtmServerFrame, data: bytes, now: float) -> None:
        """Handle an event of the protocol; `rtm:session` has a secret, so nobody else gets its text."""
        shared = self._shared
        try:
            if event == SESSION_EVENT:
                self._on_session(_argument(frame, SessionStart), now)
                return
            shared.inbox.raw(data)
            self._without_session(now)
            if event == GAP_EVENT and shared.account.ours:
                self._on_notice(_argument(frame, GapNotice), now)
        except BadFrame as exc:
            shared.inbox.bad_frame(exc, [], len(data))

    def _on_session(self, start: SessionStart, now: float) -> None:
        if self._shared.account.decided or not self._shared.resume:
            raise BadFrame("a session that was not asked for, or that comes too late")
        key_fits = start.session != "" and ";" not in start.session
        if not key_fits or not is_header_text(f"{start.session};{start.position}"):
            raise BadFrame("a session that cannot be resumed")
        for gap in self._shared.account.begin_session(start, now):
            self._shared.inbox.gap(gap)

    def _on_notice(self, notice: GapNotice, now: float) -> None:
        if not is_header_text(notice.position):
            raise BadFrame("the position of a gap cannot be sent back")
        for gap in self._shared.account.notice(notice, now):
            self._shared.inbox.gap(gap)

    def _without_session(self, now: float) -> None:
        """Conclude that the server has no sessions, unless it has begun one."""
        if not self._shared.account.decided:
            for gap in self._shared.account.begin_without_session(now):
                self._shared.inbox.gap(gap)


def _argument(frame: RtmServerFrame, kind: type[T]) -> T:
    """Return the one argument of an event of the protocol."""
    try:
        (argument,) = msgspec.convert(frame.data, tuple[kind])  # type: ignore[valid-type]
    except msgspec.ValidationError as exc:
        raise BadFrame(f"an event of the protocol that cannot be read: {exc}") from None
    return argument
