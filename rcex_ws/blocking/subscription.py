"""`Subscription`: iterated by a plain `for`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import anyio

from rcex_ws import wsg
from rcex_ws.blocking.iteration import Iteration
from rcex_ws.blocking.loop_thread import run, run_sync
from rcex_ws.blocking.subscription_methods import BlockingSubscriptionMethods
from rcex_ws.errors import RequestTimeout, SubscriptionEnded
from rcex_ws.options import Seconds, checked
from rcex_ws.wsg import Notification

__all__ = ["Subscription"]


class Subscription(BlockingSubscriptionMethods, of=wsg.Subscription):
    """One subscription; `subscribe` makes it.

    Without a callback, iterate it (`for notification in subscription`): one consumer, which ends on revoke, replacement
    or closing, by any thread, after what is buffered, and raises if the subscription failed. A KeyboardInterrupt loses
    nothing: the next iteration goes on.

    Attributes:
        event_filters: as requested.
        info: the server's description; None until it has answered.
        state: PENDING, ACTIVE, REPLACED, REVOKED, CLOSED or FAILED.
        error: what made it FAILED; otherwise None.
    """

    def __init__(self, inner: wsg.Subscription) -> None:
        super().__init__(inner)
        self._had: deque[Notification] = deque()
        self._latest: Iteration[Notification] | None = None  # of `next`, which goes on with the following call

    @checked
    def next(self, timeout: Seconds | None = None) -> Notification:
        """Return the next notification, as the iteration does.

        Args:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            RequestTimeout: none came in time.
            SubscriptionEnded: it has ended, and there is nothing left.
            Exception: what made it FAILED.
        """
        self._latest = iteration = self._iteration()

        async def step() -> bool:
            with anyio.move_on_after(timeout):
                return await iteration.step()
            raise RequestTimeout(f"no notification within {timeout:g} seconds")

        if not self._had and not run(step):
            raise SubscriptionEnded(f"the subscription is {self.state}; subscribe again")
        return self._had.popleft()

    def __iter__(self) -> Iterator[Notification]:
        return self._iteration()

    def _iteration(self) -> Iteration[Notification]:
        return Iteration(run_sync(lambda: aiter(self._inner)), self._had)
