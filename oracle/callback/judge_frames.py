"""Judge what goes over the wire: frames come once and in order, messages go once and in order, losses have a cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from oracle.callback.records import Began, Called, Closing, Gave, Gone, Got, Sending, Stopping, Struck, Wrote
from oracle.lines import Line
from oracle.verdict import Lag, Violation

REMOTE = "remote"
KINDS = ("text ", "binary ", "pong ")
# What the handler itself ends a connection by.
OWN = ("over", "Reason: over")


@dataclass
class _Connection:
    """One connection as the client saw it, found by its ref."""

    life: int
    ref: int
    connected: Called
    frames: list[Called] = field(default_factory=list)
    conn: int | None = None
    ended: Called | None = None


@dataclass
class _Wire:
    """What the server knows of each connection."""

    wrote: dict[int, list[Wrote]] = field(default_factory=lambda: defaultdict(list))
    closing: dict[int, Closing] = field(default_factory=dict)
    gone: dict[int, Gone] = field(default_factory=dict)
    got: dict[int, list[Got]] = field(default_factory=lambda: defaultdict(list))
    struck: set[int] = field(default_factory=set)
    suspended: list[float] = field(default_factory=list)


def judge_frames(server: Sequence[Line], program: Sequence[Line]) -> list[Violation]:
    """Give what was broken."""
    wire = _read_wire(server)
    sent = {line.key: line for line in program if isinstance(line, Sending)}
    bounded = {line.life for line in program if isinstance(line, Began) and "max_pending" in line.options}
    stops: dict[int, Stopping] = {}
    for line in program:
        if isinstance(line, Stopping):
            stops.setdefault(line.life, line)
        elif isinstance(line, Gave) and line.result == "Close":  # nothing can be sent from then, and no stop is polite
            stops[line.life] = Stopping(life=line.life, how="close")
    lag = Lag(program)
    found = _judge_once(wire, sent)
    taken: dict[int, int] = {}
    for connection in _connections(program):
        found += _judge_arrivals(connection, wire, dropping=connection.life in bounded)
        if connection.conn is None:
            continue
        if taken.setdefault(connection.conn, connection.ref) != connection.ref:
            found.append(Violation("two refs", f"c{connection.conn} has two refs", connection.connected.at))
        found += _judge_sent(connection, wire, sent, stops.get(connection.life))
        found += _judge_reason(connection, wire, lag)
    return found


def _read_wire(server: Sequence[Line]) -> _Wire:
    wire = _Wire()
    for line in server:
        if isinstance(line, Wrote):
            wire.wrote[line.conn].append(line)
        elif isinstance(line, Closing):
            wire.closing[line.conn] = line
        elif isinstance(line, Gone):
            wire.gone[line.conn] = line
        elif isinstance(line, Got):
            wire.got[line.conn].append(line)
        elif isinstance(line, Struck):
            wire.struck.add(line.conn)
            if line.fault == "suspend":
                wire.suspended.append(line.at)
    return wire


def _connections(program: Sequence[Line]) -> list[_Connection]:
    found: list[_Connection] = []
    by_ref: dict[int, _Connection] = {}
    current: dict[int, _Connection] = {}
    for line in program:
        if not isinstance(line, Called):
            continue
        if line.name == "onconnect" and line.ref is not None:
            by_ref[line.ref] = current[line.life] = _Connection(line.life, line.ref, line)
            found.append(by_ref[line.ref])
        elif line.name == "websocket_handle" and line.ref in by_ref:
            by_ref[line.ref].frames.append(line)
            if (numbers := _numbers(line)) is not None:
                by_ref[line.ref].conn = numbers[0]
        elif line.name in {"ondisconnect", "websocket_terminate"} and line.life in current:
            current.pop(line.life).ended = line
    return found


def _numbers(frame: Called) -> tuple[int, int] | None:
    """Read "c:n" of a numbered frame."""
    conn, colon, n = frame.what.partition(" ")[2].partition(":")
    if not frame.what.startswith(KINDS) or not colon or not conn.isdecimal():
        return None
    return int(conn), int(n)


def _judge_once(wire: _Wire, sent: dict[str, Sending]) -> list[Violation]:
    """Judge that no message goes twice, none is invented, and each connection carries them in their order."""
    found: list[Violation] = []
    seen: dict[str, Got] = {}
    for conn, messages in wire.got.items():
        last: dict[str, int] = {}
        for got in messages:
            key = got.key.rpartition(":")[2]
            if key in seen:
                found.append(Violation("sent twice", f"{key} over c{seen[key].conn} and c{conn}", got.at))
            seen[key] = got
            sending = sent.get(key)
            if sending is None or sending.at > got.at:
                found.append(Violation("sent what nobody gave", f"{key} over c{conn}", got.at))
                continue
            number = int(key.rpartition("-")[2])
            if number < last.get(sending.how, 0):
                found.append(Violation("sent out of order", f"c{conn}: {sending.how} {key} too late", got.at))
            last[sending.how] = number
    return found


def _judge_arrivals(connection: _Connection, wire: _Wire, *, dropping: bool) -> Iterable[Violation]:
    """Judge that numbered frames come as they were written; those before a close frame all do."""
    name = f"life {connection.life}, ref {connection.ref}"
    expected, closed = 1, False
    for frame in connection.frames:
        if closed:
            yield Violation("a frame after the close frame", f"{name}: {frame.what}", frame.at)
        numbers = _numbers(frame)
        if numbers is not None:
            conn, n = numbers
            if conn != connection.conn:
                yield Violation("two connections under one ref", f"{name}: c{conn} and c{connection.conn}", frame.at)
            if n < expected:
                yield Violation("delivered twice", f"{name}: frame {n}, expected {expected}", frame.at)
            elif n > expected and not dropping:
                yield Violation("a frame is missing", f"{name}: frame {n}, expected {expected}", frame.at)
            expected = n + 1
        elif frame.what.startswith("close "):
            closed = True
            _, code, *reason = frame.what.split(" ")
            closing = wire.closing.get(int(reason[0][1:])) if reason and reason[0][:1] == "c" else None
            if closing is None:
                continue  # an answer to this side's own
            before = [line.n for line in wire.wrote[closing.conn] if line.at <= closing.at]
            if not dropping and before and expected <= before[-1]:
                yield Violation("a frame is missing", f"{name}: {expected} of {before[-1]} at the close", frame.at)
            if closing.code != int(code):
                yield Violation("wrong close code", f"{name}: {code}, sent was {closing.code}", frame.at)


def _judge_sent(
    connection: _Connection, wire: _Wire, sent: dict[str, Sending], stop: Stopping | None
) -> Iterable[Violation]:
    """Judge that before a message that arrived all of this connection arrived, and before a polite end all at all."""
    if connection.conn is None:
        return
    arrived = {got.key.rpartition(":")[2] for got in wire.got[connection.conn]}
    since = connection.connected.at
    gone = wire.gone.get(connection.conn)
    polite = stop is not None and stop.how == "stop" and gone is not None and gone.how == "closed" and gone.code == 1000
    polite = polite and not _harmed(connection.conn, wire) and gone is not None and stop is not None
    for how in ("cast", "reply"):
        mine = [line for line in sent.values() if line.life == connection.life and line.how == how and line.at > since]
        numbers = [number for number, line in enumerate(mine) if line.key in arrived]
        last = numbers[-1] if numbers else -1
        if polite and stop is not None and connection.ended is not None:
            if connection.ended.name != "websocket_terminate":
                continue
            last = max([last, *(number for number, line in enumerate(mine) if line.at < stop.at)])
        missing = [line for line in mine[: last + 1] if line.key not in arrived]
        if missing:
            what = f"c{connection.conn}: {how} {missing[0].key}, but a later one or a polite end came"
            yield Violation("a message is missing", what, missing[0].at)


def _judge_reason(connection: _Connection, wire: _Wire, lag: Lag) -> Iterable[Violation]:
    """Judge that a connection is not lost without a cause, and that "remote" is true."""
    end = connection.ended
    if end is None or connection.conn is None or end.name != "ondisconnect":
        return
    gone = wire.gone.get(connection.conn)
    closed = connection.conn in wire.closing or (gone is not None and gone.how == "closed")
    name = f"life {connection.life}, c{connection.conn}: ondisconnect({end.what})"
    if end.what == REMOTE:
        if not closed:
            yield Violation("untrue: remote", name, end.at)
    elif end.what not in OWN and not closed and not _harmed(connection.conn, wire):
        late = lag.within(connection.connected.at, end.at)
        if not late:
            yield Violation("lost a healthy connection", name, end.at)


def _harmed(conn: int, wire: _Wire) -> bool:
    return conn in wire.struck
