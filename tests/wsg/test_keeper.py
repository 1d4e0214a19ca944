"""Surviving a restart of the process: with a session store, and by hand."""

from __future__ import annotations

import json
import os
import stat
import time

import anyio
import msgspec
import pytest

from rcex_ws import (
    ConfigurationError,
    Events,
    FileSessionStore,
    FileTokenStore,
    Outcome,
    RingCentral,
    SessionUnreadable,
    SubscriptionState,
)
from tests.wsg.memory_store import MemoryStore

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]


@pytest.fixture
def process(gateway, tmp_path):
    """A client as a new process would make it: same files, same OAuth session."""

    def process():
        return RingCentral(
            server=gateway.server,
            client_id=gateway.client_id,
            client_secret=gateway.client_secret,
            token_store=FileTokenStore(tmp_path / "token.json"),
        )

    return process


@pytest.fixture
def session_file(tmp_path):
    return tmp_path / "session.json"


async def _saved(session_file, subscription):
    """Wait until the file knows the subscription."""
    with anyio.fail_after(5):
        while not session_file.exists() or subscription.info.id not in session_file.read_text():
            await anyio.sleep(0.01)


async def test_a_killed_process_gets_everything_after_its_restart(
    process, gateway, session_file, make_ext, told, send, requests
):
    first = process()
    await first.authorize(jwt=gateway.jwt)
    ext = make_ext(session_store=FileSessionStore(session_file))
    await first.install_extension(ext)
    subscription = await ext.subscribe(STORE, told.on_notification)
    send(1)
    await told.wait("notification")
    kept = session_file.read_bytes()
    # Kill it: nothing of its good-bye reaches the server or the file.
    gateway.cut()
    await told.wait(Events.DISCONNECTED)
    await ext._runtime.stop(keep_session=True)
    await first.aclose()
    session_file.write_bytes(kept)
    send(*range(2, 12))
    calls = len(requests("/subscription"))

    async with process() as second:
        await second.authorize(jwt=gateway.jwt)
        again = make_ext(session_store=FileSessionStore(session_file))
        await second.install_extension(again)
        assert again.last_recovery.outcome is Outcome.RECOVERED
        resumed = await again.subscribe(STORE, told.on_notification)
        await told.wait("notification", 11)
        assert told.numbers == list(range(1, 12))
        assert resumed.info.id == subscription.info.id
        (asserted,) = requests("/subscription")[calls:]
        assert asserted["method"] == "PUT", "who was killed may have changed the filters"
        gap = await told.wait(Events.NOTIFICATION_GAP)
        assert not gap.certain
        assert "ended without closing" in gap.reason


async def test_a_clean_restart_has_no_gap(process, gateway, session_file, make_ext, told, send):
    async with process() as first:
        await first.authorize(jwt=gateway.jwt)
        ext = make_ext(session_store=FileSessionStore(session_file))
        await first.install_extension(ext)
        subscription = await ext.subscribe(STORE, told.on_notification)
        send(1)
        await told.wait("notification")
    assert subscription.state is SubscriptionState.CLOSED
    assert stat.S_IMODE(os.stat(session_file).st_mode) == 0o600
    assert json.loads(session_file.read_text())["clean"] is True
    send(2)
    async with process() as second:
        await second.authorize(jwt=gateway.jwt)
        again = make_ext(session_store=FileSessionStore(session_file))
        await second.install_extension(again)
        await told.wait(Events.AUTO_RECOVER_SUCCESS)
        await again.subscribe(STORE, told.on_notification)
        await told.wait("notification", 2)
    assert told.numbers == [1, 2]
    assert told.of("notificationGap") == []


async def test_recovered_events_wait_for_the_first_subscribe_and_other_filters_choose(
    process, gateway, session_file, make_ext, told, send
):
    async with process() as first:
        await first.authorize(jwt=gateway.jwt)
        ext = make_ext(session_store=FileSessionStore(session_file))
        await first.install_extension(ext)
        presence = "/restapi/v1.0/account/~/extension/~/presence"
        await ext.subscribe([*STORE, presence], told.on_notification)
    send(1)
    send(2, event=presence)
    async with process() as second:
        await second.authorize(jwt=gateway.jwt)
        again = make_ext(session_store=FileSessionStore(session_file))
        await second.install_extension(again)
        await again.subscribe([presence], told.on_notification)
        await told.wait("notification")
        send(3, event=presence)
        await told.wait("notification", 2)
    assert told.numbers == [2, 3]


async def test_a_restart_whose_session_is_gone_subscribes_anew_and_reports_the_gap(
    process, gateway, session_file, make_ext, told, send
):
    async with process() as first:
        await first.authorize(jwt=gateway.jwt)
        ext = make_ext(session_store=FileSessionStore(session_file))
        await first.install_extension(ext)
        old = await ext.subscribe(STORE, told.on_notification)
    stored = json.loads(session_file.read_text())
    stored["unfinished"]["since"] = time.time() - 1000
    session_file.write_text(json.dumps(stored))
    gateway.fail_recovery()
    async with process() as second:
        await second.authorize(jwt=gateway.jwt)
        again = make_ext(session_store=FileSessionStore(session_file))
        await second.install_extension(again)
        await told.wait(Events.AUTO_RECOVER_FAILED)
        assert again.last_recovery.outcome is Outcome.REFUSED
        assert again.last_recovery.outage == pytest.approx(1000, abs=30)
        gap = told.of("notificationGap")[-1]
        assert gap.certain
        assert gap.since.timestamp() == pytest.approx(stored["unfinished"]["since"], abs=1)
        new = await again.subscribe(STORE, told.on_notification)
        assert new.info.id != old.info.id
        send(1)
        await told.wait("notification")


async def test_duplicates_are_recognised_over_a_restart(process, gateway, session_file, make_ext, told):
    async with process() as first:
        await first.authorize(jwt=gateway.jwt)
        ext = make_ext(session_store=FileSessionStore(session_file))
        await first.install_extension(ext)
        subscription = await ext.subscribe(STORE, told.on_notification)
        event = subscription.info.event_filters[0]
        frame = '[{"type":"ServerNotification"},{"uuid":"%s","event":"' + event + '","body":{"i":%d}}]'
        gateway.send_raw(frame % ("a", 1))
        await told.wait("notification")
    async with process() as second:
        await second.authorize(jwt=gateway.jwt)
        again = make_ext(session_store=FileSessionStore(session_file))
        await second.install_extension(again)
        await again.subscribe(STORE, told.on_notification)
        gateway.send_raw([frame % ("a", 1), frame % ("b", 2)])
        await told.wait("notification", 2)
        assert told.numbers == [1, 2]
        assert again.last_recovery.duplicates == 1


async def test_by_hand_with_newWsc_wsc_token_and_subscription_info(process, gateway, make_ext, told, send):  # noqa: N802
    saved = {}

    async def save_wsc(wsc):
        await anyio.lowlevel.checkpoint()
        saved["wsc"] = wsc.token

    first = process()
    await first.authorize(jwt=gateway.jwt)
    ext = make_ext()
    ext.on("newWsc", save_wsc)
    await first.install_extension(ext)
    saved["info"] = (await ext.subscribe(STORE, told.on_notification)).info.to_dict()
    gateway.cut()
    await told.wait(Events.DISCONNECTED)
    await ext.detach()
    await first.aclose()
    send(1, 2)

    async with process() as second:
        await second.authorize(jwt=gateway.jwt)
        again = make_ext(wsc_token=saved["wsc"])
        await second.install_extension(again)
        await told.wait(Events.AUTO_RECOVER_SUCCESS)
        resumed = await again.subscribe(STORE, told.on_notification, subscription_info=saved["info"])
        await told.wait("notification", 2)
        assert resumed.info.id == saved["info"]["id"]
        assert told.numbers == [1, 2]


async def test_by_hand_a_failed_session_makes_a_new_subscription_deletes_the_old_and_reports_a_gap(
    rc, ext, gateway, make_ext, told, send, requests
):
    old = await ext.subscribe(STORE, lambda n: None)
    token = ext.wsc.token
    await ext.detach()
    gateway.fail_recovery("WSG-1003")
    again = make_ext(wsc_token=token)
    await rc.install_extension(again)
    await told.wait(Events.AUTO_RECOVER_FAILED)
    new = await again.subscribe(STORE, told.on_notification, old.info)
    assert new.info.id != old.info.id
    assert any(entry["method"] == "DELETE" and old.info.id in entry["path"] for entry in requests("/subscription"))
    send(1)
    await told.wait("notification")
    (gap,) = told.of("notificationGap")
    assert gap.certain


async def test_a_garbage_wsc_token_is_dropped(rc, make_ext, told, send):
    ext = make_ext(wsc_token="garbage")
    await rc.install_extension(ext)
    await told.wait(Events.AUTO_RECOVER_FAILED)
    assert ext.last_recovery.outcome is Outcome.UNREADABLE
    await ext.subscribe(STORE, told.on_notification)
    send(1)
    await told.wait("notification")


async def test_two_processes_on_one_file_the_second_is_refused_clearly(rc, session_file, make_ext):
    await rc.install_extension(make_ext(session_store=FileSessionStore(session_file)))
    with pytest.raises(ConfigurationError, match="in use by another process"):
        await rc.install_extension(make_ext(session_store=FileSessionStore(session_file)))


async def test_one_store_in_two_extensions_is_refused_too(rc, session_file, make_ext):
    store = FileSessionStore(session_file)
    await rc.install_extension(make_ext(session_store=store))
    with pytest.raises(ConfigurationError, match="another extension of this process"):
        await rc.install_extension(make_ext(session_store=store))


async def test_or_waits_for_its_turn(rc, session_file, make_ext, told):
    first = make_ext(session_store=FileSessionStore(session_file))
    await rc.install_extension(first)
    await first.subscribe(STORE, told.on_notification)
    second = make_ext(session_store=FileSessionStore(session_file, wait=5))
    async with anyio.create_task_group() as group:
        group.start_soon(rc.install_extension, second)
        await anyio.sleep(0.05)
        await first.detach()
    assert second.last_recovery.outcome is Outcome.RECOVERED


async def test_a_corrupt_file_is_reported_kept_aside_and_replaced(rc, session_file, make_ext, told):
    session_file.write_text("{not json")
    ext = make_ext(session_store=FileSessionStore(session_file))
    await rc.install_extension(ext)
    assert isinstance(await told.wait("error"), SessionUnreadable)
    assert session_file.with_name("session.json.bad").read_text() == "{not json"
    subscription = await ext.subscribe(STORE, told.on_notification)
    await _saved(session_file, subscription)


async def test_revoke_forgets_the_stored_session(rc, session_file, make_ext, told):
    ext = make_ext(session_store=FileSessionStore(session_file))
    await rc.install_extension(ext)
    subscription = await ext.subscribe(STORE, told.on_notification)
    await _saved(session_file, subscription)
    await ext.revoke()
    assert not session_file.exists()


async def test_the_store_is_written_at_most_once_a_second(rc, make_ext, told, send):
    class CountingStore:
        def __init__(self):
            self.saved = []

        async def open(self):
            return None

        async def save(self, session):
            self.saved.append(msgspec.json.encode(session))

        async def clear(self):
            self.saved.clear()

        async def close(self):
            pass

    store = CountingStore()
    ext = make_ext(session_store=store)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    send(*range(200))
    await told.wait("notification", 200)
    assert len(store.saved) <= 2


async def test_a_gap_that_was_not_handled_to_the_end_outlives_its_subscription(
    process, gateway, session_file, make_ext, told
):
    """The next process reports it, though it has no subscription to continue; the one after that does not."""

    async def hang(gap):
        told.add("hook", gap)
        await anyio.sleep_forever()

    async with process() as first:
        await first.authorize(jwt=gateway.jwt)
        ext = make_ext(session_store=FileSessionStore(session_file), on_gap=hang, close_timeout=1)
        await first.install_extension(ext)
        subscription = await ext.subscribe(STORE, told.on_notification)
        gateway.fail_recovery()
        gateway.cut()
        gap = await told.wait("hook")
        assert gap.certain
        await subscription.revoke()
    async with process() as second:
        await second.authorize(jwt=gateway.jwt)
        ext = make_ext(session_store=FileSessionStore(session_file), on_gap=lambda gap: told.add("again", gap))
        await second.install_extension(ext)
        again = await told.wait("again")
        assert again == gap
    async with process() as third:
        await third.authorize(jwt=gateway.jwt)
        ext = make_ext(session_store=FileSessionStore(session_file), on_gap=lambda gap: told.add("again", gap))
        await third.install_extension(ext)
        await ext.subscribe(STORE, told.on_notification)
    assert len(told.of("again")) == 1


async def test_a_fresh_session_does_not_care_for_a_store_that_cannot_be_read(rc, make_ext, told):
    class Unreadable(MemoryStore):
        unreadable = False

        async def open(self):
            if self.unreadable:
                raise SessionUnreadable("no JSON")

    store = Unreadable()
    ext = make_ext(session_store=store)
    await rc.install_extension(ext)
    store.unreadable = True
    await ext.connect()
    assert told.of(Events.ERROR) == []


async def test_a_session_without_a_subscription_is_not_recovered(rc, make_ext, told, send):
    store = MemoryStore()
    first = make_ext(session_store=store)
    await rc.install_extension(first)
    subscription = await first.subscribe(STORE, told.on_notification)
    await subscription.revoke()
    await first.detach()
    assert store.kept.subscription.wanted == ()
    second = make_ext(session_store=store)
    await rc.install_extension(second)
    assert second.last_recovery is None
    await second.subscribe(STORE, told.on_notification)
    send(1)
    await told.number(1)
    assert told.gaps == []


async def test_a_subscription_that_fails_at_the_restart_leaves_no_gap_where_nothing_waits(rc, make_ext, told, gateway):
    store = MemoryStore()
    first = make_ext(session_store=store)
    await rc.install_extension(first)
    await first.subscribe(STORE, told.on_notification)
    await first.detach()
    gateway.fail_recovery()
    gateway.refuse("subscription", 403, error_code="SUB-528")
    second = make_ext(session_store=store)
    await rc.install_extension(second)
    assert await told.wait(Events.ERROR)
    assert second.subscription is None
    assert not any("not delivered" in gap.reason for gap in told.gaps)
