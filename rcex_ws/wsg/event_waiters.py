"""Callers that wait for one notification each: `await ws_ext.wait_for(filter, predicate)`.

They see notifications before the queue of the consumer, so a handler may wait for the next event itself. It also sees
what has come since its own and waits behind it, as an answer may have come before it asked. The reader only compares
the path and appends; the predicate runs in the task that waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection

from rcex_ws.connection import call
from rcex_ws.errors import SlowConsumer, SubscriptionEnded
from rcex_ws.loop import Signal
from rcex_ws.wsg.filters import FilterIndex
from rcex_ws.wsg.models import Notification
from rcex_ws.wsg.router import Selector

__all__ = ["EventWaiters", "Predicate"]

Predicate = Callable[[Notification], bool | Awaitable[bool]]

#: Notifications that one caller keeps while its predicate is at work.
_MOST_KEPT = 10_000


class _EventWaiter:
    __slots__ = ("ended", "kept", "more", "selector")

    def __init__(self, selector: Selector) -> None:
        self.selector = selector
        self.kept: deque[Notification] = deque()
        self.more = Signal()
        self.ended: Exception | None = None


class EventWaiters:
    """The callers that wait at present."""

    def __init__(self) -> None:
        self._waiting: list[_EventWaiter] = []
        self._ended: Exception | None = None
        self._answers: set[Notification] = set()  # given to handlers, behind which they may wait still

    @property
    def any(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def offer(self, notification: Notification) -> None:
        """Show a notification to all callers; runs in the reader."""
        for waiter in self._waiting:
            if waiter.selector.may_select(notification):
                if len(waiter.kept) < _MOST_KEPT:
                    waiter.kept.append(notification)
                else:
                    waiter.ended = SlowConsumer("wait_for: the predicate is too slow: too many notifications wait")
                waiter.more.set()

    def limit_to(self, event_filters: Collection[str]) -> None:
        """End the waiting for what the subscription does not cover any more.

        Args:
            event_filters: those of the subscription; none if there is none.
        """
        if not self._waiting:
            return
        index = FilterIndex(event_filters)
        for waiter in self._waiting:
            if waiter.ended is None and not index.can_cause(waiter.selector.text):
                waiter.ended = SubscriptionEnded(f"nothing subscribed causes {waiter.selector.text} any more")
                waiter.more.set()

    def end(self, error: Exception) -> None:
        """End all waiting by an error: nothing will come any more."""
        self._ended = error
        for waiter in self._waiting:
            waiter.ended = error
            waiter.more.set()

    def raise_if_ended(self) -> None:
        """Raise the error of `end`, once that was called."""
        if self._ended is not None:
            raise self._ended

    async def wait(
        self,
        selector: Selector,
        owner_id: str | None,
        predicate: Predicate | None,
        behind: Collection[Notification] | None = None,
    ) -> Notification:
        """Return the next notification that a filter and a predicate select.

        Args:
            selector: the filter.
            owner_id: the extension that `~` stands for; None if unknown.
            predicate: True for the notification to return; None for any.
            behind: what waits behind the handler that calls this, and counts unless a handler was given it already;
                None if no handler does.

        Raises:
            SubscriptionEnded: the subscription does not cover the filter any more.
            Exception: that of `end`.
        """
        waiter = _EventWaiter(selector)
        if behind is not None:
            self._answers.intersection_update(behind)
            waiter.kept.extend(one for one in behind if one not in self._answers)
        self._waiting.append(waiter)
        try:
            while True:
                while waiter.kept:
                    notification = waiter.kept.popleft()
                    if not selector.selects(notification, owner_id):
                        continue
                    if predicate is None or await call(predicate, notification):
                        if behind is not None:
                            self._answers.add(notification)
                        return notification
                if waiter.ended is not None:
                    raise waiter.ended
                waiter.more = Signal()
                await waiter.more.wait()
        finally:
            self._waiting.remove(waiter)
