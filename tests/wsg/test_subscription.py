"""Subscribing: callbacks and iteration, replacing, resuming, ending."""

from __future__ import annotations

import anyio
import pytest

from rcex_ws import (
    ConfigurationError,
    Events,
    NotConnected,
    RestError,
    SubscriptionEnded,
    SubscriptionInfo,
    SubscriptionState,
)

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]
PRESENCE = ["/restapi/v1.0/account/~/extension/~/presence"]


async def test_subscribe_with_a_sync_callback(ext, told, send):
    subscription = await ext.subscribe(STORE, told.on_notification)
    assert subscription.state is SubscriptionState.ACTIVE
    assert ext.subscription is subscription
    send(*range(50))
    await told.wait("notification", 50)
    assert told.numbers == list(range(50))
    assert subscription.delivered == 50


async def test_subscribe_with_an_async_callback_one_at_a_time(ext, told, send):
    running = 0

    async def on_notification(notification):
        nonlocal running
        running += 1
        assert running == 1
        await anyio.lowlevel.checkpoint()
        running -= 1
        told.on_notification(notification)

    await ext.subscribe(STORE, on_notification)
    send(*range(20))
    await told.wait("notification", 20)
    assert told.numbers == list(range(20))


async def test_subscribe_iterated(ext, send):
    subscription = await ext.subscribe(STORE)
    send(1, 2, 3)
    got = []
    async for notification in subscription:
        got.append(notification.body["i"])
        if len(got) == 3:
            await subscription.revoke()
    assert got == [1, 2, 3]
    assert subscription.state is SubscriptionState.REVOKED


async def test_an_iterator_ends_on_revoke_after_what_is_buffered(ext, send, told):
    subscription = await ext.subscribe(STORE)
    send(1, 2, 3)
    with anyio.fail_after(5):
        while subscription.pending < 3:
            await anyio.lowlevel.checkpoint()
    await subscription.revoke()
    assert [notification.body["i"] async for notification in subscription] == [1, 2, 3]


async def test_a_notification_has_all_its_parts(ext, gateway, told):
    subscription = await ext.subscribe(STORE, told.on_notification)
    (uuid,) = gateway.notify(STORE[0], {"i": 7})
    notification = await told.wait("notification")
    assert notification.uuid == uuid
    assert notification.event == subscription.info.event_filters[0]
    assert notification.subscription_id == subscription.info.id
    assert notification.timestamp.tzinfo is not None
    assert notification.owner_id == str(gateway.users[0].id)
    assert notification.body == {"i": 7}
    assert b'"subscriptionId"' in notification.raw


async def test_the_same_filters_swap_the_handler_without_a_wire_call(ext, told, send, requests):
    first = await ext.subscribe(STORE, lambda n: told.add("first"))
    calls = len(requests("/subscription"))
    second = await ext.subscribe(list(STORE), told.on_notification)
    assert len(requests("/subscription")) == calls
    assert second.info == first.info
    send(1)
    await told.wait("notification")
    assert told.of("first") == []
    assert first.state is SubscriptionState.REPLACED
    with pytest.raises(SubscriptionEnded):
        await first.refresh()


async def test_other_filters_are_put_on_the_one_subscription(ext, told, gateway, requests):
    first = await ext.subscribe(STORE, lambda n: told.add("first"))
    second = await ext.subscribe(PRESENCE, told.on_notification)
    assert second.info.id == first.info.id
    assert [entry["method"] for entry in requests("/subscription")] == ["POST", "PUT"]
    gateway.notify(STORE[0], {"i": 1})
    gateway.notify(PRESENCE[0], {"i": 2})
    await told.wait("notification")
    assert told.numbers == [2]
    assert told.of("first") == []


async def test_queued_notifications_keep_their_handler_and_order(ext, told, send):
    gate = anyio.Event()

    async def slow(notification):
        await gate.wait()
        told.add("slow", notification.body["i"])

    first = await ext.subscribe(STORE, slow)
    send(1, 2, 3)
    with anyio.fail_after(5):
        while first.pending + first.delivered < 3:
            await anyio.lowlevel.checkpoint()
    second = await ext.subscribe(STORE, lambda n: told.add("second", n.body["i"]))
    send(4, 5)
    with anyio.fail_after(5):
        while second.pending < 2:
            await anyio.lowlevel.checkpoint()
    gate.set()
    await told.wait("second", 2)
    assert [(name, value) for name, value in told.items if name in ("slow", "second")] == [
        ("slow", 1),
        ("slow", 2),
        ("slow", 3),
        ("second", 4),
        ("second", 5),
    ]


async def test_a_refused_replacement_leaves_the_first_untouched(ext, told, send, gateway):
    first = await ext.subscribe(STORE, told.on_notification)
    gateway.refuse("subscription", 403, error_code="SUB-528")
    with pytest.raises(RestError) as caught:
        await ext.subscribe(PRESENCE, lambda n: told.add("second"))
    assert caught.value.error_code == "SUB-528"
    assert first.state is SubscriptionState.ACTIVE
    assert ext.subscription is first
    send(1)
    await told.wait("notification")


async def test_a_refused_first_subscribe_raises_to_its_caller(ext, told, send, gateway):
    gateway.refuse("subscription", 403, error_code="SUB-528")
    with pytest.raises(RestError):
        await ext.subscribe(STORE, told.on_notification)
    assert ext.subscription is None
    subscription = await ext.subscribe(STORE, told.on_notification)
    send(1)
    await told.wait("notification")
    assert subscription.delivered == 1


async def test_a_notification_before_the_subscribe_answer(ext, told, gateway):
    event = {"event": STORE[0], "body": {"i": 1}}
    gateway.answer_fault("subscription", notify=event)
    await ext.subscribe(STORE, told.on_notification)
    await told.wait("notification")
    assert told.numbers == [1]


async def test_concurrent_subscribes_run_one_after_another(ext, requests):
    results = {}

    async def subscribe(name, filters):
        results[name] = await ext.subscribe(filters, lambda n: None)

    async with anyio.create_task_group() as group:
        for index, filters in enumerate([STORE, PRESENCE, STORE, PRESENCE]):
            group.start_soon(subscribe, index, filters)
    assert requests("/subscription")[0]["method"] == "POST"
    active = [one for one in results.values() if one.state is SubscriptionState.ACTIVE]
    assert active == [ext.subscription]
    assert len({one.info.id for one in results.values()}) == 1


async def test_update_and_refresh(ext, told, gateway):
    subscription = await ext.subscribe(STORE, told.on_notification)
    await subscription.refresh()
    await subscription.update(PRESENCE)
    assert subscription.event_filters == tuple(PRESENCE)
    gateway.notify(PRESENCE[0], {"i": 1})
    await told.wait("notification")


async def test_resuming_by_subscription_info_struct_or_dict(rc, ext, make_ext, told, send, requests):
    first = await ext.subscribe(STORE, told.on_notification)
    info = first.info
    assert SubscriptionInfo.from_dict(info.to_dict()) == info
    assert info.to_dict()["eventFilters"] == list(info.event_filters)
    other = make_ext()
    await rc.install_extension(other)
    resumed = await other.subscribe(STORE, lambda n: told.add("resumed"), info.to_dict())
    assert resumed.info.id == info.id
    assert requests("/subscription")[-1]["method"] == "PUT"
    send(1)
    await told.wait("resumed")


async def test_subscription_info_none_makes_a_new_one(ext, requests):
    await ext.subscribe(STORE, lambda n: None, None)
    assert [entry["method"] for entry in requests("/subscription")] == ["POST"]


async def test_an_unknown_subscription_info_makes_a_new_one_and_reports_a_gap(ext, told):
    subscription = await ext.subscribe(STORE, told.on_notification, {"id": "gone", "eventFilters": STORE})
    assert subscription.info.id != "gone"
    gap = await told.wait(Events.NOTIFICATION_GAP)
    assert gap.certain


async def test_other_errors_of_a_resume_raise(ext, gateway):
    gateway.refuse("subscription", 403, error_code="SUB-528")
    with pytest.raises(RestError):
        await ext.subscribe(STORE, lambda n: None, {"id": "x", "eventFilters": STORE})
    assert ext.subscription is None


@pytest.mark.parametrize("filters", [[], "/restapi/v1.0/x", None, ["no-slash"], 7])
async def test_bad_filters_name_the_field(ext, filters):
    with pytest.raises(ConfigurationError, match="event_filters"):
        await ext.subscribe(filters, lambda n: None)


async def test_bad_subscription_info_names_the_field(ext):
    with pytest.raises(ConfigurationError, match="subscription_info"):
        await ext.subscribe(STORE, lambda n: None, {"id": [7]})


async def test_a_bad_callback_names_the_field(ext):
    with pytest.raises(ConfigurationError, match="callback"):
        await ext.subscribe(STORE, "on_event")


async def test_a_subscription_with_a_callback_is_not_iterated(ext):
    subscription = await ext.subscribe(STORE, lambda n: None)
    with pytest.raises(ConfigurationError, match="callback"):
        async for _ in subscription:
            pass


async def test_an_exception_in_a_callback_goes_to_error_and_the_next_is_delivered(ext, told, send, caplog):
    def on_notification(notification):
        told.on_notification(notification)
        if notification.body["i"] == 1:
            raise ValueError("a bug of the application")

    await ext.subscribe(STORE, on_notification)
    send(1, 2)
    await told.wait("notification", 2)
    assert str(await told.wait(Events.ERROR)) == "a bug of the application"
    assert "a bug of the application" in caplog.text


async def test_a_handler_may_call_anything(rc, ext, told, send, requests):
    async def on_notification(notification):
        match notification.body["i"]:
            case 1:
                told.add("info", (await rc.get("/restapi/v1.0/account/~/extension/~")).via)
            case 2:
                await ext.subscribe(PRESENCE, lambda n: told.add("presence"))
                told.add("replaced")

    await ext.subscribe(STORE, on_notification)
    send(1, 2)
    await told.wait("replaced")
    assert told.of("info") == ["websocket"]
    send(3, event=PRESENCE[0])
    await told.wait("presence")


async def test_disabled_filters_are_a_certain_gap(rc, make_ext, told):
    ext = make_ext()
    await rc.install_extension(ext)
    subscription = await ext.subscribe([*STORE, *PRESENCE], told.on_notification)
    assert [item.filter for item in subscription.info.disabled_filters]
    gap = await told.wait(Events.NOTIFICATION_GAP)
    assert gap.certain
    assert "presence" in gap.reason


@pytest.fixture
def gateway_options(request):
    if "disabled_filters" in request.node.name:
        return {"disabled_filters": tuple(PRESENCE)}
    return {}


async def test_duplicates_are_dropped_by_uuid(ext, told, gateway):
    await ext.subscribe(STORE, told.on_notification)
    envelope = '{"uuid":"%s","event":"' + ext.subscription.info.event_filters[0] + '","body":{"i":%s}}'
    frame = '[{"type":"ServerNotification","messageId":"%s"},' + envelope + "]"
    gateway.send_raw([frame % ("a", "a", 1), frame % ("a", "a", 1), frame % ("b", "b", 2)])
    await told.wait("notification", 2)
    assert told.numbers == [1, 2]


async def test_subscribe_after_revoke_needs_connect(ext, told, send):
    await ext.subscribe(STORE, told.on_notification)
    await ext.revoke()
    with pytest.raises(NotConnected):
        await ext.subscribe(STORE, told.on_notification)
    await ext.connect()
    await ext.subscribe(STORE, told.on_notification)
    send(1)
    await told.wait("notification")


async def test_what_has_ended_is_not_revoked_again_and_keeps_its_state(ext, requests):
    subscription = await ext.subscribe(STORE, lambda n: None)
    await subscription.revoke()
    await subscription.revoke()
    subscription.end(SubscriptionState.CLOSED)
    assert subscription.state is SubscriptionState.REVOKED
    assert [entry["method"] for entry in requests("/subscription")] == ["POST", "DELETE"]
