"""Counted work of the hot paths: decodes, tasks and timers per message. Counts only; time is for benchmarks/."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from rcex_ws.websocket.loop_socket import LoopSocket
from rcex_ws.wsg import frames, models

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]
INFO = "/restapi/v1.0/account/~/extension/~"
N = 200


class _Counting:
    """A decoder that counts."""

    def __init__(self, decoder, name, counts):
        self._decoder, self._name, self._counts = decoder, name, counts

    def decode(self, data):
        self._counts[self._name] += 1
        return self._decoder.decode(data)


@pytest.fixture
def counted(monkeypatch, anyio_backend_name):
    @asynccontextmanager
    async def counted() -> AsyncIterator[Counter[str]]:
        await anyio.wait_all_tasks_blocked()  # what was begun before is not counted
        counts: Counter[str] = Counter()
        decode_body = models.decode_body

        def counting_body(body):
            counts["bodies"] += 1
            return decode_body(body)

        with monkeypatch.context() as patch:
            patch.setattr(frames, "_frame_decoder", _Counting(frames._frame_decoder, "frames", counts))
            patch.setattr(frames, "_envelope_decoder", _Counting(frames._envelope_decoder, "envelopes", counts))
            patch.setattr(models, "decode_body", counting_body)
            if anyio_backend_name == "asyncio":
                loop = asyncio.get_running_loop()
                call_at, create_task = loop.call_at, loop.create_task

                def counting_call_at(*args, **kwargs):
                    counts["timers"] += 1
                    return call_at(*args, **kwargs)

                def counting_create_task(*args, **kwargs):
                    counts["tasks"] += 1
                    return create_task(*args, **kwargs)

                patch.setattr(loop, "call_at", counting_call_at)
                patch.setattr(loop, "create_task", counting_create_task)
                yield counts
            else:
                import trio

                class Spawned(trio.abc.Instrument):
                    def task_spawned(self, task):
                        counts["tasks"] += 1

                instrument = Spawned()
                trio.lowlevel.add_instrument(instrument)
                try:
                    yield counts
                finally:
                    trio.lowlevel.remove_instrument(instrument)

    return counted


async def test_a_notification_costs_two_decodes_no_task_and_no_timer(ext, told, gateway, counted):
    subscription = await ext.subscribe(STORE, lambda n: None)
    event = subscription.info.event_filters[0]
    frame = '[{"type":"ServerNotification"},{"uuid":"u%d","event":"' + event + '","body":{"a":"' + "x" * 300 + '"}}]'
    await told.wait("connectionReady")
    async with counted() as counts:
        gateway.send_raw([frame % number for number in range(N)])
        with anyio.fail_after(5):
            while subscription.delivered < N:
                await anyio.lowlevel.checkpoint()
    assert counts["frames"] == N
    assert counts["envelopes"] == N
    assert counts["bodies"] == 0, "a body nobody asked for was decoded"
    assert counts["tasks"] == 0
    assert counts["timers"] <= 2, "only this test's own time-out"


async def test_a_body_is_decoded_once_however_often_it_is_read(ext, told, gateway, counted):
    subscription = await ext.subscribe(STORE, lambda n: (n.body, n.body, n.body))
    async with counted() as counts:
        gateway.notify(STORE[0], {"i": 1})
        with anyio.fail_after(5):
            while subscription.delivered < 1:
                await anyio.lowlevel.checkpoint()
    assert counts["bodies"] == 1


async def test_in_flight_requests_cost_a_notification_nothing(ext, rc, gateway, counted, told):
    """The original decodes each frame once per request in flight (J15)."""
    await told.wait("connectionReady")
    subscription = await ext.subscribe(STORE, lambda n: None)
    event = subscription.info.event_filters[0]
    frame = '[{"type":"ServerNotification"},{"uuid":"v%d","event":"' + event + '","body":{}}]'
    gateway.answer_fault(f"GET {INFO}", delay=0.3, times=10)
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(rc.get, INFO)
        with anyio.fail_after(5):
            while sum(pending.sent for pending in ext._runtime._table.waiting()) < 10:
                await anyio.lowlevel.checkpoint()
            async with counted() as counts:
                gateway.send_raw([frame % number for number in range(N)])
                while subscription.delivered < N:
                    await anyio.lowlevel.checkpoint()
                assert counts["frames"] == N
                assert counts["tasks"] == 0


async def test_a_call_over_the_socket_costs_one_decode_no_timer_and_no_task(ext, rc, counted):
    await rc.get(INFO)
    async with counted() as counts:
        for _ in range(N):
            await rc.get(INFO)
    assert counts["frames"] == N
    assert counts["tasks"] == 0
    assert counts["timers"] <= 2, "one sleeper watches the deadlines of all calls"


@pytest.mark.parametrize("how", ["sync", "async", "iterator"])
async def test_every_way_to_take_notifications_costs_the_same(ext, told, gateway, counted, how):
    taken = anyio.Event()

    def sync(notification):
        if notification.uuid == f"w{N - 1}":
            taken.set()

    async def wait(notification):
        sync(notification)

    subscription = await ext.subscribe(STORE, {"sync": sync, "async": wait, "iterator": None}[how])
    event = subscription.info.event_filters[0]
    frame = '[{"type":"ServerNotification"},{"uuid":"w%d","event":"' + event + '","body":{}}]'
    await told.wait("connectionReady")
    async with counted() as counts:
        with anyio.fail_after(5):
            gateway.send_raw([frame % number for number in range(N)])
            if how == "iterator":
                async for notification in subscription:
                    sync(notification)
                    if taken.is_set():
                        break
            await taken.wait()
    assert (counts["frames"], counts["envelopes"], counts["bodies"], counts["tasks"]) == (N, N, 0, 0)
    assert counts["timers"] <= 2, "only this test's own time-out"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_calls_of_one_moment_are_written_together(ext, rc, monkeypatch):
    """The first goes out at once, the others follow in one write for each 32."""
    await rc.get(INFO)
    writes = []
    write = LoopSocket.write

    def counting(self, messages):
        if not self.can_write():
            return False
        messages = list(messages)
        writes.append(len(messages))
        return write(self, messages)

    monkeypatch.setattr(LoopSocket, "write", counting)
    async with anyio.create_task_group() as group:
        for _ in range(10):  # as many as the server takes at a time
            group.start_soon(rc.get, INFO)
    assert sum(writes) == 10
    assert writes[0] == 1
    assert len(writes) <= 4, writes


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # trio has no list of all tasks
async def test_an_idle_extension_keeps_one_task(rc, make_ext):
    """The supervisor, which keeps the connection and its heartbeat; none for reading, writing or handlers."""
    await rc.install_extension(make_ext())  # the client's own tasks come with the first
    await anyio.wait_all_tasks_blocked()
    before = len(asyncio.all_tasks())
    for _ in range(3):
        await rc.install_extension(make_ext())
    await anyio.wait_all_tasks_blocked()
    assert len(asyncio.all_tasks()) - before == 3
