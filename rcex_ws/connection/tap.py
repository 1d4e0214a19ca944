"""Take the frames of a `websockets` connection when they are parsed, not through its queue.

The queue would cost a switch of tasks for each message, and does not show pongs. Used by `socket.py`, which alone knows
`websockets` beside this.

On asyncio all of this runs in callbacks of the loop, where nothing of anyio's may be made or called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from websockets import exceptions as wse
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from rcex_ws.loop import Signal

if TYPE_CHECKING:
    import trio

__all__ = ["AsyncioTap", "End", "Reader", "TrioTap", "ignore"]


class End(Protocol):
    """The end of a connection, for the one task that waits for it."""

    def come(self) -> None:
        """Say that it has come; from anywhere."""
        ...

    def come_at(self, deadline: float) -> None:
        """Say when it comes at the latest, by the loop's clock."""
        ...

    async def wait(self) -> None:
        """Wait for it."""
        ...


class _AsyncioEnd:
    """The end of an asyncio connection; `AsyncioTap` says that it has come."""

    def __init__(self) -> None:
        self._come = Signal()
        self._timer: asyncio.TimerHandle | None = None

    def come(self) -> None:
        """Say that it has come."""
        self._come.set()

    def come_at(self, deadline: float) -> None:
        """Say when it comes at the latest."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(deadline, self._come.set)

    async def wait(self) -> None:
        """Wait for it."""
        try:
            await self._come.wait()
        finally:
            if self._timer is not None:
                self._timer.cancel()


class _TrioEnd:
    """The end of a trio connection, which its `recv` shows: the tap leaves no message for it.

    Args:
        websocket: the connection.
        scope: a new one.
    """

    def __init__(self, websocket: Any, scope: trio.CancelScope) -> None:
        self._websocket = websocket
        self._scope = scope

    def come(self) -> None:
        """Say that it has come."""
        self._scope.cancel()

    def come_at(self, deadline: float) -> None:
        """Say when it comes at the latest."""
        self._scope.deadline = deadline

    async def wait(self) -> None:
        """Wait for it."""
        with self._scope, suppress(wse.ConnectionClosed):
            await self._websocket.recv(False)


class Tap:
    """Give frames away; mixed into the connection classes of both flavours, by the option `create_connection`.

    Attributes:
        on_frame: takes every frame; None while nobody reads.
        early: what came before that, with the answer to the upgrade.
        end: where the end is waited for.
    """

    on_frame: Callable[[WireFrame], None] | None = None
    early: list[WireFrame] | None = None
    _close_deadline: float | None = None

    @cached_property
    def end(self) -> End:
        """Each flavour has its own."""
        raise NotImplementedError

    @property
    def close_deadline(self) -> float | None:
        """When the peer must have ended the stream; set by websockets after a close frame, or what it cannot read."""
        return self._close_deadline

    @close_deadline.setter
    def close_deadline(self, deadline: float | None) -> None:
        self._close_deadline = deadline
        if deadline is not None:
            self.end.come_at(deadline)

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


class AsyncioTap(Tap):
    """Tap a connection of `websockets.asyncio`."""

    @cached_property
    def end(self) -> End:  # noqa: D102
        return _AsyncioEnd()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear from the loop that the transport is gone."""
        super().connection_lost(exc)  # type: ignore[misc] # pyright: ignore - of websockets
        self.end.come()


class TrioTap(Tap):
    """Tap a connection of `websockets.trio`."""

    _receiving: trio.lowlevel.Task | None = None

    @cached_property
    def end(self) -> End:  # noqa: D102
        import trio

        return _TrioEnd(self, trio.CancelScope())

    async def recv_events(self) -> None:
        """Read and parse as long as the connection lives; websockets runs this in a task."""
        import trio

        self._receiving = trio.lowlevel.current_task()
        await super().recv_events()  # type: ignore[misc] # pyright: ignore - of websockets

    async def send_data(self) -> None:
        """Write what websockets has ready.

        It answers a ping or a close frame before it gives away what came with that. When the answer cannot be written
        it would lose those frames, and the close frame would say that nothing is lost; the next read shows the end.
        """
        import trio

        try:
            await super().send_data()  # type: ignore[misc] # pyright: ignore - of websockets
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            if trio.lowlevel.current_task() is not self._receiving:
                raise


class Reader:
    """Join fragments, and keep what the receivers raise away from `websockets`, which would not pass it on.

    Args:
        on_message: takes every message, and whether it was binary.
        on_pong: takes the data of every pong.
        end: comes when a receiver has raised, or the peer closes.

    Attributes:
        failure: what a receiver raised.
    """

    def __init__(self, on_message: Callable[[bytes, bool], None], on_pong: Callable[[bytes], None], end: End) -> None:
        self._on_message = on_message
        self._on_pong = on_pong
        self._fragments: list[bytes] = []
        self._binary = False
        self._end = end
        self.failure: Exception | None = None

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
                self._end.come()
        except Exception as exc:  # noqa: BLE001 - raised again by `read`
            self.failure = exc
            self._end.come()


def ignore(frame: WireFrame) -> None:
    """Take what comes after the last reader has gone."""
