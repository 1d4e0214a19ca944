"""Log, trace and counters of one extension, over all its runtimes: what an operator sees."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from msgspec import Struct

from rcex_ws.connection import DeliveryQueue, Link, State
from rcex_ws.named_log import NamedLog
from rcex_ws.trace import Span, Step, Trace, Tracer
from rcex_ws.wsg.models import Gap, Outcome, Recovery

__all__ = ["Stats", "Telemetry"]


class Stats(Struct, frozen=True, kw_only=True):
    """Counters of a `WebSocketExtension` since it was created; JSON-ready by `msgspec.to_builtins`.

    `connect()` does not reset them. `received` is the sum of `delivered`, `pending`, `duplicates` and `dropped`;
    frames that cannot be read are reported as errors and gaps, but not counted.

    Attributes:
        name: the extension's name.
        state: its state.
        state_since: when it entered this state, by the wall clock.
        attempts: number of attempts to connect.
        connections: number of attempts that succeeded.
        recoveries: number of outages that have ended, by `Outcome`.
        received: number of notifications received.
        delivered: those taken by a consumer, even if its callback raised.
        pending: those waiting for a consumer.
        duplicates: those that had arrived before.
        dropped: those discarded: the queue was full, the extension closed, or no subscription wanted them.
        gaps: number of "certain" and "possible" gaps reported.
        open_gaps: number of gaps that handlers and `on_gap` are not through with now; it is called again with those for
            which it has failed.
        calls: number of calls by transport: "websocket" counts those over this extension's socket, its subscription
            calls included; "https" counts those of its client, whichever extension passed them on.
        last_inbound_at: when the newest frame was received, by the wall clock; None before the first.
        heartbeat_round_trip: seconds from the last answered heartbeat to its answer; None before the first.
    """

    name: str
    state: State
    state_since: datetime
    attempts: int
    connections: int
    recoveries: dict[str, int]
    received: int
    delivered: int
    pending: int
    duplicates: int
    dropped: int
    gaps: dict[str, int]
    open_gaps: int
    calls: dict[str, int]
    last_inbound_at: datetime | None
    heartbeat_round_trip: float | None


class Telemetry:
    """Counts, traces and logs for one extension. What the queues count is read from them, not counted twice.

    Args:
        name: the extension's name.
        trace: the application's hook, or None.

    Attributes:
        name: as given.
        log: the logger of its lines.
        trace: the tracer of its steps.
        trace_of_calls: the same if anybody listens, otherwise None, so that a call need not ask.
        attempts, connections, calls, duplicates, unwanted: counters.
    """

    __slots__ = (
        "_certain_gaps",
        "_delivered",
        "_dropped",
        "_last_inbound_at",
        "_possible_gaps",
        "_queues",
        "_recoveries",
        "_recovering",
        "_round_trip",
        "attempts",
        "calls",
        "connections",
        "duplicates",
        "log",
        "name",
        "trace",
        "trace_of_calls",
        "unwanted",
    )

    def __init__(self, name: str = "extension", trace: Trace | None = None) -> None:
        self.name = name
        self.log = NamedLog(logging.getLogger("rcex_ws.wsg"), name)
        self.trace = Tracer(name, trace, self.log.of(logging.getLogger("rcex_ws.trace")))
        self.trace_of_calls: Tracer | None = None
        self.attempts = self.connections = self.calls = self.duplicates = self.unwanted = 0
        self._recoveries: dict[Outcome, int] = {}
        self._certain_gaps = self._possible_gaps = 0
        self._delivered = self._dropped = 0  # of queues that were dropped
        self._queues: tuple[DeliveryQueue[Any], ...] = ()
        self._recovering: Span | None = None
        self._last_inbound_at: datetime | None = None
        self._round_trip: float | None = None

    def drop_queues(self) -> None:
        """Drop the queues of an earlier runtime; what is left in them counts as dropped."""
        for queue in self._queues:
            self._dropped += len(queue)
            self._add_up(queue)
        self._queues = ()

    def add_queue(self, queue: DeliveryQueue[Any]) -> None:
        """Include a queue in the counters."""
        for one in self._queues:
            if one.closed and not len(one):
                self._add_up(one)
        self._queues = (*(one for one in self._queues if len(one) or not one.closed), queue)

    def connected(self) -> None:
        """Count a connection, and note whether anybody listens to the trace of calls."""
        self.connections += 1
        self.trace_of_calls = self.trace if self.trace.enabled else None

    def remember(self, link: Link) -> None:
        """Copy the figures of a connection, which may be lost."""
        self._last_inbound_at, self._round_trip = link.last_inbound_at, link.round_trip or self._round_trip

    def begin_recovery(self, detail: str) -> None:
        """Begin to trace an outage, unless one is being traced."""
        if self._recovering is None:
            self._recovering = self.trace.begin(Step.RECOVER, detail)

    def count_outage(self, recovery: Recovery) -> None:
        """Count how an outage ended."""
        self._recoveries[recovery.outcome] = self._recoveries.get(recovery.outcome, 0) + 1
        detail = f"{recovery.outcome} {recovery.error_code}" if recovery.error_code else str(recovery.outcome)
        self.end_recovery(detail, done=recovery.outcome is Outcome.RECOVERED)

    def end_recovery(self, detail: str, *, done: bool = False) -> None:
        """End the trace of an outage, with how it ended."""
        span, self._recovering = self._recovering, None
        if span is not None:
            span.detail = detail
            (span.done if done else span.failed)()

    def count_gap(self, gap: Gap) -> None:
        """Count a gap that is reported."""
        if gap.certain:
            self._certain_gaps += 1
        else:
            self._possible_gaps += 1

    def stats(self, *, state: State, since: datetime, link: Link | None, open_gaps: int, https: int) -> Stats:
        """Return the current figures."""
        if link is not None:
            self.remember(link)
        delivered = self._delivered + sum(queue.delivered for queue in self._queues)
        pending = sum(len(queue) for queue in self._queues)
        dropped = self._dropped + sum(queue.dropped + queue.discarded for queue in self._queues) + self.unwanted
        return Stats(
            name=self.name,
            state=state,
            state_since=since,
            attempts=self.attempts,
            connections=self.connections,
            recoveries={str(outcome): self._recoveries.get(outcome, 0) for outcome in Outcome},
            received=delivered + pending + self.duplicates + dropped,
            delivered=delivered,
            pending=pending,
            duplicates=self.duplicates,
            dropped=dropped,
            gaps={"certain": self._certain_gaps, "possible": self._possible_gaps},
            open_gaps=open_gaps,
            calls={"websocket": self.calls, "https": https},
            last_inbound_at=self._last_inbound_at,
            heartbeat_round_trip=self._round_trip,
        )

    def _add_up(self, queue: DeliveryQueue[Any]) -> None:
        self._delivered += queue.delivered
        self._dropped += queue.dropped + queue.discarded
