"""One life of an `RTMClient`, from `start` to `aclose`: puts the parts together and owns their tasks."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import anyio

from rcex_ws.connection import AnswerHeartbeat, EventEmitter, Heartbeat, Opener, State, Supervisor
from rcex_ws.loop import Signal
from rcex_ws.slack.conversation import Common
from rcex_ws.slack.driver import SlackDriver
from rcex_ws.slack.feed import Feed
from rcex_ws.slack.messages import Messages
from rcex_ws.slack.models import Events
from rcex_ws.slack.settings import Settings
from rcex_ws.slack.store import DataStore
from rcex_ws.slack.web import WebApi
from rcex_ws.tasks import Child, RootTask, in_child

__all__ = ["Engine"]


class Engine:
    """Run one life.

    Args:
        api: the HTTP step.
        emitter: knows the handlers; outlives this.
        store: the model of the team, or None.
        settings: the options.
        start_options: Slack's options of rtm.connect or rtm.start.
        proxy, ssl_context: for the socket.
        log: where it says what it does.
        open_socket: opens a WebSocket.
    """

    def __init__(
        self,
        api: WebApi,
        emitter: EventEmitter,
        store: DataStore | None,
        settings: Settings,
        start_options: Mapping[str, Any],
        *,
        proxy: str | bool | None,
        ssl_context: ssl.SSLContext | None,
        log: logging.Logger,
        open_socket: Opener,
    ) -> None:
        self._settings = settings
        self._log = log
        self._root = RootTask("Slack RTM")
        self._supervising: Child | None = None
        self._delivering: Child | None = None
        self._started = Signal()
        self._stopped = Signal()
        self.feed = Feed(emitter, store, settings, log)
        self.messages = Messages(
            while_disconnected=settings.while_disconnected,
            call_back=self.feed.call_back,
            then=self.feed.then,
            watch=self._watch_deadlines,
            log=log,
        )
        self.common = Common(
            feed=self.feed,
            messages=self.messages,
            goodbye=lambda: self.supervisor.renew() if settings.auto_reconnect else None,
            replay_window=settings.replay_window,
        )
        driver = SlackDriver(api, self.common, settings, start_options, proxy=proxy, ssl_context=ssl_context)
        by_replies = settings.monitor == "replies"
        # By traffic the time-out counts from the last sign of life; the ping goes out one interval after that.
        timeout = settings.pong_timeout if by_replies else settings.pong_timeout - settings.ping_interval
        self.supervisor = Supervisor(
            driver,
            attempt_timeout=settings.attempt_timeout,
            heartbeat_interval=settings.ping_interval,
            heartbeat_timeout=timeout,
            heartbeat=AnswerHeartbeat if by_replies else Heartbeat,
            close_timeout=settings.close_timeout,
            reconnect_delays=settings.reconnect_delays,
            open_socket=open_socket,
            log=log,
        )

    @property
    def over(self) -> bool:
        """Whether it has ended, or is about to."""
        return self.common.closing or self.supervisor.state in (State.CLOSED, State.FAILED)

    async def start(self) -> None:
        """Start the tasks."""
        await self._root.start()
        if self.common.closing:
            return
        self._watch_deadlines()  # of what was sent before
        self._delivering = self._spawn(self.feed.run, "handlers")
        self._supervising = self._spawn(self.supervisor.run, "supervisor")
        self._started.set()

    async def wait_ended(self) -> None:
        """Wait until nothing will be tried again, and what is queued is delivered."""
        await self._started.wait()
        for child in (self._supervising, self._delivering):
            if child is not None:
                await child.wait()
        if self.supervisor.state is State.FAILED:
            await self.supervisor.wait_ready()  # raises what made it fail

    async def stop(self, reason: str, code: object) -> None:
        """Say so, close politely, settle what waits, deliver what is queued; all within `close_timeout` or so.

        Idempotent; safe from inside a handler.
        """
        if self.common.closing:
            if not in_child():  # a handler must not wait for what may be waiting for it
                await self._stopped.wait()
            return
        self.common.closing = True
        # What the closing handshake leaves of the time is for the handlers; a part is kept to end what is cut short.
        drain_until = anyio.current_time() + 0.8 * self._settings.close_timeout
        try:
            if self.supervisor.state not in (State.CLOSED, State.FAILED):
                self.feed.tell(Events.DISCONNECT, reason, code)
            link = self.supervisor.link
            if link is not None:
                with anyio.CancelScope(shield=True):
                    await link.close(1000, "", within=0.5 * self._settings.close_timeout)
            self.supervisor.close()
            if self._supervising is not None:
                self._supervising.cancel()
            self.messages.end()
            self.feed.close()
            with anyio.CancelScope(deadline=drain_until, shield=True):
                if self._delivering is not None:
                    await self._delivering.wait()
        finally:
            cut_short = self._delivering is not None and not self._delivering.done
            try:
                await self._root.aclose(within=0.2 * self._settings.close_timeout)
            finally:
                self._log_dropped(cut_short)
                self._started.set()
                self._stopped.set()

    def _log_dropped(self, cut_short: bool) -> None:
        if self._delivering is not None and not self._delivering.done:
            return  # a handler closes: it is left to finish, and what is queued still follows
        events, callbacks = self.feed.left()
        if cut_short or events or callbacks:
            self._log.warning(
                "closed before all handlers had run: %d events and %d callbacks of messages were dropped",
                events,
                callbacks,
            )

    def _watch_deadlines(self) -> None:
        if self._root.running:
            self._spawn(self.messages.table.watch_deadlines, "reply deadlines")

    def _spawn(self, func: Callable[[], Awaitable[None]], name: str) -> Child:
        return self._root.spawn(func, name=name, on_crash=partial(self._crashed, name))

    def _crashed(self, name: str, error: Exception) -> None:
        """Give up: a bug of ours. Handlers are told as far as they can be."""
        self.supervisor.crashed(error)
