"""A gap that `on_gap` has not handled, in a whole client: the schedule, reconnects, restarts and every way to close."""

from __future__ import annotations

import random

import msgspec
import pytest
import trio

from rcex_ws import ConfigurationError, ConnectFailed, Events, State, WebSocketExtension
from rcex_ws.wsg.stored import StoredGap
from tests.wsg.conftest import STORE
from tests.wsg.memory_store import MemoryStore


class Hook:
    """An `on_gap` that reads again by REST, which fails until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.calls = []
        self.at = []

    async def __call__(self, gap):
        self.calls.append(gap)
        self.at.append(trio.current_time())
        if not self.mended:
            raise ConnectionError("REST is not back yet")


@pytest.fixture
def hook():
    return Hook()


@pytest.fixture
def install(make_ext, rc, hook):
    async def install(**options):
        ext = make_ext(**{"on_gap": hook, **options})
        await rc.install_extension(ext)
        return ext

    return install


async def lose(memory, ext, told):
    """Lose the connection without a word, which is a possible gap."""
    await ext.subscribe([STORE], told.on_notification)
    await trio.sleep(60)
    memory.gateway.cut()
    await told.wait(Events.CONNECTION_READY, 2, within=60)
    return told.gaps[0]


async def test_the_hook_is_called_again_by_the_schedule_and_notifications_go_on(
    memory, install, told, hook, monkeypatch
):
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    ext = await install()
    gap = await lose(memory, ext, told)
    begun = trio.current_time()
    memory.gateway.notify(STORE, {"i": 1})
    await told.number(1)
    assert trio.current_time() == begun
    await trio.sleep(600)
    assert hook.calls == [gap] * len(hook.calls)
    waits = [round(late - early) for early, late in zip(hook.at, hook.at[1:], strict=False)]
    assert waits == [0, 1, 6, 20, 40, 80, 120, 120, 120]  # once more as soon as the connection is ready
    assert len(told.of(Events.ERROR)) == len(hook.calls)
    assert ext.stats.open_gaps == 1
    hook.mended = True
    await trio.sleep(120)
    count = len(hook.calls)
    assert ext.stats.open_gaps == 0
    await trio.sleep(3600)
    assert len(hook.calls) == count
    assert told.gaps == [gap]


async def test_the_hook_is_called_again_at_once_after_the_next_reconnect(memory, install, told, hook):
    ext = await install(reconnect_delays=lambda n: 10_000)
    gap = await lose(memory, ext, told)
    await trio.sleep(100)
    assert hook.calls == [gap, gap]
    hook.mended = True
    await ext.recover()  # which does nothing
    memory.gateway.cut(code=1001)  # no gap
    await told.wait(Events.CONNECTION_READY, 3)
    await trio.testing.wait_all_tasks_blocked()
    assert hook.calls == [gap] * 3
    assert ext.stats.open_gaps == 0


async def test_an_application_that_wants_no_pause_gets_one(memory, install, told, hook):
    ext = await install(reconnect_delays=lambda n: 0)
    await lose(memory, ext, told)
    before = len(hook.calls)
    await trio.sleep(10)
    assert len(hook.calls) - before <= 11


@pytest.mark.parametrize("end", ["detach", "aclose", "hung"])
async def test_the_next_process_tells_the_gap_again_as_it_was(memory, install, told, hook, end):
    """And recovers its session as after any clean end: what came later is not in doubt."""

    async def hang(gap):
        await trio.sleep_forever()

    store = MemoryStore()
    first = await install(session_store=store)
    gap = await lose(memory, first, told)
    if end == "hung":  # closed within the second call
        first.on_gap = hang
        await trio.sleep(2)
    await (first.aclose() if end == "aclose" else first.detach())
    calls = len(hook.calls)
    await trio.sleep(100)
    assert len(hook.calls) == calls
    hook.mended = True
    second = await install(session_store=store)
    await second.subscribe([STORE], told.on_notification)
    await trio.testing.wait_all_tasks_blocked()
    assert hook.calls[calls:] == [gap]
    assert told.gaps == [gap, gap]
    await second.detach()
    assert store.kept.open_gaps == []
    assert store.kept.clean


async def test_a_killed_process_leaves_all_its_gaps_apart(memory, install, told, hook):
    store = MemoryStore()
    first = await install(session_store=store)
    one = await lose(memory, first, told)
    await trio.sleep(1000)
    memory.gateway.cut()
    await told.wait(Events.CONNECTION_READY, 3)
    two = told.gaps[1]
    await trio.sleep(10)
    kept = store.kept
    await first.detach()
    store.kept = kept
    hook.mended = True
    before = len(told.gaps)
    second = await install(session_store=store)
    await trio.testing.wait_all_tasks_blocked()
    assert told.gaps[before : before + 2] == [one, two]
    (own,) = told.gaps[before + 2 :]  # of the kill
    assert own.since > two.since
    await second.revoke()


async def test_a_gap_survives_connect_and_revoke_in_this_process(memory, install, told, hook):
    ext = await install()
    gap = await lose(memory, ext, told)
    await ext.connect()
    await trio.sleep(1)
    assert ext.stats.open_gaps == 1
    await ext.revoke()
    calls = len(hook.calls)
    await trio.sleep(1000)
    assert len(hook.calls) == calls
    hook.mended = True
    await ext.connect()
    await trio.testing.wait_all_tasks_blocked()
    assert hook.calls[calls:] == [gap]


async def test_an_installation_that_is_tried_again_tells_a_stored_gap_once(memory, rc, install, told, hook):
    store = MemoryStore()
    first = await install(session_store=store)
    gap = await lose(memory, first, told)
    await first.detach()
    memory.gateway.refuse("upgrade", 503, times=None)
    second = WebSocketExtension(session_store=store, on_gap=hook)
    second.open_socket = memory.open_websocket
    told.listen(second)
    with pytest.raises(ConnectFailed):
        await rc.install_extension(second)
    assert second.stats.open_gaps == 1
    memory.gateway.clear_faults()
    hook.mended = True
    calls = len(hook.calls)
    await rc.install_extension(second)
    await trio.sleep(100)
    assert [one.since for one in hook.calls[calls:]] == [gap.since]
    assert [one.since for one in told.gaps] == [gap.since, gap.since]


async def test_a_repeated_call_may_close_the_extension(memory, install, told, hook):
    finished = trio.Event()

    async def close(gap):
        await ext.aclose()
        await trio.sleep(1)
        finished.set()

    ext = await install()
    await lose(memory, ext, told)
    ext.on_gap = close
    with trio.fail_after(10):
        await finished.wait()
    assert ext.state is State.CLOSED
    await trio.testing.wait_all_tasks_blocked()
    assert ext.stats.open_gaps == 0


async def test_a_slow_hook_holds_up_nothing_but_the_first_delivery(memory, install, told, hook):
    """While it is called again, events and notifications come as if it were not."""

    async def slow(gap):
        await trio.sleep(20)
        raise ConnectionError

    ext = await install(on_gap=slow)
    await lose(memory, ext, told)
    await trio.sleep(5)  # in the next call
    assert len(told.of(Events.ERROR)) == 1
    begun = trio.current_time()
    memory.gateway.notify(STORE, {"i": 1})
    await told.number(1)
    memory.gateway.cut(code=1001)
    memory.gateway.notify(STORE, {"i": 2})
    await told.number(2)
    assert trio.current_time() - begun < 5


async def test_the_hook_can_be_set_after_the_extension_is_made(memory, install, told, hook):
    ext = await install(on_gap=None)
    assert ext.on_gap is None
    ext.on_gap = hook
    assert ext.on_gap is hook
    gap = await lose(memory, ext, told)
    assert hook.calls[0] == gap
    with pytest.raises(ConfigurationError, match="on_gap"):
        ext.on_gap = "no function"
    assert ext.on_gap is hook


async def test_a_stored_gap_without_an_end_is_left_out(install, told):
    store = MemoryStore()
    first = await install(session_store=store)
    await first.subscribe([STORE], told.on_notification)
    await first.detach()
    store.kept = msgspec.structs.replace(store.kept, open_gaps=[StoredGap(since=0.0, reason="of another program")])
    second = await install(session_store=store)
    assert second.stats.open_gaps == 0
