"""What `subscribe` returns: one subscription as the application sees it, with its queue and its one consumer.

Other modules speak of a `Subscription` by its role: the *current* one gets the notifications; a *candidate* waits for
the server's answer to replace it, and is its *successor* then; an *unclaimed* one keeps what a session of an earlier
process receives until the application first calls `subscribe`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from typing import Protocol

from rcex_ws.connection import DeliveryQueue, deliver
from rcex_ws.errors import ConfigurationError, SubscriptionEnded
from rcex_ws.loop import Signal
from rcex_ws.options import AttributesOfJavaScript, checked
from rcex_ws.wsg.filters import EventFilters
from rcex_ws.wsg.models import Notification, SubscriptionInfo, SubscriptionState
from rcex_ws.wsg.own import OthersIterator

__all__ = ["Callback", "Subscription", "SubscriptionOwner"]

Callback = Callable[[Notification], object]


class SubscriptionOwner(Protocol):
    """What a `Subscription` calls; `Subscriptions` is one."""

    def check_home(self) -> None:
        """Raise `WrongEventLoop` if the caller runs in another event loop than the client."""
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

    def iterate(self, queue: DeliveryQueue[Notification]) -> AsyncIterator[Notification]:
        """Begin a loop of the application over a queue."""
        ...

    def callback_failed(self, notification: Notification, error: Exception) -> None:
        """Report what a callback raised for a notification."""
        ...


class Subscription(AttributesOfJavaScript):
    """One subscription: its filters, its state, and its notifications if it has no callback.

    Without a callback, iterate it (`async for notification in subscription`): one consumer, which ends on revoke,
    replacement or closing after what is buffered, and raises if the subscription failed.

    Attributes:
        info: the server's description; None until it has answered.
        state: PENDING, ACTIVE, REPLACED, REVOKED, CLOSED or FAILED.
        error: what made it FAILED; otherwise None.
    """

    info: SubscriptionInfo | None
    claimed: bool

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
        self._event_filters = event_filters
        self.info = info
        self.state = SubscriptionState.PENDING
        self.error: Exception | None = None
        self._owner = owner
        self._queue = queue
        self._callback = callback
        self.claimed = claimed  # for the owner: False for one of an earlier process that no `subscribe` has taken over
        self._drained = Signal()
        self._own_id: str | None = None

    def __repr__(self) -> str:
        return f"<Subscription {self.info.id if self.info else '?'} {self.state}>"

    # -- for the application ---------------------------------------------------------------------------------------

    @property
    def event_filters(self) -> tuple[str, ...]:
        """The filters, as requested; `update` changes them."""
        return self._event_filters

    @property
    def pending(self) -> int:
        """Number of notifications waiting for the consumer."""
        return len(self._queue)

    @property
    def delivered(self) -> int:
        """Number of notifications the consumer has taken."""
        return self._queue.delivered

    @property
    def dropped(self) -> int:
        """Number of notifications dropped because the consumer was too slow; each episode is reported as a gap."""
        return self._queue.dropped

    async def refresh(self) -> None:
        """Renew it at the server; not needed while connected.

        Raises:
            SubscriptionEnded: it is no longer active.
            RestError: the server refused.
        """
        self._owner.check_home()
        self._check_active()
        await self._owner.refresh(self)

    @checked
    async def update(self, event_filters: EventFilters) -> None:
        """Change the filters; a refusal leaves the subscription unchanged.

        Raises:
            ConfigurationError: `event_filters` is not a non-empty list of paths.
            SubscriptionEnded: it is no longer active.
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
        notifications = self._owner.iterate(self._queue)
        return notifications if self._own_id is None else OthersIterator(notifications, self._own_id)

    # -- for the owner ---------------------------------------------------------------------------------------------

    @property
    def queue(self) -> DeliveryQueue[Notification]:
        """The queue of its notifications."""
        return self._queue

    @property
    def has_callback(self) -> bool:
        """Whether notifications are delivered to a callback."""
        return self._callback is not None

    def activate(self, info: SubscriptionInfo | None, event_filters: tuple[str, ...]) -> None:
        """Mark it ACTIVE, as the server has granted it."""
        self.info, self._event_filters, self.state = info, event_filters, SubscriptionState.ACTIVE

    def ignore(self, own_id: str) -> None:
        """Let the iterator leave out what the extension with this id has caused; a callback is wrapped instead."""
        self._own_id = own_id

    def claim(self, callback: Callback | None) -> None:
        """Hand it to the application, which has subscribed with the filters of an earlier process."""
        self._callback, self.claimed = callback, True

    def end(self, state: SubscriptionState, error: Exception | None = None, *, discard: bool = False) -> None:
        """End it after what is buffered; with `discard` at once."""
        if self.state in (SubscriptionState.PENDING, SubscriptionState.ACTIVE):
            self.state, self.error = state, error
        # An iterator raises the error; with a callback, the event `error` reports it.
        self._queue.close(error if self._callback is None else None, discard=discard)

    async def drained(self) -> None:
        """Wait until the callback has had everything. Without one, return at once: nobody may ever iterate."""
        if self._callback is not None:
            await self._drained.wait()

    async def run_callback(self, after: Subscription | None) -> None:
        """Call the callback with one notification at a time, once that of `after` has had everything."""
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
