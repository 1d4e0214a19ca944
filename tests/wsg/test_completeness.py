"""Which loss leaves which gap, one rule after the other: each is a life in which one thing goes wrong.

What goes wrong in any order is in test_completeness_property.py. Pure, in virtual time.
"""

from __future__ import annotations

import pytest

from rcex_ws.wsg.completeness import MARGIN, Completeness, OpenGap
from rcex_ws.wsg.server_clock import ServerClock
from tests.wsg.completeness_life import QUEUE, Life
from tests.wsg.completeness_world import BUFFER, World


@pytest.fixture
def life():
    """One whose process is connected and subscribed, on a quick link, and asks every 30 s."""
    return Life(World())


def lose(life, number=1, *, delay=0.0):
    """Make something whose notifications are on their way when the connection is cut."""
    life.make(number, delay)
    life.world.run(delay)
    life.cut(1.0)


def end(life):
    """Let all come that can still come; give the gaps."""
    life.end()
    assert life.untold == []
    assert life.uncertain == []
    return [told.gap for told in life.told]


def since(life, gap):
    """How long the gap is before the first event."""
    return life.world.events[0].made - gap.since.timestamp()


def test_what_was_on_its_way_when_the_connection_was_cut_may_be_missing(life):
    lose(life, 2)
    life.client.connect()
    (gap,) = end(life)
    assert not gap.certain


def test_what_was_made_until_the_server_saw_the_new_connection_may_be_missing(life):
    life.world.run(100)
    life.cut(20.0)
    life.world.up = 5.0  # so long it takes to connect
    life.world.at(life.world.now + 4.9, life.make, 1, 0.0)
    life.client.connect()
    (gap,) = end(life)
    assert not gap.certain


def test_a_session_that_is_lost_is_a_certain_gap(life):
    life.cut(1.0)
    life.world.kept = False
    life.make(1, 0.0)
    life.client.connect()
    (gap,) = end(life)
    assert gap.certain


@pytest.mark.parametrize("asked", [True, False])
def test_a_proof_says_nothing_of_what_was_made_a_moment_before(life, asked):
    """The server takes up to the margin from an event to its frame."""
    life.world.run(100)
    life.make(1, 4.9)  # its frame is the one that is lost
    life.world.run(4.8)
    if asked:
        life.client.ask()
    else:
        life.make(1, 0.0)
    life.world.run(0.1)
    life.cut(1.0)
    life.client.connect()
    (gap,) = end(life)
    assert 0.0 <= since(life, gap) < 0.5


def test_a_proof_is_as_old_as_the_clock_may_be_wrong(life):
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.up = 5.0
    life.client.connect()  # the clock is now known to 5 s
    life.world.run(20)
    life.world.up = 0.05
    life.make(1, 4.9)
    life.world.run(4.8)
    life.client.ask()
    life.world.run(0.1)
    life.cut(1.0)
    end(life)


@pytest.mark.parametrize("stamped", [True, False])
def test_what_this_side_drops_is_missing_for_certain(life, stamped):
    life.do("stop taking")
    life.make(QUEUE + 2, 0.0, stamped=stamped)
    life.world.run(40)
    life.do("take all")
    (gap,) = end(life)
    assert gap.certain


def test_l5_what_this_side_was_dropping_when_it_was_killed_is_missing_for_certain(life):
    life.do("stop taking")
    life.make(QUEUE + 2, 0.0)
    life.world.run(40)
    life.kill()
    life.start()
    (gap,) = end(life)
    assert gap.certain


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("number", [BUFFER - 1, BUFFER, BUFFER + 2])
def test_l6_a_full_buffer_leaves_a_gap(life, number, stamped):
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.make(number, 0.0, stamped=stamped)
    life.client.connect()
    assert [gap.certain for gap in end(life)] == ([False] if number >= BUFFER else [])


def test_l6_what_comes_live_between_does_not_hide_that_the_buffer_was_full(life):
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.make(BUFFER + 2, 0.0)
    life.client.connect(slow=20.0)
    life.world.run(12)
    life.make(1, 0.0)
    (gap,) = end(life)
    assert not gap.certain


@pytest.mark.parametrize("live", [True, False])
def test_l7_a_replay_that_is_cut_is_as_old_as_the_loss_before_it(life, live):
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.make(3, 0.0)
    life.world.run(100)
    life.client.connect(slow=20.0)
    life.world.run(12)
    life.make(int(live), 0.0)  # comes in between
    life.world.run(1)
    life.cut(1.0)
    life.client.connect()
    (gap,) = end(life)
    assert not gap.certain


def test_a_replay_that_was_cut_is_over_with_its_session(life):
    life.world.announce(life.client, life.connection)
    life.world.run(100)
    life.client.connect(slow=20.0)
    life.world.run(1)
    life.cut(1.0)
    life.world.kept = False
    life.client.connect()
    life.world.run(100)
    lose(life)
    life.client.connect()
    _, gap = end(life)
    assert since(life, gap) < 40


def test_l8_a_link_that_is_minutes_behind(life):
    life.world.down = 300.0
    life.world.run(10)
    life.make(2, 0.0)
    life.world.run(300)  # only now what the server wrote at first is here
    life.make(1, 0.0)
    life.cut(1.0)
    life.client.connect()
    end(life)


def test_l9_what_was_not_delivered_when_the_process_was_killed_may_be_missing(life):
    life.do("stop taking")
    life.make(2, 0.0)
    life.world.run(100)
    life.kill()
    life.start()
    (gap,) = end(life)
    assert since(life, gap) == 0.0


@pytest.mark.parametrize("served", ["by a call", "with a notification"])
@pytest.mark.parametrize("delay", [0.0, 4.9])
def test_a_subscription_that_is_gone_is_a_gap_from_when_it_was_last_served(life, served, delay):
    life.world.run(100)
    life.make(1, delay)
    life.world.run(2)
    if served == "by a call":
        life.client.ask("PUT")
    else:
        life.make(1, 0.0)
    life.world.run(0.1)
    life.world.subscribed = False
    life.make(1, 0.0)
    life.world.run(100)  # questions are answered, and prove nothing
    life.client.ask("PUT")
    life.world.run(1)
    (gap,) = end(life)
    assert gap.certain
    assert since(life, gap) < MARGIN


def test_a_recovery_proves_that_there_was_a_subscription_then_and_not_when_it_was_heard_of(life):
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.down = 60.0
    life.client.connect()
    life.world.subscribed = False
    life.make(1, 0.0)
    life.world.run(200)
    life.client.ask("PUT")
    end(life)


@pytest.mark.parametrize("restart", [False, True])
def test_a_session_that_had_no_subscription_had_none_for_some_time(life, restart):
    life.world.run(100)
    life.make(1, 0.0)
    life.world.run(1)
    life.world.subscribed = False
    life.make(1, 0.0)
    life.world.run(100)
    if restart:
        life.kill()
        life.start()
    else:
        life.cut(1.0)
    life.client.connect()
    (gap,) = end(life)
    assert gap.certain
    assert gap.since is None if restart else since(life, gap) < MARGIN + 1  # nobody has stored when it was served


def test_a_subscription_that_was_gone_before_the_session_is_in_the_gap_of_the_session(life):
    life.world.run(100)
    life.world.subscribed = False
    life.make(1, 0.0)
    life.world.run(100)
    life.client.ask("PUT")
    life.world.run(0.1)  # that it is gone is known, and the new one asked for
    life.cut(0.01)
    life.world.kept = False
    life.client.connect()
    (gap,) = end(life)
    assert gap.certain


def set_back(life, by=3_600.0):
    life.set_clock(-by)
    life.make(1, 0.0)


def test_a_server_that_sets_its_clock_back(life):
    life.world.run(100)
    lose(life)  # has a time that is to come again
    life.world.run(2)
    life.world.kept = False
    set_back(life)  # has a time before the loss
    life.client.connect()
    (gap,) = end(life)
    assert gap.until.timestamp() - gap.since.timestamp() < 3_700


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_proven_by_a_clock_that_is_set_back_proves_nothing_any_more(life, kept):
    life.world.run(100)
    life.make(1, 0.0)
    life.world.run(1)
    life.client.ask("PUT")
    life.world.run(1)
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.kept = kept
    life.set_clock(-3_600.0)
    life.client.connect()
    life.world.run(10)
    life.world.down = 60.0
    life.client.ask()
    life.world.run(30)
    life.make(1, 0.0)
    life.world.run(31)  # there is an answer, and what was made after the question is on its way
    life.cut(1.0)
    life.world.down = 0.05
    life.client.connect()
    end(life)


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_served_by_a_clock_that_is_set_back_says_nothing_any_more(life, kept):
    life.world.run(100)
    life.make(1, 0.0)
    life.client.ask("PUT")
    life.world.run(1)
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.kept = kept
    life.set_clock(-3_600.0)
    life.client.connect()
    life.world.run(10)
    life.world.subscribed = False
    life.make(1, 0.0)
    life.client.ask("PUT")
    end(life)


def test_a_server_that_sets_its_clock_forward_and_back_again(life):
    life.world.run(100)
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.kept = False
    life.set_clock(3_600.0)
    life.client.connect()
    life.world.run(0.06)
    life.cut(1.0)  # before it has subscribed again
    life.make(1, 0.0)  # has a time that is to come again
    life.world.run(2)
    life.set_clock(-3_600.0)
    life.client.connect()
    (gap,) = end(life)
    assert gap.certain


def test_a_server_that_sets_its_clock_back_and_forward_again(life):
    life.world.run(100)
    life.world.announce(life.client, life.connection)
    life.world.run(1)
    life.world.kept = False
    set_back(life)
    life.client.connect()
    life.world.run(0.06)
    life.cut(1.0)  # before it has subscribed again
    life.world.run(2)
    life.set_clock(3_600.0)
    life.client.connect()
    (gap,) = end(life)
    assert gap.certain


def test_a_clean_end_leaves_no_gap_but_to_whom_dies_in_the_replay(life):
    """What says that the end was clean must be gone from the store when the next process begins."""
    life.detach()
    life.make(2, 0.0)
    life.start()
    life.client.connect(slow=3.0)
    life.world.run(0.06)
    life.kill()
    life.start()
    (gap,) = end(life)
    assert not gap.certain


def test_an_orderly_life_has_no_gap(life):
    for _ in range(3):
        life.world.announce(life.client, life.connection)
        life.world.run(1)
        life.make(2, 0.0)
        life.client.connect()
        life.world.run(1)
        life.detach()
        life.make(2, 0.0)
        life.start()
        life.client.connect()
        life.world.run(1)
    assert end(life) == []
    assert len(life.handed) == 12


def test_without_an_outage_there_is_nothing_that_a_doubt_could_be_added_to():
    account = Completeness(ServerClock(1000.0, 0.0))
    account.include(OpenGap(10.0, certain=True))
    assert account.open_gap is None


def test_a_loss_in_an_outage_of_an_earlier_process_leaves_its_beginning():
    account = Completeness(ServerClock(1000.0, 0.0))
    account.resume(OpenGap(10.0, certain=True))
    account.begin_outage(5.0)
    assert account.open_gap == OpenGap(10.0, certain=True)
