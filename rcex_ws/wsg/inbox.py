"""The way of a notification from the reader to a subscription's queue: dedupe, route, count. Never waits.

Runs inside the reader of the socket for every notification; what user code does with them happens elsewhere.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from time import time

from rcex_ws.connection import DeliveryQueue, Overflow, Seen, utc_now
from rcex_ws.errors import SlowConsumer
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.filters import matches_any
from rcex_ws.wsg.frames import BadFrame, Frame, read_envelope
from rcex_ws.wsg.models import ConnectionDetails, Gap, Notification, Recovery, parse_time
from rcex_ws.wsg.subscription import Subscription

__all__ = ["Inbox"]

logger = logging.getLogger("rcex_ws.wsg")

#: Far above the server's recovery buffer of 100.
_SEEN = 2_000


@dataclass(frozen=True, slots=True)
class _Replay:
    """What the server sends again after a recovery: everything made before the new connection."""

    recovery: Recovery
    since: datetime | None
    created: datetime
    buffer_size: int


class Inbox:
    """Route notifications.

    Args:
        announcer: hears of gaps.
        max_messages: most notifications that wait for one subscription's consumer.
        max_bytes: most bytes of them.

    Attributes:
        current: the subscription that the server serves; None if there is none.
        candidate: one the server was asked for and has not answered yet.
        seen: the window in which duplicates are recognised.
    """

    def __init__(self, announcer: Announcer, *, max_messages: int, max_bytes: int) -> None:
        self.current: Subscription | None = None
        self.candidate: Subscription | None = None
        self.seen = Seen(_SEEN)
        self._announcer = announcer
        self._bounds = (max_messages, max_bytes)
        self._queues: list[DeliveryQueue[Notification]] = []
        self._holding = False
        self._holds = 0  # so far: a late release must not end a newer hold
        self._recovery: Recovery | None = None
        self._replay: _Replay | None = None

    def new_queue(self) -> DeliveryQueue[Notification]:
        """Make the queue for a new subscription."""
        max_items, max_bytes = self._bounds
        queue: DeliveryQueue[Notification] = DeliveryQueue(
            max_items=max_items, max_bytes=max_bytes, on_overflow=self._overflowed
        )
        self._queues = [*(one for one in self._queues if len(one) or not one.closed), queue]
        if self._holding:
            queue.hold()
        return queue

    def take(self, frame: Frame, size: int) -> None:
        """Take one ServerNotification of so many bytes.

        Raises:
            BadFrame: its envelope cannot be read.
        """
        envelope = read_envelope(frame.body)
        uuid = frame.key if envelope.uuid is None else str(envelope.uuid)
        if uuid and not self.seen.add(uuid):
            if self._recovery is not None:
                self._recovery.duplicates += 1
            return
        notification = Notification(uuid, envelope.event, time(), envelope, frame.body)
        if self._replay is not None:
            self._count_replayed(self._replay, notification)
        target = self.current
        candidate = self.candidate
        if candidate is not None and (
            target is None or candidate.pending or matches_any(envelope.event, candidate.event_filters)
        ):  # behind one whose owner is not known yet all must wait, to keep the order
            target = candidate
        if target is None:
            logger.info("a notification without a subscription was dropped: %s", envelope.event)
            return
        target.queue.put(notification, size)

    def unreadable(self, error: BadFrame, since: datetime, *, certain: bool) -> None:
        """Report what could not be read, which is or may have been a notification; `since` is the frame before it."""
        self._announcer.error(error)
        if self.current is not None or self.candidate is not None:
            self._announcer.gap(Gap(since, utc_now(), certain=certain, reason=str(error)))

    def reconnected(self, recovery: Recovery) -> None:
        """Count duplicates for this recovery from now on."""
        self._recovery, self._replay = recovery, None

    def expect_replay(self, since: datetime | None, details: ConnectionDetails) -> None:
        """Count what the server replays; a full buffer may have lost its oldest notifications."""
        created = parse_time(details.creation_time)
        if self._recovery is not None and created is not None:
            self._replay = _Replay(self._recovery, since, created, details.recovery_buffer_size)

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
        for queue in self._queues:
            if self.candidate is None or queue is not self.candidate.queue:  # which waits for the server's answer
                queue.release()

    def answered(self, subscription: Subscription) -> None:
        """Let a former candidate deliver, unless all are held."""
        if not self._holding:
            subscription.queue.release()

    def undelivered(self) -> list[Notification]:
        """Give all that no consumer has taken."""
        return [notification for queue in self._queues for notification in queue.waiting()]

    def _count_replayed(self, replay: _Replay, notification: Notification) -> None:
        made = notification.timestamp
        if made is None:
            return
        if made > replay.created:
            self._replay = None  # the replay is over
            return
        replay.recovery.replayed += 1
        if replay.recovery.replayed == replay.buffer_size:
            reason = f"the server's recovery buffer of {replay.buffer_size} was full; older notifications may be gone"
            self._announcer.gap(Gap(replay.since, made, certain=False, reason=reason))

    def _overflowed(self, overflow: Overflow[Notification], over: bool) -> None:
        if not over:
            self._announcer.error(SlowConsumer("a consumer is too slow: the oldest notifications are being dropped"))
            return
        reason = f"{overflow.dropped} notifications dropped because the consumer was too slow"
        until = overflow.last.timestamp or utc_now()
        self._announcer.gap(Gap(overflow.first.timestamp, until, certain=True, reason=reason))
