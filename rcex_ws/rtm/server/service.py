"""Serves one connection: its WebSocket from the upgrade to the end, its heartbeat, its authentication and its calls."""

from __future__ import annotations

import math
from enum import Enum, auto
from functools import partial
from typing import Any

from rcex_ws.connection import SteadyHeartbeat, call
from rcex_ws.connection.heartbeat import Beat
from rcex_ws.errors import BadFrame
from rcex_ws.loop import Signal
from rcex_ws.rtm.errors import RemoteError
from rcex_ws.rtm.frames import ClientFrame, FrameId, decode_client_frame, encode_error, encode_refusal, encode_reply
from rcex_ws.rtm.server.admission import ClientAdmission
from rcex_ws.rtm.server.backlog import Backlog
from rcex_ws.rtm.server.calls import TOO_MANY_CALLS, ClientCalls, encode_failure, invoke
from rcex_ws.rtm.server.close_codes import (
    GOODBYE,
    MOVED,
    NO_STATUS,
    NOT_AUTHENTICATED,
    TOO_LARGE,
    TOO_MANY,
    TOO_SLOW,
    UNSUPPORTED,
)
from rcex_ws.rtm.server.core import RtmServerCore
from rcex_ws.rtm.server.errors import ClientGone
from rcex_ws.rtm.server.rate import TokenBucket
from rcex_ws.rtm.server.session import ClientSession
from rcex_ws.serving import HandlerCall
from rcex_ws.websocket.peer import INTERNAL_ERROR, Peer
from rcex_ws.websocket.socket import Ending

__all__ = ["ConnectionService"]


class _Stage(Enum):
    STRANGER = auto()  # not authenticated, and has not tried
    ASKING = auto()  # its authentication is being checked
    ADMITTED = auto()
    CLOSING = auto()


class ConnectionService:
    """Serves one connection.

    Args:
        core: the shared parts of the server.
        admission: lets clients in.
        peer: the WebSocket.
        heartbeat: whether to send pings.

    Attributes:
        ended: set when the WebSocket has ended.
    """

    __slots__ = (
        "_admission",
        "_auth_until",
        "_bucket",
        "_calls",
        "_client",
        "_core",
        "_heartbeat",
        "_held",
        "_held_bytes",
        "_peer",
        "_reason",
        "_session",
        "_stage",
        "ended",
    )

    def __init__(self, core: RtmServerCore, admission: ClientAdmission, peer: Peer, *, heartbeat: bool) -> None:
        settings, now = core.settings, core.clock()
        self.ended = Signal()
        self._core = core
        self._admission = admission
        self._peer = peer
        self._stage = _Stage.STRANGER
        self._client: ClientSession | None = None  # that was let in, and whose connection closes
        self._session = session = ClientSession(peer, None, core.outbound, core.disconnect)
        if admission.request_of(session) is not None:  # half of the buffer has to be enough for what it has missed
            most = min(settings.max_resume_bytes, settings.max_buffer // 2)
            session.backlog = Backlog(settings.max_resume_events, most)
        self._calls = ClientCalls(core, peer)
        self._held: list[ClientFrame] | tuple[()] = ()  # what came while the authentication was being checked
        self._held_bytes = 0
        self._reason: ClientGone | None = None
        self._bucket = TokenBucket(settings.max_rate, now)
        self._heartbeat = (
            SteadyHeartbeat(settings.heartbeat_interval, settings.heartbeat_timeout, now) if heartbeat else None
        )
        self._auth_until = math.inf if settings.authenticate is None else now + settings.auth_timeout

    async def serve(self) -> None:
        """Accept the WebSocket, and serve the client until it has ended."""
        ending: Ending | None = None
        try:
            await self._peer.accept()
            if self._core.settings.authenticate is None:
                await self._admit(None, b"")
            ending = await self._peer.read(
                self._on_message, on_pong=self._on_pong, on_closing=self._on_closing, on_heard=self._on_heard
            )
        except Exception as exc:  # noqa: BLE001 - a bug: nothing that a client sends may raise
            self._core.report(exc)
            self._peer.close(INTERNAL_ERROR)
        finally:
            self._on_closing()
            if self._client is not None:
                if ending is not None and ending.by_peer and ending.code in GOODBYE and not self._client.connected:
                    self._core.sessions.end(self._client)
                self._core.disconnected(self._client, self._why(self._client, ending))
            self.ended.set()

    def close(self, code: int, text: str) -> None:
        """Close the WebSocket; ignored if it is being closed already."""
        if self._stage is not _Stage.CLOSING:
            self._reason = ClientGone(text, code, by_server=True)
            self._peer.close(code, text)

    def poll(self, now: float) -> float:
        """Check what is due: the authentication, a ping, a sign of life; return when to call this again."""
        if self._stage is _Stage.CLOSING:
            return math.inf
        if now >= self._auth_until:
            self._time_out()
            return math.inf
        if self._heartbeat is None:
            return self._auth_until
        beat = self._heartbeat.poll(now)
        if beat is Beat.LOST:
            self._reason = ClientGone("the client gave no sign of life", by_server=True)
            self._peer.abort()
            return math.inf
        if beat is Beat.SEND:
            backlog = self._session.backlog
            self._peer.ping(b"" if backlog is None else backlog.ping())
        return min(self._auth_until, self._heartbeat.wake_at(now))

    # -- in the reader -------------------------------------------------------------------------------------------------

    def _on_message(self, data: bytes, binary: bool) -> None:
        if self._stage is _Stage.CLOSING:
            return
        if binary:
            self.close(UNSUPPORTED, "text only")
            return
        if len(data) > self._core.settings.max_size:  # an ASGI server has a limit of its own
            self.close(TOO_LARGE, "the message is too large")
            return
        if not self._bucket.take(self._core.clock()):
            self.close(TOO_MANY, "too many messages")
            return
        try:
            frame = decode_client_frame(data)
        except BadFrame as exc:
            self._peer.send((encode_error(None, str(exc)),))
            return
        if frame.type == "auth":
            self._authenticate(frame)
        elif self._stage is _Stage.ADMITTED:
            self._calls.handle(frame, self._session)
        elif self._stage is _Stage.STRANGER:
            self._refuse(frame.id, "unauthenticated")
        else:
            self._hold(frame, len(data))

    def _hold(self, frame: ClientFrame, size: int) -> None:
        """Keep a call until the authentication is checked."""
        settings = self._core.settings
        if len(self._held) >= settings.max_calls or self._held_bytes + size > settings.max_size:
            self._refuse(frame.id, TOO_MANY_CALLS)
            return
        self._held = [*self._held, frame]
        self._held_bytes += size

    def _on_pong(self, payload: bytes) -> None:
        session = self._session
        if session.backlog is not None and session.peer is self._peer:
            session.backlog.on_pong(payload)

    def _on_heard(self) -> None:
        """Note a sign of life: a message, a pong, or a part of a large message, before which no pong can come."""
        if self._heartbeat is not None:
            self._heartbeat.last_inbound = self._core.clock()

    def _on_closing(self) -> None:
        """Let go of the client as soon as nothing can be sent any more."""
        if self._stage is _Stage.CLOSING:
            return
        self._stage = _Stage.CLOSING
        if self._peer.overflowed:
            self._reason = ClientGone("the client does not read what is sent to it", TOO_SLOW, by_server=True)
        self._client = self._core.left(self._peer)
        if self._session.peer is self._peer:  # not let in, and not to be
            self._session.peer = None

    def _why(self, client: ClientSession, ending: Ending | None) -> ClientGone:
        """Return why the WebSocket has ended."""
        reason = client.ended or self._reason
        if reason is not None:
            return reason
        if ending is None or ending.code is None:
            return ClientGone("the connection was lost")
        if ending.code == NO_STATUS:
            return ClientGone("closed by the client")
        if ending.unreadable:
            return ClientGone("the client sent what cannot be read", ending.code, by_server=True)
        if ending.code == MOVED:  # an ASGI server that is being stopped closes the WebSockets before its application
            return ClientGone("the server is being stopped", MOVED, by_server=True)
        return ClientGone(ending.reason or "closed by the client", ending.code)

    # -- authentication ------------------------------------------------------------------------------------------------

    def _authenticate(self, frame: ClientFrame) -> None:
        if self._core.settings.authenticate is None:
            self._peer.send((encode_reply(frame.id, True),))
        elif self._stage is not _Stage.STRANGER:
            self._refuse(frame.id, "authenticated already")
        else:
            self._stage = _Stage.ASKING
            check = partial(self._check, frame)
            fail = partial(self._refuse_client, frame.id)
            self._core.dispatcher.put(HandlerCall("the authentication handler", check, _ignore, fail))

    async def _check(self, frame: ClientFrame) -> None:
        handler = self._core.settings.authenticate
        if handler is None:
            raise AssertionError("there is nothing to check")
        authentication = await call(partial(invoke, handler, self._session.client, frame.data or ()))
        if authentication:
            await self._admit(authentication, encode_reply(frame.id, authentication))
        else:
            self._refuse_client(frame.id, None)

    async def _admit(self, authentication: Any, reply: bytes) -> None:
        admitted = await self._admission.admit(self._session, self._peer, authentication, reply)
        if admitted is None:
            return
        self._session, self._auth_until = admitted.session, math.inf
        if self._stage is not _Stage.CLOSING:
            self._stage = _Stage.ADMITTED
            held, self._held = self._held, ()
            for frame in held:
                self._calls.handle(frame, self._session)
        await self._admission.send_missed(admitted)

    def _refuse_client(self, frame_id: FrameId, error: Exception | None) -> None:
        """Refuse a client: with a reply without data, as the original client fails badly at one with an error.

        One whose authentication could not be checked is to try again: the reply would end the client for good.
        """
        if error is not None and not isinstance(error, RemoteError):
            self.close(INTERNAL_ERROR, "the authentication could not be checked")
            return
        if error is not None and self._session.backlog is not None:
            self._peer.send((encode_failure(frame_id, error),))
        else:
            self._peer.send((encode_refusal(frame_id),))
        self.close(NOT_AUTHENTICATED, "refused")

    def _time_out(self) -> None:
        hook, client = self._core.settings.on_auth_timeout, self._session.client
        self.close(NOT_AUTHENTICATED, "not authenticated in time")
        if hook is not None:
            self._core.dispatcher.put(HandlerCall("on_auth_timeout", partial(hook, client), _ignore, _ignore))

    def _refuse(self, frame_id: FrameId, error: str) -> None:
        self._peer.send((encode_error(frame_id, error),))


def _ignore(_: object) -> None:
    """Ignore what a hook returns or raises: the latter is reported, and nobody waits for the former."""
