"""Opens, replaces and closes the runtimes of one extension, one at a time, and the task that runs its handlers.

`WebSocketExtension` calls it. A closing makes every opening under way obsolete, whichever task it runs in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from rcex_ws.connection import EventEmitter, Opener
from rcex_ws.errors import NotConnected, RcexError
from rcex_ws.home import Home
from rcex_ws.loop import Lock
from rcex_ws.rest import CoreClient
from rcex_ws.tasks import BackgroundTask
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.runtime import WsgRuntime
from rcex_ws.wsg.settings import WsgSettings
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["Runtimes"]

_NOT_INSTALLED = "the extension is not installed; use rc.install_extension(extension)"


class Runtimes:
    """The runtimes of one extension.

    Args:
        emitter: runs the handlers of lifecycle events.
        settings: the options.
        telemetry: log, trace and counters.

    Attributes:
        announcer: reports to the application.
        rc: the client; None before `open`.
        installed: whether the client holds the extension, so that `reopen` may connect again.
        current: the newest runtime; None before the first.
    """

    def __init__(self, emitter: EventEmitter, settings: WsgSettings, telemetry: Telemetry) -> None:
        self.rc: CoreClient | None = None
        self.installed = False
        self.current: WsgRuntime | None = None
        self._emitter = emitter
        self._settings = settings
        self._telemetry = telemetry
        self.announcer = Announcer(
            emitter,
            on_gap=settings.on_gap,
            gap_timeout=settings.gap_timeout,
            retry_delay=settings.reconnect_delays,
            on_gap_change=self._mark_changed,
            telemetry=telemetry,
        )
        self._emitting: BackgroundTask | None = None
        self._closings = 0  # requested so far; each makes an opening under way obsolete
        self._one_opening_at_a_time = Lock()
        self._home = Home()

    def require_client(self) -> CoreClient:
        """Return the client.

        Raises:
            NotConnected: the extension is not installed.
        """
        if self.rc is None:
            raise NotConnected(_NOT_INSTALLED)
        return self.rc

    def require_current(self) -> WsgRuntime:
        """Return the newest runtime.

        Raises:
            NotConnected: there is none yet.
        """
        self.require_client()
        if self.current is None:
            raise NotConnected("the extension is not connected; use connect()")
        return self.current

    def check_home(self) -> None:
        """Raise `WrongEventLoop` if the caller runs in another event loop than the client."""
        self.require_client()
        self._home.check()

    async def open(self, rc: CoreClient, open_socket: Opener, wsc_token: str | None) -> None:
        """Open the first runtime, which continues the stored session or that of the token.

        Raises:
            RcexError: see `WebSocketExtension.install`.
        """
        self._home = Home()
        self._home.check()
        self.rc, self.installed = rc, True
        closings = self._closings
        try:
            if not rc.tasks.running:  # `RingCentral` starts them; they must not begin again if it is closed meanwhile
                await rc.tasks.start()
            async with self._one_opening_at_a_time:
                self._check_still_wanted(closings)
                await self._open(open_socket, wsc_token, resume=True)
        except BaseException:
            self.installed = False
            raise

    async def reopen(self, open_socket: Opener) -> None:
        """End the current session, and open a runtime that begins a fresh one.

        Raises:
            RcexError: see `WebSocketExtension.connect`.
        """
        if not self.installed:
            raise NotConnected(_NOT_INSTALLED)
        closings = self._closings
        async with self._one_opening_at_a_time:
            if self.current is not None:  # pragma: no branch - who is installed has a runtime
                await self.current.stop(keep_session=False)
            self._check_still_wanted(closings)
            await self._open(open_socket, None, resume=False)

    async def close(self, *, keep_session: bool) -> None:
        """Close the current runtime; see `WsgRuntime.stop`."""
        await self._stop(self.current, keep_session=keep_session)

    async def uninstall(self, *, keep_session: bool) -> None:
        """Close, for good unless the extension is installed again."""
        self.installed = False
        await self.close(keep_session=keep_session)

    async def wait_closed(self) -> None:
        """Wait until the current runtime, and any that replaces it meanwhile, is closed.

        Raises:
            Exception: what made the state FAILED.
        """
        runtime = None
        while runtime is not self.current:
            runtime = self.require_current()
            await runtime.wait_closed()
            async with self._one_opening_at_a_time:  # otherwise `reopen` is about to make the next
                pass

    async def _open(self, open_socket: Opener, wsc_token: str | None, *, resume: bool) -> None:
        rc = self.require_client()
        self._emitter.start(self._run_handlers)
        self.announcer.gap_calls.start(partial(rc.tasks.spawn, name="on_gap", on_crash=self._hook_task_crashed))
        runtime = WsgRuntime(
            rc,
            self.announcer,
            self._settings,
            self._telemetry,
            store=self._settings.session_store,
            open_socket=open_socket,
            home=self._home,
        )
        self.current = runtime
        try:
            await runtime.start(wsc_token=wsc_token, resume=resume)
            if self._settings.start_in_background:
                return
            await runtime.life.wait_open(self._settings.open_timeout)
        except BaseException as exc:
            if isinstance(exc, RcexError) and runtime.supervisor.status.failure is None:  # otherwise it is logged
                self._telemetry.log.warning("not connected: %s", exc)
            await self._stop(runtime, keep_session=True, quiet=True)
            raise

    async def _stop(self, runtime: WsgRuntime | None, *, keep_session: bool, quiet: bool = False) -> None:
        self._closings += 1
        if runtime is None:
            return
        self.check_home()
        repeating = self.announcer.gap_calls.stop()
        await runtime.stop(keep_session=keep_session, quiet=quiet)
        if runtime is not self.current:
            return  # `reopen` has made a new one meanwhile
        for_handlers = self._settings.close_timeout / 10
        if repeating is not None:
            with anyio.move_on_after(for_handlers, shield=True):
                await repeating.wait()
        self._emitter.stop(within=for_handlers)
        if self._emitting is None:
            return
        with anyio.move_on_after(for_handlers, shield=True):
            await self._emitting.wait()
        if not self._emitting.left_to_finish:
            self._emitter.cut_short()
        with anyio.move_on_after(for_handlers, shield=True):
            await self._emitting.wait()
        if runtime is self.current:
            self._emitting.cancel()

    def _run_handlers(self, handlers: Callable[[], Awaitable[None]]) -> None:
        self._emitting = self.require_client().tasks.spawn(handlers, name="events", on_crash=self._emitter_crashed)

    def _mark_changed(self) -> None:
        if self.current is not None:  # pragma: no branch - a hook may end after its client
            self.current.mark_changed()

    def _hook_task_crashed(self, exc: Exception) -> None:  # pragma: no cover - only by a bug of ours
        if not isinstance(exc, NotConnected):  # as below
            self._telemetry.log.error("on_gap is not called again, the task for that crashed", exc_info=exc)

    def _emitter_crashed(self, exc: Exception) -> None:
        if isinstance(exc, NotConnected):
            return  # a handler ended the program; if the loop runs on, so do the handlers
        self._telemetry.log.error("the task of lifecycle events crashed", exc_info=exc)

    def _check_still_wanted(self, closings: int) -> None:
        if self._closings != closings or not self.installed:
            raise NotConnected("the extension was closed in the meantime")
