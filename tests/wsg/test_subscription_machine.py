"""What the machine says of the server is true, whatever is lost, refused, withdrawn or killed. Pure.

The driver below does what `Subscriptions` and `SubscriptionCalls` do with the machine; the server is a model. Time is a
count of steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rcex_ws.wsg.models import SubscriptionInfo
from rcex_ws.wsg.stored import ServerHas, StoredSubscription
from rcex_ws.wsg.subscription_machine import Call, Flight, SubscriptionMachine

A, B = "/restapi/v1.0/account/~/extension/~/message-store", "/restapi/v1.0/account/~/presence"
FILTERS = st.sampled_from([(A,), (B,), (A, B)])

FATES = st.sampled_from(
    ["answer", "answer", "fault", "lost", "killed", "refused", "final", "ended", "forgotten", "cut"]
)
WITHDRAWN = st.sampled_from(["", "", "before", "after"])


class Server:
    """One subscription per session; those of earlier sessions stay until they are deleted."""

    def __init__(self):
        self.session = 0
        self.id = None
        self.filters = ()
        self.forgot = False  # and nobody knows
        self.left = set()  # ids, of sessions that ended
        self.made = 0

    @property
    def ids(self):
        return self.left | ({self.id} - {None})

    def begin_session(self):
        self.left |= {self.id} - {None}
        self.id, self.filters, self.forgot = None, (), False
        self.session += 1

    def forget(self):
        self.id, self.filters, self.forgot = None, (), True

    def make(self, call):
        """Give the subscription; None when it is deleted or, to a PUT, not known."""
        if call.method == "DELETE":
            self.left.discard(call.id)
            if call.id == self.id:
                self.id, self.filters, self.forgot = None, (), False
            return None
        if call.method == "POST":
            self.made += 1
            self.id, self.forgot = f"s{self.made}", False
        elif call.id != self.id:
            return None
        self.filters = call.filters
        return SubscriptionInfo(self.id, self.filters)


@dataclass
class Air:
    """A call that is under way."""

    flight: Flight
    call: Call
    made: bool = False
    info: SubscriptionInfo | None = None


@dataclass
class Snapshot:
    """What a killed process leaves."""

    at: int
    stored: StoredSubscription
    unfinished: float
    session: int | None
    ids: set[str]  # of the subscriptions that were known


class Subscribing(RuleBasedStateMachine):
    """An application, its machine, a server, and a process that may be killed."""

    def __init__(self):
        super().__init__()
        self.now = 0
        self.server = Server()
        self.saved = None
        self.wrong = set()  # moments at which the server had other filters than those granted, not told of yet
        self.silent = set()  # the same, where the server forgot without a word
        self.gone_at, self.were_silent = 0, set()
        self.excused = set()  # ids that nobody can know, or that the server refuses to delete
        self.consumers = 0
        self.start()

    def start(self):
        """Begin a process."""
        self.machine = SubscriptionMachine()
        self.session = self.server.session  # that can be recovered
        self.ready = True
        self.resubscribing = False  # on a session that begins empty
        self.outage = None  # since when
        self.air = None
        self.late = []  # calls that were made, with the subscription
        self.change, self.again = None, False
        self.served = -math.inf
        self.revoked_at = -1
        self.revived = False  # what the process before had revoked, but not stored so

    # -- the account ---------------------------------------------------------------------------------------------

    @invariant()
    def all_is_well(self):
        self.step()

    def step(self):
        """Judge this moment, and go on to the next."""
        machine, server = self.machine, self.server
        if machine.wanted and server.filters != machine.wanted:
            (self.silent if server.forgot else self.wrong).add(self.now)
        if self.wrong:
            doubt = machine.to_store().doubt
            since = math.inf if doubt is None else -math.inf if doubt.since is None else doubt.since
            if self.outage is not None and (self.resubscribing or self.session != server.session):
                since = min(since, self.outage)  # its gap lasts until there is a subscription
            if self.revived:
                since = -math.inf  # it is not known here, until a call is answered
            assert since <= min(self.wrong), "the server had other filters, and there is no doubt"
        if machine.in_sync and self.air is None and not server.forgot:
            if machine.wanted:
                assert server.filters == machine.wanted, "it is settled, and the server has other filters"
            else:
                assert server.id is None or server.id in machine.orphans or server.id in self.excused
        assert server.ids <= self.known | self.excused, "a subscription is left behind"
        self.now += 1

    @property
    def known(self):
        """The ids of the subscriptions that the machine knows."""
        info = self.machine.info
        return {*self.machine.orphans, *([] if info is None else [info.id])}

    def told(self, since):
        """Tell the application of a gap until now."""
        self.wrong = {at for at in self.wrong if at < since}

    # -- what the application does -------------------------------------------------------------------------------

    @precondition(lambda self: self.change is None)
    @rule(filters=FILTERS, again=st.booleans())
    def ask(self, filters, again):
        if self.resubscribing and not self.machine.wanted:
            return
        self.consumers += 1
        self.change, self.again = self.machine.begin(self.consumers, filters), again

    @precondition(lambda self: self.change is not None)
    @rule()
    def withdraw(self):
        self.machine.withdraw(self.change)
        if self.machine.change is not self.change:
            self.change = None

    @precondition(lambda self: self.machine.current is not None and (self.air is None or self.resubscribing))
    @rule(made=st.booleans(), answer=st.sampled_from(["deleted", "final", "lost", "lost", "unasked"]))
    def revoke(self, made, answer):
        machine, info = self.machine, self.machine.info
        if self.ready and self.air is None and self.change is None and info is not None and answer != "unasked":
            if answer == "deleted" or (answer == "lost" and made):
                self.server.make(Call("DELETE", info.id))
            if answer == "final":
                self.excused.add(info.id)
            if answer != "lost":
                machine.deleted(info)
        self.end()

    def end(self):
        machine = self.machine
        if machine.filter_gap is not None:
            self.told(machine.filter_gap.since)
        if self.outage is not None:
            self.told(self.outage)
        if self.revived:
            self.told(-math.inf)
            self.revived = False
        machine.revoke()
        assert not machine.wanted
        assert machine.current is machine.info is machine.filter_gap is None
        self.silent.clear()
        self.revoked_at = self.now

    @initialize(filters=FILTERS)
    def subscribe(self, filters):
        """Begin with what matters: a subscription."""
        self.ask(filters, again=True)
        self.a_call("answer", made=True, withdrawn="")

    @precondition(lambda self: self.air is None and self.ready and self.machine.wanted)
    @rule(filters=FILTERS, again=st.booleans(), fate=FATES, made=st.booleans(), withdrawn=WITHDRAWN)
    def change_filters(self, filters, again, fate, made, withdrawn):
        if self.change is None:
            self.ask(filters, again)
        self.a_call(fate, made, withdrawn)

    # -- calls ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.air is None and (self.ready or self.resubscribing))
    @rule(before=st.sampled_from(["", "", "", "", "withdraw", "store fails", "kill", "lost"]))
    def send(self, before):
        machine = self.machine
        call = machine.next_call(resubscribing=self.resubscribing)
        if call is None:
            assert self.resubscribing or self.change is None
            assert machine.in_sync or (machine.info is None and not machine.wanted)
            return
        assert call.for_change == (self.change is not None and not self.resubscribing)
        flight = machine.launch(call, self.now)
        self.air = Air(flight, call)
        if machine.wanted and (flight.may_cost or machine.filter_gap is not None):
            if before == "store fails":
                self.landed(machine.not_made)
                return
            self.store()
            if before == "kill":
                self.die(clean=False)
                return
            if before == "lost":
                self.lose()
                return
            if before == "withdraw" and self.change is not None:
                self.withdraw()
        if call.for_change and self.change.withdrawn:
            self.landed(machine.not_made)

    @precondition(lambda self: self.air is None and (self.ready or self.resubscribing))
    @rule(fate=FATES, made=st.booleans(), withdrawn=WITHDRAWN)
    def a_call(self, fate, made, withdrawn):
        """Make one from its beginning to its end, which chance alone would seldom do."""
        self.send("")
        if self.air is None:
            return
        self.step()
        if withdrawn == "before" and self.change is not None:
            self.withdraw()
            self.step()
        if fate == "forgotten" and self.server.id is not None:
            self.server.forget()
            self.step()
        if made or fate in ("answer", "forgotten"):
            self.the_server_makes_it()
            self.step()
        if withdrawn == "after" and self.change is not None:
            self.withdraw()
            self.step()
        match fate:
            case "answer" | "forgotten":
                self.answer()
            case "fault":
                self.the_server_fails()
            case "lost":
                self.lose()
            case "cut":
                self.lose()
                self.step()
                self.connect(ended=False)
            case "ended" if made:
                self.answer()
                if self.ready:
                    self.step()
                    self.end_in_order(delivered=True)
            case "killed":
                self.die(clean=False)
            case _ if not made:
                self.it_is_refused(final=fate == "final")

    @precondition(lambda self: self.air is not None and not self.air.made)
    @rule()
    def the_server_makes_it(self):
        air = self.air
        air.made, air.info = True, self.server.make(air.call)
        if air.call.method == "POST":
            self.excused.add(air.info.id)  # until it is answered
            self.silent.clear()

    @precondition(lambda self: self.air is not None and self.air.made)
    @rule(killed=st.sampled_from([False, False, False, True]))
    def the_answer_comes(self, killed):
        self.answer(killed=killed)

    def answer(self, *, killed=False):
        machine, air, change, before = self.machine, self.air, self.change, self.machine.wanted
        self.air = None
        if self.revived:
            self.told(-math.inf)
            self.revived = False
        if air.call.method == "PUT" and air.info is None:
            machine.subscription_gone(air.flight, self.served)
            assert machine.server_has is ServerHas.NOTHING
            assert not before or machine.filter_gap.certain
            if before and self.server.forgot:
                self.were_silent, self.gone_at, self.silent = self.silent, self.now, set()
                self.wrong |= self.were_silent
            self.server.forgot = False
            if change is not None and machine.change is not change:
                assert change.withdrawn
                self.change = None
            return
        withdrawn = change is not None and change.withdrawn
        doubt = machine.granted(air.flight, air.info)
        if air.info is not None:
            self.excused.discard(air.info.id)
        self.served = air.flight.since
        if air.call.for_change and not withdrawn:
            assert (machine.wanted, machine.current) == (change.filters, change.consumer)
            assert machine.in_sync
            assert machine.info is air.info
            assert self.server.forgot or self.server.filters == change.filters
            self.wrong = {at for at in self.wrong if at < air.flight.since}  # this is what was asked for
        else:
            assert machine.wanted == before
        if doubt is not None:
            assert machine.in_sync
            assert machine.filter_gap is None
            self.told(doubt.since)
        if air.call.for_change:
            assert machine.change is None
            machine.withdraw(change)  # too late
            self.change = None
            assert withdrawn or machine.wanted == change.filters
        if self.resubscribing:
            self.go_on_restoring()
        if killed:
            self.die(clean=False)
        elif air.call.for_change:
            self.store()

    def landed(self, how, *, final=False, fault=False):
        """Go on after a call that was not answered."""
        machine, air, change = self.machine, self.air, self.change
        self.air = None
        wanted = machine.wanted
        how(air.flight)
        assert machine.wanted == wanted
        if how == machine.not_made:
            assert machine.server_has is air.flight.before
        if air.call.for_change and change is not None:
            if fault or not self.again:
                machine.withdraw(change)
            if change.withdrawn:
                assert machine.change is None
                self.change = None
            return
        if final:
            if machine.current is None:
                machine.forget()
                self.excused |= self.server.ids
            else:
                self.end()
        if self.resubscribing:
            if final:
                self.restored()
            else:
                self.drop()

    @precondition(lambda self: self.air is not None and not self.air.made)
    @rule(final=st.booleans())
    def it_is_refused(self, final):
        self.landed(self.machine.not_made, final=final, fault=True)

    @precondition(lambda self: self.air is not None)
    @rule()
    def the_server_fails(self):
        """It may have made it."""
        self.landed(self.machine.unanswered, fault=True)

    @precondition(lambda self: self.ready)
    @rule(answer=st.sampled_from(["deleted", "deleted", "final", "lost"]), made=st.booleans())
    def delete_an_orphan(self, answer, made):
        machine = self.machine
        if not machine.orphans:
            return
        orphan = machine.orphans[-1]
        if answer == "deleted" or (answer == "lost" and made):
            self.server.make(Call("DELETE", orphan))
        if answer == "final":
            self.excused.add(orphan)
        if answer != "lost":
            machine.orphans.remove(orphan)

    # -- the server and the connection ---------------------------------------------------------------------------

    @precondition(lambda self: self.server.id is not None)
    @rule(really=st.sampled_from([False, False, True]))
    def the_server_forgets(self, really):
        if really:
            self.server.forget()

    @precondition(lambda self: self.ready and self.server.filters and self.server.filters == self.machine.wanted)
    @rule()
    def a_notification_comes(self):
        self.served = self.now

    @precondition(lambda self: self.ready or self.resubscribing)
    @rule()
    def lose(self):
        air, machine = self.air, self.machine
        if air is not None and air.made:
            self.late.append(air)
        if air is not None:
            self.landed(lambda _: machine.connection_lost())
        machine.connection_lost()
        if self.ready:
            self.drop()

    def drop(self):
        self.ready = False
        if self.outage is None:
            self.outage = self.now

    @precondition(lambda self: self.late)
    @rule()
    def an_answer_comes_late(self):
        air = self.late.pop(0)
        assert not self.machine.in_flight(air.flight)
        assert self.machine.granted(air.flight, air.info) is None
        if air.info is not None:
            self.machine.granted_late(air.info)
            self.excused.discard(air.info.id)

    @precondition(lambda self: not self.ready and self.air is None)
    @rule(ended=st.sampled_from([False, False, True]))
    def connect(self, ended):
        server, machine = self.server, self.machine
        if not ended and not self.resubscribing and self.session == server.session and server.id is not None:
            self.ready, self.outage = True, None
            self.served = self.now
            return
        server.begin_session()
        self.session = server.session
        machine.session_ended()
        assert machine.info is None
        assert machine.server_has is ServerHas.NOTHING
        self.resubscribing = True
        self.silent.clear()
        if machine.wanted and machine.filter_gap is not None:
            self.outage = min(self.outage, machine.filter_gap.since)
            machine.filter_gap = None
        if not machine.wanted:
            machine.current = None
            self.restored()

    def go_on_restoring(self):
        if self.machine.next_call(resubscribing=True) is None:
            self.restored()

    def restored(self):
        self.told(-math.inf if self.revived else self.outage)
        self.resubscribing, self.ready, self.outage, self.revived = False, True, None, False

    # -- the process ---------------------------------------------------------------------------------------------

    @rule()
    def store(self):
        unfinished = self.now if self.outage is None else self.outage
        session = None if self.resubscribing else self.session
        self.saved = Snapshot(self.now, self.machine.to_store(), unfinished, session, self.known)

    @rule(really=st.sampled_from([False, False, False, True]))
    def kill(self, really):
        if really:
            self.die(clean=False)

    @precondition(lambda self: self.ready and self.air is None)
    @rule(delivered=st.booleans())
    def end_in_order(self, delivered):
        if self.change is not None:
            self.machine.withdraw(self.change)
        self.store()
        self.die(clean=delivered)

    def die(self, *, clean):
        saved, revoked_at, revived = self.saved, self.revoked_at, self.revived
        self.start()
        machine = self.machine
        self.consumers += 1
        if saved is None or not saved.stored.wanted:
            self.server.begin_session()
            self.session = self.server.session
        else:
            machine.resume(saved.stored, self.consumers, clean=clean)
            self.session, self.ready, self.outage = saved.session, False, saved.unfinished
            self.revived = revived or revoked_at >= saved.at
            assert machine.wanted == saved.stored.wanted
            assert clean or machine.server_has is not ServerHas.KNOWN
            assert self.known == saved.ids
        if saved is not None and saved.at < self.gone_at:  # the process that knew of it died with that
            unheard = self.were_silent | {at for at in self.wrong if at >= self.gone_at}
            self.wrong -= unheard
            if not self.server.filters:
                self.server.forgot, self.silent = True, self.silent | unheard
        self.excused |= self.server.ids - self.known

    # -- in the end ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.ready and self.air is None and self.change is None)
    @rule()
    def the_server_answers_for_a_while(self):
        machine = self.machine
        for _ in range(3):
            call = machine.next_call()
            if call is None:
                break
            self.air = Air(machine.launch(call, self.now), call)
            self.step()
            self.the_server_makes_it()
            self.step()
            self.answer()
            self.step()
        assert machine.next_call() is None
        assert machine.in_sync or (not machine.wanted and machine.info is None)
        if not self.server.forgot:
            assert self.server.filters == machine.wanted or (
                not machine.wanted and (self.server.id in self.excused or self.server.id in machine.orphans)
            )


TestSubscribing = Subscribing.TestCase
TestSubscribing.settings = settings(max_examples=500, stateful_step_count=30, deadline=None)


def subscribed():
    machine = SubscriptionMachine()
    machine.begin("consumer", (A,))
    machine.granted(machine.launch(machine.next_call(), 0.0), SubscriptionInfo("s1", (A,)))
    return machine


def test_what_is_to_be_deleted_is_left_to_the_next_process():
    machine = subscribed()
    machine.session_ended()
    machine.granted(machine.launch(machine.next_call(), 1.0), SubscriptionInfo("s2", (A,)))
    successor = SubscriptionMachine()
    successor.resume(machine.to_store(), "successor", clean=True)
    assert successor.info.id == "s2"
    assert successor.orphans == ["s1"]


@pytest.mark.parametrize("fate", ["unanswered", "withdrawn", "killed"])
def test_a_refresh_leaves_nothing_in_doubt_for_the_server_has_the_same_filters_either_way(fate):
    machine = SubscriptionMachine()
    machine.begin("consumer", (A,))
    machine.granted(machine.launch(machine.next_call(), 1), SubscriptionInfo("s1", (A,)))
    refresh = machine.begin("consumer", (A,))
    flight = machine.launch(machine.next_call(), 2)
    assert flight.call == Call("PUT", "s1", (A,), for_change=True)
    stored = machine.to_store()
    if fate == "unanswered":
        machine.unanswered(flight)
        machine.withdraw(refresh)
        assert machine.to_store().certainty is ServerHas.UNSURE
        again = machine.next_call()  # the answer may have been that the subscription is gone
        assert again == Call("PUT", "s1", (A,))
        assert machine.granted(machine.launch(again, 3), SubscriptionInfo("s1", (A,))) is None
    elif fate == "withdrawn":
        machine.withdraw(refresh)
        assert machine.granted(flight, SubscriptionInfo("s1", (A,))) is None
    else:
        machine = SubscriptionMachine()
        machine.resume(stored, "consumer", clean=True)
    assert (machine.in_sync, machine.filter_gap, machine.change) == (True, None, None)
    assert (stored.certainty, stored.doubt) == (ServerHas.KNOWN, None)


def test_an_answer_to_a_call_whose_connection_is_lost_changes_nothing():
    machine = subscribed()
    machine.begin("other", (B,))
    flight = machine.launch(machine.next_call(), 1.0)
    machine.connection_lost()
    before = (machine.info, machine.server_has, machine.filter_gap, machine.wanted)
    assert machine.granted(flight, SubscriptionInfo("s1", (B,))) is None
    machine.subscription_gone(flight, 5.0)
    assert (machine.info, machine.server_has, machine.filter_gap, machine.wanted) == before


def test_a_subscription_that_comes_late_is_to_be_deleted_once_unless_it_is_the_present_one():
    machine = subscribed()
    machine.granted_late(SubscriptionInfo("s1", (A,)))
    assert machine.orphans == []
    for _ in range(2):
        machine.granted_late(SubscriptionInfo("s2", (A,)))
    assert machine.orphans == ["s2"]


def test_a_late_subscription_that_the_server_still_serves_is_not_deleted():
    machine = subscribed()
    machine.session_ended()
    assert machine.orphans == ["s1"]
    machine.granted(machine.launch(machine.next_call(), 1.0), SubscriptionInfo("s1", (A,)))
    assert (machine.orphans, machine.info.id) == ([], "s1")


def test_of_many_that_are_to_be_deleted_the_oldest_are_forgotten():
    machine = SubscriptionMachine()
    for number in range(1000):
        machine.granted_late(SubscriptionInfo(f"s{number}", (A,)))
    assert machine.orphans[-1] == "s999"
    assert len(machine.orphans) < 200


def test_nothing_is_in_doubt_while_nothing_is_wanted():
    machine = SubscriptionMachine()
    machine.resume_blind("consumer")
    machine.begin("consumer", (A,))
    flight = machine.launch(machine.next_call(), 1.0)
    assert flight.may_cost
    machine.unanswered(flight)
    assert machine.filter_gap is None
