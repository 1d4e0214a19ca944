"""Judge what is not an event: what is waited for, presence, errors, and how processes end."""

from __future__ import annotations

from collections.abc import Iterator

from oracle.lines import Escaped, Finished, LeftOver
from oracle.rtm import records as r
from oracle.rtm import times
from oracle.rtm.history import History
from oracle.verdict import MARGIN, Violation

__all__ = ["judge_processes"]

#: Errors of a call that a fault explains.
_OF_CALLS = ("RequestLost", "RequestTimeout", "NotConnected", "RemoteError", "ConnectFailed", "ConnectTimeout")
_OF_PUBLISH = ("BrokerUnavailable", "RequestLost", "RequestTimeout", "NotConnected", "RemoteError")
#: And of a client's event `error`.
_OF_ATTEMPTS = ("ConnectFailed", "ConnectTimeout", "UpgradeRefused", "SlowConsumer")
#: coredis leaves the queues of a connection that it has lost to the garbage collector.
_OF_COREDIS = "ResourceWarning: Unclosed <MemoryObject"


def judge_processes(history: History) -> Iterator[Violation]:
    """Give what was broken."""
    yield from _judge_calls(history)
    yield from _judge_ends(history)
    yield from _judge_errors(history)
    yield from _judge_presence(history)


def _judge_calls(history: History) -> Iterator[Violation]:
    """Judge that every call comes back in time."""
    asking: dict[tuple[str, str], r.Asking] = {}
    for line in history.lines:
        if isinstance(line, r.Asking):
            asking[line.who, line.key] = line
        elif isinstance(line, r.Asked) and (asked := asking.pop((line.who, line.key), None)):
            took = line.at - asked.at
            # What cannot be closed in order, as its client is silent, takes the time of a close as well.
            closing = times.SERVER["close_timeout"] if asked.what == "drain" else 0.0
            if took > asked.within + closing + MARGIN + _held_up(history, asked.at, line.at, asked.who):
                text = f"{line.who}: {line.key} took {took:.1f} s of {asked.within:g} s"
                yield Violation("not in time", text, line.at)
            if line.error and not line.error.startswith((*_OF_CALLS, "cancelled")):
                yield Violation("odd error", f"{line.who}: {line.key}: {line.error}", line.at)
            elif line.error and not _is_excused(history, line.who, line.error, line.at):
                yield Violation("odd error", f"{line.who}: {line.key}, without a fault: {line.error}", line.at)
    for asked in asking.values():
        if asked.who not in history.killed:
            yield Violation("never settled", f"{asked.who}: {asked.key}", asked.at)
    for event in history.events.values():
        if event.how == "emit":
            continue
        within = times.SERVER["publish_timeout"] + times.SERVER["count_timeout"]
        within = times.CLIENT["call_timeout"] if event.how == "client" else within
        within = 0.0 if event.how == "no-wait" else within
        if event.settled is None:
            if history.killed.get(event.publisher, history.end + 20.0) > event.called + within + MARGIN:
                yield Violation("never settled", f"{event.name} ({event.how})", event.called)
            continue
        took = event.settled - event.called
        if took > within + MARGIN + _held_up(history, event.called, event.settled, event.publisher):
            text = f"{event.name} ({event.how}) took {took:.1f} s of {within:g} s"
            yield Violation("not in time", text, event.called)
        if event.error and not event.error.startswith((*_OF_PUBLISH, "cancelled")):
            yield Violation("odd error", f"{event.name}: {event.error}", event.settled)
        elif event.error and not _is_excused(history, event.publisher, event.error, event.settled):
            yield Violation("odd error", f"{event.name}, without a fault: {event.error}", event.settled)


def _is_excused(history: History, who: str, error: str, at: float) -> bool:
    """Tell whether a call may fail: there were faults, its caller went away, or the client was closed."""
    if error.startswith("cancelled") or history.faults:
        return True
    connection = history.connections.get(who)
    return connection is not None and connection.ending is not None and connection.ending <= at


def _held_up(history: History, begin: float, end: float, who: str) -> float:
    """Return by how much a bound is stretched: the loops' lateness, and the time for which a server was suspended."""
    suspended = sum(
        min(fault.ended, end) - max(fault.began, begin)
        for fault in history.struck(begin, end)
        if fault.name == "suspend" and fault.target == who[:1]
    )
    return 2 * history.lag(begin, end) + suspended


def _judge_ends(history: History) -> Iterator[Violation]:
    finished = 0
    for line in history.lines:
        if isinstance(line, r.Died):
            if line.who not in history.stopping:
                yield Violation("process", f"{line.who} died unasked, with {line.code}", line.at)
            elif line.code:
                yield Violation("process", f"{line.who} was asked to end, and ended with {line.code}", line.at)
        elif isinstance(line, Escaped) and _OF_COREDIS not in line.error:
            yield Violation("escaped", f"{line.where}: {line.error}", line.at)
        elif isinstance(line, LeftOver):
            yield Violation("left over", "; ".join(line.what), line.at)
        elif isinstance(line, Finished):
            finished += 1
    if finished < len(history.stopping):
        yield Violation("process", f"{len(history.stopping)} were asked to end, {finished} did", history.end)
    for connection in history.connections.values():
        late = [line for line in connection.heard if connection.ended is not None and line.at > connection.ended]
        if late:
            text = f"{connection.name}: {late[0].stream}#{late[0].n} came after aclose had returned"
            yield Violation("after the end", text, late[0].at)


def _judge_errors(history: History) -> Iterator[Violation]:
    """Judge that nothing is logged or told as an error that no fault explains."""
    for line in history.lines:
        if isinstance(line, r.Logged):
            if line.level in ("ERROR", "CRITICAL") and not _is_explained(line.text, history, line.at):
                yield Violation("logged", f"{line.who}: {line.level} {line.text}", line.at)
            elif not history.faults:
                yield Violation("logged", f"{line.who}, without a fault: {line.level} {line.text}", line.at)
        elif isinstance(line, r.Told) and line.event != "broker_ready":
            if line.event == "error" and not line.what.startswith("BrokerUnavailable"):
                yield Violation("odd error", f"{line.who}: {line.what}", line.at)
            elif not history.struck(line.at - 6.0, line.at):
                yield Violation("odd error", f"{line.who}, without a fault: {line.event} {line.what}", line.at)
        elif isinstance(line, r.Erred) and not line.name.startswith(_OF_ATTEMPTS):
            yield Violation("odd error", f"{line.conn}: {line.name}: {line.what}", line.at)


def _is_explained(text: str, history: History, at: float) -> bool:
    """Tell whether it is about an event for which nobody waits, and which could not be published."""
    closing = any(stopping <= at <= stopping + times.SERVER["close_timeout"] for stopping in history.stopping.values())
    return "BrokerUnavailable" in text and (closing or bool(history.struck(at - 6.0, at)))


def _judge_presence(history: History) -> Iterator[Violation]:
    settled: r.Settled | None = None
    for line in history.lines:
        if isinstance(line, r.Settled):
            settled = line
            if line.wrong:
                yield Violation("no recovery", f"{line.seconds:.0f} s after the last fault: {line.wrong}", line.at)
        elif history.last_round is not None and line.at > history.last_round and line.at < _first_end(history):
            if isinstance(line, r.Present):
                right = sum(
                    connection.user == line.user and _is_there(history, connection.opened, connection.ending)
                    for connection in history.connections.values()
                )
                unknown = [name for name in line.counts if history.ids.get(name) not in _living(history, line.at)]
                if sum(line.counts.values()) != right or unknown:
                    yield Violation("presence", f"{line.who}: {line.user} is {line.counts}, and is {right}", line.at)
            elif isinstance(line, r.Counted):
                right = sum(_is_there(history, one.opened, one.ending) for one in history.connections.values())
                if line.count != right:
                    yield Violation("presence", f"{line.who}: count is {line.count}, and is {right}", line.at)
    if settled is None:
        yield Violation("process", "the run broke off before the calm", history.end)


def _first_end(history: History) -> float:
    last = history.last_round or 0.0
    ends = [one.ending for one in history.connections.values() if one.ending is not None and one.ending > last]
    return min(ends, default=history.end + 1)


def _is_there(history: History, opened: list[float], ending: float | None) -> bool:
    last = history.last_round or 0.0
    return bool(opened) and opened[0] < last and (ending is None or ending > last)


def _living(history: History, at: float) -> set[str]:
    return {who for who in history.served if not (history.gone.get(who, at + 1) < at)}
