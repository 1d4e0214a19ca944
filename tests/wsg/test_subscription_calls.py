"""One call for the subscription: what becomes of it when something happens before it goes out, or before its answer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rcex_ws import NotConnected, RequestLost, SubscriptionInfo
from rcex_ws.wsg.server_clock import ServerTime
from rcex_ws.wsg.stored import ServerHas
from rcex_ws.wsg.subscription_calls import SubscriptionCalls
from rcex_ws.wsg.subscription_machine import SubscriptionMachine
from rcex_ws.wsg.telemetry import Telemetry

A, B = "/restapi/v1.0/account/~/extension/~/message-store", "/restapi/v1.0/account/~/presence"


class Desk:
    """The calls of a machine that has subscribed; a test says what happens at each step."""

    def __init__(self):
        self.machine = SubscriptionMachine()
        self.machine.begin("consumer", (A,))
        self.machine.granted(self.machine.launch(self.machine.next_call(), 0.0), SubscriptionInfo("s1", (A,)))
        self.asked = []
        self.on_store = self.on_call = lambda: None
        runtime = SimpleNamespace(
            server_time=lambda: ServerTime(10.0, 11.0),
            store=self._store,
            mark_changed=lambda: None,
            last_inbound=0.0,
            telemetry=Telemetry(),
        )
        completeness = SimpleNamespace(margin=1.0)
        api = SimpleNamespace(make=self._make)
        self.calls = SubscriptionCalls(runtime, api, self.machine, completeness, SimpleNamespace())

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
    assert (desk.machine.change, desk.machine.server_has, desk.machine.filter_gap) == (None, ServerHas.KNOWN, None)


async def test_a_change_that_cannot_be_written_down_does_not_go_out():
    desk = Desk()
    desk.machine.begin("other", (B,))

    def fail():
        raise OSError

    desk.on_store = fail
    with pytest.raises(OSError):
        await desk.calls.make(desk.machine.next_call())
    assert desk.asked == []
    assert (desk.machine.server_has, desk.machine.filter_gap) == (ServerHas.KNOWN, None)


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
