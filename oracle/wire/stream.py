"""A stream that fails on command, around any trio stream."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

import trio

READ_SIZE = 65536
Pace = tuple[int, float]
Cut = Literal["reset", "fin", "silence"]


@runtime_checkable
class Resettable(Protocol):
    """A stream that can reset itself, as `MemoryStream` does."""

    def reset(self) -> None:
        """Send RST and be closed."""


class FaultyStream(trio.abc.HalfCloseableStream):
    """Pass everything on, until told to fail.

    A frozen direction stands for a network that lost its way: neither side hears of anything there, also not of FIN or
    RST, until `thaw`. Only `reset` and `aclose` of this object still reach the peer, because no socket may be left.

    Args:
        inner: a `trio.SocketStream`, a `MemoryStream`, or anything with `reset()`.

    Attributes:
        inner: as given.
        sent: bytes that were handed to the inner stream.
        received: bytes that it gave.
    """

    def __init__(self, inner: trio.abc.HalfCloseableStream) -> None:
        self.inner = inner
        self.sent = 0
        self.received = 0
        self._closed = False
        self._finished = False
        self._thawed_in: trio.Event | None = None  # set to wake; None when not frozen
        self._reading_frozen: trio.CancelScope | None = None  # for `thaw` to give the reader what was held
        self._drop_in = False
        self._held_in = bytearray()
        self._frozen_out = False
        self._drop_out = False
        self._held_out = bytearray()
        self._held_eof = False
        self._slow_in: Pace | None = None
        self._slow_out: Pace | None = None
        self._left: int | None = None
        self._cut: Cut = "reset"
        self._sending = trio.Lock()

    @property
    def closed(self) -> bool:
        """Whether this side closed or reset it."""
        return self._closed

    # The faults.

    def reset(self) -> None:
        """Send RST. This side is closed then: what its tasks wait for raises `ClosedResourceError`."""
        if self._closed:
            return
        self._closed = True
        if isinstance(self.inner, trio.SocketStream):
            self.inner.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.inner.socket.close()
        elif isinstance(self.inner, Resettable):
            self.inner.reset()
        else:
            raise TypeError(f"{type(self.inner).__name__} cannot be reset")
        self._wake()

    def freeze_inbound(self, *, drop: bool = False) -> None:
        """Let what the peer sends be taken, and not read.

        Args:
            drop: whether it is lost, or held until `thaw`.
        """
        if self._thawed_in is None:
            self._thawed_in = trio.Event()
        self._drop_in = drop

    def freeze_outbound(self, *, drop: bool = False) -> None:
        """Let what is sent to the peer go nowhere, while the sender believes that it went.

        Args:
            drop: whether it is lost, or held until `thaw`.
        """
        self._frozen_out = True
        self._drop_out = drop

    async def thaw(self) -> None:
        """End both freezes: first with what was held."""
        self._wake()
        async with self._sending:
            self._frozen_out = False
            held, self._held_out = bytes(self._held_out), bytearray()
            if held:
                await self._write(held)
            if self._held_eof:
                self._held_eof = False
                await self.inner.send_eof()

    def slow(self, *, outbound: Pace | None = None, inbound: Pace | None = None) -> None:
        """Let bytes pass at this pace from now on.

        Args:
            outbound: so many bytes, then a pause of so many seconds; None for no limit.
            inbound: the same for what the peer sends.
        """
        self._slow_out, self._slow_in = outbound, inbound

    def cut_after(self, size: int, how: Cut = "reset") -> None:
        """End the connection once so many more bytes were sent, whatever message they belong to.

        Args:
            size: in bytes, 0 for before the next one.
            how: "reset" for RST, "fin" for FIN, "silence" to lose what follows.
        """
        self._left, self._cut = size, how

    # The stream.

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write, as far as the faults allow; one task after the other."""
        async with self._sending:
            await self._write(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until a write would not wait, the pace left aside."""
        if self._frozen_out:
            await trio.lowlevel.checkpoint()
        else:
            await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read, as far as the faults allow."""
        size = max_bytes or READ_SIZE
        while True:
            self._check_open()
            if self._thawed_in is None and self._held_in:
                await trio.lowlevel.checkpoint()
                held = bytes(self._held_in[:size])
                del self._held_in[:size]
                return held
            if self._slow_in is not None:
                size = min(size, self._slow_in[0])
                await trio.sleep(self._slow_in[1])
            data: bytes | None = None
            try:
                if self._thawed_in is None:
                    data = bytes(await self.inner.receive_some(size))
                else:
                    with trio.CancelScope() as self._reading_frozen:
                        data = bytes(await self.inner.receive_some(size))
            except trio.BrokenResourceError:
                await self._wait_for_thaw()
                if self._held_in:
                    continue  # the reset comes again with the next read
                raise
            if data is None:
                continue  # thawed
            self.received += len(data)
            if not data:
                await self._wait_for_thaw()
                if self._held_in:
                    continue
                return b""
            if self._thawed_in is None:
                return data
            if not self._drop_in:
                self._held_in += data

    async def send_eof(self) -> None:
        """Send FIN; reading goes on."""
        async with self._sending:
            self._check_open()
            self._finished = True
            if self._frozen_out:
                self._held_eof = not self._drop_out
            else:
                await self.inner.send_eof()

    async def aclose(self) -> None:
        """Close both directions."""
        self._closed = True
        self._wake()
        await self.inner.aclose()

    # How it is done.

    async def _write(self, data: bytes) -> None:
        self._check_open()
        if self._finished:
            raise trio.ClosedResourceError("after FIN nothing can be sent")
        left, cut = self._left, self._left is not None and len(data) >= self._left
        if cut:
            data = data[:left]
        elif left is not None:
            self._left = left - len(data)
        await self._pass_on(data)
        if cut:
            self._left = None
            await self._cut_now()

    async def _pass_on(self, data: bytes) -> None:
        """Write at the pace that holds now, into the freeze if there is one."""
        rest = memoryview(data)
        while rest:
            if self._frozen_out:
                if not self._drop_out:
                    self._held_out += rest
                break
            size, pause = self._slow_out or (len(rest), 0.0)
            await self.inner.send_all(rest[:size])
            self.sent += min(size, len(rest))
            rest = rest[size:]
            if rest:
                await trio.sleep(pause)
                self._check_open()
        await trio.lowlevel.checkpoint()

    async def _cut_now(self) -> None:
        how: dict[Cut, Callable[[], None]] = {
            "reset": self.reset,
            "silence": lambda: self.freeze_outbound(drop=True),
        }
        if self._cut == "fin":
            self._finished = True
            await self.inner.send_eof()
        else:
            how[self._cut]()

    async def _wait_for_thaw(self) -> None:
        if self._thawed_in is not None:
            await self._thawed_in.wait()
            self._check_open()

    def _wake(self) -> None:
        if self._thawed_in is not None:
            self._thawed_in.set()
            self._thawed_in = None
        if self._reading_frozen is not None:
            self._reading_frozen.cancel()
            self._reading_frozen = None

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this side was closed")
