"""The end of a client from every state, and what must never be left or logged."""

from __future__ import annotations

import asyncio
import logging
import random
from functools import partial
from typing import Any

import anyio
import pytest

from rcex_ws.connection import Endpoint, LossKind, State
from rcex_ws.errors import NotConnected


@pytest.mark.parametrize("state", [State.CONNECTING, State.WAITING, State.READY])
async def test_closing_is_quick_and_tells_whoever_waits(peer: Any, supervise: Any, until: Any, state: State) -> None:
    peer.hang = state is State.CONNECTING
    peer.refusals = [(503, {})] if state is State.WAITING else []
    outcomes: list[Exception] = []

    async with anyio.create_task_group() as group:
        async with supervise(peer.url, reconnect_delays=lambda _: 1000.0) as rig:
            await until(lambda: rig.supervisor.status.state is state and peer.upgrades)

            async def wait() -> None:
                try:
                    await (rig.supervisor.attempt_now if state is State.CONNECTING else rig.supervisor.wait_ready)()
                except NotConnected as error:
                    outcomes.append(error)

            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            started = anyio.current_time()
            await rig.aclose()
            assert anyio.current_time() - started < 1.0
            assert rig.child.done
            assert rig.supervisor.status.state is State.CLOSED
        group.cancel_scope.deadline = anyio.current_time() + 5
    assert len(outcomes) == (0 if state is State.READY else 1)
    with pytest.raises(NotConnected):
        await rig.supervisor.wait_ready()
    with pytest.raises(NotConnected):
        await rig.supervisor.attempt_now()
    await until(lambda: not peer.open)


async def test_a_polite_close_is_seen_by_the_peer(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url, reconnect_hint="call attempt_now()") as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        (connection,) = peer.open
        await rig.link.close(1000, "done", within=5.0)
        await until(lambda: connection.close_code is not None)
        assert (connection.close_code, connection.close_reason) == (1000, "done")


@pytest.mark.parametrize("code", [1000, 1001, 4000])
async def test_our_own_close_is_no_fault_of_the_peer(peer: Any, supervise: Any, lost_link: Any, code: int) -> None:
    async with supervise(peer.url, reconnect_hint="call attempt_now()") as rig:
        await rig.supervisor.wait_ready()
        await rig.link.close(code, "done", within=5.0)
        assert (await lost_link(rig)).kind is not LossKind.UNREADABLE


@pytest.mark.parametrize("buffered", [0, 64])
async def test_a_polite_close_is_bounded(
    peer: Any, supervise: Any, until: Any, lost_link: Any, ms: float, buffered: int
) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(peer.freeze)
        for _ in range(buffered):
            rig.link.send(b"x" * 2**18)
        await anyio.wait_all_tasks_blocked()
        started = anyio.current_time()
        await rig.link.close(1000, "", within=50 * ms)
        assert 45 * ms <= anyio.current_time() - started < 1.0
        await lost_link(rig)


async def test_a_polite_close_cuts_no_frame(peer: Any, supervise: Any, until: Any) -> None:
    """The writer is in the middle of a frame, the peer slow: what arrives is whole, and then the close frame."""
    peer.deaf = True
    async with supervise(peer.url, reconnect_hint="call attempt_now()") as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        (connection,) = peer.open
        await anyio.to_thread.run_sync(peer.freeze)
        for _ in range(64):
            rig.link.send(random.randbytes(2**17).hex().encode())
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as group:
            group.start_soon(partial(rig.link.close, 1000, "", within=8.0))
            await anyio.wait_all_tasks_blocked()
            await anyio.to_thread.run_sync(peer.thaw)
        await until(lambda: not peer.open)
        assert connection.close_code == 1000
        assert {len(message) for message in peer.received} == {2**18}


async def test_two_tasks_may_close_at_once(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url, reconnect_hint="call attempt_now()") as rig:
        await rig.supervisor.wait_ready()
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(partial(rig.link.close, 1000, "", within=4.0))
        await until(lambda: not peer.open)


async def test_a_cancelled_polite_close_still_ends_the_connection(
    peer: Any, supervise: Any, until: Any, lost_link: Any, ms: float
) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(peer.freeze)
        with anyio.move_on_after(30 * ms):
            await rig.link.close(1000, "", within=30.0)
        with anyio.fail_after(2):
            await lost_link(rig)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_task_is_left_on_asyncio(peer: Any, supervise: Any, until: Any) -> None:
    before = asyncio.all_tasks()
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        rig.link.abort()
        await rig.supervisor.wait_ready()
    await until(lambda: asyncio.all_tasks() == before)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_no_task_is_left_on_trio(peer: Any, supervise: Any) -> None:
    import trio

    before = trio.lowlevel.current_statistics().tasks_living
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        rig.link.abort()
        await rig.supervisor.wait_ready()
    await anyio.wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_the_url_is_in_no_log_and_no_error(
    peer: Any, supervise: Any, until: Any, ms: float, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "websockets", "websockets.client", "rcex_ws", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    peer.refusals = [(503, {}), (429, {}), (500, {})]
    texts: list[str] = []
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        rig.link.send(b"hello")
        await until(lambda: rig.talk.messages)
        texts += [repr(rig.link), repr(rig.driver.to)]
        await anyio.to_thread.run_sync(peer.reset)
        await until(lambda: len(rig.driver.talks) == 2 and rig.supervisor.is_ready)
        rig.driver.to = Endpoint(peer.url.replace("ws:", "http:"))
        rig.link.abort()
        await until(lambda: rig.supervisor.status.state is State.FAILED)
        errors = [*rig.driver.failures, *rig.driver.fatal]
    assert len(errors) == 4
    texts += [f"{error} {error!r} {error.args}" for error in errors]
    assert any(record.name == "rcex_ws.connection" for record in caplog.records)
    texts += [caplog.handler.format(record) for record in caplog.records]
    assert [text for text in texts if "SECRET" in text] == []


async def test_a_bug_while_closing_does_not_undo_the_closing(peer: Any, supervise: Any, talk_class: Any) -> None:
    class FailsAtTheEnd(talk_class):
        async def after_ready(self) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                raise KeyError("a bug")

    async with supervise(peer.url, talk=FailsAtTheEnd) as rig:
        await rig.supervisor.wait_ready()
        await rig.aclose()
        assert rig.child.done
        assert rig.supervisor.status.state is State.CLOSED


async def test_closing_while_a_replacement_waits_leaves_the_connection_for_the_farewell(
    peer: Any, supervise: Any, until: Any
) -> None:
    async with supervise(peer.url, reconnect_delays=lambda _: 60.0) as rig:
        await rig.supervisor.wait_ready()
        link = rig.link
        peer.refusals.append((503, {}))
        rig.supervisor.replace(at_once=True)
        await until(lambda: rig.driver.failures)
        rig.supervisor.begin_close()
        await anyio.wait_all_tasks_blocked()
        assert link.loss is None
        link.send(b"farewell")
        await until(lambda: peer.received == ["farewell"])
