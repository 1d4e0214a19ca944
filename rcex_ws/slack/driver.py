"""What Slack's client decides over all its connections: the endpoints, and what follows a loss or a failed attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rcex_ws.connection import Driver, Endpoint, Link, Loss
from rcex_ws.errors import ConfigurationError, ConnectFailed, RateLimited, RcexError
from rcex_ws.loop import now
from rcex_ws.slack.conversation import SlackConversation, SlackShared
from rcex_ws.slack.models import Events
from rcex_ws.slack.settings import SlackSettings
from rcex_ws.slack.web import WebApi

__all__ = ["SlackDriver"]

_NO_RECONNECT = "auto-reconnect is disabled"
_CLOSED_WITHOUT_RECONNECT = "websocket closed with auto-reconnect false on the RTM client"


class SlackDriver(Driver):
    """The driver of an `RTMClient`.

    Args:
        api: the Web API.
        shared: what outlives a connection.
        settings: the options of the client.
        start_options: Slack's options of rtm.connect or rtm.start, the same for every attempt.
    """

    def __init__(
        self,
        api: WebApi,
        shared: SlackShared,
        settings: SlackSettings,
        start_options: Mapping[str, Any],
    ) -> None:
        self._api = api
        self._shared = shared
        self._settings = settings
        self._start_options = start_options
        self._authenticated = False  # whether rtm.connect succeeded in the current attempt
        self._conversation: SlackConversation | None = None  # the one that this attempt led to
        self._connection_number = 0  # of the current attempt, and of its connection

    async def endpoint(self) -> Endpoint:
        """Request a WebSocket URL from Slack; each is valid for one connection."""
        feed = self._shared.feed
        self._authenticated, self._conversation = False, None
        self._connection_number += 1
        feed.emit(Events.CONNECTING)
        self._emit_migration()
        try:
            start = await self._api.connect(self._settings.start_method, **self._start_options)
        except RateLimited as exc:
            feed.rate_limited(exc.retry_after or 0.0)
            raise
        self._shared.start = start
        self._shared.messages.self_id = start.self_id
        self._authenticated = True
        feed.started(start)
        feed.emit(Events.WS_OPENING)
        # From here on Slack may send events over it, even before this side knows that it is open.
        self._shared.overlap.add(self._connection_number, now())
        settings = self._settings
        return Endpoint(start.url, proxy=settings.proxy, ssl_context=settings.ssl_context, max_size=settings.max_size)

    def conversation(self, link: Link) -> SlackConversation:
        """Return the conversation for a new connection."""
        self._shared.feed.emit(Events.WS_OPENED)
        self._conversation = SlackConversation(link, self._shared, self._connection_number)
        return self._conversation

    async def next_delay(self, ended: Loss | RcexError, delay: float) -> float | None:
        """Follow the schedule, unless Slack's refusal is final or reconnecting is disabled."""
        if isinstance(ended, RcexError):
            self._emit_failure(ended)
            if self._conversation is None:
                self._shared.overlap.remove(self._connection_number, now())
            if not ended.retryable or not self._settings.auto_reconnect:
                raise ended
        elif not self._settings.auto_reconnect:
            self._emit_migration()
            self._end(_CLOSED_WITHOUT_RECONNECT, ended.code)
            return None
        self._shared.feed.emit(Events.ATTEMPTING_RECONNECT)
        return delay

    def on_misconfigured(self, error: ConfigurationError) -> None:
        """Report a mistake of the application that ends nothing."""
        self._shared.feed.error(error)

    def on_failed(self, error: Exception) -> None:
        """Emit `disconnect`: no further attempt follows."""
        if isinstance(error, RcexError) and error.retryable:
            reason = _CLOSED_WITHOUT_RECONNECT if self._authenticated else _NO_RECONNECT
        else:
            reason = f"{getattr(error, 'code', error)} is not recoverable"
        self._end(reason, error)

    def _emit_failure(self, error: RcexError) -> None:
        if not self._authenticated:
            self._shared.feed.emit(Events.UNABLE_TO_RTM_START, error)
            return
        if self._conversation is not None and self._conversation.emitted_close:
            return  # it was opened, and lost before hello
        self._shared.feed.emit(Events.WS_ERROR, error)
        if isinstance(error, ConnectFailed):
            self._shared.feed.emit(Events.WS_CLOSE, 1006, "")

    def _emit_migration(self) -> None:
        migration, self._shared.migration = self._shared.migration, None
        if migration is not None:
            self._shared.feed.emit(Events.SLACK_EVENT, "team_migration_started", migration)
            self._shared.feed.emit("team_migration_started", migration)

    def _end(self, reason: str, detail: object) -> None:
        self._shared.feed.emit(Events.DISCONNECT, reason, detail)
        self._shared.messages.end()
        self._shared.feed.close()
