"""What a client has received, and what may be missing: without a clock, and against a world that knows what is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rcex_ws.rtm.account import MARGIN, SessionAccount
from rcex_ws.rtm.resumption import GapNotice, RtmGap, SessionRequest, SessionStart


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def since(seconds: float) -> datetime:
    """Return where a gap begins if nothing was missing up to then."""
    return at(seconds - MARGIN)


def begun(*, resume: bool = True, wanted: bool = True, **start: Any) -> SessionAccount:
    """Return the account of a client whose first connection began at 100, with a server of ours."""
    account = SessionAccount(resume=resume)
    if wanted:
        account.want(50.0)
    account.begin_connection()
    assert account.begin_session(SessionStart(**{"session": "s1", "position": "p0", **start}), 100.0) == []
    return account


def lost(*, orderly: bool = False, heard: float = 170.0, **start: Any) -> SessionAccount:
    """Return one whose first connection was lost after a frame at 170."""
    account = begun(**start)
    account.hear(heard)
    account.lose(orderly=orderly)
    account.begin_connection()
    return account


def test_it_asks_for_a_new_session_then_for_its_own() -> None:
    account = SessionAccount(resume=True)
    assert account.request() == SessionRequest()
    account = begun()
    account.count(None, 101.0)
    account.count("p1", 102.0)
    account.count(None, 103.0)
    assert account.request() == SessionRequest("s1", 3, "p1")


def test_the_first_connection_has_no_gap_whatever_the_server_says() -> None:
    begun(gap=GapNotice("the log is short"))


def test_a_resumed_session_has_no_gap_and_counts_on() -> None:
    account = lost()
    assert account.begin_session(SessionStart("s1", resumed=True, position="p0"), 200.0) == []
    assert account.resumed
    account.count("p5", 201.0)
    assert account.request() == SessionRequest("s1", 1, "p5")


def test_an_event_happened_after_the_frame_before_it_and_a_repeated_one_after_the_loss() -> None:
    account = begun()
    assert account.count(None, 101.0) == 100.0
    assert account.count(None, 102.0) == 101.0
    assert account.count("p1", 103.0) == 100.0, "a server may have got no published events since then"
    assert account.count("p2", 104.0) == 103.0
    account.lose(orderly=False)
    account.begin_connection()
    account.begin_session(SessionStart("s1", resumed=True, missed=2), 200.0)
    assert account.count(None, 200.0) == 104.0
    assert account.count(None, 201.0) == 104.0
    assert account.count(None, 202.0) == 201.0


def test_a_resumed_session_keeps_its_position_if_the_server_names_none() -> None:
    account = lost()
    account.begin_session(SessionStart("s1", resumed=True), 200.0)
    assert account.position == "p0"


def test_a_resumed_session_has_the_gap_that_the_server_tells() -> None:
    account = lost()
    notice = GapNotice("the window is over", certain=True, published=False)
    (gap,) = account.begin_session(SessionStart("s1", resumed=True, gap=notice), 200.0)
    assert gap == RtmGap(since(170), at(200), certain=True, published=False, reason="the window is over")


def test_a_session_that_was_not_asked_for_is_a_new_one() -> None:
    account = lost()
    assert len(account.begin_session(SessionStart("s2", resumed=True, position="p9"), 200.0)) == 1
    assert not account.resumed


def test_a_new_session_may_lack_what_one_server_has_sent() -> None:
    account = lost()
    (gap,) = account.begin_session(SessionStart("s2", position="p0"), 200.0)
    assert (gap.since, gap.until, gap.certain, gap.published) == (since(170), at(200), False, False)
    assert account.request() == SessionRequest("s2", 0, "p0")


def test_a_server_that_closes_in_order_has_sent_all() -> None:
    assert lost(orderly=True).begin_session(SessionStart("s2", position="p0"), 200.0) == []


@pytest.mark.parametrize("orderly", [False, True])
def test_what_the_server_says_of_published_events_comes_first(orderly: bool) -> None:
    account = lost(orderly=orderly)
    notice = GapNotice("the log is short", certain=True)
    gaps = account.begin_session(SessionStart("s2", position="p0", gap=notice), 200.0)
    assert gaps[0] == RtmGap(since(100), at(200), certain=True, published=True, reason="the log is short")
    assert [gap.published for gap in gaps[1:]] == ([] if orderly else [False])


def test_what_the_server_says_of_its_own_events_is_told_once() -> None:
    notice = GapNotice("more than is kept", certain=True, published=False)
    (gap,) = lost().begin_session(SessionStart("s2", position="p0", gap=notice), 200.0)
    assert gap == RtmGap(since(170), at(200), certain=True, published=False, reason="more than is kept")


@pytest.mark.parametrize("orderly", [False, True])
def test_without_a_position_published_events_cannot_be_repeated(orderly: bool) -> None:
    account = lost(orderly=orderly, position="")
    (gap,) = account.begin_session(SessionStart("s2", position="p9"), 200.0)
    assert (gap.published, gap.certain) == (True, False)


def test_a_client_without_a_user_lacks_no_published_events() -> None:
    (gap,) = lost(position="").begin_session(SessionStart("s2"), 200.0)
    assert not gap.published
    assert lost(position="", orderly=True).begin_session(SessionStart("s2"), 200.0) == []


@pytest.mark.parametrize(("resume", "reason"), [(True, "does not resume"), (False, "resume=False")])
def test_a_server_without_sessions_may_have_missed_anything(resume: bool, reason: str) -> None:
    account = SessionAccount(resume=resume)
    account.want(0.0)
    account.begin_connection()
    assert account.begin_without_session(100.0) == []
    account.count("7", 170.0)
    account.lose(orderly=True)
    account.begin_connection()
    (gap,) = account.begin_without_session(200.0)
    assert (gap.since, gap.until, gap.certain, gap.published) == (since(170), at(200), False, True)
    assert reason in gap.reason
    assert (account.ours, account.request()) == (False, SessionRequest())


def test_a_session_after_a_server_without_sessions_may_lack_anything() -> None:
    account = lost(orderly=True)
    account.begin_without_session(200.0)
    account.lose(orderly=True)
    account.begin_connection()
    (gap,) = account.begin_session(SessionStart("s3"), 300.0)
    assert (gap.published, gap.since, gap.until) == (True, since(200), at(300))


def test_nothing_is_missing_that_nobody_wanted() -> None:
    account = lost(wanted=False)
    assert account.begin_without_session(200.0) == []
    assert account.doubt(201.0, certain=True, reason="bad") == []
    assert account.notice(GapNotice("hole"), 202.0) == []
    account.want(203.0)
    account.lose(orderly=False)
    account.begin_connection()
    (gap,) = account.begin_without_session(300.0)
    assert (gap.since, gap.until) == (at(203), at(300))


def test_a_connection_of_which_nothing_was_known_changes_nothing() -> None:
    account = lost()
    account.hear(190.0)
    account.lose(orderly=True)
    account.begin_connection()
    (gap,) = account.begin_session(SessionStart("s2", position="p0"), 200.0)
    assert (gap.since, gap.published) == (since(170), False)


def test_a_notice_within_a_connection_sets_the_position() -> None:
    account = begun()
    account.count("p1", 130.0)
    account.hear(180.0)
    (gap,) = account.notice(GapNotice("a hole", certain=True, position="p8"), 200.0)
    assert gap == RtmGap(since(130), at(200), certain=True, published=True, reason="a hole")
    assert account.position == "p8"
    (gap,) = account.notice(GapNotice("too slow", published=False), 210.0)
    assert (gap.since, gap.until, account.position) == (since(200), at(210), "p8")


def test_what_was_missed_proves_nothing_until_the_last_of_it_has_come() -> None:
    account = lost()
    account.begin_session(SessionStart("s1", resumed=True, missed=2), 200.0)
    account.count("p1", 201.0)
    (gap,) = account.notice(GapNotice("too slow", published=False), 202.0)
    assert gap.since == since(170)
    (gap,) = account.notice(GapNotice("a hole"), 203.0)
    assert gap.since == since(100), "the last published event before the loss: the one at 201 is of the past"
    account.count("p2", 204.0)
    (gap,) = account.notice(GapNotice("a hole"), 205.0)
    assert gap.since == since(203), "the notice before it has told all up to then"
    account.count(None, 206.0)
    (gap,) = account.notice(GapNotice("too slow", published=False), 207.0)
    assert gap.since == since(206)
    account.count("p3", 208.0)
    (gap,) = account.notice(GapNotice("a hole"), 209.0)
    assert gap.since == since(208)


def test_a_connection_that_is_lost_before_that_was_not_there() -> None:
    account = lost()
    account.begin_session(SessionStart("s1", resumed=True, missed=1), 200.0)
    account.hear(250.0)
    account.lose(orderly=False)
    account.begin_connection()
    (gap,) = account.begin_session(SessionStart("s2", position="p0"), 300.0)
    assert gap.since == since(170)


def test_a_frame_that_cannot_be_used_leaves_a_gap_since_the_one_before_it() -> None:
    account = begun()
    account.hear(180.0)
    (gap,) = account.doubt(190.0, certain=True, reason="bad")
    assert gap == RtmGap(since(180), at(190), certain=True, published=True, reason="bad")
    first = SessionAccount(resume=True)
    first.want(0.0)
    first.begin_connection()
    (gap,) = first.doubt(10.0, certain=False, reason="bad")
    assert (gap.since, gap.until) == (since(10), at(10))


def test_a_clock_that_is_turned_back_makes_no_gap_that_ends_before_it_begins() -> None:
    (gap,) = lost(heard=500.0).begin_session(SessionStart("s2", position="p0"), 200.0)
    assert (gap.since, gap.until) == (since(500), since(500))


# -- against a world that knows what is missing ------------------------------------------------------------------------


class World:
    """A client that wants all events, its servers, and what was sent to it; each step takes a second."""

    def __init__(self) -> None:
        self.account = SessionAccount(resume=True)
        self.account.want(0.0)
        self.now = 1.0
        self.sent: list[tuple[float, bool]] = []  # all events: when, whether published
        self.missed: set[int] = set()  # those that will never come
        self.gaps: list[RtmGap] = []
        self.log: list[int] = []  # the published events that are kept, as indexes in `sent`
        self.buffer: list[int] = []  # what the server has sent in the session, or would have
        self.received = 0
        self.position = 0
        self.sessions = 0
        self.ours = self.connected = self.mute = self.addressed = False
        self.slow = False
        self.hole = False  # the server has missed a published event, and will say so before the next one
        self.connect("ours")

    # What the servers do

    def emit(self, published: bool) -> None:
        number = len(self.sent)
        self.sent.append((self.now, published))
        if published and self.hole and self.ours and self.addressed:
            self._notice()
        if published:
            self.log.append(number)
        if not self.addressed and not (published and self.ours):
            if self.ours or not published:
                return  # sent to nobody: no server has a connection of this client, nor its session
            self.missed.add(number)
        elif not self.ours:
            if self.connected and not self.mute:
                self.account.count(None, self.now)
            else:
                self.missed.add(number)
        else:
            self.buffer.append(number)
            self._flush()

    def lose_published(self) -> None:
        """The server's broker loses an event."""
        if self.ours and self.addressed:
            self.missed.add(len(self.sent))
            self.sent.append((self.now, True))
            self.hole = True

    def _notice(self) -> None:
        self.hole = False
        if self.connected and not self.mute:
            self._told(self.account.notice(GapNotice("hole", certain=True, position=str(len(self.log))), self.now))
            self.position = len(self.log)
        else:
            self.hole = True

    def _flush(self) -> None:
        self._deliver(1 if self.slow else len(self.buffer))

    def _deliver(self, most: int) -> None:
        if self.connected and not self.mute:
            for number in self.buffer[self.received : self.received + most]:
                published = self.sent[number][1]
                if published:
                    self.position = self.log.index(number) + 1
                self.account.count(str(self.position) if published else None, self.now)
                self.received += 1

    # What the network does

    def hear(self) -> None:
        if self.connected and not self.mute:
            self.account.hear(self.now)

    def change_pace(self) -> None:
        """Send one event for each that happens, or all that wait."""
        self.slow = not self.slow
        self._flush()

    def silence(self) -> None:
        self.mute = True

    def lose(self, orderly: bool) -> None:
        if self.connected:
            orderly = orderly and not self.mute
            self.connected = self.mute = False
            self.account.lose(orderly=orderly)
            if orderly or not self.ours:
                self.addressed = not orderly

    def connect(self, kind: str) -> None:
        if self.connected:
            return
        self.connected, self.addressed = True, True
        self.account.begin_connection()
        if kind == "resume" and self.ours and self.account.request().session == f"s{self.sessions}":
            assert self.account.request() == SessionRequest(f"s{self.sessions}", self.received, str(self.position))
            assert self._begin(SessionStart(f"s{self.sessions}", resumed=True), self.buffer[self.received :]) == []
            self._flush()
            return
        unreceived = self.buffer[self.received :]
        if kind == "foreign":
            self.missed.update(unreceived)
            self.ours, self.hole = False, False
            self._told(self.account.begin_without_session(self.now))
        else:
            was_ours, self.ours = self.ours, True
            self.missed.update(number for number in unreceived if not self.sent[number][1])
            repeated = self.log[self.position :] if was_ours else []
            notice = GapNotice("hole", certain=True) if was_ours and (self.hole or kind == "trimmed") else None
            if kind == "trimmed":
                self.missed.update(repeated)
                repeated = []
            self.hole = False
            position = self.position if was_ours and kind != "trimmed" else len(self.log)
            self.sessions += 1
            start = SessionStart(f"s{self.sessions}", position=str(position), gap=notice)
            self._told(self._begin(start, repeated))
            self.buffer, self.received, self.position = repeated, 0, position
            self._flush()
            return
        self.buffer, self.received = [], 0

    def _begin(self, start: SessionStart, missed: list[int]) -> list[RtmGap]:
        return self.account.begin_session(msgspec.structs.replace(start, missed=len(missed)), self.now)

    def _told(self, gaps: list[RtmGap]) -> None:
        self.gaps += gaps

    def uncovered(self) -> list[tuple[float, bool]]:
        missing = [self.sent[number] for number in sorted(self.missed)]
        return [
            (when, published)
            for when, published in missing
            if not any(gap.since <= at(when) <= gap.until and (gap.published or not published) for gap in self.gaps)
        ]


STEPS: dict[str, Callable[[World], None]] = {
    "emit": lambda world: world.emit(published=False),
    "publish": lambda world: world.emit(published=True),
    "lose a published one": World.lose_published,
    "hear": World.hear,
    "silence": World.silence,
    "drop": lambda world: world.lose(orderly=False),
    "close": lambda world: world.lose(orderly=True),
    "resume": lambda world: world.connect("resume"),
    "new session": lambda world: world.connect("ours"),
    "short log": lambda world: world.connect("trimmed"),
    "foreign": lambda world: world.connect("foreign"),
    "change the pace": World.change_pace,
}


@pytest.mark.hypothesis
@example(["drop", "publish", "lose a published one", "resume", "hear", "publish"])
@example(["change the pace", "drop", "publish", "publish", "new session", "lose a published one", "publish"])
@example(["publish", "lose a published one", "emit", "drop", "short log"])
@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=40))
def test_whatever_is_missing_lies_in_a_gap_that_was_told(steps: list[str]) -> None:
    world = World()
    for step in steps:
        world.now += 1.0
        STEPS[step](world)
    world.now += 1.0
    world.slow = False
    world.lose(orderly=False)
    world.connect("ours")
    world.emit(published=True)
    assert world.uncovered() == []
    assert all(gap.since <= gap.until for gap in world.gaps)


def test_a_session_that_would_repeat_what_cannot_be_received_is_given_up() -> None:
    account = lost()
    account.begin_session(SessionStart("s1", resumed=True, position="p0", missed=2), 200.0)
    account.count("p1", 201.0)
    account.lose(orderly=False, too_large=True)
    assert account.request() == SessionRequest()
    account.begin_connection()
    (gap,) = account.begin_session(SessionStart("s2", position="p9"), 210.0)
    assert (gap.since, gap.until, gap.certain, gap.published) == (since(170.0), at(210.0), True, True)
    assert account.request() == SessionRequest("s2", 0, "p9")
    account.lose(orderly=False)
    account.begin_connection()
    assert account.begin_session(SessionStart("s2", resumed=True), 220.0) == []


def test_a_large_frame_that_is_not_repeated_ends_no_session() -> None:
    account = begun()
    account.lose(orderly=False, too_large=True)
    assert account.request() == SessionRequest("s1", 0, "p0")
