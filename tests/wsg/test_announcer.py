"""What the application is told when there is much to tell: counted, merged, in order, and nothing left out."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rcex_ws import BadFrame, Events, Gap, SlowConsumer
from rcex_ws.connection import EventEmitter
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.gaps import WaitingGap, WaitingGaps

START = datetime(2025, 1, 1, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def a_gap(since: float | None, until: float, *, certain: bool = False, reason: str = "why") -> Gap:
    return Gap(None if since is None else at(since), at(until), certain=certain, reason=reason)


def named(reason: str) -> int:
    """How many gaps a told one stands for, by its own words."""
    counts = [
        int((re.search(r" \(([\d,]+) times\)$", part) or re.search(r"^([\d,]+) more$", part) or ["", "1"])[1])
        for part in reason.split("; ")
    ]
    return sum(counts)


# -- gaps, pure ----------------------------------------------------------------------------------------------------


class Model(RuleBasedStateMachine):
    """Keep all gaps that there were, and what had been told before each."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps = WaitingGaps()
        self.added: list[tuple[Gap, int]] = []
        self.turns: list[WaitingGap] = []
        self.open: list[WaitingGap] = []
        self.told: list[WaitingGap] = []

    @rule(
        since=st.none() | st.integers(0, 300),
        lasts=st.integers(0, 3),
        certain=st.booleans(),
        reason=st.sampled_from("abcdefgh"),
    )
    def add(self, since: int | None, lasts: int, certain: bool, reason: str) -> None:
        gap = a_gap(since, (since or 0) + lasts, certain=certain, reason=reason)
        self.added.append((gap, len(self.told)))
        new = self.gaps.add(gap)
        if new is not None:
            self.turns.append(new)
            self.open.append(new)

    @precondition(lambda self: self.turns)
    @rule()
    def tell(self) -> None:
        turn = self.turns.pop(0)
        self.open = [one for one in self.open if one is not turn]
        told = self.gaps.report(turn)
        if told is None:
            assert turn.absorbed
            return
        self.told.append(turn)
        assert told == turn.gap
        assert named(told.reason) == turn.count

    @rule()
    def close(self) -> None:
        self.gaps.close()
        self.open.clear()

    @property
    def waiting(self) -> list[WaitingGap]:
        return [turn for turn in self.turns if not turn.absorbed]

    @invariant()
    def every_gap_is_told_after_it_came_or_waits(self) -> None:
        for gap, before in self.added:
            assert any(_covers(turn.gap, gap) for turn in [*self.told[before:], *self.waiting])

    @invariant()
    def each_counts_once_and_nothing_is_wider_than_what_there_was(self) -> None:
        turns = [*self.told, *self.waiting]
        assert sum(turn.count for turn in turns) == len(self.added)
        assert {turn.gap.since for turn in turns} <= {gap.since for gap, _ in self.added}
        assert {turn.gap.until for turn in turns} <= {gap.until for gap, _ in self.added}

    @invariant()
    def those_that_touch_are_one_and_few_wait(self) -> None:
        for certain in (True, False):
            alike = [turn for turn in self.open if turn.certain is certain and not turn.absorbed]
            assert len(alike) <= 16
            assert not any(one.touches(other) for one in alike for other in alike if one is not other)


def _covers(told: Gap, gap: Gap) -> bool:
    begins = told.since is None or (gap.since is not None and told.since <= gap.since)
    return begins and gap.until <= told.until and told.certain is gap.certain


test_gaps_are_merged_and_none_is_lost = Model.TestCase
test_gaps_are_merged_and_none_is_lost.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)


def merged(*gaps: Gap) -> Gap | None:
    waiting = WaitingGaps()
    (turn,) = [turn for turn in map(waiting.add, gaps) if turn is not None]
    return waiting.report(turn)


def test_the_ends_count_as_part_of_a_gap() -> None:
    assert merged(a_gap(0, 1), a_gap(1, 2)) == a_gap(0, 2, reason="why (2 times)")


def test_an_unknown_beginning_wins() -> None:
    assert merged(a_gap(0, 1), a_gap(None, 1)) == a_gap(None, 1, reason="why (2 times)")
    assert merged(a_gap(None, 1), a_gap(0, 3)) == a_gap(None, 3, reason="why (2 times)")


def test_a_gap_between_two_joins_them_in_the_turn_of_the_first() -> None:
    waiting = WaitingGaps()
    first, second = waiting.add(a_gap(4, 5, reason="a")), waiting.add(a_gap(0, 1, reason="b"))
    assert first is not None
    assert second is not None
    assert waiting.add(a_gap(1, 4, reason="c")) is None
    assert waiting.report(first) == a_gap(0, 5, reason="a; c; b")
    assert waiting.report(second) is None


def test_what_is_known_and_what_may_be_are_told_apart() -> None:
    waiting = WaitingGaps()
    assert waiting.add(a_gap(0, 2, certain=True)) is not None
    assert waiting.add(a_gap(0, 2, certain=False)) is not None


def test_reasons_are_counted_and_joined_and_do_not_grow_without_bound() -> None:
    told = merged(*[a_gap(0, 1, reason=f"{number % 1000} {'x' * 10_000}") for number in range(20_000)])
    assert told is not None
    assert len(told.reason) < 2000
    assert told.reason.startswith("0 xxx")
    assert told.reason.endswith("; 19,900 more")
    assert told.reason.count("(20 times)") == 5


def test_what_was_not_named_of_a_gap_counts_when_it_is_merged_itself() -> None:
    waiting = WaitingGaps()
    first = waiting.add(a_gap(0, 1))
    for number in range(8):
        waiting.add(a_gap(2, 3, reason=str(number)))
    waiting.add(a_gap(1, 2))
    assert first is not None
    assert waiting.report(first) == a_gap(0, 3, reason="why (2 times); 0; 1; 2; 3; 4 more")


def test_gaps_that_do_not_touch_are_kept_apart_as_long_as_they_are_few() -> None:
    waiting = WaitingGaps()
    gaps = [a_gap(2 * number, 2 * number + 1) for number in range(1000)]
    turns = [turn for turn in map(waiting.add, gaps) if turn is not None]
    told = [waiting.report(turn) for turn in turns]
    assert told == [*gaps[:15], a_gap(30, 1999, reason="why (985 times)")]


def test_one_gap_alone_keeps_its_reason_however_long() -> None:
    gap = a_gap(0, 1, reason="x" * 10_000)
    assert merged(gap) is gap


# -- in turn -------------------------------------------------------------------------------------------------------


class Told(list[tuple[str, Any]]):
    """What the application was told, in order."""

    def of(self, name: str) -> list[Any]:
        return [value for found, value in self if found == name]


class Desk:
    """An announcer whose emitter has not begun to run."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.emitter = EventEmitter()
        self.hook: Any = lambda gap: told.append(("hook", gap))
        self.announcer = Announcer(
            self.emitter,
            on_gap=lambda gap: self.hook(gap),
            gap_timeout=5,
            retry_delay=lambda n: 1,
            on_gap_change=lambda: None,
        )
        for event in Events:
            self.emitter.on(event, lambda *args, event=event: told.append((str(event), *args)))

    async def tell(self) -> None:
        """Run all handlers, and those of what they emit."""
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                self.emitter.start(group.start_soon)
                self.emitter.stop(within=5)


@pytest.fixture
def desk() -> Desk:
    return Desk(Told())


async def test_errors_of_one_kind_are_counted_into_the_first(desk: Desk) -> None:
    errors = [BadFrame(f"frame {number}") for number in range(1500)]
    errors[0].__cause__ = cause = ValueError()
    for error in errors:
        desk.announcer.error(error)
    desk.announcer.error(SlowConsumer("slow"))
    await desk.tell()
    bad, slow = desk.told.of("error")
    assert str(bad) == "frame 0 (and 1,499 more like it)"
    assert type(bad) is BadFrame
    assert bad.__cause__ is cause
    assert str(slow) == "slow"


async def test_an_error_after_the_turn_of_the_first_is_told_anew(desk: Desk) -> None:
    desk.emitter.once("error", lambda _: [desk.announcer.error(BadFrame("again")) for _ in range(3)])
    desk.announcer.error(BadFrame("first"))
    await desk.tell()
    assert [str(error) for error in desk.told.of("error")] == ["first", "again (and 2 more like it)"]


async def test_errors_of_the_application_are_told_one_by_one_up_to_a_bound(desk: Desk) -> None:
    errors = [KeyError(number) for number in range(250)]
    for error in errors:
        desk.announcer.error(error)
    await desk.tell()
    told = desk.told.of("error")
    assert told == errors[:100]
    assert [getattr(error, "__notes__", None) for error in told] == [None] * 99 + [["and 150 more like it"]]
    assert told[-1].args == (99,)


async def test_gaps_are_merged_and_the_hook_runs_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1000):
        desk.announcer.error(BadFrame("bad"))
        desk.announcer.gap(a_gap(number, number + 1, reason="bad"))
    await desk.tell()
    gap = a_gap(0, 1000, reason="bad (1,000 times)")
    assert [name for name, _ in desk.told] == ["error", "notificationGap", "hook"]
    assert desk.told[1:] == [("notificationGap", gap), ("hook", gap)]
    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    told = (a_gap(0, 1, reason="bad"), gap)
    assert logged == [f"extension: possible gap from {one.since} to {one.until}: {one.reason}" for one in told]


async def test_a_gap_that_comes_while_one_is_told_is_another(desk: Desk) -> None:
    """The hook has begun to read the data again: what is lost now it may have missed."""

    async def hook(gap: Gap) -> None:
        desk.told.append(("hook", gap))
        if len(desk.told.of("hook")) == 1:
            desk.announcer.gap(a_gap(1, 2))
            await anyio.lowlevel.checkpoint()
            desk.announcer.gap(a_gap(2, 3))

    desk.hook = hook
    desk.announcer.gap(a_gap(0, 1))
    await desk.tell()
    assert desk.told.of("hook") == desk.told.of("notificationGap") == [a_gap(0, 1), a_gap(1, 3, reason="why (2 times)")]


async def test_nothing_is_told_before_what_was_emitted_before_it(desk: Desk) -> None:
    """A gap that touches one from before a loss is not told before the loss is."""
    tell = desk.announcer
    tell.gap(a_gap(0, 1))
    tell.emit(Events.DISCONNECTED, "loss")
    tell.emit(Events.NEW_WEBSOCKET_OBJECT, "link")
    tell.emit(Events.NEW_WSC, "wsc")
    tell.gap(a_gap(0, 2))
    tell.gap(a_gap(2, 3))
    tell.emit(Events.AUTO_RECOVER_SUCCESS, "link")
    tell.emit(Events.CONNECTION_READY, "link")
    tell.gap(a_gap(3, 4))
    tell.then(lambda: desk.told.append(("released", None)))
    tell.gap(a_gap(4, 5))
    await desk.tell()
    assert [name for name, _ in desk.told] == [
        *("notificationGap", "hook"),
        *("disconnected", "newWebSocketObject", "newWsc"),
        *("notificationGap", "hook"),
        *("autoRecoverSuccess", "connectionReady"),
        *("notificationGap", "hook"),
        *("released",),
        *("notificationGap", "hook"),
    ]
    assert [gap.until for gap in desk.told.of("hook")] == [at(1), at(3), at(4), at(5)]


async def test_a_gap_told_now_keeps_to_itself(desk: Desk) -> None:
    """Its hook has run: nothing can become part of it any more, nor it of another."""
    desk.announcer.gap(a_gap(0, 1))
    await desk.announcer.gap_now(a_gap(1, 2))
    assert desk.told == [("hook", a_gap(1, 2))]
    desk.announcer.gap(a_gap(2, 3))
    await desk.tell()
    assert desk.told.of("notificationGap") == [a_gap(0, 1), a_gap(1, 2), a_gap(2, 3)]
    assert desk.told.of("hook") == [a_gap(1, 2), a_gap(0, 1), a_gap(2, 3)]


async def test_a_gap_that_became_a_part_of_an_earlier_one_has_no_turn_of_its_own(desk: Desk) -> None:
    for since, until in ((4, 5), (0, 1), (1, 4)):
        desk.announcer.gap(a_gap(since, until))
    assert desk.announcer.gap_calls.open == [a_gap(0, 5, reason="why (3 times)")]
    await desk.tell()
    gap = a_gap(0, 5, reason="why (3 times)")
    assert desk.told == [("notificationGap", gap), ("hook", gap)]
    assert desk.announcer.gap_calls.open == []
