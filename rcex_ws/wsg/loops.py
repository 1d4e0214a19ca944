"""The loops of the application over its notifications, and what they have in hand when the extension closes.

A loop that asks for the next notification has processed the last one. Python does not tell whether one that does not
ask was left on purpose, by an exception or by a cancellation. So what it has in hand counts as processed only if the
task of the loop itself goes on to close the client, and not because of an exception.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple
from weakref import ref

from rcex_ws.caller import CallOrigin, current_caller
from rcex_ws.connection import DeliveryQueue
from rcex_ws.loop import Signal
from rcex_ws.wsg.models import Notification

__all__ = ["Loop", "Loops"]


class Loop(AsyncIterator[Notification]):
    """What `async for` iterates: the last notification stays the queue's `in_hand` until the next is asked for.

    Args:
        queue: the notifications.

    Attributes:
        ended: set when there are no more.
    """

    def __init__(self, queue: DeliveryQueue[Notification]) -> None:
        self.ended = Signal()
        self._queue = queue

    async def __anext__(self) -> Notification:
        """Return the next notification, as `DeliveryQueue` does."""
        queue = self._queue
        queue.in_hand = None
        while (notification := queue.take_ready()) is None:
            try:
                more = await queue.wait()
            except Exception:
                self.ended.set()
                raise
            if not more:
                self.ended.set()
                raise StopAsyncIteration
        queue.in_hand = notification
        return notification


class _Begun(NamedTuple):
    queue: DeliveryQueue[Notification]
    who: object
    loop: ref[Loop]  # dead when the loop was left, for then nothing refers to its iterator any more


class Loops:
    """The loops that were begun."""

    def __init__(self) -> None:
        self._begun: list[_Begun] = []

    def begin(self, queue: DeliveryQueue[Notification]) -> Loop:
        """Return a loop of the caller; it takes the place of an earlier one over the same queue."""
        loop = Loop(queue)
        others = [one for one in self._begun if one.queue is not queue]
        others = [one for one in others if one.queue.in_hand is not None or not one.queue.closed]
        self._begun = [*others, _Begun(queue, current_caller().who, ref(loop))]
        return loop

    def settle(self, closer: CallOrigin) -> None:
        """Count what the closer's own loops have in hand as processed, unless it closes because of an exception."""
        if not closer.failing:
            for one in self._begun:
                if one.who is closer.who:
                    one.queue.in_hand = None

    async def wait(self, closer: CallOrigin) -> None:
        """Wait until the loops of others have ended, if they have something in hand and were not left."""
        for one in self._begun:
            loop = one.loop()
            if one.queue.in_hand is not None and one.who is not closer.who and loop is not None:
                await loop.ended.wait()
