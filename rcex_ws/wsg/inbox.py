"""The way of a notification from the reader to a subscription's queue: dedupe, route, count. Never waits.

Runs inside the reader of the socket for every notification; what user code does with them happens elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from time import time

from rcex_ws.connection import DeliveryQueue, Overflow, Seen
from rcex_ws.errors import SlowConsumer
from rcex_ws.loop import now
from rcex_ws.readers import printable
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import Completeness
from rcex_ws.wsg.frames import WsgFrame, read_envelope
from rcex_ws.wsg.models import Notification, Recovery
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.subscription_machine import SubscriptionMachine
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["Inbox"]

#: Far above the server's recovery buffer of 100.
_SEEN = 2_000


class Inbox:
    """Route notifications.

    Args:
        machine: knows the consumers.
        completeness: hears what came.
        announcer: hears of gaps.
        on_take: called whenever a consumer has taken a notification, for the store; None without one.
        max_messages: most notifications that wait for one subscription's consumer.
        max_bytes: most bytes of them.
        telemetry: counts what comes, and has the log.

    Attributes:
        seen: the window in which duplicates are recognised.
    """

    def __init__(
        self,
        machine: SubscriptionMachine[Subscription],
        completeness: Completeness,
        announcer: Announcer,
        *,
        on_take: Callable[[], None] | None = None,
        max_messages: int,
        max_bytes: int,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.seen = Seen(_SEEN)
        self._machine = machine
        self._completeness = completeness
        self._announcer = announcer
        self._on_take = on_take
        self._bounds = (max_messages, max_bytes)
        self._telemetry = telemetry or Telemetry()
        self._queues: list[DeliveryQueue[Notification]] = []
        self._holding = False
        self._holds = 0  # so far: a late release must not end a newer hold
        self._recovery: Recovery | None = None

    def new_queue(self) -> DeliveryQueue[Notification]:
        """Make the queue for a new subscription."""
        max_items, max_bytes = self._bounds
        key = object()
        queue: DeliveryQueue[Notification] = DeliveryQueue(
            max_items=max_items,
            max_bytes=max_bytes,
            on_overflow=partial(self._overflowed, key),
            on_drop=partial(self._dropped, key),
            on_take=self._on_take,
        )
        self._queues = [*(one for one in self._queues if len(one) or not one.closed), queue]
        self._telemetry.add_queue(queue)
        if self._holding:
            queue.hold()
        return queue

    def receive(self, frame: WsgFrame, size: int, heard_at: float) -> bool:
        """Take one ServerNotification; tell whether it has a timestamp.

        Args:
            frame: the notification.
            size: its bytes.
            heard_at: the loop's time when the frame before it came.

        Raises:
            BadFrame: its envelope cannot be read.
        """
        envelope = read_envelope(frame.body)
        replayed = self._completeness.received(envelope.timestamp)
        machine, recovery = self._machine, self._recovery
        if replayed is not None and replayed.gap is not None and machine.wanted:
            self._announcer.gap(replayed.gap)
        uuid = frame.key if envelope.uuid is None else str(envelope.uuid)
        if uuid and not self.seen.add(uuid):
            self._telemetry.duplicates += 1
            if recovery is not None:
                recovery.duplicates += 1
            return envelope.timestamp is not None
        if replayed is not None and replayed.earlier and recovery is not None:
            recovery.replayed += 1
        target = self._consumer_for(envelope.event)
        if target is None:
            self._telemetry.unwanted += 1
            self._telemetry.log.info("a notification without a subscription was dropped: %s", printable(envelope.event))
        else:
            made_after = -math.inf if envelope.timestamp else self._completeness.proven(heard_at)
            target.queue.put(Notification(uuid, envelope.event, time(), envelope, frame.body, made_after), size)
        return envelope.timestamp is not None

    def reconnected(self, recovery: Recovery) -> None:
        """Count duplicates for this recovery from now on."""
        self._recovery = recovery

    def hold(self) -> int:
        """Keep notifications back until the application has been told what happened; give a number for `release`."""
        self._holding = True
        self._holds += 1
        for queue in self._queues:
            queue.hold()
        return self._holds

    def release(self, hold: int | None = None) -> None:
        """Let delivery go on, unless a newer hold than this one is in force."""
        if hold is not None and hold != self._holds:
            return
        self._holding = False
        change = self._machine.change
        for queue in self._queues:
            if change is None or queue is not change.consumer.queue or change.consumer is self._machine.current:
                queue.release()  # a candidate's waits for the server's answer

    def answered(self, subscription: Subscription) -> None:
        """Let a former candidate deliver, unless all are held."""
        if not self._holding:
            subscription.queue.release()

    def undelivered(self) -> list[Notification]:
        """Give all that no consumer has taken."""
        return [notification for queue in self._queues for notification in queue.queued()]

    def _consumer_for(self, event: str) -> Subscription | None:
        current, change = self._machine.current, self._machine.change
        if change is None or change.consumer is current:
            return current
        candidate = change.consumer
        # Behind one whose owner is not known yet all must wait, to keep the order.
        if current is None or not current.claimed or candidate.pending or not change.only_old(event):
            return candidate
        return current

    def _dropped(self, queue: object, notification: Notification) -> None:
        self._completeness.dropped(queue, notification.made, stamped=notification.timestamp is not None)

    def _overflowed(self, queue: object, overflow: Overflow, over: bool) -> None:
        if not over:
            self._announcer.error(SlowConsumer("a consumer is too slow: the oldest notifications are being dropped"))
            return
        reason = f"{overflow.dropped} notifications dropped because the consumer was too slow"
        self._announcer.gap(self._completeness.overflow_over(queue, now(), reason))
