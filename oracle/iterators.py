"""The iterators of a random application: each Subscription without a callback, under a number of the application's own.

They are numbered since a subscribe that is cancelled or overtaken leaves an iterator under no consumer's number or
under another one's. What waits for one that nobody comes back to is not lost by the library, and cannot be seen from
outside; so it is looked at once all is closed, and written down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from oracle import journal as j
from rcex_ws import Notification, RcexError, Subscription

if TYPE_CHECKING:
    from oracle.application import _Application

__all__ = ["Iterator", "Iterators"]

# An iterator of a closed extension ends at once after what is buffered; a busy machine may need so long, in seconds.
AT_ONCE = 2.0
# So many that were read to their end are remembered: a subscribe that was overtaken may still return them.
REMEMBERED = 10


@dataclass(slots=True)
class Iterator:
    """One Subscription that is iterated.

    Attributes:
        number: counts those of a life, from 1.
        subscription: what is iterated.
        consumer: the number of the subscribe that was the first to see it; 0 when that was another call.
        over: it was read to its end.
    """

    number: int
    subscription: Subscription
    consumer: int
    over: bool = False


class Iterators:
    """Have each Subscription iterated once, and know which ones were read to their end.

    Args:
        application: whose journal is used.
        read: iterates one, to its end if nothing comes in between.
    """

    def __init__(self, application: _Application, read: Callable[[Iterator], Awaitable[None]]) -> None:
        self._app = application
        self._read = read
        self._found = 0
        self._known: list[Iterator] = []

    def number_of(self, subscription: object) -> int:
        """Give the number of a Subscription; 0 if it is not iterated, or nothing of the kind."""
        return next((one.number for one in self._known if one.subscription is subscription), 0)

    def iterate_once(self, tasks: TaskGroup, subscription: Subscription, consumer: int) -> None:
        """Begin to iterate a Subscription without a callback, unless that was begun before."""
        if subscription.has_callback or self.number_of(subscription):
            return
        self._found += 1
        iterator = Iterator(self._found, subscription, consumer)
        over = [one for one in self._known if one.over]
        forgotten = {one.number for one in over[:-REMEMBERED]}
        self._known = [*(one for one in self._known if one.number not in forgotten), iterator]
        self._app.journal.put(j.Iterating(self._app.life, iterator.number, consumer))
        tasks.start_soon(self._iterate, iterator)

    async def read_out(self) -> None:
        """Write down what waits for those that were not read to their end. To be called when all is closed."""
        for iterator in self._known:
            if iterator.over:
                continue
            with anyio.move_on_after(AT_ONCE) as scope, suppress(RcexError):
                async for notification in iterator.subscription:
                    self._app.journal.put(j.Unread(self._app.life, event_of(notification), iterator.number))
            if scope.cancelled_caught:
                state = iterator.subscription.state
                error = TimeoutError(f"iterator {iterator.number}, {state}, does not end although all is closed")
                self._app.escaped("iterator", error)

    async def _iterate(self, iterator: Iterator) -> None:
        try:
            await self._read(iterator)
        except RcexError as error:  # what made the subscription FAILED, behind all that was buffered
            self._app.journal.put(j.Told(self._app.life, "iterator", repr(error)[:200], str(self._app.ext.state)))
        except Exception as error:  # noqa: BLE001 - whatever comes is written down, and judged
            self._app.escaped("iterator", error)
        iterator.over = True
        self._app.journal.put(j.IteratorEnded(self._app.life, iterator.number))


def event_of(notification: Notification) -> int:
    """Give the number of the event that a notification tells of."""
    return int(notification.body["n"])
