"""Each rule of gaps and of routing sees its fault in journals that were written by hand, and is silent beside it."""

from __future__ import annotations

import pytest

from oracle import journal as j
from tests.oracle.journals import CLOCK, FAX, PRESENCE, SMS, Journals, begun

SILENT = "the connection was lost without warning"
FULL = "3 notifications dropped because the consumer was too slow"


def lost_at(at: float, *, since: float | None, until: float, ahead: float = 0.0) -> Journals:
    """Lose an event in an outage from 40 to 50, and tell of a gap by a clock that is ahead."""
    run = begun()
    run.beat(30.0)
    run.write(at, run.make(at))
    run.lose(40.0, "rst")
    run.open(50.0, "Successful")
    began = None if since is None else since + ahead
    run.tell(50.2, began, until + ahead, certain=False, reason=SILENT)
    return run


# Lost.


@pytest.mark.parametrize("at", [25.0, 35.0, 50.0])
def test_the_bounds_of_a_gap_are_inclusive(at: float) -> None:
    assert lost_at(at, since=25.0, until=50.0).judge("lost") == []


@pytest.mark.parametrize(("since", "until"), [(36.0, 50.0), (25.0, 34.0)])
def test_what_lies_a_second_beside_a_gap_is_lost(since: float, until: float) -> None:
    (found,) = lost_at(35.0, since=since, until=until).judge("lost")
    assert found.events == (2,)


@pytest.mark.parametrize("ahead", [30.0, -30.0])
def test_a_gap_in_the_clock_of_the_client_excuses_nothing(ahead: float) -> None:
    assert lost_at(35.0, since=25.0, until=50.0, ahead=ahead).judge("lost")


# Endless.


def test_a_gap_reaches_back_to_the_last_heartbeat_less_the_margin() -> None:
    assert lost_at(35.0, since=25.0, until=50.0).judge("endless") == []
    (found,) = lost_at(35.0, since=20.0, until=50.0).judge("endless")
    assert "a heartbeat proves all complete up to 30.000" in found.text


def test_nothing_before_all_that_was_ever_proven_is_in_doubt() -> None:
    (found,) = lost_at(35.0, since=None, until=50.0).judge("endless")
    assert "begins at the beginning" in found.text


def test_a_notification_proves_up_to_its_time_less_the_margin() -> None:
    run = begun()
    run.deliver(35.0)
    run.lose(40.0, "rst")
    run.open(50.0, "Successful")
    run.tell(50.2, 26.0, 50.0, certain=False, reason=SILENT)
    assert run.judge("endless") == []
    run.tell(50.2, 20.0, 50.0, certain=False, reason=SILENT)
    assert [found.rule for found in run.judge("endless")] == ["endless"]


def test_a_call_proves_up_to_when_it_was_asked() -> None:
    run = begun()
    run.call(35.0, "one", answered=39.0)
    run.lose(40.0, "rst")
    run.open(50.0, "Successful")
    run.tell(50.2, 29.0, 50.0, certain=False, reason=SILENT)
    assert run.judge("endless") == []
    run.tell(50.2, 22.0, 50.0, certain=False, reason=SILENT)
    assert "call one" in run.judge("endless")[0].text


def test_a_call_that_was_sent_only_after_the_loss_proves_nothing() -> None:
    run = begun()
    run.call(39.0, "one", answered=51.0)
    run.lose(40.0, "rst")
    run.open(50.0, "Successful")
    run.tell(50.2, 5.0, 50.0, certain=False, reason=SILENT)
    assert run.judge("endless") == []


def test_a_heartbeat_that_may_not_have_been_answered_proves_nothing() -> None:
    run = begun()
    run.beat(30.0)
    run.server.append(j.Struck(at=29.0, kind="freeze-out", conn=run.conn))
    run.lose(40.0, "rst")
    run.open(50.0, "Successful")
    run.tell(50.2, 5.0, 50.0, certain=False, reason=SILENT)
    assert run.judge("endless") == []


@pytest.mark.parametrize("asked", [38.0, 49.0])
def test_a_change_that_a_loss_has_left_unanswered_is_in_doubt_from_its_beginning(asked: float) -> None:
    run = begun()
    op = run.ask(asked, [PRESENCE, SMS], consumer=4)
    for lost in (40.0, 50.0):
        run.lose(lost, "rst")
        run.open(lost + 5, "Successful")
    run.answer(61.0, op, [PRESENCE, SMS], by="PUT")
    run.tell(60.9, 33.0, 60.9, certain=False, reason="a change of the filters was not answered")
    assert bool(run.judge("endless")) is (asked > 40.0)


def gone(since: float | None) -> Journals:
    """Let the server lose the subscription at 30, and the client find out at 60, after an answered call at 50."""
    run = begun(faults=["vanish"])
    run.deliver(20.0)
    run.server.append(j.Struck(at=30.0, kind="vanish", conn=run.conn))
    run.server.append(j.InForce(at=30.0, session=1, by="vanished"))
    run.make(40.0)
    run.call(50.0, "one")
    op = run.ask(60.0, [PRESENCE, SMS], consumer=4)
    run.server.append(j.InForce(at=60.1, session=1, by="missing"))
    run.answer(60.5, op, [PRESENCE, SMS])
    run.tell(60.6, since, 60.5, certain=True, reason="the server did not know the subscription any more")
    return run


def test_a_subscription_that_is_gone_is_in_doubt_since_the_last_sign_of_it() -> None:
    assert gone(11.0).judge("lost", "endless") == []
    assert [found.rule for found in gone(46.0).judge("lost", "endless")] == ["lost"]
    assert [found.rule for found in gone(1.0).judge("lost", "endless")] == ["endless"]
    assert [found.rule for found in gone(None).judge("lost", "endless")] == ["endless"]


def restarted(since: float | None, *, damage: bool = False, until: float = 105.0) -> Journals:
    """Kill a life at 100, whose last heartbeat was at 90, and tell of a gap in the next one."""
    run = begun(faults=["kill", "damage-session"])
    run.beat(90.0)
    run.end(100.0, "kill")
    if damage:
        run.server.append(j.Struck(at=100.3, kind="damage-session", where="store", detail="empty"))
    run.begin(102.0)
    run.open(until, "Successful")
    run.tell(until, since, until, certain=damage, reason="the last process ended without closing")
    run.subscribe(106.0, [PRESENCE], consumer=2)
    run.deliver(120.0)
    return run


def test_a_restart_remembers_what_was_proven() -> None:
    assert restarted(85.0).judge("endless") == []
    for since in (60.0, None):
        (found,) = restarted(since).judge("endless")
        assert "a heartbeat proves all complete up to 90.000" in found.text


def test_a_store_that_cannot_be_read_is_told_of_once() -> None:
    run = restarted(None, damage=True)
    run.beat(200.0)
    assert run.judge("endless") == []
    run.lose(240.0, "rst")
    run.open(250.0, "Successful")
    run.tell(250.2, None, 250.0, certain=False, reason=SILENT)
    assert [found.rule for found in run.judge("endless")] == ["endless"]


def test_who_connects_anew_has_proven_nothing() -> None:
    run = begun()
    run.client.append(j.Changing(at=35.0, life=1, op=9, what="connect", consumer=0))
    run.client.append(j.Changed(at=36.0, life=1, op=9, how="returned"))
    run.lose(40.0, "rst")
    run.open(50.0, "Successful")
    run.tell(50.2, None, 50.0, certain=False, reason=SILENT)
    assert run.judge("endless") == []


def test_what_was_not_delivered_at_a_kill_lies_in_the_gap_from_its_own_time_on() -> None:
    run = begun(faults=["kill"])
    n = run.make(50.0)
    run.write(50.0, n)
    run.beat(90.0)
    run.end(100.0, "kill")
    run.begin(102.0)
    run.open(105.0, "Successful")
    run.tell(105.0, 45.0, 105.0, certain=False, reason="the last process ended without closing")
    run.subscribe(106.0, [PRESENCE], consumer=2)
    assert run.judge("lost", "endless") == []
    run.client = [record for record in run.client if not isinstance(record, j.GapTold)]
    run.tell(105.0, 85.0, 105.0, certain=False, reason="the last process ended without closing")
    assert [found.events for found in run.judge("lost", "endless")] == [(n,)]


def test_a_damaged_store_is_a_certain_gap_since_nobody_knows_when() -> None:
    assert restarted(None, damage=True).judge("damaged", "endless") == []
    assert [found.rule for found in restarted(85.0, damage=True).judge("damaged")] == ["damaged"]
    run = restarted(None, damage=True)
    run.client = [record for record in run.client if not isinstance(record, j.GapTold)]
    assert [found.rule for found in run.judge("damaged")] == ["damaged"]


# No cause.


def test_a_quiet_life_has_no_gap() -> None:
    run = begun()
    run.tell(30.0, 29.0, 30.0, certain=False, reason="it felt like one")
    assert [found.rule for found in run.judge("no-cause")] == ["no-cause"]


def announced(how: str, *, replayed: int, buffer: int = 100, recovery: str = "Successful") -> Journals:
    """End a connection with a word, replay what came meanwhile, and tell of a gap all the same."""
    run = begun(buffer=buffer)
    run.beat(390.0)
    run.lose(400.0, how, struck=how != "WSG-903")  # of an old connection: no fault
    missed = [run.make(401.0 + index / 10) for index in range(replayed)]
    run.open(405.0, recovery, replayed=replayed)
    for n in missed:
        run.write(405.0, n, "replay")
        run.handle(405.3, n)
    run.tell(405.2, 395.0, 405.0, certain=False, reason="a gap")
    return run


@pytest.mark.parametrize("how", ["close", "error", "WSG-903"])
def test_an_announced_end_with_a_whole_replay_is_no_gap(how: str) -> None:
    assert [found.rule for found in announced(how, replayed=3).judge("no-cause")] == ["no-cause"]


def test_what_may_have_been_lost_is_a_cause() -> None:
    assert announced("rst", replayed=3).judge("no-cause") == []
    assert announced("close", replayed=3, buffer=3).judge("no-cause") == []
    assert announced("close", replayed=0, recovery="Failed").judge("no-cause") == []


def test_an_orderly_restart_within_the_window_has_no_gap() -> None:
    run = begun(faults=["stop"])
    run.end(300.0, "detach")
    run.begin(310.0)
    run.open(311.0, "Successful")
    run.tell(311.2, 300.0, 311.0, certain=False, reason="the last process ended without closing")
    assert [found.rule for found in run.judge("no-cause")] == ["no-cause"]
    assert restarted(85.0).judge("no-cause") == []


def test_an_attempt_that_the_client_gave_up_is_a_cause() -> None:
    run = announced("close", replayed=0)
    run.server.append(j.Heard(at=402.0, what="upgrade with wsc", conn=77, via="websocket"))
    assert run.judge("no-cause") == []


@pytest.mark.parametrize("what", ["revoke", "connect"])
@pytest.mark.parametrize("lost", [True, False])
def test_who_gives_up_the_subscription_in_an_outage_is_told(what: str, *, lost: bool) -> None:
    run = begun()
    run.lose(400.0, "WSG-903", struck=False)
    if not lost:
        run.open(401.0, "Successful")
    run.client.append(j.Changing(at=405.0, life=1, op=9, what=what, consumer=0))
    run.tell(405.0, 395.0, 405.0, certain=True, reason="the subscription was revoked before its session was recovered")
    assert bool(run.judge("no-cause")) is not lost


# Bounds, certainty, a full queue.


@pytest.mark.parametrize(("since", "until", "broken"), [(40.0, 39.5, True), (40.0, 40.0, False), (40.0, 71.0, True)])
def test_a_gap_ends_after_it_began_and_before_it_was_told(since: float, until: float, *, broken: bool) -> None:
    run = begun()
    run.tell(50.0, since, until, certain=False, reason="a gap")
    assert bool(run.judge("bounds")) is broken


@pytest.mark.parametrize("certain", [True, False])
def test_what_went_with_its_session_is_certainly_missing(*, certain: bool) -> None:
    run = begun()
    run.lose(40.0, "close")
    n = run.make(45.0)
    run.server.append(j.Buffered(at=45.0, n=n, session=1, sub="sub"))
    run.server.append(j.Dropped(at=300.0, n=n, session=1, why="forgotten"))
    run.server.append(j.SessionLost(at=300.0, session=1, why="timeout"))
    run.open(310.0, "Failed", session=2)
    run.tell(310.2, 5.0, 310.0, certain=certain, reason="session not recovered")
    assert bool(run.judge("uncertain")) is not certain


@pytest.mark.parametrize("ready", [True, False])
def test_what_a_session_drops_that_the_client_has_left_is_not_certainly_missing(*, ready: bool) -> None:
    run = begun()
    run.lose(30.0, "rst")
    run.open(40.0, "Failed", session=2)
    if not ready:  # it has not heard of the new one
        run.client = [record for record in run.client if not (isinstance(record, j.Told) and record.at > 40.0)]
    n = run.make(45.0)
    run.server.append(j.Buffered(at=45.0, n=n, session=1, sub="sub"))
    run.server.append(j.Dropped(at=300.0, n=n, session=1, why="forgotten"))
    run.tell(310.2, 5.0, 310.0, certain=False, reason="a change of the filters was not answered")
    assert bool(run.judge("uncertain")) is not ready


@pytest.mark.parametrize("lost", [True, False])
def test_who_closes_for_good_in_a_replay_may_not_have_noticed_that_it_was_not_whole(*, lost: bool) -> None:
    run = begun()
    run.lose(40.0, "rst")
    n = run.make(45.0)
    run.server.append(j.Buffered(at=45.0, n=n, session=1, sub="sub"))
    run.open(50.0, "Successful")  # and does not get to write it
    if lost:
        run.lose(51.0, "rst")
    run.tell(50.2, 5.0, 50.0, certain=False, reason=SILENT)
    run.end(52.0, "revoke")
    run.server.append(j.Dropped(at=300.0, n=n, session=1, why="forgotten"))
    assert bool(run.judge("uncertain")) is lost


def test_what_another_session_has_kept_too_is_not_certainly_missing() -> None:
    run = begun()
    n = run.make(45.0)
    run.server.append(j.Buffered(at=45.0, n=n, session=7, sub="sub"))
    run.write(45.0, n)
    run.server.append(j.Dropped(at=300.0, n=n, session=7, why="forgotten"))
    run.lose(50.0, "rst")
    run.open(60.0, "Successful")
    run.tell(60.2, 5.0, 60.0, certain=False, reason=SILENT)
    assert run.judge("uncertain") == []


def overflowing() -> Journals:
    """Let a full queue drop what was made at 20, 21 and 22."""
    run = begun(faults=["small-queue"])
    for at in (20.0, 21.0, 22.0):
        run.write(at, run.make(at))
    return run


def test_an_overflow_is_one_certain_gap() -> None:
    run = overflowing()
    run.tell(30.0, 20.0, 22.0, certain=True, reason=FULL)
    assert run.judge("overflow", "endless", "lost") == []
    run.tell(31.0, 5.0, 22.0, certain=True, reason=FULL)
    assert [found.rule for found in run.judge("overflow")] == ["overflow"]


def test_an_overflow_is_certain_and_begins_with_what_was_dropped() -> None:
    run = overflowing()
    run.tell(30.0, None, 22.0, certain=False, reason=FULL)
    assert [found.rule for found in run.judge("overflow", "endless")] == ["overflow", "endless"]


def test_an_overflow_of_what_has_no_time_begins_with_what_was_proven() -> None:
    run = overflowing()
    run.server.append(j.Struck(at=20.0, kind="stamp-none", conn=run.conn))
    run.tell(30.0, 1.0, 22.0, certain=True, reason=FULL)
    assert run.judge("overflow", "endless", "lost") == []
    run.tell(31.0, None, 22.0, certain=True, reason=FULL)
    assert "endless" in [found.rule for found in run.judge("endless")]


@pytest.mark.parametrize("lost", [True, False])
def test_what_has_no_time_and_came_by_a_replay_may_be_as_old_as_the_outage(*, lost: bool) -> None:
    run = begun(faults=["small-queue"])
    if lost:
        run.lose(20.0, "rst")
        run.open(30.0)
        run.client = [record for record in run.client if not (isinstance(record, j.Told) and record.at > 30.0)]
    run.deliver(32.0)  # over a connection that was lost before all was ready
    n = run.make(50.0)
    run.open(60.0, "Successful")
    run.server.append(j.Struck(at=60.0, kind="stamp-none", conn=run.conn))
    run.write(60.0, n, "replay")
    run.tell(70.0, 4.0, 60.0, certain=True, reason=FULL)
    assert bool(run.judge("endless")) is not lost


# Routing.


def replacing(topic: str, *, to: int, at: float = 40.0) -> Journals:
    """Let consumer 4, for faxes, replace consumer 2, for presence, from 30 to 50; write something and handle it."""
    run = begun()
    op = run.ask(30.0, [FAX], consumer=4)
    run.answer(50.0, op, [FAX], by="PUT")
    n = run.make(at, topic)
    run.write(at, n)
    run.handle(at + 0.1, n, consumer=to)
    return run


def test_while_a_replacement_is_in_flight_the_older_gets_what_it_alone_can_have_caused() -> None:
    assert replacing(PRESENCE, to=2).judge("astray") == []
    assert [found.rule for found in replacing(PRESENCE, to=4).judge("astray")] == ["astray"]


def test_what_may_be_for_the_newest_may_go_to_it() -> None:
    # A query may select by what is in the body: a filter for faxes may have caused it.
    assert replacing(SMS, to=4).judge("astray") == []
    # And a guess drops nothing.
    assert replacing(PRESENCE, to=4, at=55.0).judge("astray") == []


def test_the_older_never_gets_what_it_cannot_have_caused() -> None:
    assert [found.rule for found in replacing(FAX, to=2).judge("astray")] == ["astray"]


def test_after_a_restart_all_that_waited_may_go_to_the_new_consumer() -> None:
    run = begun(faults=["stop"])
    run.end(100.0, "detach")
    n = run.make(105.0)
    run.server.append(j.Buffered(at=105.0, n=n, session=1, sub="sub"))
    run.begin(110.0)
    run.open(111.0, "Successful", replayed=1)
    run.write(111.0, n, "replay")
    run.subscribe(112.0, [FAX], consumer=2, by="PUT")
    run.handle(113.0, n)
    assert run.judge("astray") == []


# The successor.


@pytest.mark.parametrize("followed", [True, False])
def test_a_subscription_is_replaced_by_another_also_if_that_has_failed_since(*, followed: bool) -> None:
    run = begun()
    subscribe = run.ask(20.0, [FAX], consumer=4)
    update = run.ask(21.0, [SMS], consumer=0)
    if followed:
        run.answer(22.0, subscribe, [FAX])
    else:
        run.client.append(j.Changed(at=22.0, life=1, op=subscribe, how="cancelled"))
    run.client.append(j.Changed(at=23.0, life=1, op=update, how="error", before="replaced"))
    assert bool(run.judge("successor")) is not followed


@pytest.mark.parametrize("asked", [FAX, SMS])
def test_who_was_granted_it_while_others_overlapped_is_followed_though_it_returns_later(asked: str) -> None:
    run = begun()
    other = run.ask(20.0, [PRESENCE], consumer=4)
    subscribe = run.ask(20.0, [asked], consumer=6)
    refused = j.Changed(at=22.0, life=1, op=other, how="error", claimed=[FAX], before="replaced")
    run.client.append(refused)
    run.client.append(j.Changed(at=23.0, life=1, op=0, how="seen"))  # refused for good
    run.client.append(j.Changed(at=24.0, life=1, op=subscribe, how="returned", before="replaced"))
    assert bool(run.judge("successor")) is (asked != FAX)


# The end.


@pytest.mark.parametrize(("connects", "closes"), [(True, 170.0), (True, 160.0), (False, 170.0)])
def test_who_connects_anew_while_a_close_waits_for_a_handler_is_ready(*, connects: bool, closes: float) -> None:
    run = begun()
    run.client.append(j.Closing(at=100.0, life=1, close=1, what="revoke", whence="a task", timeout=60.0))
    if connects:
        run.client.append(j.Changing(at=101.0, life=1, op=9, what="connect", consumer=0))
    run.client.append(j.ClosingDone(at=150.0, life=1, close=1, how="returned", state="ready"))
    run.client.append(j.Closing(at=151.0, life=1, close=2, what="aclose", whence="after", timeout=60.0))
    run.client.append(j.ClosingDone(at=closes, life=1, close=2, how="returned", state="closed"))
    run.client.append(j.Sent(at=165.0, life=1, what="write for the WebSocket"))
    found = [found.rule for found in run.judge("close-late", "after-close")]
    assert ("close-late" in found) is not connects
    assert ("after-close" in found) is (not connects or closes < 165.0)


# The hook is called again.


def failed(how: str = "raised") -> Journals:
    """Lose a connection from 400 to 410; the hook fails with the gap at 410.3."""
    run = begun()
    run.lose(400.0, "rst")
    run.open(410.0, "Successful")
    run.tell(410.2, 385.0, 410.0, certain=False, reason=SILENT)
    run.client.append(_hook_done(run, 410.3, how))
    return run


def _hook_done(run: Journals, at: float, how: str) -> j.HookDone:
    return j.HookDone(at=at, life=run.life, how=how, since=CLOCK + 385.0, until=CLOCK + 410.0, certain=False)


def _call_again(run: Journals, at: float, *, since: float = 385.0, until: float = 410.0, how: str = "hook") -> None:
    gap = j.GapTold(
        at=at, life=run.life, how=how, since=since + CLOCK, until=until + CLOCK, certain=False, reason=SILENT
    )
    run.client.append(gap)


@pytest.mark.parametrize("how", ["raised", "cancelled"])
def test_a_hook_that_failed_is_called_again_with_what_covers_its_gap(how: str) -> None:
    run = failed(how)
    run.call(800.0, "one")
    assert [found.rule for found in run.judge("again")] == ["again"]
    _call_again(run, 420.0, until=405.0)
    _call_again(run, 420.0, how="event")
    assert [found.rule for found in run.judge("again")] == ["again"]
    _call_again(run, 430.0, since=380.0)
    assert run.judge("again") == []


def test_a_hook_that_has_handled_its_gap_is_not_called_again() -> None:
    run = failed("returned")
    run.call(800.0, "one")
    assert run.judge("again") == []


@pytest.mark.parametrize("how", ["detach", "kill"])
def test_the_next_life_tells_what_a_hook_has_not_handled(how: str) -> None:
    run = failed()
    run.end(420.0, how)
    assert run.judge("again") == []  # there is none
    run.begin(430.0)
    run.open(431.0, "Successful")
    run.subscribe(432.0, [PRESENCE], consumer=2)
    assert [found.rule for found in run.judge("again")] == ["again"]
    _call_again(run, 430.5, how="event")
    assert run.judge("again") == []


@pytest.mark.parametrize("kind", ["store-fails", "damage-session"])
def test_nobody_can_tell_what_the_store_has_lost(kind: str) -> None:
    run = failed()
    run.server.append(j.Struck(at=415.0 if kind == "store-fails" else 425.0, kind=kind, where="store"))
    run.end(420.0, "detach")
    run.begin(430.0)
    run.open(431.0, "Successful")
    run.subscribe(432.0, [PRESENCE], consumer=2)
    assert run.judge("again") == []


@pytest.mark.parametrize(("how", "rules"), [("raised", []), ("returned", ["endless"])])
def test_what_the_next_life_tells_again_begins_where_it_began(how: str, rules: list[str]) -> None:
    run = failed(how)
    run.beat(600.0)
    run.end(700.0, "kill")
    run.begin(710.0)
    run.open(711.0, "Successful")
    _call_again(run, 711.2)
    assert [found.rule for found in run.judge("endless")] == rules


@pytest.mark.parametrize(("how", "broken"), [("raised", 0), ("returned", 1)])
def test_what_the_next_life_tells_again_ends_where_it_ended(how: str, broken: int) -> None:
    run = begun()
    run.tell(50.0, 40.0, 500.0, certain=True, reason="told by a clock that is ahead")
    run.client.append(j.HookDone(at=50.3, life=1, how=how, since=CLOCK + 40.0, until=CLOCK + 500.0, certain=True))
    run.end(60.0, "detach")
    run.begin(70.0)
    run.open(71.0, "Successful")
    run.tell(71.2, 35.0, 500.0, certain=True, reason="joined with another")
    assert [found.at < 60.0 for found in run.judge("bounds")] == [True, False][: 1 + broken]


def test_a_hook_that_outlives_its_life_was_told_again_before_it_ended() -> None:
    run = failed("returned")
    run.end(420.0, "detach")
    run.begin(430.0)
    run.open(431.0, "Successful")
    late = j.HookDone(at=450.0, life=1, how="cancelled", since=CLOCK + 385.0, until=CLOCK + 410.0, certain=False)
    run.client.append(late)
    run.subscribe(451.0, [PRESENCE], consumer=2)
    assert [found.rule for found in run.judge("again")] == ["again"]
    gap = j.GapTold(
        at=430.5, life=2, how="event", since=CLOCK + 385.0, until=CLOCK + 410.0, certain=False, reason=SILENT
    )
    run.client.insert(run.client.index(late), gap)
    assert run.judge("again") == []


@pytest.mark.parametrize(("ends", "rules"), [(411.0, []), (410.2, ["again"])])
def test_who_was_connecting_anew_when_the_hook_was_cut_off_has_let_go(ends: float, rules: list[str]) -> None:
    run = failed("cancelled")
    run.client.insert(-1, j.Changing(at=410.1, life=1, op=9, what="connect", consumer=0))
    run.client.append(j.Changed(at=ends, life=1, op=9, how="cancelled"))
    run.call(800.0, "one")
    assert [found.rule for found in run.judge("again")] == rules
