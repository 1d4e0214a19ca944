"""The callback client: a handler with six methods over the same connection as everything else.

`WebSocketClient.run` is what a supervisor calls, `start` what code with a task group calls. The engine's supervisor
feeds a `CallbackRunner`, which runs the handler in the task of `run`; the reader never runs user code.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, TypeVar, Unpack

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from rcex_ws.callback.callbacks import CallbackRunner, running_client
from rcex_ws.callback.driver import CallbackDriver, CurrentLink
from rcex_ws.callback.handler import CallbackClient, WebSocketHandler
from rcex_ws.callback.settings import WebSocketOptions, WebSocketSettings, text_url
from rcex_ws.connection import Supervisor
from rcex_ws.home import Home
from rcex_ws.options import Seconds, checked
from rcex_ws.tasks import reason_to_exit
from rcex_ws.websocket.frames import Frame

__all__ = ["WebSocketClient"]

S = TypeVar("S")


class WebSocketClient:
    """Keep a handler connected; made by `start` and `run`. Any task may call its methods."""

    def __init__(self, settings: WebSocketSettings, handler: WebSocketHandler[Any], state: Any) -> None:
        self._home = Home()
        link = CurrentLink()
        self._runner = CallbackRunner(
            self, link, handler, state, max_pending=settings.max_pending, max_pending_bytes=settings.max_pending_bytes
        )
        silence = math.inf if settings.keepalive is None else settings.keepalive
        self._supervisor = Supervisor(
            CallbackDriver(settings, link, self._runner, reschedule=lambda delay: self._supervisor.reschedule(delay)),
            attempt_timeout=settings.attempt_timeout,
            heartbeat_interval=silence,
            heartbeat_timeout=silence,
            close_timeout=settings.close_timeout,
            reconnect_delays=settings.reconnect_delays,
            open_socket=settings.open_socket,
        )

    @classmethod
    @checked
    async def run(
        cls,
        url: str | bytes,
        handler: WebSocketHandler[S],
        state: S,
        *,
        keepalive: Seconds | None = None,
        task_status: TaskStatus[WebSocketClient] = TASK_STATUS_IGNORED,
        **options: Unpack[WebSocketOptions],
    ) -> object:
        """Run a handler until it ends; a cancellation drops the connection without calling anything.

        Args:
            url: the ws:// or wss:// address.
            handler: the callbacks.
            state: what `init` receives.
            keepalive: seconds without an inbound frame after which to send a ping, and to wait for a sign of life after
                that; None for no pings.
            task_status: gets the client as soon as `init` is done, for `TaskGroup.start`.
            options: see `WebSocketOptions`.

        Returns:
            The final reason: `NORMAL`, or what a `Close` said.

        Raises:
            ConfigurationError: an option cannot work.
            TypeError: a callback gave what it may not give.
            Exception: a callback raised it, or it is the final reason.
        """
        client = cls(WebSocketSettings(url=text_url(url), keepalive=keepalive, **options), handler, state)
        client._home.check()
        await client._runner.init()
        task_status.started(client)
        return await client._run()

    @classmethod
    @checked
    async def start(
        cls,
        url: str | bytes,
        handler: WebSocketHandler[S],
        state: S,
        keepalive: Seconds | None = None,
        *,
        task_group: TaskGroup,
        **options: Unpack[WebSocketOptions],
    ) -> WebSocketClient:
        """Run a handler in a task group; return as soon as `init` is done, before there is a connection.

        Args:
            url: as for `run`, like all that is not named here.
            handler: the callbacks.
            state: what `init` receives.
            keepalive: seconds.
            task_group: the owner; what `run` raises ends it.
            options: see `WebSocketOptions`.

        Raises:
            Exception: what `init` raised, or an option that cannot work.
        """
        run = partial(cls.run, url, handler, state, keepalive=keepalive, **options)
        client: WebSocketClient = await task_group.start(run, name="rcex_ws callback client")
        return client

    @staticmethod
    def current() -> CallbackClient:
        """Give the client whose callback calls this.

        Raises:
            RuntimeError: the caller is not called by a callback.
        """
        client = running_client.get()
        if client is None:
            raise RuntimeError("only a callback of a WebSocketHandler has a current client")
        return client

    def cast(self, frame: Frame) -> None:
        """Send a frame; drop it with a warning when not connected. Raises nothing but `WrongEventLoop`."""
        self._home.check()
        self._runner.cast(frame)

    def info(self, message: object) -> None:
        """Have `websocket_info` called with any message, in its turn. Raises nothing but `WrongEventLoop`."""
        self._home.check()
        self._runner.info(message)

    async def stop(self) -> None:
        """Handle what was put before, close politely, and end; from inside a callback, without waiting for that."""
        self._home.check()
        await self._runner.stop()

    async def _run(self) -> object:
        reason: object = None
        failure: Exception | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._connect)
                try:
                    reason = await self._runner.run()
                except Exception as exc:  # noqa: BLE001 - raised again outside the group, which would wrap it
                    failure = exc
                group.cancel_scope.cancel()
        except BaseException as exc:
            if (end_of_program := reason_to_exit(exc)) is None:
                raise
            raise end_of_program from None
        if failure is not None:
            raise failure
        return reason

    async def _connect(self) -> None:
        try:
            await self._supervisor.run()
        except Exception as exc:  # noqa: BLE001 - reaches the owner by way of the loop
            self._supervisor.give_up(exc)
