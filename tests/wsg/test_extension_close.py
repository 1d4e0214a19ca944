"""Closing: bounded from every state, idempotent, from inside a handler, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import warnings

import anyio
import anyio.lowlevel
import pytest

from rcex_ws import Events, NotConnected, RingCentral, State, SubscriptionState

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"


@pytest.mark.parametrize("method", ["revoke", "detach", "aclose"])
async def test_closing_is_idempotent_and_final(ext, told, method):
    subscription = await ext.subscribe(STORE, told.on_notification)
    await getattr(ext, method)()
    await getattr(ext, method)()
    assert ext.state is State.CLOSED
    assert ext.ws is None
    assert subscription.state in (SubscriptionState.REVOKED, SubscriptionState.CLOSED)
    with pytest.raises(NotConnected):
        await ext.recover()


async def test_revoke_deletes_the_subscription(ext, told, requests):
    subscription = await ext.subscribe(STORE, told.on_notification)
    await ext.revoke()
    last = requests("/subscription")[-1]
    assert last["method"] == "DELETE"
    assert subscription.info.id in last["path"]


async def test_detach_keeps_it(ext, told, requests):
    await ext.subscribe(STORE, told.on_notification)
    await ext.detach()
    assert all(entry["method"] != "DELETE" for entry in requests("/subscription"))


async def test_revoke_works_offline(rc, make_ext, told, gateway, requests):
    ext = make_ext(reconnect_delays=lambda n: 1000)
    await rc.install_extension(ext)
    subscription = await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    await told.wait(Events.DISCONNECTED)
    with anyio.fail_after(4):
        await ext.revoke()
    assert requests("/subscription")[-1]["method"] == "DELETE"
    assert subscription.info.id in requests("/subscription")[-1]["path"]
    assert ext.state is State.CLOSED


async def test_closing_delivers_what_is_buffered(ext, told, send):
    async def slow(notification):
        await anyio.sleep(0.01)
        told.on_notification(notification)

    subscription = await ext.subscribe(STORE, slow)
    send(*range(10))
    with anyio.fail_after(5):
        while subscription.pending + subscription.delivered < 10:
            await anyio.lowlevel.checkpoint()
    await ext.detach()
    assert told.numbers == list(range(10))


async def test_what_is_not_delivered_in_time_is_said(rc, make_ext, told, send, caplog):
    async def hung(notification):
        told.add("hung")
        await anyio.sleep_forever()

    ext = make_ext(close_timeout=0.2)
    await rc.install_extension(ext)
    subscription = await ext.subscribe(STORE, hung)
    send(1, 2, 3)
    await told.wait("hung")
    with anyio.fail_after(5):
        while subscription.pending < 2:
            await anyio.lowlevel.checkpoint()
        await ext.detach()
    gap = told.of("notificationGap")[-1]
    assert gap.certain
    assert "2 notifications not delivered" in gap.reason


@pytest.mark.parametrize("method", ["revoke", "detach", "aclose"])
async def test_closing_from_inside_a_handler_lets_it_finish(ext, told, send, method):
    async def on_notification(notification):
        await getattr(ext, method)()
        await anyio.lowlevel.checkpoint()
        told.add("finished")

    subscription = await ext.subscribe(STORE, on_notification)
    send(1)
    with anyio.fail_after(4):
        await told.wait("finished")
    assert ext.state is State.CLOSED
    assert subscription.delivered == 1


async def test_closing_from_inside_a_handler_says_what_it_leaves_behind(ext, told, send):
    gate = anyio.Event()

    async def on_notification(notification):
        told.add("taken")
        await gate.wait()
        await ext.detach()
        told.add("finished")

    subscription = await ext.subscribe(STORE, on_notification)
    send(1, 2, 3)
    with anyio.fail_after(4):
        while subscription.pending < 2 or not told.of("taken"):
            await anyio.lowlevel.checkpoint()
        gate.set()
        await told.wait("finished")
    gap = await told.wait(Events.NOTIFICATION_GAP)
    assert gap.certain
    assert "2 notifications not delivered" in gap.reason
    assert told.names.count("taken") == 1


async def test_closing_the_client_from_inside_a_handler(gateway, make_ext, told, send):
    rc = RingCentral(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret)
    await rc.authorize(jwt=gateway.jwt)
    ext = make_ext()
    await rc.install_extension(ext)

    async def on_notification(notification):
        await rc.aclose()
        told.add("finished")

    await ext.subscribe(STORE, on_notification)
    send(1)
    with anyio.fail_after(4):
        await told.wait("finished")
    await rc.aclose()


async def test_closing_from_inside_a_lifecycle_handler_and_connecting_anew(rc, make_ext, told, gateway, send):
    ext = make_ext()
    done = anyio.Event()

    @ext.on("disconnected")
    async def start_over(loss):
        await ext.revoke()
        await ext.connect()
        done.set()

    await rc.install_extension(ext)
    gateway.cut()
    with anyio.fail_after(5):
        await done.wait()
    await ext.subscribe(STORE, told.on_notification)
    send(1)
    await told.wait("notification")
    await told.wait(Events.CONNECTION_READY, 2)


async def test_closing_while_waiting_to_retry(rc, make_ext, told, gateway):
    ext = make_ext(reconnect_delays=lambda n: 1000)
    await rc.install_extension(ext)
    gateway.cut()
    await told.wait(Events.DISCONNECTED)
    with anyio.fail_after(2):
        await ext.aclose()


async def test_closing_while_the_upgrade_hangs(rc, make_ext, gateway):
    gateway.refuse("upgrade", "hang", times=None)
    ext = make_ext(start_in_background=True)
    await rc.install_extension(ext)
    with anyio.fail_after(5):
        while ext.state is not State.CONNECTING:
            await anyio.lowlevel.checkpoint()
        await anyio.sleep(0.05)
        await ext.aclose()


async def test_closing_a_dead_link(rc, make_ext, gateway, told):
    ext = make_ext(close_timeout=0.4)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.freeze()
    with anyio.fail_after(3):
        await ext.aclose()


async def test_install_and_close_in_different_tasks(gateway, make_ext, told):
    rc = RingCentral(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret)
    await rc.authorize(jwt=gateway.jwt)
    async with anyio.create_task_group() as group:
        group.start_soon(rc.install_extension, make_ext())
    await told.wait(Events.CONNECTION_READY)
    async with anyio.create_task_group() as group:
        group.start_soon(rc.aclose)
    assert not rc.tasks.running


async def test_no_task_is_left(gateway, make_ext, told, anyio_backend_name):
    if anyio_backend_name != "asyncio":
        pytest.skip("trio has no list of all tasks; its nurseries cannot end before their tasks")
    before = asyncio.all_tasks()
    async with RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
    ) as rc:
        await rc.authorize(jwt=gateway.jwt)
        ext = make_ext()
        await rc.install_extension(ext)
        await ext.subscribe(STORE, told.on_notification)
        gateway.cut()
        await told.wait(Events.AUTO_RECOVER_SUCCESS)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_leaving_async_with_when_cancelled(gateway, make_ext, told):
    ext = make_ext()
    with anyio.move_on_after(0.3) as scope:
        async with RingCentral(
            server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
        ) as rc:
            await rc.authorize(jwt=gateway.jwt)
            await rc.install_extension(ext)
            await ext.subscribe(STORE, told.on_notification)
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert ext.state is State.CLOSED
    assert not rc.tasks.running


async def test_a_forgotten_close_is_a_resource_warning(gateway, make_ext, anyio_backend_name):
    rc = RingCentral(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret)
    await rc.authorize(jwt=gateway.jwt)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rc.__del__()
    assert any(one.category is ResourceWarning for one in caught)
    await rc.aclose()
    del rc
    gc.collect()


async def test_what_closing_finds_is_told_though_a_handler_hangs(rc, make_ext, told, send, gateway):
    ext = make_ext(close_timeout=0.5)
    await rc.install_extension(ext)

    async def hang(_):
        told.add("hangs")
        await anyio.sleep_forever()

    await ext.subscribe(STORE, hang)
    send(1)
    await told.wait("hangs")
    ext.on(Events.DISCONNECTED, hang)
    gateway.cut(code=1001)
    await told.wait("hangs", 2)
    await ext.aclose()
    assert [gap for gap in told.of(Events.NOTIFICATION_GAP) if gap.certain and "closed with" in gap.reason]


@pytest.mark.parametrize("method", ["connect", "revoke"])
async def test_a_handler_that_has_replaced_its_own_subscription_closes_without_waiting_for_its_successor(
    ext, told, gateway, send, method
):
    async def again(notification):
        successor = await ext.subscribe([*STORE, PRESENCE], told.on_notification)
        gateway.notify(PRESENCE, {"i": 2})
        while successor.pending < 1:
            await anyio.lowlevel.checkpoint()
        before = anyio.current_time()
        await getattr(ext, method)()
        told.add("closed", anyio.current_time() - before)

    await ext.subscribe(STORE, again)
    send(1)
    assert await told.wait("closed") < 2
    assert "1 notifications not delivered, 0 callbacks cancelled" in (await told.wait(Events.NOTIFICATION_GAP)).reason
    assert told.numbers == []
