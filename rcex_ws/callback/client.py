"""The callback client: a handler with six callbacks, kept connected by the same supervisor as all other clients.

`WebSocketClient.run` runs a handler in the task of its caller, `start` in a task group. The supervisor feeds a
`CallbackRunner`, which calls the handler in the task of `run`; the reader never runs code of the application.
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
    """A client that keeps a handler connected; made by `start` and `run`. Any task may call its methods."""

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
        """Run a handler until it ends; a cancellation drops the connection without calling any callback.

        Args:
            url: the ws:// or wss:// address.
            handler: the callbacks.
            state: what `init` receives.
            keepalive: seconds without an inbound frame after which a ping is sent; after as many more the connection
                counts as lost. None for no pings.
            task_status: gets the client as soon as `init` has returned, for `TaskGroup.start`.
            options: see `WebSocketOptions`.

        Returns:
            The final reason: `NORMAL`, or the reason of a `Close` or of the last disconnection.

        Raises:
            ConfigurationError: an option has an invalid value.
            TypeError: a callback returned a result of the wrong type.
            Exception: the exception of a callback, or the final reason if that is an exception.
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
        """Run a handler in a task group; return as soon as `init` has returned, before there is a connection.

        Args:
            url: the ws:// or wss:// address.
            handler: the callbacks.
            state: what `init` receives.
            keepalive: as for `run`, in seconds.
            task_group: the owner, which gets what `run` raises.
            options: see `WebSocketOptions`.

        Raises:
            Exception: the exception of `init`, or a `ConfigurationError` for an option.
        """
        run = partial(cls.run, url, handler, state, keepalive=keepalive, **options)
        client: WebSocketClient = await task_group.start(run, name="rcex_ws callback client")
        return client

    @staticmethod
    def current() -> CallbackClient:
        """Return the client whose callback calls this.

        Raises:
            RuntimeError: the caller is not within a callback.
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
        """Queue any message for `websocket_info`. Raises nothing but `WrongEventLoop`."""
        self._home.check()
        self._runner.info(message)

    async def stop(self) -> None:
        """Handle what is queued, close with a handshake, and end; a callback that calls this does not wait for that."""
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
        except Exception as exc:  # noqa: BLE001 - the runner raises it
            self._supervisor.give_up(exc)
