"""Judge the gaps: that each has a cause, is true, and is no wider than it has to be."""

from __future__ import annotations

from collections.abc import Iterator

from oracle.rtm import times
from oracle.rtm.faults import OF_A_CONNECTION, OF_A_SERVER, SERVERS
from oracle.rtm.history import Connection, Event, Fault, History
from oracle.rtm.judge_events import TOLERANCE, covers
from oracle.rtm.records import Gapped
from oracle.verdict import Violation

__all__ = ["judge_gaps", "was_idle"]

#: A fault may be noticed so late: a heartbeat, and a broker's.
_NOTICED_WITHIN = 8.0
#: A gap begins so much earlier than what is known, as frames may have been under way.
_MARGIN = 5.0
#: And so long before the last event that came before the loss.
_REACH = _MARGIN + 2.0 + times.CLIENT["heartbeat_interval"] + times.CLIENT["heartbeat_timeout"]
#: Faults that go by while sessions wait for them.
_RESUMABLE = frozenset(OF_A_CONNECTION) - {"move", "slow-handler"}


def judge_gaps(history: History) -> Iterator[Violation]:
    """Give what was broken."""
    for connection in history.connections.values():
        for gap in connection.gaps:
            yield from _judge_bounds(history, connection, gap)
            yield from _judge_cause(history, connection, gap)
            yield from _judge_certain(history, connection, gap)


def _describe(history: History, connection: Connection, gap: Gapped) -> str:
    since, until, at = (moment - history.began for moment in (gap.since, gap.until, gap.at))
    what = f"{'certain' if gap.certain else 'possible'}, {'published' if gap.published else 'own'}"
    return f"{connection.name}: gap {since:.3f}-{until:.3f} ({what}: {gap.reason}) told at {at:.3f}"


def _judge_bounds(history: History, connection: Connection, gap: Gapped) -> Iterator[Violation]:
    name = _describe(history, connection, gap)
    if not gap.since <= gap.until + TOLERANCE or not gap.until <= gap.at + TOLERANCE:
        yield Violation("bounds", f"{name}: begins after it ends, or ends after it was told", gap.at)
    if connection.opened and gap.since < connection.began - _MARGIN - TOLERANCE:
        yield Violation("endless", f"{name}: begins before the client", gap.at)
    if _overflow(connection, gap):
        return  # what waited for handlers was heard before the gap was told, and came after its end
    loss = next((at for at, _ in reversed(connection.lost) if at <= gap.at), gap.at)
    before = [history.events.get((line.stream, line.n)) for line in connection.heard if line.at < loss]
    # What a server has sent itself proves nothing about what it gets from Redis.
    proven = [event.called for event in before if event is not None and (event.how != "emit" or not gap.published)]
    if proven and gap.since < max(proven) - _REACH:
        last = max(proven) - history.began
        yield Violation("endless", f"{name}: what was published at {last:.3f} had come before the loss", gap.at)


def _judge_cause(history: History, connection: Connection, gap: Gapped) -> Iterator[Violation]:
    name = _describe(history, connection, gap)
    if _overflow(connection, gap):
        return
    lag = history.lag(gap.since, gap.at)
    faults = history.struck(min(gap.since + _MARGIN, gap.at) - _NOTICED_WITHIN, gap.at)
    faults = [fault for fault in faults if _may_touch(fault, connection)]
    if not faults:
        if lag < 1.0:
            yield Violation("no cause", f"{name}: no fault in that time", gap.at)
        return
    if all(fault.name in _RESUMABLE for fault in faults):
        # The session waits for it, and so nothing is missing.
        away = gap.at - max((at for at in (_last_alive(history, connection, gap),)), default=gap.at)
        if away + lag < times.SERVER["resume_window"] - 1.0:
            kinds = ", ".join(sorted({fault.name for fault in faults}))
            yield Violation("needless", f"{name}: only {kinds}, and back after {away:.1f} s", gap.at)
    elif gap.published and not any(_may_lose_published(history, fault) for fault in faults) and lag < 1.0:
        kinds = ", ".join(sorted({fault.name for fault in faults}))
        yield Violation("needless", f"{name}: only {kinds}, which leave the log of Redis whole", gap.at)


def _last_alive(history: History, connection: Connection, gap: Gapped) -> float:
    """Return when the server can have seen the client last, at the earliest: before the fault that led to the gap."""
    faults = [
        fault.began
        for fault in history.struck(gap.since + _MARGIN - TOLERANCE, gap.at)
        if _may_touch(fault, connection) and fault.target == connection.place
    ]
    return min([gap.since + _MARGIN, *faults])


def _overflow(connection: Connection, gap: Gapped) -> bool:
    return any(
        error.name == "SlowConsumer" and gap.since - 1.0 <= error.at <= gap.at + 1.0 for error in connection.errors
    )


def _may_touch(fault: Fault, connection: Connection) -> bool:
    """Tell whether a fault can be felt by a connection. A visitor's road has no faults of its own."""
    if fault.target in SERVERS:
        return fault.name not in OF_A_SERVER or any(
            join.who[0] == fault.target and join.at <= fault.ended for join in connection.joined
        )
    return fault.target in ("redis", connection.place)


def _may_lose_published(history: History, fault: Fault) -> bool:
    """Tell whether after a fault a server cannot know what has happened to the log."""
    if history.alone and fault.name in OF_A_SERVER:
        return True
    return fault.target == "redis" or fault.name.startswith("link-") or fault.name == "suspend"


def _judge_certain(history: History, connection: Connection, gap: Gapped) -> Iterator[Violation]:
    if gap.certain and was_idle(history, connection, gap):
        name = _describe(history, connection, gap)
        yield Violation("untrue", f"{name}: certain, and nothing of that time is missing", gap.at)


def was_idle(history: History, connection: Connection, gap: Gapped) -> bool:
    """Tell whether nothing is missing that a gap covers, neither what has failed nor what was acknowledged."""
    return not any(
        connection.name not in event.heard and _may_be_in(gap, event, connection) for event in history.events.values()
    )


def _may_be_in(gap: Gapped, event: Event, connection: Connection) -> bool:
    if event.how == "emit":
        who = connection.server_at(gap.since) or connection.server_at(gap.at)
        mine = event.publisher == who or any(join.client in event.clients for join in connection.joined)
    else:
        mine = event.user == connection.user
    if event.settled is None or event.error:  # whether it was done nobody knows
        return mine and gap.since <= event.called + 10.0 and event.called - TOLERANCE <= gap.until
    return mine and covers(gap, event)
