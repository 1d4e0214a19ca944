"""What one WebSocket of the gateway sends: frames as text, with newer recovery tokens, shown to whoever watches.

One for each `GatewayConnection`, which says what to send and when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rcex_ws.gateway.call import RestAnswer
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.frames import answer_frame, text_of
from rcex_ws.gateway.sessions import ServerFrame, ServerSession
from rcex_ws.websocket.frames import Binary
from rcex_ws.websocket.server_peer import ServerPeer

__all__ = ["OutgoingFrames"]


class OutgoingFrames:
    """Writes frames.

    Args:
        number: identifies the connection for whoever watches.
        peer: the client.
        core: the rules and the state.
        session: returns the session of the connection.
        on_send: called before each write, which puts off the idle timeout.
    """

    def __init__(
        self,
        number: int,
        peer: ServerPeer,
        core: GatewayCore,
        session: Callable[[], ServerSession],
        on_send: Callable[[], None],
    ) -> None:
        self._number = number
        self._peer = peer
        self._core = core
        self._session = session
        self._on_send = on_send
        self._stamped_frames = 0

    def details(self, details: ServerFrame, replay: Sequence[ServerFrame]) -> None:
        """Write ConnectionDetails, which has the recovery token, and what is replayed after it, together."""
        self._write(text_of(details), *(text_of(self._stamped(frame)) for frame in replay))

    def refusal(self, frame: ServerFrame) -> None:
        """Write a frame to a client that gets no session, and so no recovery token."""
        self._write(text_of(frame))

    def frame(self, frame: ServerFrame) -> None:
        """Write a frame."""
        self._write(text_of(self._stamped(frame)))

    def answer(self, request: dict[str, Any], answer: RestAnswer) -> None:
        """Write the answer to a request, given the request's meta."""
        meta = {"type": "ClientRequest", "messageId": request.get("messageId")}
        self._write(answer_frame(self._stamped(ServerFrame(meta, None)).meta, answer))

    def raw(self, messages: Sequence[str | bytes], *, binary: bool) -> None:
        """Write arbitrary messages, together.

        Args:
            messages: text or bytes.
            binary: whether text is sent as binary, too.
        """
        encoded = [message.encode() if isinstance(message, str) else message for message in messages]
        self._core.tap.show(self._number, "out", encoded)
        as_binary = [binary or isinstance(message, bytes) for message in messages]
        self._peer.send([Binary(data) if flag else data for data, flag in zip(encoded, as_binary, strict=True)])

    def _stamped(self, frame: ServerFrame) -> ServerFrame:
        """Add a newer recovery token to every n-th frame."""
        self._stamped_frames += 1
        every = self._core.options.wsc_every_n
        if not every or self._stamped_frames % every:
            return frame
        session = self._session()
        self._core.sessions.renew_wsc(session)
        return ServerFrame(frame.meta | {"wsc": session.wsc}, frame.body)

    def _write(self, *texts: str) -> None:
        self._on_send()
        encoded = [text.encode() for text in texts]
        self._core.tap.show(self._number, "out", encoded)
        self._peer.send(encoded)
