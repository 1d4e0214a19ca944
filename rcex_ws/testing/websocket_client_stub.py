"""A `WebSocketClient` without a socket, to test a handler with: the test plays the server.

It runs the same loop as the real client, so results mean the same. Takes its place wherever a client can be passed in.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any, TypeVar, Unpack

from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from rcex_ws.callback import REMOTE, CloseFrame, Frame, WebSocketHandler, WebSocketOptions
from rcex_ws.callback.callbacks import CallbackLoop
from rcex_ws.callback.mailbox import Disconnection
from rcex_ws.callback.settings import WebSocketSettings, text_url
from rcex_ws.connection import call
from rcex_ws.errors import NotConnected, RcexError
from rcex_ws.options import Seconds, Wait, checked

__all__ = ["WebSocketClientStub"]

S = TypeVar("S")


class WebSocketClientStub:
    """Run one handler once.

    ::

        async with anyio.create_task_group() as tasks:
            stub = WebSocketClientStub()
            await stub.start("ws://nowhere", MyHandler(), state, task_group=tasks)
            await stub.connect()
            await stub.receive(Text("hello"))
            assert stub.sent == [Text("hello yourself")]
            assert await stub.disconnect() is None  # and not a number of seconds: the handler has ended the client

    What plays the server returns when the callbacks that it leads to are done.

    Attributes:
        url: the address of the last attempt.
        settings: the options it was started with, checked as the real client does.
        sent: the frames that a server would have seen, the close frame after a `Close` included.
        dropped: the frames that were cast while not connected.
    """

    def __init__(self) -> None:
        self.url = ""
        self.settings: WebSocketSettings | None = None
        self.sent: list[Frame] = []
        self.dropped: list[Frame] = []
        self._refs = count(1)
        self._wire = _StubWire(self)
        self._loop: CallbackLoop[Any] | None = None

    # -- the contract of the client --------------------------------------------------------------------------------

    @checked
    async def run(
        self,
        url: str | bytes,
        handler: WebSocketHandler[S],
        state: S,
        *,
        keepalive: Seconds | None = None,
        task_status: TaskStatus[WebSocketClientStub] = TASK_STATUS_IGNORED,
        **options: Unpack[WebSocketOptions],
    ) -> object:
        """Run a handler until it ends; see `WebSocketClient.run`."""
        if self._loop is not None:
            raise NotConnected("a stub runs once; make another")
        self.settings = settings = WebSocketSettings(url=text_url(url), keepalive=keepalive, **options)
        self._loop = CallbackLoop(
            self,
            self._wire,
            handler,
            state,
            max_pending=settings.max_pending,
            max_pending_bytes=settings.max_pending_bytes,
        )
        await self._loop.init()
        task_status.started(self)
        return await self._loop.run()

    @checked
    async def start(
        self,
        url: str | bytes,
        handler: WebSocketHandler[S],
        state: S,
        keepalive: Seconds | None = None,
        *,
        task_group: TaskGroup,
        **options: Unpack[WebSocketOptions],
    ) -> WebSocketClientStub:
        """Run a handler in a task group; see `WebSocketClient.start`."""
        await task_group.start(partial(self.run, url, handler, state, keepalive=keepalive, **options))
        return self

    def cast(self, frame: Frame) -> None:
        """Note a frame as sent, or as dropped."""
        self._running.cast(frame)

    def info(self, message: object) -> None:
        """Have `websocket_info` called, in its turn."""
        self._running.info(message)

    async def stop(self) -> None:
        """End as the real client does."""
        await self._running.stop()

    # -- what a test looks at, and does ----------------------------------------------------------------------------

    @property
    def state(self) -> Any:
        """The state that the last callback gave."""
        return self._running.state

    @property
    def connected(self) -> bool:
        """Tell whether the connection is open, as the server sees it."""
        return self._wire.connected

    @property
    def ended(self) -> bool:
        """Tell whether nothing will be called any more."""
        return self._running.ended.is_set()

    async def settle(self) -> None:
        """Wait until all that happened so far is handled: a message given to `info`, say."""
        await self._running.settle()

    async def connect(self) -> None:
        """Let an attempt succeed; after the first, `next_url` is asked as the real client does."""
        self._require(connected=False)
        settings, loop = self.settings, self._running
        assert settings is not None  # noqa: S101 - set together with the loop
        if not self.url or settings.next_url is None:
            self.url = settings.url
        else:
            try:
                self.url = text_url(await call(settings.next_url), "next_url")
            except RcexError as error:
                await self.disconnect(error)
                return
        self._wire.open()
        loop.connected(next(self._refs))
        await loop.settle()

    @checked
    async def receive(self, frame: Frame) -> None:
        """Let a frame come; a close frame ends the connection, as it does in a real one."""
        self._require(connected=True)
        self._running.came(frame, 0)
        if isinstance(frame, CloseFrame):
            await self.disconnect()
        else:
            await self._running.settle()

    @checked
    async def disconnect(self, reason: object = REMOTE, *, delay: Wait = 0.0) -> float | None:
        """Let the connection end, or an attempt fail.

        Args:
            reason: for `ondisconnect`.
            delay: the wait in seconds that the schedule would propose.

        Returns:
            The seconds until the next attempt, for which the test calls `connect`; None when the client has ended.
        """
        self._wire.connected = False
        at_least = reason.retry_after or 0.0 if isinstance(reason, RcexError) else 0.0
        disconnection = Disconnection(reason, delay, at_least=at_least)
        self._running.disconnected(disconnection)
        await self._running.settle()
        return disconnection.decided

    def hang_up(self) -> None:
        """End the connection after a close frame of this side's: the peer answers it at once."""
        self._running.disconnected(Disconnection(REMOTE))

    @property
    def _running(self) -> CallbackLoop[Any]:
        if self._loop is None:
            raise NotConnected("the stub is not running; call start or run first")
        return self._loop

    def _require(self, *, connected: bool) -> None:
        if self._wire.connected is not connected:
            raise NotConnected("the stub is connected" if self._wire.connected else "the stub is not connected")


class _StubWire:
    """Note what would be sent."""

    def __init__(self, stub: WebSocketClientStub) -> None:
        self.connected = False
        self._closing = False
        self._stub = stub

    def open(self) -> None:
        self.connected, self._closing = True, False

    def send(self, frame: Frame) -> bool:
        if not self.connected or self._closing:
            self._stub.dropped.append(frame)
            return False
        self._closing = isinstance(frame, CloseFrame)
        self._stub.sent.append(frame)
        return True

    def close(self) -> bool:
        if not self.connected:
            return False
        if not self._closing:
            self.send(CloseFrame())
        self.connected = False
        self._stub.hang_up()
        return True
