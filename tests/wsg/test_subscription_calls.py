"""One call for the subscription: what becomes of it when something happens before it goes out, or before its answer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rcex_ws import NotConnected, RequestLost, SubscriptionInfo
from rcex_ws.wsg.server_clock import Moment
from rcex_ws.wsg.stored import Certainty
from rcex_ws.wsg.subscription_calls import SubscriptionCalls
from rcex_ws.wsg.subscription_machine import SubscriptionMachine
from rcex_ws.wsg.telemetry import Telemetry

A, B = "/restapi/v1.0/account/~/extension/~/message-store", "/restapi/v1.0/account/~/presence"


class Desk:
    """The calls of a machine that has subscribed; a test says what happens at each step."""

    def __init__(self):
        self.machine = SubscriptionMachine()
        self.machine.begin("consumer", (A,))
        self.machine.answered(self.machine.sent(self.machine.next_call(), 0.0), SubscriptionInfo("s1", (A,)))
        self.asked = []
        self.on_store = self.on_call = lambda: None
        host = SimpleNamespace(
            moment=lambda: Moment(10.0, 11.0),
            store=self._store,
            touch=lambda: None,
            heard_at=0.0,
            telemetry=Telemetry(),
        )
        completeness = SimpleNamespace(confirm_subscription=lambda moment: None, last_confirmed=lambda heard_at: 9.0)
        api = SimpleNamespace(make=self._make)
        self.calls = SubscriptionCalls(
            host, api, self.machine, completeness, SimpleNamespace(), replace_current=lambda *_: None
        )

    async def _store(self):
        self.on_store()

    async def _make(self, call):
        self.asked.append(call)
        return self.on_call()


async def test_a_change_that_is_withdrawn_while_it_is_written_down_does_not_go_out():
    desk = Desk()
    change = desk.machine.begin("other", (B,))
    desk.on_store = lambda: desk.machine.withdraw(change)
    with pytest.raises(NotConnected, match=r"^the call was not wanted any more$"):
        await desk.calls.make(desk.machine.next_call())
    assert desk.asked == []
    assert (desk.machine.change, desk.machine.certainty, desk.machine.doubt) == (None, Certainty.KNOWN, None)


async def test_a_change_that_cannot_be_written_down_does_not_go_out():
    desk = Desk()
    desk.machine.begin("other", (B,))

    def fail():
        raise OSError

    desk.on_store = fail
    with pytest.raises(OSError):
        await desk.calls.make(desk.machine.next_call())
    assert desk.asked == []
    assert (desk.machine.certainty, desk.machine.doubt) == (Certainty.KNOWN, None)


async def test_a_change_whose_connection_is_lost_while_it_is_written_down_does_not_go_out():
    desk = Desk()
    desk.machine.begin("other", (B,))
    desk.on_store = desk.machine.connection_lost
    with pytest.raises(NotConnected, match=r"^the connection was lost before the call was sent$"):
        await desk.calls.make(desk.machine.next_call())
    assert desk.asked == []


async def test_a_late_word_that_something_is_deleted_leaves_nothing_to_delete():
    desk = Desk()
    desk.machine.wanted = ()
    desk.on_call = desk.machine.connection_lost
    with pytest.raises(RequestLost, match=r"^the connection was lost with the answer$"):
        await desk.calls.make(desk.machine.next_call())
    assert [call.method for call in desk.asked] == ["DELETE"]
    assert desk.machine.orphans == []
