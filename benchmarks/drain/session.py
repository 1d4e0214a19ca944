"""One session of the WebSocket gateway: answers requests, sends bursts, is recovered over the next connection."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec import Raw, Struct

from benchmarks.drain import answers

__all__ = ["Session"]

#: Bytes of a burst that are written at once.
_PIECE = 128 * 1024


class _Meta(Struct, rename="camel", gc=False):
    type: str = ""
    message_id: str = ""
    method: str = ""
    path: str = ""


class _Frame(Struct, array_like=True, gc=False):
    meta: _Meta
    body: Raw = Raw(b"{}")


class _Order(Struct):
    """The body of a request to one of the paths of our own."""

    count: int
    size: int = 300
    delay: float = 0.0


class _Filters(Struct, rename="camel"):
    event_filters: list[str] = []


_read = msgspec.json.Decoder(_Frame).decode
_read_order = msgspec.json.Decoder(_Order).decode
_read_filters = msgspec.json.Decoder(_Filters).decode


class Session:
    """Serve one session.

    Args:
        sessions: where it can be found when it is recovered.
    """

    def __init__(self, sessions: dict[str, Session]) -> None:
        self.wsc = f"wsc-{len(sessions)}"
        sessions[self.wsc] = self
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._out: list[bytes] = []
        self._number = 0  # of the last notification: their uuids must differ
        self._template = b""
        self._left = 0  # of the burst
        self._hanging: list[str] = []
        self._sequence = 0
        self._replay = _Order(count=10)

    def connected(self, transport: asyncio.Transport, *, recovered: bool) -> None:
        """Greet over a new connection; replay what is asked for, by default in the same write."""
        self._transport, self._paused, self._left = transport, False, 0
        self._sequence += 1
        self._send(answers.details(self.wsc, self._sequence, recovered=recovered))
        if recovered and self._replay.delay:
            asyncio.get_running_loop().call_later(self._replay.delay, self._burst, self._replay)
        elif recovered:
            self._burst(self._replay)
        self.flush()

    def disconnected(self) -> None:
        """Wait for the next connection."""
        self._transport = None
        self._hanging.clear()

    def take(self, payload: bytes) -> None:
        """Take one frame; the answer is written by `flush`."""
        frame = _read(payload)
        meta = frame.meta
        path = meta.path.rstrip("/")
        if meta.type == "Heartbeat":
            self._send(payload)
        elif path == answers.BURST:
            self._answer(meta.message_id, b"{}")
            self._burst(_read_order(frame.body))
        elif path == answers.HANG:
            self._hanging.append(meta.message_id)
        elif path == answers.REPLAY:
            self._replay = _read_order(frame.body)
            self._answer(meta.message_id, b"{}")
        elif path.startswith("/restapi/v1.0/subscription"):
            self._answer(meta.message_id, answers.subscription(_read_filters(frame.body).event_filters))
        else:
            self._answer(meta.message_id, answers.EXTENSION)

    def flush(self) -> None:
        """Write all that waits, in one piece."""
        if self._transport is not None and self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def pause(self) -> None:
        """Hear that the client takes no more for now."""
        self._paused = True

    def resume(self) -> None:
        """Hear that it does."""
        self._paused = False
        self._pump()

    def _answer(self, message_id: str, body: bytes) -> None:
        self._send(answers.answer(message_id, body))

    def _send(self, payload: bytes) -> None:
        self._out.append(_head(len(payload)) + payload)

    def _burst(self, order: _Order) -> None:
        template = answers.notification(order.size)
        self._template = _head(len(template % (0, 0))) + template
        self._left += order.count
        self.flush()
        self._pump()

    def _pump(self) -> None:
        """Write the burst until the client does not keep up; `resume` goes on."""
        template = self._template
        at_once = max(1, _PIECE // max(len(template), 1))
        while self._left and not self._paused and self._transport is not None:
            first, count = self._number, min(self._left, at_once)
            self._number += count
            self._left -= count
            self._transport.write(b"".join([template % (i, i) for i in range(first, first + count)]))
        if not self._left and self._hanging:
            for message_id in self._hanging:
                self._answer(message_id, answers.EXTENSION)
            self._hanging.clear()
            self.flush()


def _head(length: int) -> bytes:
    """Begin an unmasked text frame (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((0x81, length))
    if length < 65536:
        return b"\x81\x7e" + length.to_bytes(2)
    return b"\x81\x7f" + length.to_bytes(8)
