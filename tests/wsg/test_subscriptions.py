"""The one subscription of an extension: restored, revoked, handed over and iterated, in whatever order."""

from __future__ import annotations

import anyio
import anyio.to_thread
import pytest

from rcex_ws import (
    BadFrame,
    Events,
    NotConnected,
    RestError,
    State,
    SubscriptionEnded,
    SubscriptionState,
)
from tests.wsg.memory_store import MemoryStore

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]


PRESENCE = ["/restapi/v1.0/account/~/extension/~/presence"]


async def test_the_filter_of_another_extension_is_not_taken_for_ones_own(ext, gateway, told, requests):
    await ext.subscribe(PRESENCE, lambda n: told.add("own"))
    other = PRESENCE[0].replace("extension/~", f"extension/{gateway.users[1].id}")
    await ext.subscribe([other], told.on_notification)
    assert [entry["method"] for entry in requests("/subscription")] == ["POST", "PUT"]
    gateway.notify(other, {"i": 1})
    await told.wait("notification")


async def test_a_subscription_revoked_while_it_is_restored_stays_revoked(ext, told, gateway, until):
    subscription = await ext.subscribe(STORE, told.on_notification)
    gateway.fail_recovery()
    gateway.answer_fault("POST /restapi/v1.0/subscription", delay=0.2)
    gateway.clear_log()
    gateway.cut()
    await until(lambda: any(e["kind"] == "request" and e["path"].endswith("/subscription") for e in gateway.log()))
    await subscription.revoke()
    await told.wait(Events.CONNECTION_READY, 2)
    assert subscription.state is SubscriptionState.REVOKED
    assert ext.subscription is None


async def test_a_subscription_handed_over_while_it_is_restored(ext, told, send, gateway, until):
    first = await ext.subscribe(STORE, lambda n: told.add("first"))
    gateway.fail_recovery()
    gateway.answer_fault("POST /restapi/v1.0/subscription", delay=0.2)
    gateway.clear_log()
    gateway.cut()
    await until(lambda: any(e["kind"] == "request" and e["path"].endswith("/subscription") for e in gateway.log()))
    second = await ext.subscribe(STORE, told.on_notification)
    await told.wait(Events.CONNECTION_READY, 2)
    assert (first.state, second.state) == (SubscriptionState.REPLACED, SubscriptionState.ACTIVE)
    assert ext.subscription is second
    send(1)
    await told.wait("notification")


async def test_nothing_is_delivered_while_the_gap_hook_runs_whoever_subscribes_meanwhile(
    rc, make_ext, told, send, gateway
):
    begun, go_on = anyio.Event(), anyio.Event()

    async def on_gap(gap):
        begun.set()
        await go_on.wait()
        told.add("hook through")

    ext = make_ext(on_gap=on_gap)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    send(1)
    await begun.wait()
    await ext.subscribe([*STORE, *PRESENCE], told.on_notification)
    send(2)
    await anyio.sleep(0.05)
    assert told.of("notification") == []
    go_on.set()
    await told.wait("notification", 2)
    assert told.numbers == [1, 2]
    assert told.names.index("hook through") < told.names.index("notification")


async def test_a_numeric_id_in_a_subscription_answer_is_read_and_a_bad_answer_is_our_error(ext, gateway, told):
    gateway.answer_fault("subscription", strip="body")
    with pytest.raises(BadFrame):
        await ext.subscribe(STORE, told.on_notification)
    assert ext.state is State.READY


async def test_subscriptions_revoked_offline_are_deleted_at_close(rc, make_ext, told, gateway, requests):
    ext = make_ext(reconnect_delays=lambda n: 1000)
    await rc.install_extension(ext)
    subscription = await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    await told.wait(Events.DISCONNECTED)
    await subscription.revoke()
    await ext.revoke()
    assert any(e["method"] == "DELETE" and subscription.info.id in e["path"] for e in requests("/subscription"))


async def test_an_iteration_can_be_broken_off_and_taken_up_again(ext, send):
    subscription = await ext.subscribe(STORE)
    send(1, 2)
    async for notification in subscription:
        assert notification.body["i"] == 1
        break
    async for notification in subscription:
        assert notification.body["i"] == 2
        break


async def test_the_same_filters_while_lost_by_hand_raise(rc, make_ext, told, gateway):
    ext = make_ext(auto_recover=False)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    await told.wait(Events.DISCONNECTED)
    with pytest.raises(NotConnected):
        await ext.subscribe(STORE, told.on_notification)


async def test_that_something_was_revoked_is_stored_before_anything_else_is_asked_for(rc, make_ext, told):
    store = MemoryStore()
    ext = make_ext(session_store=store)
    await rc.install_extension(ext)
    subscription = await ext.subscribe(STORE, told.on_notification)
    assert store.kept.subscription.wanted == tuple(STORE)
    await subscription.revoke()
    assert store.kept.subscription.wanted == ()


async def test_calls_behind_a_revocation_find_the_subscription_ended(ext, requests):
    subscription = await ext.subscribe(STORE, lambda n: None)
    errors = []

    async def update():
        try:
            await subscription.update(PRESENCE)
        except SubscriptionEnded as exc:
            errors.append(str(exc))

    async with anyio.create_task_group() as group, ext._runtime._sync.operations.one_at_a_time:
        for call in (subscription.revoke, update, subscription.revoke):
            group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
    assert errors == ["the subscription is revoked; subscribe again"]
    assert [entry["method"] for entry in requests("/subscription")] == ["POST", "DELETE"]


async def test_what_the_server_does_not_delete_for_good_is_forgotten(ext, gateway, requests):
    subscription = await ext.subscribe(STORE, lambda n: None)
    gateway.refuse("subscription", 403, error_code="SUB-528")
    with pytest.raises(RestError):
        await subscription.revoke()
    assert subscription.state is SubscriptionState.REVOKED
    await ext.revoke()
    assert [entry["method"] for entry in requests("/subscription")] == ["POST", "DELETE"]


async def test_an_earlier_subscription_is_of_no_use_to_one_that_is_wanted_and_gone(ext, requests, send, told):
    await ext.subscribe(STORE, told.on_notification)
    ext._runtime.subscriptions._machine.session_ended()
    await ext.subscribe(PRESENCE, told.on_notification, {"id": "old", "eventFilters": PRESENCE})
    assert [entry["method"] for entry in requests("/subscription")][:2] == ["POST", "POST"]
    send(1, event=PRESENCE[0])
    await told.number(1)


async def test_a_subscription_of_an_earlier_process_that_is_refused_on_the_next_session_is_forgotten(
    ext, gateway, told, send, requests
):
    first = await ext.subscribe(STORE, told.on_notification)
    info = first.info.to_dict()
    await ext.detach()
    await ext.connect()
    gateway.answer_fault("subscription", drop=True)
    async with anyio.create_task_group() as group:
        group.start_soon(ext.subscribe, STORE, told.on_notification, info)
        await told.until(lambda: True)
        with anyio.fail_after(5):
            while not any(entry["method"] == "PUT" for entry in requests("/subscription")):
                await anyio.sleep(0.002)
        gateway.fail_recovery()
        gateway.refuse("subscription", 403, error_code="SUB-528")
        gateway.cut()
    send(1)
    await told.number(1)
