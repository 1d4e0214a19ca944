"""The calls as a state machine: whatever steps are tried, in any order, some rules always hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rcex_ws.gateway.account.call_parties import CallEnd
from rcex_ws.gateway.account.calls import CallSwitch
from rcex_ws.gateway.account.people import ExtensionDirectory
from rcex_ws.gateway.clock import Clock
from rcex_ws.gateway.problem import Problem

PEOPLE = ExtensionDirectory()
ADA, BOB = map(CallEnd.of, PEOPLE.extensions[:2])
OUTSIDE = CallEnd.find(PEOPLE, "+14155550100", "Carol")
STEPS = (
    "answer",
    "hold",
    "unhold",
    "transfer",
    "forward",
    "park",
    "record",
    "pick_up",
    "flip",
    "to_voicemail",
    "refuse",
)
MORE = {"transfer": (BOB,), "forward": (BOB,), "pick_up": (BOB,), "refuse": ("Rejected",)}


def switch():
    return CallSwitch(Clock(lambda: 0.0))


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 5)), max_size=12), colleague=st.booleans())
def test_any_steps_keep_the_rules(steps, colleague):
    calls = switch()
    call = calls.start(BOB if colleague else OUTSIDE, ADA)
    for name, number in steps:
        party = call.parties[number % len(call.parties)]
        before = [(one.code, one.reason) for one in call.parties]
        try:
            getattr(calls, name)(call, party, *MORE.get(name, ()))
        except Problem:
            assert [(one.code, one.reason) for one in call.parties] == before  # a refused step changes nothing
    if call.is_live:
        calls.hang_up(call)
    changes = calls.take_changes()
    assert [change.sequence for change in changes] == list(range(1, len(changes) + 1))
    assert all(change.party.extension_id for change in changes)
    ends = [change.party.id for change in changes if change.body["status"]["code"] in ("Disconnected", "Gone")]
    of_extensions = [party.id for party in call.parties if party.extension_id]
    assert sorted(ends) == sorted(of_extensions)  # each part in a call ends once, so it is logged once
    assert calls.live() == []
    assert {calls.telephony_status(one.id) for one in PEOPLE.extensions} == {"NoCall"}


@pytest.mark.parametrize("ends", [(OUTSIDE, OUTSIDE), (ADA, ADA)], ids=["outside", "oneself"])
def test_a_call_needs_an_extension_and_somebody_else(ends):
    with pytest.raises(Problem, match="CMN-101"):
        switch().start(*ends)


def test_calls_are_bounded(monkeypatch):
    monkeypatch.setattr("rcex_ws.gateway.account.calls._MOST_CALLS", 3)
    calls = switch()
    started = [calls.start(OUTSIDE, ADA) for _ in range(10)]
    assert calls.live() == started[-3:]
    with pytest.raises(Problem, match="404"):
        calls.get(started[0].id)
    assert calls.get(started[-4].id) is started[-4]


def test_the_parties_of_a_call_are_bounded(monkeypatch):
    monkeypatch.setattr("rcex_ws.gateway.account.calls._MOST_PARTIES", 4)
    calls = switch()
    call = calls.start(OUTSIDE, ADA)
    calls.transfer(call, calls.answer(call), BOB)
    calls.transfer(call, calls.answer(call), ADA)
    party = calls.answer(call)
    with pytest.raises(Problem, match="too many"):
        calls.transfer(call, party, BOB)
    assert (len(call.parties), party.code) == (4, "Answered")


def test_the_status_of_an_extension_with_several_calls():
    calls = switch()
    first, _ = calls.start(OUTSIDE, ADA), calls.start(OUTSIDE, ADA)
    assert calls.telephony_status(ADA.extension_id) == "Ringing"
    own = calls.answer(first)
    assert calls.telephony_status(ADA.extension_id) == "CallConnected"
    calls.hold(first, own)
    assert calls.telephony_status(ADA.extension_id) == "Ringing"
