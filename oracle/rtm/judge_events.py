"""Judge the events: whom they came to, once, in order, and that each that is missing lies in a gap that was told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from oracle.rtm import times
from oracle.rtm.history import Connection, Event, History, Key
from oracle.rtm.records import Gapped, Heard
from oracle.verdict import Violation

__all__ = ["TOLERANCE", "covers", "failed_unheard", "judge_events", "missing"]

#: The wall clock of gaps and the monotonic one of the journals are read one after the other.
TOLERANCE = 0.05
#: How soon the last round has come to all.
_SOON = 2.0


def judge_events(history: History) -> Iterator[Violation]:
    """Give what was broken."""
    failed = failed_unheard(history)
    for connection in history.connections.values():
        yield from _judge_once(history, connection)
        yield from _judge_order(history, connection)
        yield from _judge_lost(history, connection, failed)
    yield from _judge_last_round(history)
    if not history.faults:
        yield from _judge_counts(history)


def _judge_once(history: History, connection: Connection) -> Iterator[Violation]:
    seen: dict[Key, Heard] = {}
    for line in connection.heard:
        key = (line.stream, line.n)
        name = f"{connection.name}: {line.stream}#{line.n}"
        event = history.events.get(key)
        if event is None:
            yield Violation("invented", f"{name} was never published", line.at)
        elif event.user != line.user or (event.user and event.user != connection.user):
            yield Violation("astray", f"{name} of {event.user or 'all'} came to {connection.user}", line.at)
        elif key in seen:
            yield Violation("twice", f"{name} came at {seen[key].at - history.began:.3f}, too", line.at)
        seen.setdefault(key, line)


def _judge_order(history: History, connection: Connection) -> Iterator[Violation]:
    """Judge that no event comes after a later one of its stream."""
    streams: dict[str, list[Event]] = defaultdict(list)
    seen: set[Key] = set()
    for line in connection.heard:
        event = history.events.get((line.stream, line.n))
        if event is None or event.key in seen:
            continue
        seen.add(event.key)
        before = streams[line.stream]
        later = [other for other in before if other.key[1] > event.key[1] and _must_follow(other, event)]
        if later:
            yield Violation("order", f"{connection.name}: {event.name} came after {later[0].name}", line.at)
        before.append(event)


def _must_follow(later: Event, event: Event) -> bool:
    if event.in_order:
        return True
    return event.acknowledged and event.settled is not None and event.settled < later.called


# -- what is missing ---------------------------------------------------------------------------------------------------


def missing(history: History, connection: Connection, failed: set[Key]) -> Iterator[tuple[Event, Heard]]:
    """Give each event that was due and did not come, and the event that came and is proven to be later.

    Due is what was given away when the connection had been made, and was acknowledged. Whether it should have come
    already is known when another one has come that was given away after that.
    """
    if not connection.opened or not connection.heard:
        return
    anchors = _anchors(history, connection)
    for event in history.events.values():
        if connection.name in event.heard or event.called < connection.opened[0]:
            continue
        if not event.acknowledged or event.settled is None or event.key in failed:
            continue
        if event.how == "emit":
            if not _was_for(event, connection):
                continue
        elif event.user != connection.user:
            continue
        later = next((line for other, line in anchors if _is_later(other, event)), None)
        if later is not None:
            yield event, later


def _anchors(history: History, connection: Connection) -> list[tuple[Event, Heard]]:
    """Return what was heard of published events, in the order in which it came."""
    found: list[tuple[Event, Heard]] = []
    for line in connection.heard:
        event = history.events.get((line.stream, line.n))
        if event is not None and event.how != "emit":
            found.append((event, line))
    return found


def _is_later(other: Event, event: Event) -> bool:
    """Tell whether one event stands behind another one, which was acknowledged, in the log of its user."""
    if other.publisher == event.publisher and event.how in ("wait", "no-wait"):
        return other.called > event.called  # a server's calls go out in their order
    if event.how == "no-wait":  # it is in the log when the broker has taken it, at the latest after so long
        within: float = times.SERVER["publish_timeout"]
        return other.called > event.called + within
    return event.settled is not None and other.called > event.settled


def _was_for(event: Event, connection: Connection) -> bool:
    """Tell whether an emitted event was given to the session that the connection had at that time.

    A client that a server has moved away is none of its clients any more.
    """
    current = next((join for join in reversed(connection.joined) if join.at <= event.called), None)
    if current is None or current.client not in event.clients:
        return False
    # A server tells who is gone a moment later.
    left = next((left for left in reversed(connection.left) if left.at <= event.called + TOLERANCE), None)
    return left is None or left.at < current.at or "1012" not in left.why


def failed_unheard(history: History) -> set[Key]:
    """Find the events without a wait that have failed: nobody has heard them, and the server has told an error.

    Nothing says which event an error is about, so each error stands for one event at most, of those that need it: what
    lies in gaps may have been published. What a server had accepted when it was killed has failed with it, if it could
    not reach Redis.
    """
    failed: set[Key] = set()
    needy: set[Key] = set()
    for connection in history.connections.values():
        for event, later in missing(history, connection, failed):
            if event.how == "no-wait" and not event.heard and _fault(history, connection, event, later):
                needy.add(event.key)
    for who in history.served:
        stopping = history.stopping.get(who, history.end)
        told = [line.at for line in history.told[who] if line.event == "error" and "Broker" in line.what]
        # A server that is being closed may have no events any more; its log says the same.
        errors = [*(at for at in told if at < stopping), *(at for at in history.unpublished[who] if at >= stopping)]
        end = history.killed.get(who)
        events = [history.events[key] for key in needy if history.events[key].publisher == who]
        for event in sorted(events, key=lambda event: event.called):
            last = event.called + times.SERVER["publish_timeout"] + 1.0 + history.lag(event.called, event.called + 5)
            error = next((at for at in errors if event.called - TOLERANCE <= at <= last), None)
            if error is not None:
                errors.remove(error)
                failed.add(event.key)
            elif end is not None and event.called <= end <= last:
                trouble = history.struck(event.called - 1.0, end)
                if end - event.called < 0.2 or any(_of_redis(fault.name, fault.target, who) for fault in trouble):
                    failed.add(event.key)
    return failed


def _of_redis(fault: str, target: str, who: str) -> bool:
    return target == "redis" or (fault.startswith(("link-", "suspend")) and target == who[0])


def covers(gap: Gapped, event: Event) -> bool:
    """Tell whether an event lies in a gap."""
    if event.settled is None or (event.how != "emit" and not gap.published):
        return False
    end = event.settled
    if event.how == "no-wait":
        end = event.called + times.SERVER["publish_timeout"]
    return gap.since <= end + TOLERANCE and event.called - TOLERANCE <= gap.until


def _judge_lost(history: History, connection: Connection, failed: set[Key]) -> Iterator[Violation]:
    for event, later in missing(history, connection, failed):
        found = _fault(history, connection, event, later)
        if found is not None:
            yield found


def _fault(history: History, connection: Connection, event: Event, later: Heard) -> Violation | None:
    """Return what is wrong about an event that did not come; None if a gap was told in time."""
    gaps = [gap for gap in connection.gaps if covers(gap, event)]
    name = f"{connection.name}: {event.name} ({event.how})"
    settled = event.called if event.settled is None else event.settled
    when = f"{event.called - history.began:.3f}-{settled - history.began:.3f}"
    if not gaps:
        others = ", ".join(
            f"{gap.since - history.began:.3f}-{gap.until - history.began:.3f} "
            f"{'published' if gap.published else 'own'} told {gap.at - history.began:.3f}"
            for gap in connection.gaps
            if gap.at > event.called - 3.0
        )
        by = f"; heard by {', '.join(event.heard)}" if event.heard else "; heard by nobody"
        text = f"{name} of {when} never came, and lies in no gap; {later.stream}#{later.n} came later{by}"
        return Violation("lost", f"{text}; gaps: {others or 'none'}", event.called)
    if all(gap.at > later.at for gap in gaps) and not _overflowed(connection, event.called, gaps[0].at):
        text = f"{name} of {when}: its gap was told at {gaps[0].at - history.began:.3f}"
        return Violation("late gap", f"{text}, after {later.stream}#{later.n} had come", later.at)
    return None


def _overflowed(connection: Connection, begin: float, end: float) -> bool:
    return any(error.name == "SlowConsumer" and begin - 1.0 <= error.at <= end + 1.0 for error in connection.errors)


def _judge_last_round(history: History) -> Iterator[Violation]:
    """Judge that what is published when all is quiet comes to all at once, and that the count says so."""
    if history.last_round is None:
        return
    staying = [
        connection
        for connection in history.connections.values()
        if connection.ended is None
        or (connection.opened and connection.opened[0] < history.last_round < (connection.ending or 0.0))
    ]
    for event in history.events.values():
        if event.called < history.last_round or not event.key[0].rpartition("/")[2].startswith("last"):
            continue
        if not event.acknowledged:
            yield Violation("last round", f"{event.name}: {event.error or 'did not come back'}", event.called)
            continue
        due = [conn for conn in staying if event.user in ("", conn.user)]
        if event.how == "emit":
            due = [conn for conn in due if conn.server_at(event.called) == event.publisher]
        for connection in due:
            came = event.heard.get(connection.name)
            bound = _SOON + 2 * history.lag(event.called, event.called + _SOON)
            if came is None or came > event.called + bound:
                text = "did not come" if came is None else f"came after {came - event.called:.1f} s"
                yield Violation("last round", f"{connection.name}: {event.name} {text}", event.called)
        if event.took is not None and event.took != len(due):
            text = f"{event.name} was taken by {event.took}, {len(due)} are connected"
            yield Violation("count", text, event.called)


def _judge_counts(history: History) -> Iterator[Violation]:
    """Judge that without a fault `publish` counts who is connected; one that comes or goes meanwhile may be counted."""
    for event in history.events.values():
        if event.took is None or event.how == "emit" or event.settled is None:
            continue
        least = most = 0
        for connection in history.connections.values():
            if connection.user != event.user or not connection.opened:
                continue
            ending = history.end if connection.ending is None else connection.ending
            least += connection.opened[0] < event.called and event.settled < ending
            most += connection.began < event.settled and event.called < ending + 0.5
        if not least <= event.took <= most and history.lag(event.called, event.settled) < 0.2:
            text = f"{event.name} was taken by {event.took}, {least} to {most} were connected"
            yield Violation("count", text, event.called)
