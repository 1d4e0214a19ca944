"""What `subscribe` returns: one subscription as the application sees it, with its queue and its one consumer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Protocol

from rcex_ws.connection import DeliveryQueue, deliver
from rcex_ws.errors import ConfigurationError, SubscriptionEnded
from rcex_ws.loop import Signal
from rcex_ws.options import NamesOfJavaScript, checked
from rcex_ws.wsg.filters import EventFilters
from rcex_ws.wsg.models import Notification, SubscriptionInfo, SubscriptionState

__all__ = ["Callback", "Subscription", "SubscriptionOwner"]

Callback = Callable[[Notification], Awaitable[None] | None]


class SubscriptionOwner(Protocol):
    """What a subscription needs of the one who made it."""

    def check_home(self) -> None:
        """Raise `WrongEventLoop` when the caller is not where the client lives."""
        ...

    async def refresh(self, subscription: Subscription) -> None:
        """Renew it at the server."""
        ...

    async def update(self, subscription: Subscription, event_filters: Collection[str]) -> None:
        """Change its filters at the server."""
        ...

    async def revoke(self, subscription: Subscription) -> None:
        """Delete it at the server."""
        ...

    def callback_failed(self, notification: Notification, error: Exception) -> None:
        """Hear that a callback raised for a notification."""
        ...


class Subscription(NamesOfJavaScript):
    """One subscription.

    Iterate it (`async for notification in subscription`) if it was made without a callback: one consumer, which ends
    on revoke or replacement after what is buffered, and raises if the subscription failed.

    Attributes:
        event_filters: as asked for.
        info: as the server describes it; None while it has not answered.
        state: PENDING, ACTIVE, REPLACED, REVOKED or FAILED.
        error: what made it FAILED.
    """

    def __init__(
        self,
        owner: SubscriptionOwner,
        event_filters: tuple[str, ...],
        queue: DeliveryQueue[Notification],
        *,
        callback: Callback | None = None,
        info: SubscriptionInfo | None = None,
        claimed: bool = True,
    ) -> None:
        self.event_filters = event_filters
        self.info = info
        self.state = SubscriptionState.PENDING
        self.error: Exception | None = None
        self._owner = owner
        self._queue = queue
        self._callback = callback
        self.claimed = claimed  # for the owner: the application has asked for it; else it is of an earlier process
        self._drained = Signal()

    def __repr__(self) -> str:
        return f"<Subscription {self.info.id if self.info else '?'} {self.state}>"

    # -- for the application ---------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """How many notifications wait for the consumer."""
        return len(self._queue)

    @property
    def delivered(self) -> int:
        """How many notifications the consumer took."""
        return self._queue.delivered

    @property
    def dropped(self) -> int:
        """How many were dropped because the consumer was too slow; each episode was reported as a gap."""
        return self._queue.dropped

    async def refresh(self) -> None:
        """Renew it at the server; not needed while connected.

        Raises:
            SubscriptionEnded: it is not active any more.
            RestError: the server refused.
        """
        self._owner.check_home()
        self._check_active()
        await self._owner.refresh(self)

    @checked
    async def update(self, event_filters: EventFilters) -> None:
        """Change the filters; a refusal leaves it as it was.

        Raises:
            ConfigurationError: not a non-empty list of paths.
            SubscriptionEnded: it is not active any more.
            RestError: the server refused.
        """
        self._owner.check_home()
        self._check_active()
        await self._owner.update(self, event_filters)

    async def revoke(self) -> None:
        """Delete it at the server; what is buffered is still delivered. Idempotent.

        Raises:
            RestError: the server refused.
        """
        self._owner.check_home()
        if self.state in (SubscriptionState.ACTIVE, SubscriptionState.PENDING):
            await self._owner.revoke(self)

    def __aiter__(self) -> AsyncIterator[Notification]:
        self._owner.check_home()
        if self._callback is not None:
            raise ConfigurationError("this subscription has a callback; subscribe without one to iterate")
        return aiter(self._queue)

    # -- for the owner ---------------------------------------------------------------------------------------------

    @property
    def queue(self) -> DeliveryQueue[Notification]:
        """Where its notifications wait."""
        return self._queue

    @property
    def has_callback(self) -> bool:
        """Whether notifications are delivered to a callback."""
        return self._callback is not None

    def activate(self, info: SubscriptionInfo | None, event_filters: tuple[str, ...]) -> None:
        """Take the server's yes."""
        self.info, self.event_filters, self.state = info, event_filters, SubscriptionState.ACTIVE

    def claim(self, callback: Callback | None) -> None:
        """Give a subscription that was resumed before anybody asked for it its consumer."""
        self._callback, self.claimed = callback, True

    def end(self, state: SubscriptionState, error: Exception | None = None, *, discard: bool = False) -> None:
        """Let it end after what is buffered, or without that."""
        if self.state in (SubscriptionState.PENDING, SubscriptionState.ACTIVE):
            self.state, self.error = state, error
        # An iterator has the error raised; beside a callback the event `error` says it.
        self._queue.close(error if self._callback is None else None, discard=discard)

    async def drained(self) -> None:
        """Wait until the callback has got everything; at once when there is none: an iterator may never come."""
        if self._callback is not None:
            await self._drained.wait()

    async def deliver(self, after: Subscription | None) -> None:
        """Call the callback for one notification after the other, once `after` is through with its own."""
        if self._callback is None:
            raise AssertionError("a subscription without callback is iterated")
        try:
            if after is not None:
                await after.drained()
            await deliver(self._queue, self._callback, self._owner.callback_failed)
        finally:
            self._drained.set()

    def _check_active(self) -> None:
        if self.state is not SubscriptionState.ACTIVE:
            raise SubscriptionEnded(f"the subscription is {self.state}; subscribe again")
