"""A stand-in for `WebSocketClient` without a socket, for tests of a handler: the test plays the server.

Used wherever a client can be passed in. It runs the callback loop of the real client, so results mean the same.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any, TypeVar, Unpack

from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from rcex_ws.callback import REMOTE, CloseFrame, Frame, WebSocketHandler, WebSocketOptions
from rcex_ws.callback.callbacks import CallbackRunner
from rcex_ws.callback.mailbox import Disconnection
from rcex_ws.callback.settings import WebSocketSettings, text_url
from rcex_ws.connection import call
from rcex_ws.errors import NotConnected, RcexError
from rcex_ws.options import Seconds, Wait, checked

__all__ = ["WebSocketClientStub"]

S = TypeVar("S")


class WebSocketClientStub:
    """A `WebSocketClient` without a socket, which runs one handler once.

    ::

        async with anyio.create_task_group() as tasks:
            stub = WebSocketClientStub()
            await stub.start("ws://nowhere", MyHandler(), state, task_group=tasks)
            await stub.connect()
            await stub.receive(Text("hello"))
            assert stub.sent == [Text("hello yourself")]
            assert await stub.disconnect() is None  # not a number of seconds: the handler has ended the client

    The methods that play the server return once the callbacks that they cause are done.

    Attributes:
        url: the address of the last attempt.
        settings: the options it was started with, validated like those of the real client.
        sent: the frames that a server would have received, including the close frame after a `Close`.
        dropped: the frames that were cast while not connected.
    """

    def __init__(self) -> None:
        self.url = ""
        self.settings: WebSocketSettings | None = None
        self.sent: list[Frame] = []
        self.dropped: list[Frame] = []
        self._refs = count(1)
        self._connection = _StubConnection(self)
        self._runner: CallbackRunner[Any] | None = None

    # -- the interface of the client -------------------------------------------------------------------------------

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
        if self._runner is not None:
            raise NotConnected("a stub runs once; make another")
        self.settings = settings = WebSocketSettings(url=text_url(url), keepalive=keepalive, **options)
        self._runner = CallbackRunner(
            self,
            self._connection,
            handler,
            state,
            max_pending=settings.max_pending,
            max_pending_bytes=settings.max_pending_bytes,
        )
        await self._runner.init()
        task_status.started(self)
        return await self._runner.run()

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
        """Record a frame as sent, or as dropped."""
        self._running.cast(frame)

    def info(self, message: object) -> None:
        """Queue a message for `websocket_info`."""
        self._running.info(message)

    async def stop(self) -> None:
        """Stop as the real client does."""
        await self._running.stop()

    # -- the interface for tests -----------------------------------------------------------------------------------

    @property
    def state(self) -> Any:
        """The state that the last callback returned."""
        return self._running.state

    @property
    def connected(self) -> bool:
        """Whether the connection is open, as the server sees it."""
        return self._connection.connected

    @property
    def ended(self) -> bool:
        """Whether the handler has ended, so that no callback will be called any more."""
        return self._running.ended.is_set()

    async def settle(self) -> None:
        """Wait until everything so far is handled, for instance a message passed to `info`."""
        await self._running.wait_handled()

    async def connect(self) -> None:
        """Make an attempt succeed; from the second on, `next_url` is called as in the real client."""
        self._require(connected=False)
        settings, runner = self.settings, self._running
        assert settings is not None  # noqa: S101 - set together with the runner
        if not self.url or settings.next_url is None:
            self.url = settings.url
        else:
            try:
                self.url = text_url(await call(settings.next_url), "next_url")
            except RcexError as error:
                await self.disconnect(error)
                return
        self._connection.open()
        runner.connected(next(self._refs))
        await runner.wait_handled()

    @checked
    async def receive(self, frame: Frame) -> None:
        """Deliver a frame from the server; a close frame ends the connection, as it does with the real client."""
        self._require(connected=True)
        self._running.received(frame, 0)
        if isinstance(frame, CloseFrame):
            await self.disconnect()
        else:
            await self._running.wait_handled()

    @checked
    async def disconnect(self, reason: object = REMOTE, *, delay: Wait = 0.0) -> float | None:
        """End the connection, or make an attempt fail.

        Args:
            reason: the reason passed to `ondisconnect`.
            delay: the delay in seconds that the schedule would propose.

        Returns:
            The seconds until the next attempt, which the test makes by `connect`; None if the client has ended.
        """
        self._connection.connected = False
        at_least = reason.retry_after or 0.0 if isinstance(reason, RcexError) else 0.0
        disconnection = Disconnection(reason, delay, at_least=at_least)
        self._running.disconnected(disconnection)
        await self._running.wait_handled()
        return disconnection.decided

    def hang_up(self) -> None:
        """End the connection after a close frame from this side, as if the peer had answered it at once."""
        self._running.disconnected(Disconnection(REMOTE))

    @property
    def _running(self) -> CallbackRunner[Any]:
        if self._runner is None:
            raise NotConnected("the stub is not running; call start or run first")
        return self._runner

    def _require(self, *, connected: bool) -> None:
        if self._connection.connected is not connected:
            raise NotConnected("the stub is connected" if self._connection.connected else "the stub is not connected")


class _StubConnection:
    """The connection of the stub; it records what would be sent."""

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
