"""What the subscription needs of the life that it is a part of; `WsgRuntime` is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from rcex_ws.tasks import BackgroundTask
from rcex_ws.wsg.server_clock import Moment
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["Host"]


class Host(Protocol):
    """What the subscription needs of the life that it is a part of."""

    @property
    def is_ready(self) -> bool:
        """Whether calls can go over the socket now."""
        ...

    @property
    def owner_id(self) -> str | None:
        """The extension that is logged in, if that is known."""
        ...

    @property
    def heard_at(self) -> float:
        """The loop's time when the newest frame came."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """What the operator sees."""
        ...

    def moment(self) -> Moment:
        """Give the server's time."""
        ...

    def check_home(self) -> None:
        """Raise `WrongEventLoop` when the caller is not where the client lives."""
        ...

    def raise_unless_reconnecting(self) -> None:
        """Raise `NotConnected` when the connection is lost and only `recover()` brings it back."""
        ...

    async def wait_ready(self) -> None:
        """Wait for a connection; raise `NotConnected` when it is not to be waited for."""
        ...

    def start_call(self, func: Callable[[], Awaitable[None]], name: str) -> BackgroundTask:
        """Run a call in the background; the caller waits for it, whatever it is itself a part of."""
        ...

    def retry_delay(self, failures: int) -> float:
        """Give the wait in seconds after so many failures in a row."""
        ...

    def deliver(self, subscription: Subscription, after: Subscription | None) -> None:
        """Start the consumer of a subscription with a callback, after that of another."""
        ...

    def touch(self) -> None:
        """Hear that what should be stored has changed."""
        ...

    async def store(self) -> None:
        """Store it now."""
        ...
