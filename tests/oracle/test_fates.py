"""Each excuse for an event that nobody handled or told of covers its own case, and not the one beside it."""

from __future__ import annotations

import pytest

from oracle import journal as j
from tests.oracle.journals import FAX, PRESENCE, Journals, begun

FULL_DISK = "OSError(28, 'No space left on device')"


def lost(run: Journals) -> list[int]:
    """Give the events that the judge finds lost."""
    return [n for found in run.judge("lost") for n in found.events]


def missed(run: Journals, at: float) -> int:
    """Write something that nobody handles."""
    n = run.make(at)
    run.write(at, n)
    return n


# What waits for an iterator.


def test_what_was_left_waiting_for_an_iterator_is_not_lost_once_its_subscription_is_revoked() -> None:
    run = begun()
    left, gone = missed(run, 20.0), missed(run, 21.0)
    run.deliver(30.0)
    run.revoke(100.0)
    run.end(200.0, "detach")
    run.leave(200.25, left)
    assert lost(run) == [gone]


@pytest.mark.parametrize("told", [True, False])
def test_what_was_left_waiting_is_told_by_the_next_life_if_the_session_is_kept(*, told: bool) -> None:
    run = begun()
    n = missed(run, 20.0)
    run.end(200.0, "detach")
    run.leave(200.25, n)
    run.begin(210.0)
    run.open(211.0, "Successful")
    if told:
        run.tell(211.2, 20.0, 211.0, certain=False, reason="the last process ended without closing")
    run.subscribe(212.0, [PRESENCE], consumer=2)
    assert lost(run) == ([] if told else [n])


@pytest.mark.parametrize(
    ("begun_at", "later", "excused"), [(15.0, False, True), (15.0, True, False), (25.0, False, False)]
)
@pytest.mark.parametrize("revoked", [True, False])
def test_what_an_iterator_had_not_given_when_all_was_killed_is_its_own_once_revoked(
    begun_at: float, *, later: bool, excused: bool, revoked: bool
) -> None:
    run = begun()
    run.client.append(j.Iterating(at=begun_at, life=1, iterator=1, consumer=2))
    n = missed(run, 20.0)
    if later:
        run.handle(30.0, missed(run, 29.0), consumer=2, iterator=1)
    if revoked:
        run.client.append(j.Changing(at=100.0, life=1, op=9, what="connect", consumer=0))
    run.end(200.0, "kill")
    run.begin(210.0)
    run.open(211.0, "Successful")
    run.subscribe(212.0, [PRESENCE], consumer=2)
    assert lost(run) == ([] if excused and revoked else [n])


def test_iterators_under_one_label_have_an_order_each() -> None:
    run = begun()
    first, second = missed(run, 20.0), missed(run, 21.0)
    run.handle(22.0, second, consumer=0, iterator=1)
    run.handle(23.0, first, consumer=0, iterator=2)
    assert run.judge("order") == []
    run.handle(24.0, first, consumer=0, iterator=1)
    (found,) = run.judge("order")
    assert found.events == (first, second)


def test_what_is_left_waiting_comes_behind_what_was_taken() -> None:
    run = begun()
    first, second = missed(run, 20.0), missed(run, 21.0)
    run.handle(22.0, second, consumer=3, iterator=1)
    run.leave(30.0, first)
    assert [found.events for found in run.judge("order")] == [(first, second)]


@pytest.mark.parametrize(("iterator", "broken"), [(1, True), (2, False)])
def test_an_iterator_is_known_by_its_number_whatever_subscribe_has_seen_it(iterator: int, *, broken: bool) -> None:
    run = begun()
    for at, number in ((20.0, 1), (30.0, 2)):
        op = run.ask(at, [PRESENCE], consumer=2 * number + 1)
        changed = j.Changed(at=at + 0.3, life=1, op=op, how="returned", claimed=[PRESENCE], iterator=number)
        run.client.append(changed)
    n = missed(run, 40.0)
    run.handle(40.1, n, consumer=0, iterator=iterator)
    assert bool(run.judge("consumer")) is broken


# Who lets go.


@pytest.mark.parametrize("how", ["revoke", "kill", "detach"])
def test_what_may_be_on_its_way_when_nobody_is_left_to_tell_is_not_lost(how: str) -> None:
    run = begun_without_a_store()
    missed(run, 70.0)
    run.revoke(100.0) if how == "revoke" else run.end(100.0, how)
    assert lost(run) == []


@pytest.mark.parametrize("how", ["revoke", "kill", "detach"])
def test_what_a_call_has_proven_to_have_come_is_lost(how: str) -> None:
    run = begun_without_a_store()
    n = missed(run, 70.0)
    run.call(80.0, "one")
    run.revoke(100.0) if how == "revoke" else run.end(100.0, how)
    assert lost(run) == [n]


def test_what_waited_behind_a_busy_handler_at_a_kill_is_not_lost() -> None:
    run = begun_without_a_store()
    n = run.deliver(60.0)
    missed(run, 70.0)
    run.call(80.0, "one")
    run.end(100.0, "kill")
    assert lost(run) == []
    run.client.append(j.HandlerDone(at=61.0, life=1, n=n, consumer=2))
    assert lost(run) == [n + 1]


@pytest.mark.parametrize(("told", "handled_before"), [(False, False), (True, False), (False, True)])
def test_what_a_full_queue_has_dropped_before_a_kill_is_not_lost_until_its_gap_is_told(
    *, told: bool, handled_before: bool
) -> None:
    run = begun_without_a_store()
    dropped, later = missed(run, 70.0), missed(run, 70.1)
    run.handle(70.2 if handled_before else 70.4, later)
    run.client.append(j.HandlerDone(at=70.4, life=1, n=later, consumer=2))
    run.client.append(j.Told(at=70.3, life=1, event="error", detail="SlowConsumer()", state="ready"))
    if told:  # of others
        run.tell(70.4, 70.35, 70.4, certain=True, reason="3 notifications dropped because the consumer was too slow")
    run.end(100.0, "kill")
    assert lost(run) == ([dropped] if told or handled_before else [])


@pytest.mark.parametrize(("how", "hook"), [("revoke", "cancelled"), ("revoke", "returned"), ("detach", "cancelled")])
def test_a_gap_for_which_the_hook_had_no_time_at_a_close_for_good_is_only_in_the_log(how: str, hook: str) -> None:
    run = begun()
    run.client.append(j.Iterating(at=15.0, life=1, iterator=1, consumer=2))
    dropped = missed(run, 70.0)
    run.client.append(j.Told(at=70.3, life=1, event="error", detail="SlowConsumer()", state="ready"))
    run.call(200.0, "one")
    run.end(300.0, how)
    run.client.append(j.HookDone(at=300.25, life=1, how=hook))
    run.begin(310.0)
    run.open(311.0, "Successful")
    run.subscribe(312.0, [PRESENCE], consumer=2)
    assert lost(run) == ([] if (how, hook) == ("revoke", "cancelled") else [dropped])


def begun_without_a_store() -> Journals:
    """Begin a life without a store, whose handlers take no time."""
    run = Journals()
    run.begin(1.0, store=False)
    run.open(1.5)
    run.subscribe(2.0, [PRESENCE], consumer=2)
    n = run.deliver(10.0)
    run.client.append(j.HandlerDone(at=10.2, life=1, n=n, consumer=2))
    return run


# What is left to the next life.


@pytest.mark.parametrize("subscribed", [True, False])
def test_who_revokes_takes_along_what_was_left_to_it_and_to_nobody_before(*, subscribed: bool) -> None:
    run = begun()
    n = missed(run, 60.0)
    run.end(100.0, "detach")
    if subscribed:
        run.begin(110.0)
        run.open(111.0, "Successful")
        run.subscribe(112.0, [PRESENCE], consumer=2)
        run.end(120.0, "detach")
    run.begin(130.0)
    run.end(131.0, "revoke")
    run.begin(140.0)
    run.open(141.0)
    run.subscribe(142.0, [PRESENCE], consumer=2)
    assert lost(run) == ([n] if subscribed else [])


@pytest.mark.parametrize("subscribed", [True, False])
def test_a_gap_of_all_time_covers_nothing_that_a_life_before_should_have_told_of(*, subscribed: bool) -> None:
    run = begun()
    n = missed(run, 60.0)
    run.end(100.0, "kill")
    run.begin(110.0)
    if subscribed:
        run.open(111.0, "Successful")
        run.subscribe(112.0, [PRESENCE], consumer=2)
    run.end(120.0, "kill")
    run.begin(130.0)
    run.open(131.0)
    run.subscribe(132.0, [PRESENCE], consumer=2)
    run.tell(132.5, None, 132.3, certain=True, reason="what is kept cannot be read")
    assert lost(run) == ([n] if subscribed else [])


@pytest.mark.parametrize("replayed", [True, False])
def test_what_a_replay_has_brought_to_a_life_is_left_to_the_one_after_it(*, replayed: bool) -> None:
    run = begun()
    run.end(100.0, "detach")
    n = run.make(105.0)
    run.server.append(j.Buffered(at=105.0, n=n, session=1, sub="sub"))
    run.begin(110.0)
    run.open(111.0, "Successful", replayed=1)
    if replayed:
        run.write(111.0, n, "replay")
    run.subscribe(112.0, [PRESENCE], consumer=3)
    run.end(120.0, "detach")
    run.begin(130.0)
    run.open(131.0)
    run.subscribe(132.0, [PRESENCE], consumer=2)
    run.tell(132.5, None, 132.3, certain=True, reason="what is kept cannot be read")
    assert lost(run) == ([] if replayed else [n])


@pytest.mark.parametrize("how", ["kill", "detach"])
@pytest.mark.parametrize("stored", [True, False])
def test_what_a_store_has_failed_to_take_is_not_known_to_the_next_life(how: str, *, stored: bool) -> None:
    run = begun()
    before = missed(run, 15.0)
    run.subscribe(20.0, [PRESENCE, FAX], consumer=4)
    run.client.append(j.Told(at=20.3, life=1, event="error", detail=FULL_DISK, state="ready"))
    after = missed(run, 25.0)
    if stored:
        run.server.append(j.Stored(at=22.0))
    run.end(100.0, how)
    run.client.append(j.Told(at=100.2, life=1, event="error", detail=FULL_DISK, state="closed"))
    run.begin(110.0)
    run.open(111.0)
    run.subscribe(112.0, [PRESENCE], consumer=2)
    assert lost(run) == ([before, after] if stored else [before])


@pytest.mark.parametrize("failed", [True, False])
def test_a_first_wish_is_not_stored_before_it_is_granted_however_long_it_waited(*, failed: bool) -> None:
    run = begun()
    if failed:  # else something is wanted all the time, and a change of it is stored before it is sent
        run.client.append(j.Changed(at=15.0, life=1, op=0, how="seen"))
    op = run.ask(20.0, [PRESENCE, FAX], consumer=4)
    run.server.append(j.Stored(at=25.0))
    run.answer(30.0, op, [PRESENCE, FAX])
    run.client.append(j.Told(at=30.2, life=1, event="error", detail=FULL_DISK, state="ready"))
    n = missed(run, 35.0)
    run.end(40.0, "kill")
    run.begin(110.0)
    run.open(111.0)
    run.subscribe(112.0, [PRESENCE], consumer=2)
    assert lost(run) == ([] if failed else [n])


@pytest.mark.parametrize(("session", "known"), [(1, False), (7, True)])
def test_a_subscription_that_vanished_excuses_only_what_the_client_was_on(session: int, *, known: bool) -> None:
    run = begun()
    run.server.append(j.InForce(at=20.0, session=session, by="vanished"))
    n = run.make(30.0)
    run.deliver(40.0)
    assert lost(run) == ([n] if known else [])


@pytest.mark.parametrize("how", ["cancelled", "returned"])
def test_what_a_busy_hook_keeps_from_being_told_at_a_close_is_left_to_the_next_life(how: str) -> None:
    run = begun()
    n = missed(run, 60.0)
    run.end(100.0, "detach")
    run.client.append(j.HookDone(at=100.25, life=1, how=how))
    run.begin(110.0)
    run.open(111.0, "Successful")
    run.subscribe(112.0, [PRESENCE], consumer=2)
    assert lost(run) == [n]
