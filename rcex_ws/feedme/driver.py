"""What one `connect` of the application started: its supervisor, with its retries, until it ends or is ended."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from rcex_ws.connection import Driver, Endpoint, Life, Link, Loss, Opener, SteadyHeartbeat, Supervisor
from rcex_ws.errors import ConnectTimeout, RcexError
from rcex_ws.feedme.conversation import FeedmeConversation
from rcex_ws.feedme.core import ClientCore
from rcex_ws.feedme.errors import FeedmeError, HandshakeRejected, TimedOut, TransportFailure, TransportFault
from rcex_ws.feedme.messages import SUBPROTOCOL
from rcex_ws.feedme.settings import FeedmeSettings
from rcex_ws.tasks import BackgroundTask, RootTask
from rcex_ws.trace import Tracer

__all__ = ["FeedmeDriver"]

logger = logging.getLogger("rcex_ws.feedme")


class FeedmeDriver(Driver):
    """The driver of one `connect`, with the supervisor that it drives.

    Args:
        core: the client; it ignores this driver once it is not the current one.
        settings: the options of the client.
        open_socket: opens a WebSocket, or what stands for one.
        root: owns the tasks.
    """

    def __init__(self, core: ClientCore, settings: FeedmeSettings, open_socket: Opener, root: RootTask) -> None:
        self._core = core
        self._settings = settings
        self._retries = 0
        self._warned = False
        has_pings = settings.transport is None
        supervisor = Supervisor(
            self,
            attempt_timeout=settings.connect_timeout or math.inf,
            heartbeat_interval=settings.heartbeat_interval if has_pings else math.inf,
            heartbeat_timeout=settings.heartbeat_timeout,
            heartbeat=SteadyHeartbeat,
            close_timeout=settings.close_timeout,
            reconnect_delays=settings.retry_delay,
            open_socket=open_socket,
            trace=Tracer("rcex_ws.feedme", settings.trace),
        )
        self._supervisor = supervisor
        self._life = Life(supervisor, close_timeout=settings.close_timeout, root=root)
        self._root = root

    def begin(self) -> None:
        """Begin to connect."""
        self._life.begin()

    def end(self, on_crash: Callable[[Exception], None]) -> BackgroundTask:
        """End it without waiting: nothing connects any more, and an open connection is closed cleanly."""
        self._supervisor.begin_close()
        return self._root.spawn(self._life.close, name="close", on_crash=on_crash)

    # -- decisions -------------------------------------------------------------------------------------------------

    async def endpoint(self) -> Endpoint:
        """Report that an attempt begins, and return where it leads."""
        self._core.on_attempt(self)
        settings = self._settings
        return Endpoint(
            settings.url or "",
            headers=settings.headers,
            subprotocol=SUBPROTOCOL,
            proxy=settings.proxy,
            ssl_context=settings.ssl_context,
            max_size=settings.max_size,
        )

    def conversation(self, link: Link) -> FeedmeConversation:
        """Return the conversation for a new connection."""
        return FeedmeConversation(link, self, self._core)

    async def next_delay(self, ended: Loss | RcexError, delay: float) -> float | None:
        """Follow the schedule as long as the options allow it."""
        if isinstance(ended, Loss):  # the conversation has reported it
            self._retries, self._warned = 0, False
            if self._settings.reconnect:
                return delay
        else:
            error = _disconnect_error(ended)
            if not self._warned:  # later ones are logged by the supervisor, at level INFO
                self._warned = True
                logger.warning("the client could not connect: %s", error)
            self._core.on_failure(error)
            if ended.retryable and self._may_retry():
                self._retries += 1
                return delay
        self._core.on_driver_ended()
        return None

    def on_failed(self, error: Exception) -> None:
        """Report a bug, or a transport that breaks the rules: nothing connects any more."""
        self._core.on_failure(error if isinstance(error, FeedmeError) else TransportFailure(error))
        self._core.on_driver_ended()

    def _may_retry(self) -> bool:
        most = self._settings.connect_retry_max_attempts
        return self._settings.connect_retry >= 0 and (most == 0 or self._retries < most)


def _disconnect_error(error: RcexError) -> FeedmeError:
    """Return the error of the `disconnect` event after a failed attempt."""
    if isinstance(error, HandshakeRejected | TransportFault):
        return error
    if isinstance(error, ConnectTimeout):
        return TimedOut(str(error))
    return TransportFailure(error)
