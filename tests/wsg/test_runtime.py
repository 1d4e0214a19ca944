"""One life of the extension: what is stored, delivered and closed when several things happen at once."""

from __future__ import annotations

import anyio
import anyio.to_thread
import pytest

from rcex_ws import (
    Events,
    FileSessionStore,
    NotConnected,
    Outcome,
    Request,
    RequestLost,
    SlowConsumer,
    State,
    SubscriptionState,
)
from rcex_ws.wsg.completeness import MARGIN
from tests.wsg.memory_store import MemoryStore

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]
PRESENCE = ["/restapi/v1.0/account/~/extension/~/presence"]


async def test_a_cut_off_recovery_after_a_clean_restart_is_not_stored_as_clean(rc, make_ext, told, send, gateway):
    store = MemoryStore()
    first = make_ext(session_store=store)
    await rc.install_extension(first)
    await first.subscribe(STORE, told.on_notification)
    await first.detach()
    assert store.kept.clean
    gateway.refuse("details", "rst")
    second = make_ext(session_store=store, start_in_background=True, auto_recover=True, reconnect_delays=lambda n: 1000)
    await rc.install_extension(second)
    await told.wait(Events.AUTO_RECOVER_ERROR)
    await second.detach()
    assert not store.kept.clean


async def test_what_no_consumer_has_taken_is_neither_seen_nor_outside_the_gap(rc, make_ext, told, send, until):
    store = MemoryStore()
    ext = make_ext(session_store=store, close_timeout=0.5)
    await rc.install_extension(ext)
    subscription = await ext.subscribe(STORE)
    send(1, 2, 3)
    await until(lambda: subscription.pending == 3)
    await ext._runtime._keeper.write()
    waiting = list(subscription.queue.queued())
    assert not {item.uuid for item in waiting} & set(store.kept.uuids)
    assert store.kept.unfinished.since <= min(item.timestamp for item in waiting).timestamp()
    await ext.detach()
    assert not store.kept.clean


async def test_nothing_connects_again_while_it_closes(rc, make_ext, told, send, gateway):
    ext = make_ext(reconnect_delays=lambda n: 0.05, close_timeout=2)
    await rc.install_extension(ext)

    async def slow(notification):
        told.add("taken")
        await anyio.sleep(0.3)

    await ext.subscribe(STORE, slow)
    send(1)
    await told.wait("taken")
    gateway.cut()
    await told.wait(Events.DISCONNECTED)
    gateway.clear_log()
    await ext.detach()
    assert not any(entry["kind"] == "connect" for entry in gateway.log())


async def test_a_callback_that_cannot_be_cancelled_costs_neither_the_gap_nor_the_store(rc, make_ext, told, send, until):
    store = MemoryStore()
    ext = make_ext(session_store=store, close_timeout=0.4)
    await rc.install_extension(ext)
    release = anyio.Event()

    async def stubborn(notification):
        told.add("taken")
        with anyio.CancelScope(shield=True):
            await release.wait()

    subscription = await ext.subscribe(STORE, stubborn)
    send(1, 2, 3)
    await told.wait("taken")
    await until(lambda: subscription.pending == 2)
    with anyio.fail_after(2):
        await ext.detach()
    assert subscription.state is SubscriptionState.CLOSED
    assert not store.kept.clean
    gap = told.of("notificationGap")[-1] if told.of("notificationGap") else await told.wait("notificationGap")
    assert gap.certain
    release.set()


async def test_a_store_that_hangs_does_not_hold_up_closing(rc, make_ext, told):
    store = MemoryStore()
    ext = make_ext(session_store=store, close_timeout=0.5)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    store.hang = True
    with anyio.fail_after(3):
        await ext.detach()


async def test_an_overflow_that_never_ends_is_reported_at_its_start_and_at_the_end(rc, make_ext, told, send, until):
    ext = make_ext(max_pending=5)
    await rc.install_extension(ext)
    subscription = await ext.subscribe(STORE)
    send(*range(12))
    assert isinstance(await told.wait(Events.ERROR), SlowConsumer)
    await until(lambda: subscription.dropped == 7)
    await subscription.revoke()
    gap = await told.wait(Events.NOTIFICATION_GAP)
    assert gap.certain
    assert "7 notifications dropped" in gap.reason


async def test_an_error_frame_that_may_pass_does_not_cost_the_session(ext, told, send, gateway):
    await ext.subscribe(STORE, told.on_notification)
    gateway.refuse("details", 503, error_code="CMN-211")
    gateway.cut()
    send(1)
    await told.wait("notification")
    assert ext.last_recovery.outcome is Outcome.RECOVERED
    assert ext.last_recovery.attempts == 2


async def test_the_gap_of_an_unreadable_frame_begins_with_the_frame_before_it(ext, told, gateway):
    await ext.subscribe(STORE, told.on_notification)
    before = ext.ws.last_inbound_at
    gateway.send_raw("not JSON")
    gap = await told.wait(Events.NOTIFICATION_GAP)
    assert 0 <= (before - gap.since).total_seconds() < MARGIN + 1
    assert gap.since < gap.until


async def test_a_link_lost_before_it_was_announced_does_not_leave_its_events_behind(rc, make_ext, told, send, gateway):
    ext = make_ext(auto_recover=False, on_gap=lambda gap: anyio.sleep(0.1))
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    send(1)
    await told.wait(Events.DISCONNECTED)
    await ext.recover()
    gateway.cut()
    await told.wait("notification")


async def test_connecting_twice_at_once_leaves_one_connection(ext, gateway, told, until):
    async with anyio.create_task_group() as group:
        group.start_soon(ext.connect)
        group.start_soon(ext.connect)
    await ext.revoke()
    log = gateway.log()
    opened = {entry["connection"] for entry in log if entry["kind"] == "connect"}
    await until(lambda: opened <= {entry["connection"] for entry in gateway.log() if entry["kind"] == "lost"})
    assert ext.state is State.CLOSED


async def test_connecting_after_detach_begins_a_fresh_session(rc, make_ext, told):
    ext = make_ext(session_store=MemoryStore())
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    await ext.detach()
    await ext.connect()
    assert ext.last_recovery is None
    assert ext.subscription is None


async def test_a_late_error_answer_is_dropped(ext, gateway, rc, told):
    link = ext.ws
    gateway.send_raw('[{"type":"ERROR","messageId":"r999999","status":500},{"errorCode":"CMN-211"}]')
    assert (await rc.get("/restapi/v1.0/account/~/extension/~")).via == "websocket"
    assert ext.ws is link


async def test_a_store_is_left_when_install_is_cancelled(rc, make_ext, tmp_path, gateway):
    store = FileSessionStore(tmp_path / "session.json")
    gateway.refuse("upgrade", "hang", times=None)
    with anyio.move_on_after(0.1):
        await rc.install_extension(make_ext(session_store=store))
    gateway.clear_faults()
    await rc.install_extension(make_ext(session_store=store))


async def test_a_call_is_repeated_until_the_server_may_have_seen_what_must_not_be(ext, monkeypatch):
    runtime = ext._runtime
    outcomes, seen = [], []

    async def send(request):
        seen.append(request.method)
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(runtime.rest, "send", send)
    outcomes[:] = [NotConnected("gone"), RequestLost("gone", sent=False), "answer"]
    assert await runtime.send_when_ready(Request("POST", "/restapi/v1.0/x")) == "answer"
    outcomes[:] = [RequestLost("gone", sent=True), "answer"]
    assert await runtime.send_when_ready(Request("GET", "/restapi/v1.0/x")) == "answer"
    outcomes[:] = [RequestLost("gone", sent=True)]
    with pytest.raises(RequestLost):
        await runtime.send_when_ready(Request("POST", "/restapi/v1.0/x"))
    assert seen == ["POST"] * 3 + ["GET"] * 2 + ["POST"]
