"""The runner of a handler: calls its callbacks, one at a time and in order, and carries out their results.

Used by `WebSocketClient`, and by its stub in `rcex_ws.testing`. All input goes through one mailbox, filled by methods
that never wait and emptied by `run`. Independent of the network: a `CurrentConnection` sends and closes.
"""

from __future__ import annotations

import logging
from collections import deque
from contextvars import ContextVar
from typing import Generic, NoReturn, Protocol, TypeVar

from rcex_ws.callback.handler import (
    NORMAL,
    AnyResult,
    CallbackClient,
    Close,
    Ok,
    Once,
    Reconnect,
    Reply,
    WebSocketHandler,
    check_result,
    next_state,
)
from rcex_ws.callback.mailbox import Connected, Crash, Disconnection, Info, Item, Mark, Stop
from rcex_ws.connection import DeliveryQueue, Overflow, call
from rcex_ws.errors import ConfigurationError, SlowConsumer
from rcex_ws.loop import Signal
from rcex_ws.websocket.frames import Binary, CloseFrame, Frame, Ping, Pong, Text

__all__ = ["CallbackRunner", "CurrentConnection", "running_client"]

logger = logging.getLogger("rcex_ws.callback")

S = TypeVar("S")

running_client: ContextVar[CallbackClient | None] = ContextVar("rcex_ws_callback_client", default=None)
"""The client whose callback is running."""


class CurrentConnection(Protocol):
    """The connection of a client, if it has one; what results of a handler act on."""

    def send(self, frame: Frame) -> bool:
        """Send a frame, and return whether there was an open connection for it."""
        ...

    def close(self) -> bool:
        """Start the closing handshake, unless it was; return whether there is a connection, which will then be lost."""
        ...


class _Final(Exception):
    """The end of a client, with its final reason."""

    def __init__(self, reason: object) -> None:
        super().__init__(reason)
        self.reason = reason


class CallbackRunner(Generic[S]):
    """A handler with its state and its mailbox.

    Args:
        client: the client that `WebSocketClient.current` returns in callbacks.
        connection: carries out results.
        handler: the handler.
        state: its initial state.
        max_pending: most frames in the mailbox; beyond that the oldest are dropped.
        max_pending_bytes: most bytes of frames in the mailbox, likewise.

    Attributes:
        state: the state that the last callback returned.
        ended: set when no callback will be called any more.
    """

    def __init__(
        self,
        client: CallbackClient,
        connection: CurrentConnection,
        handler: WebSocketHandler[S],
        state: S,
        *,
        max_pending: int,
        max_pending_bytes: int,
    ) -> None:
        self.state = state
        self.ended = Signal()
        self._client = client
        self._connection = connection
        self._handler = handler
        self._mailbox: DeliveryQueue[Item] = DeliveryQueue(
            max_items=max_pending, max_bytes=max_pending_bytes, on_overflow=self._on_overflow
        )
        self._ref: int | None = None
        self._last_disconnection = Disconnection(None)  # the one that precedes the next attempt
        self._once = False
        self._stopping = False
        self._close_reason: list[object] = []  # of a `Close` until the connection ends; in a list, as it may be None
        self._deferred: deque[Item] = deque()  # received meanwhile, except from that connection

    # -- input; none of these waits, but for the last two ----------------------------------------------------------

    def connected(self, ref: int) -> None:
        """Queue `onconnect`; to be called before any frame of this connection is received."""
        self._mailbox.put(Connected(ref), 0, keep=True)

    def received(self, frame: Frame, size: int) -> None:
        """Queue a frame of `size` bytes; any but a close frame may be dropped when too many are queued."""
        self._mailbox.put(frame, size, keep=isinstance(frame, CloseFrame))

    def disconnected(self, disconnection: Disconnection) -> None:
        """Queue `ondisconnect`, because a connection has ended or an attempt has failed."""
        self._mailbox.put(disconnection, 0, keep=True)

    def info(self, message: object) -> None:
        """Queue a message for `websocket_info`."""
        if self._mailbox.closed:
            logger.warning("dropping a message, the client has ended: %r", message)
        self._mailbox.put(Info(message), 0, keep=True)

    def misconfigured(self, error: ConfigurationError) -> None:
        """Log a mistake in an option, and queue it for `websocket_info`; it does not end the client."""
        logger.error("%s", error, exc_info=error.__cause__)
        self.info(error)

    def cast(self, frame: Frame) -> None:
        """Send a frame at once, or drop it with a warning."""
        if not isinstance(frame, Frame):  # pyright: ignore[reportUnnecessaryIsInstance] - a cast must not raise
            logger.error("dropping what is no frame: %r", frame)
        elif self._mailbox.closed or not self._connection.send(frame):
            logger.warning("dropping frame, not connected")

    def crash(self, error: Exception) -> None:
        """Queue an error that ends the client."""
        self._mailbox.put(Crash(error), 0, keep=True)

    async def wait_handled(self) -> None:
        """Wait until all that is queued now has been handled."""
        mark = Mark(Signal())
        self._mailbox.put(mark, 0, keep=True)
        if not self._mailbox.closed:
            await mark.reached.wait()

    async def stop(self) -> None:
        """Request a stop, and wait until it is done, unless called by a callback of this client."""
        self._mailbox.put(Stop(), 0, keep=True)
        if running_client.get() is not self._client:
            await self.ended.wait()

    # -- the one task that runs callbacks --------------------------------------------------------------------------

    async def init(self) -> None:
        """Call `init`.

        Raises:
            Exception: the callback raised it; `TypeError` if its result has the wrong type.
        """
        token = running_client.set(self._client)
        try:
            self._once = isinstance(await self._call("init"), Once)
        finally:
            running_client.reset(token)

    async def run(self) -> object:
        """Run callbacks until the end, `websocket_terminate` last; return the final reason.

        Raises:
            Exception: the final reason if that is an exception, or the exception of a callback.
        """
        token = running_client.set(self._client)
        try:
            return await self._run()
        finally:
            running_client.reset(token)
            self._close()
            self.ended.set()

    async def _run(self) -> object:
        try:
            await self._serve()
        except _Final as final:
            reason = final.reason
        except Exception as exc:  # noqa: BLE001 - raised again below
            reason = exc
        self._close()
        await call(self._handler.websocket_terminate, reason, None, self.state)
        if isinstance(reason, BaseException):
            raise reason
        return reason

    async def _serve(self) -> NoReturn:
        while True:
            if self._deferred and not self._close_reason:
                item = self._deferred.popleft()
            else:
                item = await anext(self._mailbox)
            if not self._stopping or isinstance(item, Crash):
                await self._handle(item)
            elif isinstance(item, Disconnection):
                raise _Final(NORMAL)

    async def _handle(self, item: Item) -> None:
        match item:
            case Disconnection():
                self._last_disconnection = item
                await self._disconnected(self._close_reason.pop() if self._close_reason else item.reason)
            case Crash():
                raise item.error
            case CloseFrame() | Text() | Binary() | Ping() | Pong() if self._close_reason:
                pass  # the handler has closed this connection
            case _ if self._close_reason:
                self._deferred.append(item)  # `ondisconnect` comes first
            case Connected():
                self._ref = item.ref
                await self._apply(await self._call("onconnect", item.ref))
            case Info():
                await self._apply(await self._call("websocket_info", item.message, self._ref))
            case Mark():
                item.reached.set()
            case Stop():
                self._stopping = True
                if not self._connection.close():
                    raise _Final(NORMAL)
            case _:
                result = await self._call("websocket_handle", item, self._ref)
                if not isinstance(item, CloseFrame):  # nothing can be sent after it, and the reason is REMOTE
                    await self._apply(result)

    async def _apply(self, result: AnyResult) -> None:
        match result:
            case Reply(frame):
                self.cast(frame)
            case Close(reason):
                if self._ref is None:  # nothing to close; after a Reconnect an attempt under way continues
                    await self._disconnected(reason)
                else:
                    self._close_reason = [reason]
                    self._connection.close()
            case _:
                pass

    async def _disconnected(self, reason: object) -> None:
        self._ref = None
        match await self._call("ondisconnect", reason):
            case Reconnect(_, delay) if not self._once:
                self._last_disconnection.reconnect(delay)
                return
            case Close(own):
                reason = own
            case Ok():
                reason = NORMAL
            case _:
                pass  # a Reconnect after Once
        self._last_disconnection.end()
        raise _Final(reason)

    async def _call(self, callback: str, *args: object) -> AnyResult:
        result = check_result(callback, await call(getattr(self._handler, callback), *args, self.state))
        self.state = next_state(self.state, result)
        return result

    def _close(self) -> None:
        """Accept nothing more, and discard what is queued; wake those who wait for it to be handled."""
        for item in (*self._mailbox.queued(), *self._deferred):
            if isinstance(item, Mark):
                item.reached.set()
        self._mailbox.close(discard=True)
        self._deferred.clear()

    def _on_overflow(self, overflow: Overflow, ended: bool) -> None:
        if ended:
            logger.warning("%d frames were dropped because the handler was too slow", overflow.dropped)
            return
        error = SlowConsumer("the handler is too slow: the oldest frames are being dropped")
        logger.warning("%s", error)
        self.info(error)
