"""What a client tells its application: lifecycle events, gaps and the events of the server, in one queue and order."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import Any

from msgspec import Struct

from rcex_ws.connection import EventEmitter, Overflow
from rcex_ws.connection.event_queue import EventQueue
from rcex_ws.rtm.callbacks import EventCallbacks
from rcex_ws.rtm.resumption import RtmGap
from rcex_ws.rtm.settings import RtmSettings

__all__ = ["RtmEvents", "RtmInbox"]

logger = logging.getLogger("rcex_ws.rtm")


class RtmEvents(StrEnum):
    """The events of an `RtmClient`, with the arguments of their handlers."""

    AUTHENTICATING = "authenticating"  #: (): a connection is open, and the authentication is sent
    OPEN = "open"  #: (): a connection is ready
    CLOSE = "close"  #: (loss), a `rcex_ws.connection.Loss`: a connection has ended, whether it was ready or not
    #: (error): an attempt failed, or a `call`; a callback raised it; a frame could not be read (`BadFrame`); handlers
    #: are too slow (`SlowConsumer`)
    ERROR = "error"
    RECONNECTING = "reconnecting"  #: (attempt): from 1, since the last `open`
    MESSAGE = "message"  #: (text): a frame, as received, before it is handled; not `rtm:session`, which is a secret
    GAP = "gap"  #: (gap), an `RtmGap`: events may be missing before the next one


# Looking up an enum member is ten times slower before Python 3.12, and this one is needed for each frame.
_MESSAGE = RtmEvents.MESSAGE


class _Arrival(Struct):
    """What a frame leads to, queued."""

    at: float  # by the wall clock: nothing that came before it was dropped
    step: Callable[[], Awaitable[object] | None]

    def __call__(self) -> Awaitable[object] | None:
        return self.step()


class _Event(Struct):
    """An event of the server, queued; less work for each than an `_Arrival`."""

    at: float
    name: str
    data: list[Any]
    call: Callable[[str, list[Any]], Awaitable[None] | None]

    def __call__(self) -> Awaitable[None] | None:
        return self.call(self.name, self.data)


class RtmInbox:
    """The queue of one life of a client, and its overflow.

    Args:
        emitter: holds the handlers of lifecycle events.
        callbacks: those of the server's events.
        settings: the options of the client.
        now: returns the time by the wall clock.
        gap: returns the gap for a period whose events were certainly dropped, or None if nobody wants them.

    Attributes:
        events: number of events received.
        gaps: number of gaps told.
        dropped: number of frames that were dropped because handlers were too slow.
    """

    def __init__(
        self,
        emitter: EventEmitter,
        callbacks: EventCallbacks,
        settings: RtmSettings,
        *,
        now: Callable[[], float],
        gap: Callable[[float, float, str], RtmGap | None],
    ) -> None:
        self.events = 0
        self.gaps = 0
        self.dropped = 0
        self._emitter = emitter
        self._call = callbacks.call
        self._now = now
        self._make_gap = gap
        self._dropping_since: float | None = None  # until then nothing is missing that was dropped in this episode
        self._dropped_before = 0  # at the beginning of this episode
        self._queue = EventQueue(
            emitter,
            log=logger,
            max_pending=settings.max_pending,
            max_pending_bytes=settings.max_pending_bytes,
            on_drop=self._on_drop,
            on_overflow=self._on_overflow,
        )

    @property
    def undelivered(self) -> int:
        """The number of queued events of all kinds."""
        return self._queue.undelivered

    # -- queuing, which never waits ------------------------------------------------------------------------------------

    def emit(self, event: RtmEvents, *args: object) -> None:
        """Queue a lifecycle event."""
        self._queue.emit(event, *args)

    def error(self, error: Exception) -> None:
        """Queue an `error`."""
        self._queue.emit(RtmEvents.ERROR, error)

    def error_logged(self, error: Exception) -> None:
        """Queue an `error` that was logged already."""
        self._queue.report_logged(error)

    def gap(self, gap: RtmGap) -> None:
        """Queue a gap."""
        self.gaps += 1
        logger.warning("events may be missing: %s (from %s to %s)", gap.reason, gap.since, gap.until)
        self._queue.emit(RtmEvents.GAP, gap)

    def raw(self, data: bytes) -> None:
        """Queue the text of a frame, if somebody wants it."""
        if self._emitter.has_handlers(_MESSAGE):
            step = partial(self._emitter.dispatch, _MESSAGE, data.decode(errors="replace"))
            self._queue.put_or_drop(_Arrival(self._now(), step), len(data))

    def event(self, name: str, data: list[Any], size: int, at: float) -> None:
        """Queue an event of the server; it cannot have happened before `at`."""
        self.events += 1
        self._queue.put_or_drop(_Event(at, name, data, self._call), size)

    def bad_frame(self, error: Exception, gaps: list[RtmGap], size: int) -> None:
        """Queue the `error` for a frame that cannot be used, and what is missing for it; many such may come."""
        if self._emitter.has_handlers(RtmEvents.ERROR):
            step = partial(self._emitter.dispatch, RtmEvents.ERROR, error)
            self._queue.put_or_drop(_Arrival(self._now(), step), size)
        else:
            logger.warning("no handler for the event 'error': %s", error)
        for gap in gaps:
            self.gaps += 1
            step = partial(self._emitter.dispatch, RtmEvents.GAP, gap)
            self._queue.put_or_drop(_Arrival(gap.since.timestamp(), step), 0)

    def close(self) -> None:
        """Accept nothing more; what is queued is still delivered."""
        self._tell_dropped()
        self._queue.close()

    async def run(self) -> None:
        """Call handlers until the queue is closed and empty."""
        await self._queue.run()

    # -- overflow ------------------------------------------------------------------------------------------------------

    def _on_drop(self, step: Callable[[], object]) -> None:
        self.dropped += 1
        if isinstance(step, _Event | _Arrival):
            since = self._dropping_since
            self._dropping_since = step.at if since is None else min(since, step.at)

    def _on_overflow(self, overflow: Overflow, ended: bool) -> None:
        if ended:
            self._tell_dropped()

    def _tell_dropped(self) -> None:
        """Queue the gap of an episode of dropping, at its end: what was dropped came before what comes from now on."""
        since, self._dropping_since = self._dropping_since, None
        if since is None:
            return
        count, self._dropped_before = self.dropped - self._dropped_before, self.dropped
        gap = self._make_gap(since, self._now(), f"{count} frames were dropped because handlers are too slow")
        if gap is not None:
            self.gap(gap)
