"""Serves one client: its WebSocket from the upgrade to the end, its heartbeat, and the reason why it ended."""

from __future__ import annotations

import math
import secrets

from rcex_ws.connection import SteadyHeartbeat
from rcex_ws.connection.heartbeat import Beat
from rcex_ws.feedme.messages import FeedArgs
from rcex_ws.feedme.server.client import ConnectedClient
from rcex_ws.feedme.server.conversation import ServerConversation
from rcex_ws.feedme.server.conversation_state import Handshaking
from rcex_ws.feedme.server.core import ServerCore
from rcex_ws.feedme.server.errors import ClientFailure, ClientLost, ClientTooSlow, HandshakeTimedOut
from rcex_ws.feedme.server.events import ServerEvents
from rcex_ws.loop import Signal
from rcex_ws.websocket.peer import INTERNAL_ERROR, NORMAL, Peer
from rcex_ws.websocket.socket import Ending

__all__ = ["ClientService"]

# Close codes: RFC 6455, section 7.4.1.
_PROTOCOL_ERROR, _UNSUPPORTED, _POLICY = 1002, 1003, 1008


class ClientService:
    """Serves one client.

    Args:
        core: the shared parts of the server.
        peer: its WebSocket.
        heartbeat: whether to send pings.

    Attributes:
        client: the client.
        conversation: the conversation with it.
        ended: set when the WebSocket has ended.
    """

    __slots__ = (
        "_asked",
        "_closing",
        "_core",
        "_handshake_until",
        "_heartbeat",
        "_peer",
        "_reason",
        "client",
        "conversation",
        "ended",
    )

    def __init__(self, core: ServerCore, peer: Peer, *, heartbeat: bool) -> None:
        settings, now = core.settings, core.clock()
        self.client = ConnectedClient(secrets.token_hex(8), peer.request, self.disconnect, self._open_feeds)
        self.conversation = ServerConversation(core, self.client, peer)
        self.ended = Signal()
        self._core = core
        self._peer = peer
        self._closing = False
        self._asked = False  # by the application, to disconnect
        self._reason: ClientLost | None = None
        self._heartbeat = (
            SteadyHeartbeat(settings.heartbeat_interval, settings.heartbeat_timeout, now) if heartbeat else None
        )
        self._handshake_until = now + (settings.handshake_timeout or math.inf)

    async def serve(self, subprotocol: str | None) -> None:
        """Accept the WebSocket, and serve the client until it has ended."""
        await self._peer.accept(subprotocol)
        self._core.events.emit(ServerEvents.CONNECT, self.client)
        ending: Ending | None = None
        try:
            ending = await self._peer.read(self._on_message, on_closing=self._on_closing, on_heard=self._on_heard)
        except Exception as exc:  # noqa: BLE001 - a bug: nothing that a client sends may raise
            self._core.events.report(exc)
            self._peer.close(INTERNAL_ERROR)
        finally:
            self._on_closing()
            self._core.events.emit(ServerEvents.DISCONNECT, self.client, self._why(ending))
            self.ended.set()

    def disconnect(self) -> None:
        """Close the WebSocket because the application asks for it; ignored if it is being closed already."""
        self._core.check_home()
        if not self._closing:
            self._asked = True
            self._peer.close(NORMAL)

    def close(self, reason: ClientLost, code: int = NORMAL, text: str = "") -> None:
        """Close the WebSocket for a reason; ignored if it is being closed already."""
        if not self._closing:
            self._reason = reason
            self._peer.close(code, text)

    def poll(self, now: float) -> float:
        """Check what is due: the handshake, a ping, a sign of life; return when to call this again."""
        if self._closing:
            return math.inf
        shaking = self.conversation.handshake
        if shaking is not Handshaking.DONE and now >= self._handshake_until:
            late = "the client sent no" if shaking is Handshaking.MISSING else "no handler answered the"
            self.close(HandshakeTimedOut(f"{late} handshake in time"), _POLICY, "handshake timeout")
            return math.inf
        due = math.inf if shaking is Handshaking.DONE else self._handshake_until
        if self._heartbeat is None:
            return due
        beat = self._heartbeat.poll(now)
        if beat is Beat.LOST:
            self._reason = ClientFailure("the client gave no sign of life")
            self._peer.abort()
            return math.inf
        if beat is Beat.SEND:
            self._peer.ping()
        return min(due, self._heartbeat.wake_at(now))

    def _on_message(self, data: bytes, binary: bool) -> None:
        if self._closing:
            return
        if binary:
            self.close(ClientFailure("the client sent a binary message"), _UNSUPPORTED, "text only")
            return
        error = self.conversation.receive(data)
        if error is not None:
            self._core.events.report_message(self.client, error, len(data))
            if self._core.settings.disconnect_on_violation:
                self.close(ClientFailure(f"the client broke the rules: {error.problem}"), _PROTOCOL_ERROR)

    def _on_heard(self) -> None:
        """Note a sign of life: a message, a pong, or a part of a large message, before which no pong can come."""
        if self._heartbeat is not None:
            self._heartbeat.last_inbound = self._core.clock()

    def _on_closing(self) -> None:
        """End the conversation as soon as nothing can be sent any more."""
        if not self._closing:
            self._closing = True
            if self._peer.overflowed:
                self._reason = ClientTooSlow("the client does not read what is sent to it")
            self.conversation.end()

    def _why(self, ending: Ending | None) -> ClientLost | None:
        """Return why the WebSocket has ended."""
        if self._asked or self._reason is not None:
            return self._reason
        if ending is None or ending.code is None:
            return ClientFailure("the connection was lost")
        if ending.unreadable:
            return ClientFailure(f"the client sent what cannot be read: {ending.code}", ending.code, ending.reason)
        return ClientFailure(f"the client has closed the connection: {ending.code}", ending.code, ending.reason)

    def _open_feeds(self) -> list[tuple[str, FeedArgs]]:
        self._core.check_home()
        channels = [self._core.channels[key] for key in self.conversation.open_feeds]
        return [(channel.name, dict(channel.args)) for channel in channels]
