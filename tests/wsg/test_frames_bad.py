"""Bad frames over a real socket: reported once each, survived, the good frames around them delivered."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rcex_ws import BadFrame, Events, LossKind, Outcome
from rcex_ws.connection import EventEmitter, RequestTable
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import Completeness
from rcex_ws.wsg.conversation import WsgConversation, WsgShared
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.server_clock import ServerClock
from rcex_ws.wsg.session import Session
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.subscription_machine import SubscriptionMachine

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]
INFO = "/restapi/v1.0/account/~/extension/~"

UNREADABLE = {
    "not JSON": b"hello",
    "empty": b"",
    "empty array": b"[]",
    "object": b"{}",
    "number": b"7",
    "array of numbers": b"[1, 2]",
    "cut off": b'[{"type":"ServerNotification"},{"uuid":"x"',
    "invalid UTF-8": b'[{"type":"ServerNotification","messageId":"\xff\xfe"},{}]',
    "deep nesting": b"[" * 50_000,
    "multipart without end": b'[{"type":"ClientRequest","messageId":"1"},--Boundary',
}

UNREADABLE_NOTIFICATIONS = {
    "no envelope": b'[{"type":"ServerNotification","messageId":"1"}]',
    "envelope is a number": b'[{"type":"ServerNotification"},7]',
    "envelope is an array": b'[{"type":"ServerNotification"},[]]',
    "no event": b'[{"type":"ServerNotification"},{"uuid":"1","body":{}}]',
    "event is a number": b'[{"type":"ServerNotification"},{"uuid":"1","event":7}]',
}

HARMLESS = {
    "unknown type": b'[{"type":"Surprise","messageId":"1"},{"a":1}]',
    "no type": b'[{"messageId":"1"},{}]',
    "type is a number": b'[{"type":7},{}]',
    "headers are a list": b'[{"type":"Surprise","headers":[1]},{}]',
    "wsc is a string": b'[{"type":"Surprise","wsc":"?"},{}]',
    "wsc without sequence": b'[{"type":"Surprise","wsc":{"token":"x","sequence":"y"}},{}]',
    "answer to nobody": b'[{"type":"ClientRequest","messageId":"nobody","status":200},{}]',
    "answer without id": b'[{"type":"ClientRequest","status":200},{}]',
    "heartbeat": b'[{"type":"Heartbeat","messageId":"x"}]',
    "details again": b'[{"type":"ConnectionDetails","messageId":"x"}]',
    "three elements": b'[{"type":"Surprise"},{},{}]',
}


def _good(event, number, **extra):
    envelope = {"uuid": f"good {number}", "event": event, "body": {"i": number}, **extra}
    return json.dumps([{"type": "ServerNotification", "messageId": f"m{number}"}, envelope])


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_unreadable_frame_is_reported_once_and_survived(ext, told, gateway, name):
    subscription = await ext.subscribe(STORE, told.on_notification)
    event, link = subscription.info.event_filters[0], ext.ws
    gateway.send_raw([_good(event, 1), UNREADABLE[name], _good(event, 2)], binary=name == "invalid UTF-8")
    await told.wait("notification", 2)
    assert told.numbers == [1, 2]
    assert isinstance(await told.wait(Events.ERROR), BadFrame)
    gap = await told.wait(Events.NOTIFICATION_GAP)
    assert not gap.certain
    assert len(told.of("error")) == len(told.of("notificationGap")) == 1
    assert ext.ws is link


@pytest.mark.parametrize("name", UNREADABLE_NOTIFICATIONS)
async def test_an_unreadable_notification_is_a_certain_gap(ext, told, gateway, name):
    subscription = await ext.subscribe(STORE, told.on_notification)
    event = subscription.info.event_filters[0]
    gateway.send_raw([_good(event, 1), UNREADABLE_NOTIFICATIONS[name], _good(event, 2)])
    await told.wait("notification", 2)
    assert isinstance(await told.wait(Events.ERROR), BadFrame)
    assert (await told.wait(Events.NOTIFICATION_GAP)).certain
    assert len(told.of("error")) == len(told.of("notificationGap")) == 1


@pytest.mark.parametrize("name", HARMLESS)
async def test_an_odd_frame_is_ignored(ext, told, gateway, name, rc):
    subscription = await ext.subscribe(STORE, told.on_notification)
    event, link = subscription.info.event_filters[0], ext.ws
    gateway.send_raw([_good(event, 1), HARMLESS[name], _good(event, 2)])
    await told.wait("notification", 2)
    assert (await rc.get(INFO)).via == "websocket"
    assert told.of("error") == []
    assert ext.ws is link


async def test_odd_notifications_are_delivered(ext, told, gateway):
    subscription = await ext.subscribe(STORE, told.on_notification)
    event = subscription.info.event_filters[0]
    frames = [
        _good(event, 1, subscriptionId=7, ownerId=12),
        json.dumps([{"type": "servernotification"}, {"event": event, "body": {"i": 2}}]),  # no uuid, other case
        '[{"type":"ServerNotification"},{"uuid":18446744073709551616,"event":"%s","body":{"i":3}}]' % event,
        '[{"type":"ServerNotification"},{"uuid":"s","event":"%s","body":{"i":4,"text":"\\ud800"}}]' % event,
        '[{"type":"ServerNotification"},{"uuid":"n","event":"%s","body":{"i":5,"n":NaN}}]' % event,
        '[{"type":"ServerNotification"},{"uuid":"b","event":"%s","body":{"i":6,"t":"x,--Boundary],--"}}]' % event,
        json.dumps(
            [{"type": "ServerNotification"}, {"uuid": "big", "event": event, "body": {"i": 7, "t": "x" * 2**22}}]
        ),
        '[{"type":"ServerNotification"},{"uuid":"nobody","event":"%s"}]' % event,
    ]
    gateway.send_raw(frames)
    await told.wait("notification", len(frames))
    got = told.of("notification")
    assert [n.body["i"] for n in got[:-1]] == [1, 2, 3, 4, 5, 6, 7]
    assert got[-1].body is None
    assert (got[0].subscription_id, got[0].owner_id) == ("7", "12")
    assert got[2].uuid == "18446744073709551616"
    assert told.of("error") == []


async def test_a_binary_frame_with_good_json_is_read(ext, told, gateway):
    subscription = await ext.subscribe(STORE, told.on_notification)
    gateway.send_raw(_good(subscription.info.event_filters[0], 1).encode(), binary=True)
    await told.wait("notification")


async def test_two_answers_with_one_id(ext, rc, told, gateway):
    gateway.send_raw(['[{"type":"ClientRequest","messageId":"r1","status":200},{}]'] * 2)
    assert (await rc.get(INFO)).json()["extensionNumber"]


async def test_a_frame_over_max_size_is_a_certain_gap_and_not_replayed_for_ever(rc, make_ext, told, gateway):
    ext = make_ext(max_size=4096)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    gateway.notify(STORE[0], {"i": 1})
    gateway.notify(STORE[0], {"i": 2, "text": "x" * 5000})
    await told.until(lambda: any(loss.kind is LossKind.UNREADABLE for loss in told.of("disconnected")))
    await told.until(lambda: any(gap.certain for gap in told.of("notificationGap")))
    with anyio.fail_after(5):
        while ext.ws is None:
            await anyio.sleep(0.01)
    gateway.notify(STORE[0], {"i": 3})
    await told.until(lambda: 3 in told.numbers)
    assert told.numbers == [1, 3]
    assert ext.last_recovery.outcome in (Outcome.RECOVERED, Outcome.UNREADABLE)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
metas = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["ServerNotification", "ConnectionDetails", "ClientRequest", "Heartbeat", "ERROR", "Error", "?"]
        )
        | json_values,
        "messageId": st.text(max_size=5) | st.integers() | json_values,
        "status": st.integers() | json_values,
        "headers": st.dictionaries(st.text(max_size=3), st.text(max_size=3)) | json_values,
        "wsc": st.fixed_dictionaries({"token": st.text(max_size=3), "sequence": st.integers(0, 9)}) | json_values,
    },
)
envelopes = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("uuid", "event", "timestamp", "subscriptionId", "ownerId", "body"), json_values),
)
frames = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.tuples(metas, envelopes | json_values).map(lambda pair: json.dumps(pair).encode()),
    st.tuples(metas, st.binary(max_size=30)).map(lambda pair: json.dumps([pair[0]]).encode()[:-1] + b",--" + pair[1]),
)


@given(st.lists(frames, max_size=12))
@example([json.dumps([{"type": "ConnectionDetails"}, {"recoveryTimeout": "x"}]).encode()])
@settings(deadline=None, max_examples=300)
def test_no_sequence_of_frames_raises_in_the_reader(data):
    emitter = EventEmitter()
    announcer = Announcer(emitter, on_gap=None, gap_timeout=1, retry_delay=lambda n: 1, on_gap_change=lambda: None)
    machine = SubscriptionMachine()
    account = Completeness(ServerClock(time.time(), 0.0))
    inbox = Inbox(machine, account, announcer, max_messages=10, max_bytes=10_000)
    machine.current = Subscription(SimpleNamespace(), ("/x",), inbox.new_queue())
    losses = []
    link = SimpleNamespace(
        lose=losses.append,
        send=lambda pending: None,
        send_heartbeat=lambda heartbeat: None,
        heartbeat_answered=lambda: None,
        last_inbound=0.0,
    )
    shared = WsgShared(
        session=Session(),
        completeness=account,
        table=RequestTable(),
        inbox=inbox,
        subscriptions=SimpleNamespace(),
        sync=SimpleNamespace(can_miss=True, has_wanted_filters=True),
        announcer=announcer,
        release_timeout=1,
        heartbeat_interval=30,
        closing=lambda: False,
        mark_changed=lambda: None,
        check_after_suspend=lambda: None,
    )

    async def main():
        conversation = WsgConversation(link, shared, token_offered=False, began_at=0.0)
        for frame in data:
            conversation.on_message(frame, False)

    anyio.run(main)
    assert len(machine.current.queue) <= 10


async def test_the_link_is_what_the_fuzz_test_stands_in_for(ext):
    assert all(
        hasattr(ext.ws, name) for name in ("lose", "send", "send_heartbeat", "heartbeat_answered", "last_inbound")
    )
