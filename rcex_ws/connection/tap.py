"""Take the frames of a `websockets` connection when they are parsed, not through its queue.

The queue would cost a switch of tasks for each message, and does not show pongs. Used by `socket.py`, which alone knows
`websockets` beside this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

__all__ = ["Reader", "Tap", "ignore"]


class Tap:
    """Give frames away; mixed into the connection classes of both flavours, by the option `create_connection`.

    Attributes:
        on_frame: takes every frame; None while nobody reads.
        early: what came before that, with the answer to the upgrade.
        watch: the scope of who waits for the end; ends at `close_deadline`.
    """

    on_frame: Callable[[WireFrame], None] | None = None
    early: list[WireFrame] | None = None
    watch: anyio.CancelScope | None = None
    _close_deadline: float | None = None

    @property
    def close_deadline(self) -> float | None:
        """When the peer must have ended the stream; set by websockets after a close frame, or what it cannot read."""
        return self._close_deadline

    @close_deadline.setter
    def close_deadline(self, deadline: float | None) -> None:
        self._close_deadline = deadline
        if deadline is not None and self.watch is not None:
            self.watch.deadline = deadline

    def process_event(self, event: Any) -> None:
        """Take what websockets has parsed; its own subclasses override this, too."""
        if not isinstance(event, WireFrame):
            super().process_event(event)  # type: ignore[misc] # pyright: ignore - the answer to the upgrade
        elif self.on_frame is not None:
            self.on_frame(event)
        elif self.early is None:
            self.early = [event]
        else:
            self.early.append(event)


class Reader:
    """Join fragments, and keep what the receivers raise away from `websockets`, which would not pass it on."""

    def __init__(self, on_message: Callable[[bytes, bool], None], on_pong: Callable[[bytes], None]) -> None:
        self._on_message = on_message
        self._on_pong = on_pong
        self._fragments: list[bytes] = []
        self._binary = False
        self.failure: Exception | None = None
        self.watch = anyio.CancelScope()  # around whoever waits for the failure

    def take(self, frame: WireFrame) -> None:
        """Take one frame; limits and order of fragments were checked by the parser."""
        if self.failure is not None:
            return
        opcode, data = frame.opcode, bytes(frame.data)
        try:
            if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
                self._binary = opcode is Opcode.BINARY
                if frame.fin:
                    self._on_message(data, self._binary)
                else:
                    self._fragments = [data]
            elif opcode is Opcode.CONT:
                if data:  # else there would be no bound on how many are kept
                    self._fragments.append(data)
                if frame.fin:
                    self._on_message(b"".join(self._fragments), self._binary)
                    self._fragments = []
            elif opcode is Opcode.PONG:
                self._on_pong(data)
            elif opcode is Opcode.CLOSE:  # answered by websockets, as pings are; the end of the stream may take long
                self.watch.cancel()
        except Exception as exc:  # noqa: BLE001 - raised again by `read`
            self.failure = exc
            self.watch.cancel()


def ignore(frame: WireFrame) -> None:
    """Take what comes after the last reader has gone."""
