"""What the client decides over all its connections: the endpoints, and what follows a loss or a failed attempt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
from msgspec import UNSET, UnsetType

from rcex_ws.connection import Driver, Endpoint, Link, Loss, call, default_delays, within_window
from rcex_ws.errors import ConfigurationError, ConnectFailed, RcexError
from rcex_ws.rtm.conversation import RtmConversation, RtmShared
from rcex_ws.rtm.events import RtmEvents
from rcex_ws.rtm.resumption import HEADER
from rcex_ws.rtm.settings import RtmSettings, encode_authentication

__all__ = ["RtmDriver"]

#: RFC 6455's registry: the server restarts, or moves its clients to another one.
_SERVICE_RESTART = 1012
#: The server has too many connections or too much traffic of this client.
_TOO_MUCH = 4429
#: Seconds within which clients reconnect that a server has sent away.
_SPREAD = 1.0


class RtmDriver(Driver):
    """The driver of an `RtmClient`.

    Args:
        shared: what outlives a connection.
        settings: the options of the client.
        on_end: called when no further attempt follows.

    Attributes:
        conversation_now: the conversation of the newest connection; None before the first.
        connections: number of connections that were ready.
    """

    def __init__(self, shared: RtmShared, settings: RtmSettings, on_end: Callable[[], None]) -> None:
        self.conversation_now: RtmConversation | None = None
        self.connections = 0
        self._shared = shared
        self._settings = settings
        self._on_end = on_end
        self._begun = False
        self._attempts = 0  # since a connection was ready
        self._sent_away = False  # likewise
        self._lost_at: float | None = None  # likewise, by the loop's clock
        self._authentication: Any | UnsetType = UNSET

    async def endpoint(self) -> Endpoint:
        """Return the same address for each attempt, with the session to resume."""
        shared, settings = self._shared, self._settings
        if self._begun:
            self._attempts += 1
            shared.inbox.emit(RtmEvents.RECONNECTING, self._attempts)
        self._begun, self.conversation_now = True, None
        self._authentication = await self._authenticate()
        session = {HEADER: shared.account.request().to_header()} if settings.resume else {}
        return Endpoint(
            settings.url,
            headers={**settings.headers, **session},
            proxy=settings.proxy,
            ssl_context=settings.ssl_context,
            max_size=settings.max_size,
        )

    def conversation(self, link: Link) -> RtmConversation:
        """Return the conversation for a new connection."""
        self.conversation_now = RtmConversation(link, self._shared, self._authentication, self._opened)
        return self.conversation_now

    async def next_delay(self, ended: Loss | RcexError, delay: float) -> float | None:
        """Follow the schedule, but try again before the session can no longer be resumed, unless told otherwise."""
        now = anyio.current_time()
        if self._lost_at is None:
            self._lost_at = now
        conversation = self.conversation_now
        if conversation is not None and conversation.refusal is not None:
            raise conversation.refusal
        if isinstance(ended, RcexError):
            if not ended.retryable or not self._settings.reconnect:
                raise ended
            self._shared.inbox.error_logged(ended)
        elif not self._settings.reconnect:
            self._on_end()
            return None
        loss = None if conversation is None else conversation.loss
        code = None if loss is None else loss.code
        if code == _SERVICE_RESTART and not self._sent_away:
            self._sent_away = True
            return _random_delay()
        if code == _TOO_MUCH and delay == 0.0:
            return default_delays(2)
        left = self._lost_at + self._shared.account.window - now - self._settings.attempt_timeout
        return within_window(delay, left)

    def on_misconfigured(self, error: ConfigurationError) -> None:
        """Report a mistake of the application that ends nothing."""
        self._shared.inbox.error(error)

    def on_failed(self, error: Exception) -> None:
        """Report why no further attempt follows."""
        self._shared.inbox.error_logged(error)
        self._on_end()

    def _opened(self) -> None:
        self.connections += 1
        self._attempts, self._sent_away, self._lost_at = 0, False, None

    async def _authenticate(self) -> Any | UnsetType:
        value = self._settings.authentication
        if callable(value):
            try:
                value = await call(value)
            except RcexError:
                raise
            except Exception as exc:
                raise ConnectFailed(f"authentication: the function raised {type(exc).__name__}") from exc
            encode_authentication("", value)
        return UNSET if value is None else value


def _random_delay() -> float:
    import random  # at import time it would load hashlib and more

    return random.uniform(0.0, _SPREAD)
