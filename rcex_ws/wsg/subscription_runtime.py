"""The part of `WsgRuntime` that the subscription uses, so that neither module imports the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from rcex_ws.tasks import BackgroundTask
from rcex_ws.wsg.event_waiters import EventWaiters
from rcex_ws.wsg.server_clock import ServerTime
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["SubscriptionRuntime"]


class SubscriptionRuntime(Protocol):
    """The part of `WsgRuntime` that the subscription uses."""

    @property
    def is_ready(self) -> bool:
        """Whether calls can go over the socket now."""
        ...

    @property
    def owner_id(self) -> str | None:
        """The id of the logged-in extension; None if it is not known."""
        ...

    @property
    def last_inbound(self) -> float:
        """The loop's time of the newest frame; now if there is no connection."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """Log, trace and counters."""
        ...

    @property
    def waiters(self) -> EventWaiters:
        """The callers of `wait_for`."""
        ...

    def server_time(self) -> ServerTime:
        """Return the server's time."""
        ...

    def check_home(self) -> None:
        """Raise `WrongEventLoop` if the caller runs in another event loop than the client."""
        ...

    def raise_unless_reconnecting(self) -> None:
        """Raise `NotConnected` if the connection is lost and only `recover()` makes a new one."""
        ...

    async def wait_ready(self) -> None:
        """Wait for a connection; raise `NotConnected` if none will be made."""
        ...

    def start_call(self, func: Callable[[], Awaitable[None]], name: str) -> BackgroundTask:
        """Start a call in the background for a caller that waits for it, from whatever task."""
        ...

    def retry_delay(self, failures: int) -> float:
        """Return the delay in seconds after so many consecutive failures."""
        ...

    def start_delivery(self, subscription: Subscription, after: Subscription | None) -> None:
        """Start delivering to a subscription's callback, once that of `after` has had everything."""
        ...

    def mark_changed(self) -> None:
        """Record that what is stored has changed; a write follows."""
        ...

    async def store(self) -> None:
        """Store the session now."""
        ...
