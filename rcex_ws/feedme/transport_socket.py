"""Lets the engine of `rcex_ws.connection` use a `Transport` of the application in the place of a WebSocket."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from rcex_ws.errors import ConnectFailed, RcexError
from rcex_ws.feedme.errors import TransportFault
from rcex_ws.feedme.transport import Transport, TransportState
from rcex_ws.loop import Signal
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Sendable
from rcex_ws.websocket.socket import Ending, Receivers, Socket

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["open_transport"]

_in_use: set[int] = set()  # ids of the transports that belong to a client


@asynccontextmanager
async def open_transport(make: Callable[[], Transport], endpoint: Endpoint) -> AsyncGenerator[Socket, None]:
    """Connect a new transport; disconnect it on exit.

    Args:
        make: the function of the application that makes it.
        endpoint: not used: the application knows where its transports lead.

    Raises:
        ConnectFailed: it could not connect.
        TransportFault: it breaks the rules of `Transport`.
    """
    transport = _made_by(make)
    if id(transport) in _in_use:
        raise TransportFault("the transport belongs to a client already; make a new one for each call")
    if (state := _state_of(transport)) != "disconnected":
        raise TransportFault(f"the transport is {state!r} at the start, not disconnected")
    _in_use.add(id(transport))
    try:
        await _connect(transport)
        yield _TransportSocket(transport)
    finally:
        _in_use.discard(id(transport))
        _disconnect(transport)


@contextmanager
def _must_not_raise(what: str) -> Generator[None]:
    try:
        yield
    except Exception as exc:
        raise TransportFault(f"{what} raised {type(exc).__name__}: {exc}") from exc


def _made_by(make: Callable[[], Transport]) -> Transport:
    with _must_not_raise("the function that makes transports"):
        return make()


def _state_of(transport: Transport) -> TransportState:
    with _must_not_raise("state of the transport"):
        return transport.state


def _disconnect(transport: Transport) -> None:
    with _must_not_raise("disconnect() of the transport"):
        transport.disconnect()


async def _connect(transport: Transport) -> None:
    await anyio.lowlevel.checkpoint()  # it may fail without waiting, and retries may follow at once
    try:
        await transport.connect()
    except RcexError:
        raise
    except Exception as exc:
        raise ConnectFailed(f"the transport did not connect: {type(exc).__name__}: {exc}") from exc
    if (state := _state_of(transport)) != "connected":
        raise TransportFault(f"the transport is {state!r} after connect(), not connected")


class _TransportSocket:
    """A `Socket` over a transport; it has no pings, and no close codes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ended = Signal()
        self._deaf = False

    def descriptors(self) -> Iterable[int]:
        """Return none: what the transport has open is its own."""
        return ()

    async def open(self) -> None:
        """Do nothing: the transport is connected."""

    def start_reading(self, receivers: Receivers, group: TaskGroup) -> None:
        """Deliver messages until the transport ends, in a task of the group."""
        group.start_soon(self._read, receivers)

    async def _read(self, receivers: Receivers) -> None:
        try:
            ending = await self._read_all(receivers)
        finally:
            self._ended.set()
        if not self._deaf:
            receivers.ended(ending)

    async def _read_all(self, receivers: Receivers) -> Ending:
        while not self._deaf:
            try:
                text = await self._transport.receive()
            except Exception as exc:  # noqa: BLE001 - reported as the end of the connection
                return Ending(None, f"{type(exc).__name__}: {exc}", by_peer=False)
            if text is None:
                return Ending(None, "", by_peer=True)
            if not isinstance(text, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TransportFault(f"receive() of the transport returned a {type(text).__name__}, not bytes or None")
            if not self._deaf:
                receivers.heard()
                receivers.message(text, False)
        return Ending(None, "", by_peer=False)

    def stop_reading(self) -> None:
        """Deliver nothing more from now on, not even how the transport ended."""
        self._deaf = True

    def can_write(self) -> bool:
        """Return False: the writer task passes messages to the transport."""
        return False

    def write(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Write nothing and return False, as `can_write` says."""
        return False

    async def send(self, messages: Iterable[bytes | Sendable]) -> bool:
        """Pass messages to the transport; return whether it was connected."""
        if _state_of(self._transport) != "connected":
            return False
        for message in messages:
            if not isinstance(message, bytes):
                raise TypeError("a transport carries encoded texts alone")
            with _must_not_raise("send() of the transport"):
                self._transport.send(message)
        return True

    async def close(self, code: int, reason: str, *, within: float) -> None:
        """Disconnect the transport, and wait for its end for at most `within` seconds."""
        _disconnect(self._transport)
        with anyio.move_on_after(within):
            await self._ended.wait()

    async def abort(self) -> None:
        """Disconnect the transport."""
        _disconnect(self._transport)
