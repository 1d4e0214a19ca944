"""The tasks of a running server: listening, handlers, events, and how all of it is closed."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from functools import partial
from typing import Protocol

import anyio

from rcex_ws.connection.event_queue import EventQueue
from rcex_ws.errors import ConfigurationError
from rcex_ws.loop import Signal
from rcex_ws.serving.dispatcher import Dispatcher
from rcex_ws.tasks import BackgroundTask, RootTask, run_to_completion
from rcex_ws.websocket.listen import bind, serve
from rcex_ws.websocket.peer import Peer, PeerOptions

__all__ = ["ClosingStep", "ServerLife"]

ClosingStep = Callable[[], Awaitable[object]]

#: Wildcard addresses, and the address that reaches them from this machine.
_OWN_HOSTS = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104


class _Phase(Enum):
    NEW = auto()
    RUNNING = auto()
    CLOSING = auto()  # or closed


class _Settings(Protocol):
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def ssl_context(self) -> ssl.SSLContext | None: ...
    @property
    def close_timeout(self) -> float: ...
    @property
    def peer_options(self) -> PeerOptions: ...


class ServerLife:
    """The one run of a server.

    Args:
        name: shown in task listings.
        settings: where to listen, with which limits.
        dispatcher: runs the handlers.
        events: the queue of events.
        report: called with a bug that has ended a task.
    """

    def __init__(
        self,
        name: str,
        settings: _Settings,
        *,
        dispatcher: Dispatcher,
        events: EventQueue,
        report: Callable[[Exception], None],
    ) -> None:
        self._settings = settings
        self._dispatcher = dispatcher
        self._event_queue = events
        self._report = report
        self._root = RootTask(name)
        self._listener: socket.socket | None = None
        self._port = settings.port
        self._tasks: set[BackgroundTask] = set()  # without these
        self._late_tasks: list[BackgroundTask] = []
        self._handlers: BackgroundTask | None = None
        self._events: BackgroundTask | None = None
        self._phase = _Phase.NEW
        self._closed = Signal()

    @property
    def begun(self) -> bool:
        """Whether `start` or `close` has been called."""
        return self._phase is not _Phase.NEW

    @property
    def running(self) -> bool:
        """Whether clients are served."""
        return self._phase is _Phase.RUNNING

    @property
    def url(self) -> str | None:
        """The address: ws://host:port/; None if it does not listen, or not yet."""
        if self._listener is None:
            return None
        host = _OWN_HOSTS.get(self._settings.host, self._settings.host)
        host = f"[{host}]" if ":" in host else host
        return f"{'wss' if self._settings.ssl_context else 'ws'}://{host}:{self._port}/"

    async def start(self, *, listen: Callable[[Peer], Awaitable[None]] | None, begin: Callable[[], object]) -> None:
        """Start the tasks; called once.

        Args:
            listen: serves a client of the server's own port; None not to listen.
            begin: called before the first task is started.

        Raises:
            ConfigurationError: the port is in use, or the host is not this machine's.
        """
        if listen is not None:
            self._listener = self._bind()
            self._port = self._listener.getsockname()[1]
        self._phase = _Phase.RUNNING
        begin()
        try:
            await self._root.start()
        except BaseException:
            await self.close()
            raise
        self._events = self._root.spawn(self._event_queue.run, name="events", on_crash=self._report)
        self._handlers = self._root.spawn(self._dispatcher.run, name="handlers", on_crash=self._report)
        if listen is not None and self._listener is not None:
            self.spawn(partial(self._listen, self._listener, listen), "listener")

    def spawn(self, func: Callable[[], Awaitable[None]], name: str) -> BackgroundTask:
        """Run a task that is cancelled when the server is closed."""

        async def run() -> None:
            try:
                await func()
            finally:
                self._tasks.discard(task)

        task = self._root.spawn(run, name=name, on_crash=self._report)
        self._tasks.add(task)
        return task

    def spawn_late(self, func: Callable[[], Awaitable[None]], name: str) -> None:
        """Run a task that handlers need until the last of them has returned."""
        self._late_tasks.append(self._root.spawn(func, name=name, on_crash=self._report))

    async def close(
        self,
        farewell: ClosingStep | None = None,
        *,
        settle: ClosingStep | None = None,
        last: ClosingStep | None = None,
    ) -> None:
        """End the tasks; a handler that calls this is left to finish. A second call waits for the first.

        Args:
            farewell: disconnects the clients, within half of `close_timeout`.
            settle: waits for what handlers have left to be done, before the events and the late tasks end.
            last: called when all tasks have ended.
        """
        if self._phase is _Phase.CLOSING:
            with self._root.let_caller_finish():
                await run_to_completion(self._closed.wait)
            return
        self._phase = _Phase.CLOSING
        await run_to_completion(partial(self._close, farewell, settle, last))

    def _bind(self) -> socket.socket:
        host, port = self._settings.host, self._settings.port
        if not host.isprintable():  # the system would be asked for what cannot be encoded, or for the part before NUL
            raise ConfigurationError(f"host: cannot listen on {host!r}: it is no name of a host")
        try:
            return bind(host, port)
        except OSError as exc:
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                why = "is in use" if exc.errno == errno.EADDRINUSE else "may not be used by this user"
                raise ConfigurationError(f"port: {port} {why}; 0 takes any free one") from exc
            raise ConfigurationError(f"host: cannot listen on {host!r}: {exc}") from exc

    async def _listen(self, listener: socket.socket, handler: Callable[[Peer], Awaitable[None]]) -> None:
        with listener:  # also when the loop ends before `close`
            await serve(listener, handler, ssl_context=self._settings.ssl_context, options=self._settings.peer_options)

    async def _close(self, farewell: ClosingStep | None, settle: ClosingStep | None, last: ClosingStep | None) -> None:
        within = self._settings.close_timeout
        steps = (  # each with the fraction of `close_timeout` by which it must be done
            (farewell or _nothing, 0.5),
            (lambda: _end(tuple(self._tasks)), 0.6),
            (self._drain_handlers, 0.7),
            (settle or _nothing, 0.8),
            (self._drain_events, 0.85),
            (lambda: _end(self._late_tasks), 0.9),
            (last or _nothing, 1.0),
        )
        begun = anyio.current_time()
        try:
            for step, part in steps:
                with anyio.move_on_after(begun + part * within - anyio.current_time()):
                    await step()
            await self._root.aclose(within=within)
        finally:
            if self._listener is not None:
                self._listener.close()
            self._closed.set()

    async def _drain_handlers(self) -> None:
        """Let handlers finish, and run those that are queued."""
        self._dispatcher.close()
        if self._handlers is not None:
            await self._handlers.wait()

    async def _drain_events(self) -> None:
        await _end(() if self._handlers is None else (self._handlers,))
        self._event_queue.close()
        if self._events is not None:
            await self._events.wait()


async def _nothing() -> None:
    """Do nothing; the default of a step."""


async def _end(tasks: Sequence[BackgroundTask]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        await task.wait()
