"""What a loop has in hand when its client closes: processed or not, and what the next process is told."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from datetime import UTC, datetime

import anyio
import pytest

from rcex_ws import Events, RingCentral
from tests.wsg.memory_store import MemoryStore

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def process(gateway):
    """A client as a new process would make it."""
    tokens = []

    async def process():
        rc = RingCentral(
            server=gateway.server,
            client_id=gateway.client_id,
            client_secret=gateway.client_secret,
            token=tokens[0] if tokens else None,
        )
        if not tokens:
            await rc.authorize(jwt=gateway.jwt)
            tokens.append(rc.token)
        return rc

    return process


@pytest.fixture
async def running(process, make_ext, store):
    """A client with an extension that has a store."""
    rc = await process()
    ext = make_ext(session_store=store, close_timeout=0.5)
    await rc.install_extension(ext)
    yield rc, ext
    await rc.aclose()


@pytest.fixture
def told_next(process, make_ext, told, store):
    """Start the next process, and return the gaps that it is told."""

    async def told_next():
        before = len(told.gaps)
        async with await process() as rc:
            again = make_ext(session_store=store)
            await rc.install_extension(again)
            await told.wait(Events.AUTO_RECOVER_SUCCESS)
            await again.subscribe(STORE, told.on_notification)
            return told.gaps[before:]

    return told_next


def check_told(gaps, notification, store_before):
    (gap,) = gaps
    assert not gap.certain
    assert gap.reason == "the last process ended before everything was received and processed"
    assert gap.since <= datetime.fromtimestamp(notification.made, UTC) <= gap.until
    assert notification.uuid not in store_before.uuids


async def leave_by_error():
    raise ValueError("of the body")


async def leave_by_exit():
    sys.exit()


@pytest.mark.parametrize("leave", [leave_by_error, leave_by_exit])
async def test_an_exception_out_of_the_body_leaves_what_is_in_hand_to_the_next_process(
    running, told_next, store, send, caplog, leave
):
    rc, ext = running
    in_hand = []

    async def work():
        async with rc:
            subscription = await ext.subscribe(STORE)
            send(1)
            async for notification in subscription:
                in_hand.append(notification)
                await leave()

    with pytest.raises((ValueError, SystemExit)):
        await work()
    assert "closing before everything was processed; the next process is told" in caplog.text
    kept = store.kept
    check_told(await told_next(), in_hand[0], kept)


async def test_without_a_store_the_log_is_all_that_can_say_so(process, make_ext, send, caplog):
    for leave, said in ((leave_by_error, True), (None, False)):
        caplog.clear()
        ext = make_ext()

        async def work(ext=ext, leave=leave):
            async with await process() as rc:
                await rc.install_extension(ext)
                subscription = await ext.subscribe(STORE)
                send(1, 2)
                async for _ in subscription:
                    if leave is None:
                        break
                    await leave()

        with nullcontext() if leave is None else pytest.raises(ValueError, match="of the body"):
            await work()
        assert ("closing before what was in hand" in caplog.text) is said
        assert "closing before everything" not in caplog.text


async def test_a_cancellation_out_of_the_body_leaves_it_too(running, told_next, store, send):
    rc, ext = running
    in_hand = []
    with anyio.CancelScope() as scope:
        async with rc:
            subscription = await ext.subscribe(STORE)
            send(1)
            async for notification in subscription:
                in_hand.append(notification)
                scope.cancel()
                await anyio.sleep_forever()
    kept = store.kept
    check_told(await told_next(), in_hand[0], kept)


async def test_a_task_of_the_loop_that_was_cancelled_leaves_it_without_a_wait(running, told_next, store, send):
    rc, ext = running
    in_hand = []
    begun = anyio.Event()

    async def consume(subscription):
        async for notification in subscription:
            in_hand.append(notification)
            begun.set()
            await anyio.sleep_forever()

    async with rc:
        subscription = await ext.subscribe(STORE)
        send(1)
        async with anyio.create_task_group() as group:
            group.start_soon(consume, subscription)
            await begun.wait()
            group.cancel_scope.cancel()
        with anyio.fail_after(0.3):
            await rc.aclose()
    kept = store.kept
    check_told(await told_next(), in_hand[0], kept)


async def test_closing_in_a_finally_because_of_an_exception_leaves_it_too(running, told_next, store, send):
    _, ext = running
    in_hand = []
    subscription = await ext.subscribe(STORE)
    send(1)

    async def work():
        try:
            async for notification in subscription:
                in_hand.append(notification)
                await leave_by_error()
        finally:
            await ext.detach()

    with pytest.raises(ValueError, match="of the body"):
        await work()
    kept = store.kept
    check_told(await told_next(), in_hand[0], kept)


async def test_a_loop_that_was_left_on_purpose_has_processed_it(running, told_next, store, send, caplog):
    rc, ext = running
    async with rc:
        subscription = await ext.subscribe(STORE)
        send(1)
        async for _ in subscription:
            break
    assert store.kept.clean
    assert "closing before" not in caplog.text
    assert await told_next() == []


async def test_who_closes_in_the_body_has_processed_it(running, told_next, store, send):
    rc, ext = running
    subscription = await ext.subscribe(STORE)
    send(1)
    async for _ in subscription:
        await rc.aclose()
    assert store.kept.clean
    assert await told_next() == []


async def test_closing_in_another_task_waits_for_the_body(running, told_next, store, send):
    rc, ext = running
    begun, closing, done = anyio.Event(), anyio.Event(), []

    async def consume(subscription):
        async for notification in subscription:
            begun.set()
            await closing.wait()
            await anyio.sleep(0.05)
            done.append(notification.body["i"])

    subscription = await ext.subscribe(STORE)
    async with anyio.create_task_group() as group:
        group.start_soon(consume, subscription)
        send(1, 2, 3)
        await begun.wait()
        with anyio.fail_after(5):
            while subscription.pending < 2:
                await anyio.lowlevel.checkpoint()
        closing.set()
        await rc.aclose()
        assert done == [1, 2, 3]
    assert store.kept.clean
    assert await told_next() == []


async def test_closing_in_another_task_does_not_wait_for_ever(running, told_next, store, send):
    rc, ext = running
    begun, in_hand = anyio.Event(), []

    async def consume(subscription):
        async for notification in subscription:
            in_hand.append(notification)
            begun.set()
            await anyio.sleep_forever()

    subscription = await ext.subscribe(STORE)
    async with anyio.create_task_group() as group:
        group.start_soon(consume, subscription)
        send(1)
        await begun.wait()
        with anyio.fail_after(5):
            await rc.aclose()
        group.cancel_scope.cancel()
    kept = store.kept
    check_told(await told_next(), in_hand[0], kept)


async def test_what_is_in_hand_is_left_to_the_next_process_also_when_this_one_is_killed(running, store, send):
    _, ext = running
    for delivered in ("by iteration", "to a callback"):
        in_hand = []
        gate = anyio.Event()

        async def work(notification, in_hand=in_hand, gate=gate):
            in_hand.append(notification)
            await gate.wait()

        async def consume(subscription, work=work):
            async for notification in subscription:
                await work(notification)

        async with anyio.create_task_group() as group:
            if delivered == "by iteration":
                group.start_soon(consume, await ext.subscribe(STORE))
            else:
                await ext.subscribe(STORE, work)
            send(1)
            with anyio.fail_after(5):
                while not in_hand:
                    await anyio.sleep(0.01)
                await ext._runtime._keeper.write()
                assert in_hand[0].uuid not in store.kept.uuids, delivered
                assert store.kept.unfinished.since <= in_hand[0].made
                gate.set()
            group.cancel_scope.cancel()
