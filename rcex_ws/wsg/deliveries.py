"""The tasks that deliver notifications to callbacks, and what is left undelivered when the extension closes."""

from __future__ import annotations

from collections.abc import Callable

from rcex_ws.tasks import BackgroundTask
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import gap_between
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.server_clock import ServerTime
from rcex_ws.wsg.subscription import Subscription

__all__ = ["Deliveries"]


class Deliveries:
    """Run the callbacks of subscriptions.

    Args:
        inbox: knows what no consumer has taken.
        announcer: reports what was not delivered.
        server_time: returns the server's time.

    Attributes:
        all_delivered: whether `drain` left nothing undelivered; False before.
    """

    def __init__(self, inbox: Inbox, announcer: Announcer, server_time: Callable[[], ServerTime]) -> None:
        self.all_delivered = False
        self._inbox = inbox
        self._announcer = announcer
        self._server_time = server_time
        self._running: list[tuple[Subscription, BackgroundTask]] = []

    def add(self, subscription: Subscription, task: BackgroundTask) -> None:
        """Register the task that delivers a subscription's notifications."""
        self._running = [*(pair for pair in self._running if not pair[1].done), (subscription, task)]

    def run_caller(self) -> bool:
        """Return whether a callback called the current code."""
        return any(task.runs_caller() for _, task in self._running if not task.done)

    async def drain(self) -> None:
        """Wait until the callbacks have had what is buffered; if cancelled, discard the rest and report it as a gap."""
        try:
            for _, task in self._running:
                await task.wait()
        finally:
            self._end()

    def _end(self) -> None:
        unfinished = [one for one, task in self._running if not task.done and not task.runs_caller()]
        interrupted = [one.queue.in_hand for one in unfinished if one.queue.in_hand is not None]
        undelivered = [notification for one, _ in self._running for notification in one.queue.queued()]
        for subscription, _ in self._running:  # a callback that closes the extension finishes, and gets no more
            subscription.queue.close(discard=True)
        lost = [*interrupted, *undelivered]
        if lost:
            since = min(notification.made for notification in lost)
            counts = f"{len(undelivered)} notifications not delivered, {len(interrupted)} callbacks cancelled"
            until = self._server_time().latest
            self._announcer.gap(gap_between(since, until, certain=True, reason=f"closed with {counts}"))
        self.all_delivered = not lost and not self._inbox.undelivered()
