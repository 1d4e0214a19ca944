"""The path of a notification from its frame to a subscription's queue: deduplicate, route, count.

Runs in the reader for every notification and never waits; code of the application runs elsewhere.
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
from rcex_ws.wsg.event_waiters import EventWaiters
from rcex_ws.wsg.frames import WsgFrame, read_envelope
from rcex_ws.wsg.loops import Loops
from rcex_ws.wsg.models import Notification, Recovery
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.subscription_machine import SubscriptionMachine
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["Inbox"]

#: Far above the server's recovery buffer of 100.
_SEEN = 2_000


class Inbox:
    """Routes notifications to the queues of subscriptions.

    Args:
        machine: knows the current subscription and the candidate.
        completeness: records what arrives.
        announcer: reports gaps.
        on_take: called when a consumer takes a notification or waits for the next, for the store; None without one.
        max_messages: maximum number of notifications waiting for one subscription's consumer.
        max_bytes: maximum number of their bytes.
        telemetry: log and counters.

    Attributes:
        seen: the window in which duplicates are recognised.
        waiters: the callers of `wait_for`.
        loops: the application's loops over the queues.
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
        self.waiters = EventWaiters()
        self.loops = Loops()
        self._machine = machine
        self._completeness = completeness
        self._announcer = announcer
        self._on_take = on_take
        self._bounds = (max_messages, max_bytes)
        self._telemetry = telemetry or Telemetry()
        self._queues: list[DeliveryQueue[Notification]] = []
        self._holding = False
        self._last_ticket = 0  # a late release must not end a newer hold
        self._recovery: Recovery | None = None

    def new_queue(self) -> DeliveryQueue[Notification]:
        """Return a queue for a new subscription."""
        max_items, max_bytes = self._bounds
        key = object()
        queue: DeliveryQueue[Notification] = DeliveryQueue(
            max_items=max_items,
            max_bytes=max_bytes,
            on_overflow=partial(self._on_overflow, key),
            on_drop=partial(self._on_drop, key),
            on_take=self._on_take,
        )
        self._queues = [*(one for one in self._queues if len(one) or one.in_hand is not None or not one.closed), queue]
        self._telemetry.add_queue(queue)
        if self._holding:
            queue.hold()
        return queue

    def receive(self, frame: WsgFrame, size: int, last_inbound: float) -> bool:
        """Route one ServerNotification; return whether it has a timestamp.

        Args:
            frame: the notification.
            size: its bytes.
            last_inbound: the loop's time when this frame was received.

        Raises:
            BadFrame: its envelope cannot be read.
        """
        envelope = read_envelope(frame.body)
        replayed = self._completeness.record_notification(envelope.timestamp)
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
            made_after = -math.inf if envelope.timestamp else self._completeness.proven(last_inbound)
            notification = Notification(uuid, envelope.event, time(), envelope, frame.body, made_after)
            target.queue.put(notification, size)
            if self.waiters.any:
                self.waiters.offer(notification)
        return envelope.timestamp is not None

    def count_for(self, recovery: Recovery) -> None:
        """Count replayed notifications and duplicates for this recovery from now on."""
        self._recovery = recovery

    def hold(self) -> int:
        """Hold back delivery until the application knows what happened; return the ticket for `release`."""
        self._holding = True
        self._last_ticket += 1
        for queue in self._queues:
            queue.hold()
        return self._last_ticket

    def release(self, ticket: int | None = None) -> None:
        """Resume delivery, unless a newer hold than that of the ticket is in force; without a ticket in any case."""
        if ticket is not None and ticket != self._last_ticket:
            return
        self._holding = False
        candidate = self._candidate()
        for queue in self._queues:
            if candidate is None or queue is not candidate.queue:  # that of a candidate waits for the server's answer
                queue.release()

    def release_candidate(self, subscription: Subscription) -> None:
        """Let a former candidate deliver, unless delivery is held."""
        if not self._holding:
            subscription.queue.release()

    def undelivered(self) -> list[Notification]:
        """Return all notifications that no consumer has taken."""
        return [notification for queue in self._queues for notification in queue.queued()]

    def unprocessed(self) -> list[Notification]:
        """Return all notifications that no consumer has taken, and those that one has still in hand."""
        return [*self.in_hand(), *self.undelivered()]

    def in_hand(self) -> list[Notification]:
        """Return all notifications that a consumer is working on."""
        return [queue.in_hand for queue in self._queues if queue.in_hand is not None]

    def _consumer_for(self, event: str) -> Subscription | None:
        current, change = self._machine.current, self._machine.change
        if change is None or change.consumer is current:
            return current
        candidate = change.consumer
        # Behind one that waits for the server's answer all others must, to keep the order.
        if current is None or not current.claimed or candidate.pending or not change.only_old(event):
            return candidate
        return current

    def _candidate(self) -> Subscription | None:
        """Return the subscription that is to replace the current one once the server has answered."""
        change = self._machine.change
        return None if change is None or change.consumer is self._machine.current else change.consumer

    def _on_drop(self, queue: object, notification: Notification) -> None:
        self._completeness.record_drop(queue, notification.made, stamped=notification.timestamp is not None)

    def _on_overflow(self, queue: object, overflow: Overflow, over: bool) -> None:
        if not over:
            self._announcer.error(SlowConsumer("a consumer is too slow: the oldest notifications are being dropped"))
            return
        reason = f"{overflow.dropped} notifications dropped because the consumer was too slow"
        self._announcer.gap(self._completeness.end_overflow(queue, now(), reason))
