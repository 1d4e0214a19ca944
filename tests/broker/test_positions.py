"""A log of Redis by itself: whatever happens to it, a follower gets entries once and in order, and learns of losses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rcex_ws.broker.interface import Entry, Hole
from rcex_ws.broker.positions import START, LogEntry, LogPart, Missing, Packet, Position, Reading, is_after, read_packet

LIMIT, AGE = 3, 1000


class Log:
    """What the scripts do to a log, and what Redis and time do to it."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.epochs = 1
        self.clock = 10_000_000
        self.time = 0  # that of the follower, which never goes back
        self.appended = 0

    def wait(self, span: int) -> None:
        self.clock += span
        self.time += span

    @property
    def epoch(self) -> str:
        return f"e{self.epochs}"

    def append(self, count: int) -> Packet:
        before = self.entries[-1].id if self.entries else START
        packet = []
        for _ in range(count):
            last = self.entries[-1].id if self.entries else START
            ms, seq = (int(part) for part in last.split("-"))
            id_ = f"{self.clock}-0" if self.clock > ms else f"{ms}-{seq + 1}"
            entry = LogEntry(id_, self.epoch, last, b"%d" % self.appended)
            self.appended += 1
            self.entries.append(entry)
            packet.append((id_, entry.data))
        return Packet(self.epoch, before, packet)

    def crash(self, lost: int, back: int) -> None:
        self.entries = self.entries[: max(0, len(self.entries) - lost)]
        self.clock -= back
        self.epochs += 1

    def read(self, after: str) -> LogPart:
        last = self.entries[-1] if self.entries else None
        found = [entry for entry in self.entries if is_after(entry.id, after)] if after else []
        return LogPart(
            self.epoch,
            last.id if last else "",
            last.epoch if last else "",
            f"{self.clock - AGE}-0",
            found[:LIMIT],
            len(found[:LIMIT]) < LIMIT,
        )


class Follower:
    """What Topics does for one topic."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.told: list[int | Hole | None] = []  # None when it goes live
        self.begun_at = 0
        self.reading = Reading(None)
        self.held: list[Packet] | None = []
        self.known_at = 0
        self.connected = True

    def on_packet(self, packet: Packet) -> None:
        if self.held is not None:
            self.held.append(packet)
            return
        entries = self.reading.take_live(packet)
        if entries is None:
            self.held, self.known_at = [packet], self.log.time
            self.reading = Reading(str(self.reading.position))
        else:
            self.tell(entries)

    def read_part(self) -> None:
        if self.held is None:
            return
        at_end = self.reading.after == ""
        part = self.log.read(self.reading.after)
        taken = self.reading.take(part, doubtful=self.log.time - self.known_at >= AGE - 1)
        if taken is None:
            return
        if at_end:
            self.begun_at = self.log.appended
        self.tell(taken)
        if part.complete:
            held, self.held = self.held, None
            self.told.append(None)
            for place, packet in enumerate(held):
                entries = self.reading.take_live(packet)
                if entries is None:
                    self.held, self.known_at = held[place:], self.log.time
                    self.reading = Reading(str(self.reading.position))
                    return
                self.tell(entries)

    def lose(self) -> None:
        if self.connected and self.held is None:
            self.known_at = self.log.time
        self.connected = False

    def knows_recent(self) -> bool:
        """Return whether what it knows cannot have expired: only then a log that is gone shows that."""
        position = self.reading.position
        return position is not None and is_after(position.id, f"{self.log.clock - AGE}-0")

    def reconnect(self) -> None:
        self.connected = True
        self.held = []
        if self.reading.position is not None:
            self.reading = Reading(str(self.reading.position))

    def tell(self, found: Sequence[Entry | Missing]) -> None:
        for one in found:
            assert Position.read(one.position)
            self.told.append(one.hole if isinstance(one, Missing) else int(one.data))


steps = st.lists(
    st.tuples(st.sampled_from(["append", "append", "trim", "crash", "later"]), st.integers(1, 5), st.integers(0, 4000))
    | st.tuples(
        st.sampled_from(["read", "read", "deliver", "lose", "reconnect", "expire", "evict"]), st.just(0), st.just(0)
    ),
    max_size=80,
)


def follow(steps: list[tuple[str, int, int]]) -> tuple[Log, Follower]:
    log = Log()
    follower = Follower(log)
    wire: list[Packet] = []
    for step, count, span in steps:
        if step == "append":
            packet = log.append(count)
            if follower.connected:
                wire.append(packet)
        elif step == "trim":
            log.entries = log.entries[count:] or log.entries[-1:]
        elif step == "crash":
            log.crash(count - 1, span)
            wire.clear()
            follower.lose()
        elif step == "later":
            log.wait(span)
        elif step == "read" and follower.connected:
            follower.read_part()
        elif step == "deliver" and wire:
            follower.on_packet(wire.pop(0))
        elif step == "lose":
            wire.clear()
            follower.lose()
        elif step == "reconnect" and not follower.connected:
            follower.reconnect()
        elif step == "evict" and not follower.connected and follower.knows_recent():
            log.entries = []
            log.wait(1)
        elif step == "expire" and not follower.connected:
            log.entries = []
            log.wait(AGE)  # a node that is connected has all that expires
    if not follower.connected:
        follower.reconnect()
    for packet in wire:
        follower.on_packet(packet)
    while follower.held is not None:
        follower.read_part()
    return log, follower


def gaps(log: Log, follower: Follower) -> list[tuple[int, int, list[Hole]]]:
    """Return what is missing: the numbers around it, and the holes told from there on until all was read."""
    told = [follower.begun_at - 1, *follower.told, log.appended]
    found = []
    places = [place for place, one in enumerate(told) if isinstance(one, int)]
    for one, next_ in pairwise(places):
        until = next_
        while until < len(told) and told[until] is not None:
            until += 1
        holes = [hole for hole in told[one:until] if isinstance(hole, Hole)]
        found.append((told[one], told[next_], holes))
    return found


@given(steps)
@example([("read", 0, 0), ("lose", 0, 0), ("append", 1, 0), ("expire", 0, 0), ("append", 1, 0)])
@example([("read", 0, 0), ("append", 1, 0), ("append", 1, 0), ("crash", 2, 0)])
@example([("read", 0, 0), ("append", 4, 0), ("crash", 2, 0), ("reconnect", 0, 0), ("read", 0, 0), ("lose", 0, 0)])
def test_entries_come_once_and_in_order_and_a_loss_is_told(steps: list[tuple[str, int, int]]) -> None:
    log, follower = follow(steps)
    numbers = [one for one in follower.told if isinstance(one, int)]
    assert numbers == sorted(set(numbers))
    for before, after, holes in gaps(log, follower):
        assert after == before + 1 or holes


@given(steps)
def test_a_certain_hole_is_one(steps: list[tuple[str, int, int]]) -> None:
    log, follower = follow(steps)
    told = [follower.begun_at - 1, *follower.told, log.appended]
    for place, one in enumerate(told):
        if isinstance(one, Hole) and one.certain:
            before = next(number for number in reversed(told[:place]) if isinstance(number, int))
            after = next(number for number in told[place:] if isinstance(number, int))
            assert after > before + 1


@given(st.lists(st.sampled_from(["append", "read", "deliver", "lose", "reconnect", "later"]), max_size=80))
def test_without_a_loss_of_data_there_is_no_hole(names: list[str]) -> None:
    _, follower = follow([(name, 2, 5) for name in names])
    assert not any(isinstance(one, Hole) for one in follower.told)


def part(*entries: LogEntry, epoch: str = "e1", last: str | None = None, oldest: str = "8-0") -> LogPart:
    if last is None:
        last = entries[-1].id if entries else ""
    return LogPart(epoch, last, entries[-1].epoch if entries else "", oldest, entries, complete=True)


def entry(id_: str, previous: str, epoch: str = "e1") -> LogEntry:
    return LogEntry(id_, epoch, previous, b"")


def old(id_: str, previous: str) -> LogEntry:
    return entry(id_, previous, "e0")


@pytest.mark.parametrize(
    ("after", "found", "told", "end"),
    [
        ("e1-5-0", part(entry("6-0", "5-0")), ["e1-6-0"], "e1-6-0"),
        ("e1-5-0", part(last="5-0"), [], "e1-5-0"),
        ("e1-5-0", part(), [], "e1-5-0"),
        ("e1-5-0", part(entry("9-0", START)), ["e1-9-0"], "e1-9-0"),
        ("e1-5-0", part(entry("9-0", START), oldest="4-0"), [(False, "e1-0-0"), "e1-9-0"], "e1-9-0"),
        ("e1-5-0", part(oldest="4-0"), [(False, "e1-0-0")], "e1-5-0"),
        ("e1-5-0", part(entry("9-0", "5-1")), [(True, "e1-5-1"), "e1-9-0"], "e1-9-0"),
        ("e1-5-0", part(entry("9-0", "4-0")), [(False, "e1-4-0"), "e1-9-0"], "e1-9-0"),
        ("e1-5-0", part(last="4-0"), [(False, "e1-4-0")], "e1-4-0"),
        ("e0-5-0", part(entry("9-0", "5-0")), [(False, "e1-5-0"), "e1-9-0"], "e1-9-0"),
        ("e0-5-0", part(old("6-0", "5-0"), entry("9-0", "6-0")), ["e1-6-0", (False, "e1-6-0"), "e1-9-0"], "e1-9-0"),
        ("e0-5-0", part(old("6-0", "5-0")), ["e1-6-0", (False, "e1-6-0")], "e1-6-0"),
        ("e0-5-0", part(old("9-0", "7-0")), [(True, "e1-7-0"), "e1-9-0", (False, "e1-9-0")], "e1-9-0"),
        ("e0-5-0", part(), [(False, "e1-0-0")], "e1-0-0"),
        ("e0-5-0", LogPart("e1", "5-0", "e0", "8-0", (), complete=True), [(False, "e1-5-0")], "e1-5-0"),
        ("nonsense", part(entry("9-0", "7-0")), [(False, "e1-7-0"), "e1-9-0"], "e1-9-0"),
        ("nonsense", part(), [(False, "e1-0-0")], "e1-0-0"),
        ("e1-0-0", part(entry("9-0", START)), ["e1-9-0"], "e1-9-0"),
        ("e1-0-0", part(entry("9-0", "8-0")), [(True, "e1-8-0"), "e1-9-0"], "e1-9-0"),
    ],
)
def test_what_follows_a_position_shows_what_is_missing(
    after: str, found: LogPart, told: list[object], end: str
) -> None:
    reading = Reading(after)
    taken = reading.take(found)
    assert taken is not None
    assert [(one.hole.certain, one.position) if isinstance(one, Missing) else one.position for one in taken] == told
    assert str(reading.position) == end


@pytest.mark.parametrize("found", [part(), part(entry("9-0", START))])
def test_a_log_that_begins_anew_may_have_hidden_another_one(found: LogPart) -> None:
    taken = Reading("e1-5-0").take(found, doubtful=True)
    assert taken is not None
    assert isinstance(taken[0], Missing)
    assert "away" in taken[0].hole.reason
    taken = Reading("e1-5-0").take(part(entry("9-0", "5-0")), doubtful=True)
    assert taken is not None
    assert isinstance(taken[0], Entry)


def test_after_redis_went_back_only_what_is_new_is_read() -> None:
    reading = Reading("e0-5-0")
    assert reading.after == "5-0"
    assert reading.take(LogPart("e1", "5-0", "e1", "8-0", (), complete=True)) is None
    assert reading.after == START
    taken = reading.take(part(old("2-0", START), old("3-0", "2-0"), entry("5-0", "3-0")))
    assert taken is not None
    hole = Missing(Hole(certain=False, reason="Redis was restarted or has lost data"), "e1-3-0")
    assert taken == [hole, Entry("e1-5-0", b"")]


def test_a_restart_is_not_forgotten_when_the_reading_is_broken_off() -> None:
    reading = Reading("e0-5-0")
    taken = reading.take(LogPart("e1", "9-0", "e1", "1-0", [old("6-0", "5-0")], complete=False))
    assert taken == [Entry("e1-6-0", b"")]
    assert (str(reading.position), reading.after) == ("e0-6-0", "6-0")
    taken = Reading("e0-6-0").take(part(entry("9-0", "6-0")))
    assert taken is not None
    assert isinstance(taken[0], Missing)


def test_what_is_old_is_not_taken_for_new_when_the_reading_is_broken_off() -> None:
    reading = Reading("e0-5-0")
    assert reading.take(LogPart("e1", "4-0", "e1", "1-0", [], complete=True)) is None
    taken = reading.take(LogPart("e1", "4-0", "e1", "1-0", [old("2-0", START)], complete=False))
    assert taken == []
    assert (str(reading.position), reading.after) == ("e0-5-0", "2-0")
    taken = reading.take(part(old("3-0", "2-0"), entry("4-0", "3-0")))
    assert taken is not None
    assert [one.position for one in taken] == ["e1-3-0", "e1-4-0"]
    assert str(reading.position) == "e1-4-0"


def test_packets() -> None:
    assert read_packet(b"e1 0-0 1-0 4\na\nb ") == Packet("e1", "0-0", ((("1-0"), b"a\nb "),))
    assert read_packet(b"e1 1-0 2-0 0 2-1 3\n\n\n\n").entries == [("2-0", b""), ("2-1", b"\n\n\n")]


def test_live_entries_that_were_read_already_are_left_out() -> None:
    reading = Reading("e1-1-0")
    reading.take(part(entry("2-0", "1-0")))
    assert reading.take_live(Packet("e1", "1-0", (("2-0", b""),))) == ()
    both = reading.take_live(Packet("e1", "1-0", (("2-0", b""), ("3-0", b"x"))))
    assert both is not None
    assert [one.data for one in both] == [b"x"]
    assert reading.take_live(Packet("e1", "4-0", (("5-0", b""),))) is None
    assert reading.take_live(Packet("e2", "3-0", (("5-0", b""),))) is None
    assert reading.take_live(Packet("e1", START, (("5-0", b""),))) is not None
