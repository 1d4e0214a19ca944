"""The tasks that deliver notifications to callbacks, and what is left unprocessed when the extension closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rcex_ws.caller import CallOrigin
from rcex_ws.tasks import BackgroundTask
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import gap_between
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.server_clock import ServerTime
from rcex_ws.wsg.subscription import Subscription

__all__ = ["Deliveries"]


class _Delivery(NamedTuple):
    subscription: Subscription
    after: Subscription | None
    task: BackgroundTask


class Deliveries:
    """Run the callbacks of subscriptions.

    Args:
        inbox: knows what no consumer has processed.
        announcer: reports what was not delivered.
        server_time: returns the server's time.

    Attributes:
        all_processed: whether `drain` left nothing unprocessed; False before.
    """

    def __init__(self, inbox: Inbox, announcer: Announcer, server_time: Callable[[], ServerTime]) -> None:
        self.all_processed = False
        self._inbox = inbox
        self._announcer = announcer
        self._server_time = server_time
        self._running: list[_Delivery] = []

    def add(self, subscription: Subscription, after: Subscription | None, task: BackgroundTask) -> None:
        """Register the task that delivers a subscription's notifications, once `after` has had everything."""
        self._running = [*(one for one in self._running if not one.task.done), _Delivery(subscription, after, task)]

    def run_caller(self) -> bool:
        """Return whether a callback called the current code."""
        return any(one.task.runs_caller() for one in self._running if not one.task.done)

    async def drain(self, closer: CallOrigin) -> None:
        """Wait until callbacks and loops have had what is buffered.

        If this is cancelled, what the callbacks have not had is discarded and reported as a gap.

        Args:
            closer: who closes the extension.
        """
        loops = self._inbox.loops
        loops.settle(closer)
        try:
            closing: set[Subscription] = set()  # whose callbacks wait for this: their successors cannot begin before
            for one in self._running:
                if one.after not in closing:
                    await one.task.wait()
                if not one.task.done:
                    closing.add(one.subscription)
            await loops.wait(closer)
        finally:
            self._end()

    def _end(self) -> None:
        subscriptions = [one.subscription for one in self._running]
        unfinished = [one.subscription for one in self._running if not one.task.done and not one.task.runs_caller()]
        interrupted = [one.queue.in_hand for one in unfinished if one.queue.in_hand is not None]
        undelivered = [notification for one in subscriptions for notification in one.queue.queued()]
        for subscription in subscriptions:  # a callback that closes the extension finishes, and gets no more
            subscription.queue.close(discard=True)
        for one in self._running:
            if one.task.runs_caller():
                one.subscription.queue.in_hand = None
        lost = [*interrupted, *undelivered]
        if lost:
            since = min(notification.made for notification in lost)
            counts = f"{len(undelivered)} notifications not delivered, {len(interrupted)} callbacks cancelled"
            until = self._server_time().latest
            self._announcer.gap(gap_between(since, until, certain=True, reason=f"closed with {counts}"))
        self.all_processed = not lost and not self._inbox.unprocessed()
