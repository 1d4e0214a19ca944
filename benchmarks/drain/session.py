"""One session of the WebSocket gateway: answers requests, sends bursts, is recovered over the next connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from benchmarks.drain import answers
from benchmarks.drain.outlet import Outlet

__all__ = ["Session"]


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
        outlet: makes what is written.

    Attributes:
        out: what is written.
    """

    def __init__(self, sessions: dict[str, Session], outlet: Callable[[Callable[[], None]], Outlet] = Outlet) -> None:
        self.wsc = f"wsc-{len(sessions)}"
        sessions[self.wsc] = self
        self.out = outlet(self._burst_over)
        self._hanging: list[str] = []
        self._sequence = 0
        self._replay = _Order(count=10)

    def connected(self, transport: asyncio.Transport, *, recovered: bool) -> None:
        """Greet over a new connection; replay what is asked for, by default in the same write."""
        self.out.connect(transport)
        self._sequence += 1
        self.out.send(answers.details(self.wsc, self._sequence, recovered=recovered))
        if recovered and self._replay.delay:
            asyncio.get_running_loop().call_later(self._replay.delay, self._burst, self._replay)
        elif recovered:
            self._burst(self._replay)
        self.out.flush()

    def disconnected(self) -> None:
        """Wait for the next connection."""
        self.out.disconnect()
        self._hanging.clear()

    def take(self, payload: bytes) -> None:
        """Take one frame; the answer is written by `out.flush`."""
        frame = _read(payload)
        meta = frame.meta
        path = meta.path.rstrip("/")
        if meta.type == "Heartbeat":
            self.out.send(payload)
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

    def _answer(self, message_id: str, body: bytes) -> None:
        self.out.send(answers.answer(message_id, body))

    def _burst(self, order: _Order) -> None:
        self.out.burst(answers.notification(order.size), order.count)

    def _burst_over(self) -> None:
        for message_id in self._hanging:
            self._answer(message_id, answers.EXTENSION)
        self._hanging.clear()
        self.out.flush()
