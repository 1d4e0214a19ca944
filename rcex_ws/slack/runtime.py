"""One life of an `RTMClient`: creates its parts, and adds Slack's own steps to starting and closing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from rcex_ws.connection import AnswerHeartbeat, EventEmitter, Heartbeat, Life, Opener, Supervisor
from rcex_ws.slack.conversation import SlackShared
from rcex_ws.slack.directory import Directory
from rcex_ws.slack.driver import SlackDriver
from rcex_ws.slack.feed import EventFeed
from rcex_ws.slack.messages import Messages
from rcex_ws.slack.models import Events
from rcex_ws.slack.settings import SlackSettings
from rcex_ws.slack.store import DataStore
from rcex_ws.slack.web import WebApi
from rcex_ws.tasks import BackgroundTask
from rcex_ws.trace import Tracer

__all__ = ["SlackRuntime"]


class SlackRuntime:
    """One life of a client, from `start` to `stop`.

    Args:
        api: the Web API.
        emitter: holds the handlers; outlives this.
        store: the model of the team, or None.
        settings: the options of the client.
        start_options: Slack's options of rtm.connect or rtm.start.
        log: the logger of the client.
        open_socket: opens a WebSocket.

    Attributes:
        feed, messages, shared, supervisor, life: see their classes.
    """

    def __init__(
        self,
        api: WebApi,
        emitter: EventEmitter,
        store: DataStore | None,
        settings: SlackSettings,
        start_options: Mapping[str, Any],
        *,
        log: logging.Logger,
        open_socket: Opener,
    ) -> None:
        self._log = log
        self._auto_reconnect = settings.auto_reconnect
        self._delivery: BackgroundTask | None = None
        directory = None if store is None else Directory(api, store, settings.fill_store, log=log)
        self.feed = EventFeed(emitter, store, settings, log, directory=directory)
        self.messages = Messages(
            while_disconnected=settings.while_disconnected,
            queue_callback=self.feed.queue_callback,
            in_turn=self.feed.in_turn,
            start_watcher=self._watch_deadlines,
            log=log,
        )
        self.shared = SlackShared(
            feed=self.feed,
            messages=self.messages,
            on_goodbye=self._on_goodbye,
            is_closing=self._is_closing,
            replay_window=settings.replay_window,
        )
        driver = SlackDriver(api, self.shared, settings, start_options)
        by_replies = settings.monitor == "replies"
        # By traffic, `pong_timeout` counts from the last inbound frame; the ping is sent one interval after that.
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
            trace=Tracer(log.name, settings.trace, log),
        )
        self.life = Life(self.supervisor, close_timeout=settings.close_timeout)

    @property
    def ended(self) -> bool:
        """Whether it is CLOSED or FAILED; tasks may still be finishing."""
        return self.supervisor.status.ended

    async def start(self) -> None:
        """Start the tasks."""
        await self.life.start()
        if self.life.closing:
            return
        self._delivery = self.life.spawn(self.feed.run, "handlers", needed_to_close=True)

    async def wait_ended(self) -> None:
        """Wait until no further attempt follows, and all queued events are delivered; raise what made it FAILED."""
        await self.life.wait_ended()
        if self._delivery is not None:
            await self._delivery.wait()
        failure = self.supervisor.status.failure
        if failure is not None:  # also if a handler has closed it since
            raise failure

    async def stop(self, reason: str, code: object) -> None:
        """Emit `disconnect`, then close: settle all messages and deliver what is queued, within `close_timeout`.

        Idempotent; may be called by a handler.
        """
        if not self.ended:
            self.feed.emit(Events.DISCONNECT, reason, code)
        await self.life.close(drain=self._drain)

    def _watch_deadlines(self) -> None:
        self.life.watch_deadlines(self.messages.table)

    def _on_goodbye(self) -> None:
        if self._auto_reconnect:
            self.supervisor.replace()

    def _is_closing(self) -> bool:
        return self.life.closing

    async def _drain(self) -> None:
        """Settle all messages, and wait until the handlers have received what is queued."""
        self.messages.end()
        self.feed.close()
        delivery = self._delivery
        try:
            if delivery is not None:
                await delivery.wait()
        finally:
            events, callbacks = self.feed.undelivered()
            cut_short = delivery is not None and not delivery.done
            closed_by_handler = delivery is not None and delivery.left_to_finish  # it gets the queued events afterwards
            if (cut_short or events or callbacks) and not closed_by_handler:
                self._log.warning(
                    "closed before all handlers had run: %d events and %d callbacks of messages were dropped",
                    events,
                    callbacks,
                )
