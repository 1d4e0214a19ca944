"""One life: whoever closes it, in whatever state it is, it is closed once, within its time, and nothing goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from rcex_ws.connection import Conversation, Endpoint, Life, Link, Loss, RequestTable, State, Supervisor
from rcex_ws.errors import ConnectFailed, NotConnected, RcexError
from rcex_ws.tasks import BackgroundTask, RootTask
from rcex_ws.websocket.socket import Ending as Closed

STAGES = ["endpoint", "upgrade", "handshake", "prepare", "ready"]


async def nothing() -> None:
    pass


class Plan(Conversation):
    """A driver and its conversations: does what a test has planned for a stage, and notes the stages it came to."""

    def __init__(self, url: str = "ws://nowhere/") -> None:
        self.url = url
        self.do: dict[str, Callable[[], Awaitable[object]]] = {}
        self.came_to: list[str] = []
        self.losses: list[Loss] = []
        self.asked: list[Loss | RcexError] = []
        self.error: Exception | None = None

    async def _stage(self, name: str) -> None:
        self.came_to.append(name)
        await self.do.get(name, nothing)()

    async def endpoint(self) -> Endpoint:
        await self._stage("endpoint")
        return Endpoint(self.url)

    def conversation(self, link: Link) -> Conversation:
        self.came_to.append("open")
        return self

    async def next_delay(self, ended: Loss | RcexError, delay: float) -> float | None:
        self.asked.append(ended)
        return delay

    def on_misconfigured(self, error: Exception) -> None:
        raise error

    def on_failed(self, error: Exception) -> None:
        self.error = error

    def on_message(self, data: bytes, binary: bool) -> None:
        pass

    def on_pong(self, data: bytes) -> None:
        pass

    def heartbeat(self) -> bytes:
        return b"beat"

    def on_suspended(self, seconds: float) -> None:
        pass

    def on_lost(self, loss: Loss) -> None:
        self.losses.append(loss)

    async def handshake(self) -> None:
        await self._stage("handshake")

    async def prepare(self) -> None:
        await self._stage("prepare")

    async def after_ready(self) -> None:
        await self._stage("ready")


class Living:
    """A life, and a record of what happened in it."""

    def __init__(self, plan: Plan, *, close_timeout: float, **options: Any) -> None:
        self.plan = plan
        self.root = RootTask("test")
        self.supervisor = Supervisor(plan, **{"reconnect_delays": lambda _: 0.01, **options})
        self.life = Life(self.supervisor, close_timeout=close_timeout, root=self.root)
        self.told: list[str] = []

    def note(self, what: str, then: Callable[[], Awaitable[object]] = nothing) -> Callable[[], Any]:
        """Make a step that notes that it began, and whether it came to its end."""

        async def step() -> None:
            self.told.append(what)
            try:
                await then()
            except BaseException as exc:
                self.told.append(f"{what}: {'cut' if isinstance(exc, anyio.get_cancelled_exc_class()) else 'raised'}")
                raise

        return step

    async def close(self, **steps: Callable[[], Any]) -> None:
        notes = {name: self.note(name) for name in ("farewell", "drain", "last")}
        await self.life.close(**{**notes, **steps})


@pytest.fixture
async def living() -> AsyncIterator[Callable[..., Awaitable[Living]]]:
    """Start lives; in the end nothing of them may be left."""
    lives: list[Living] = []

    async def start(plan: Plan, **options: Any) -> Living:
        lives.append(Living(plan, **{"close_timeout": 5.0, **options}))
        await lives[-1].life.start()
        return lives[-1]

    yield start
    for one in lives:
        with anyio.fail_after(10, shield=True):
            await one.life.close()
            await one.root.aclose()


@pytest.fixture
def plan(peer: Any) -> Plan:
    return Plan(peer.url)


# -- the story -----------------------------------------------------------------------------------------------------


async def test_what_happens_in_which_order(living: Any, plan: Plan, peer: Any, until: Any) -> None:
    one = await living(plan)
    life, told = one.life, one.told
    life.spawn(one.note("passing", anyio.sleep_forever), "passing")
    life.spawn(one.note("lasting", anyio.sleep_forever), "lasting", needed_to_close=True)
    await life.wait_open(5)
    await until(lambda: len(told) == 2 and len(peer.open) == 1)

    async def farewell() -> None:
        assert one.supervisor.status.state is State.CLOSED
        assert one.supervisor.link.loss is None
        assert life.spawn(one.note("never"), "operation").done
        one.supervisor.link.send(b"good-bye")

    async def drain() -> None:
        assert one.supervisor.link is None
        assert [loss.code for loss in plan.losses] == [1000]
        await life.wait_ended()
        await life.spawn(one.note("helper"), "helper", needed_to_close=True).wait()

    async def last() -> None:
        assert life.spawn(one.note("never"), "helper", needed_to_close=True).done

    await life.close(farewell=one.note("f", farewell), drain=one.note("d", drain), last=one.note("l", last))
    assert sorted(told[:2]) == ["lasting", "passing"]
    assert told[2:] == ["passing: cut", "f", "d", "helper", "lasting: cut", "l"]
    await until(lambda: not peer.open)  # it has answered the close, but not taken everything yet
    assert peer.received == ["good-bye"]
    assert plan.asked == []
    await life.wait_ended()
    with pytest.raises(NotConnected):
        await life.wait_open(5)


async def test_others_wait_for_the_first(living: Any, plan: Plan) -> None:
    one = await living(plan)
    await one.life.wait_open(5)
    closed = 0

    async def close(step: Callable[[], Any]) -> None:
        nonlocal closed
        await one.close(drain=step)
        assert one.told[-1] == "last"
        closed += 1

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(close, one.note(f"drain {number}", anyio.lowlevel.checkpoint))
    assert closed == 3
    assert len([what for what in one.told if what.startswith("drain")]) == 1


async def test_a_step_that_raises_does_not_keep_the_others_from_being_taken(
    living: Any, plan: Plan, caplog: pytest.LogCaptureFixture
) -> None:
    one = await living(plan)
    await one.life.wait_open(5)

    async def broken(exc: Exception) -> None:
        raise exc

    with pytest.raises(LookupError, match="the first"):
        await one.close(
            farewell=one.note("farewell", lambda: broken(LookupError("the first"))),
            last=one.note("last", lambda: broken(OSError("the second"))),
        )
    assert one.told == ["farewell", "farewell: raised", "drain", "last", "last: raised"]
    assert "the second" in caplog.text


async def test_a_link_lost_in_the_farewell_is_not_reopened(living: Any, plan: Plan, peer: Any, until: Any) -> None:
    one = await living(plan)
    await one.life.wait_open(5)
    await until(lambda: peer.open)

    async def farewell() -> None:
        await anyio.to_thread.run_sync(peer.reset)
        await until(lambda: plan.losses)

    await one.close(farewell=farewell)
    assert plan.came_to.count("endpoint") == 1
    assert plan.asked == []
    assert one.told == ["drain", "last"]


async def test_a_crash_ends_the_attempt_under_way(living: Any, plan: Plan, peer: Any, until: Any) -> None:
    """FAILED is final: an attempt that goes on must not make it READY."""
    peer.hang = True
    one = await living(plan)
    await until(lambda: peer.upgrades)

    async def broken() -> None:
        raise LookupError("a bug")

    one.life.spawn(broken, "broken")
    with anyio.fail_after(5):
        await one.life.wait_ended()
    assert one.supervisor.status.state is State.FAILED
    assert isinstance(plan.error, LookupError)
    with pytest.raises(LookupError):
        await one.life.wait_open(5)


async def test_waiting_for_the_connection_takes_no_longer_than_told(living: Any, plan: Plan, ms: float) -> None:
    plan.do["endpoint"] = anyio.sleep_forever
    one = await living(plan)
    with pytest.raises(ConnectFailed, match="no answer") as caught:
        await one.life.wait_open(50 * ms)
    assert caught.value.retryable


@pytest.mark.parametrize("closed", ["before", "meanwhile"])
async def test_closing_may_be_faster_than_starting(plan: Plan, closed: str) -> None:
    one = Living(plan, close_timeout=5)
    if closed == "before":
        await one.close()
        await one.life.start()
        assert not one.root.running
    else:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.life.start)
            await one.close()
    with anyio.fail_after(5):
        await one.life.wait_ended()
        await one.root.aclose()
    assert plan.came_to == []
    assert one.told == ["farewell", "drain", "last"]


# -- from inside ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("needed", [True, False])
async def test_a_task_that_closes_its_life_is_left_to_finish(living: Any, plan: Plan, needed: bool) -> None:
    one = await living(plan)
    await one.life.wait_open(5)

    async def handler() -> None:
        await one.close()
        await anyio.lowlevel.checkpoint()
        one.told.append("finished")

    child = one.life.spawn(handler, "handler", needed_to_close=needed)
    with anyio.fail_after(2):
        await child.wait()
    assert one.told == ["farewell", "drain", "last", "finished"]


async def test_a_task_that_the_closing_waits_for_may_close_too(living: Any, plan: Plan, until: Any) -> None:
    one = await living(plan)
    await one.life.wait_open(5)
    closes = anyio.Event()

    async def handler() -> None:
        await closes.wait()
        await one.close()
        one.told.append("finished")

    child = one.life.spawn(handler, "handler", needed_to_close=True)

    async def drain() -> None:
        closes.set()
        await child.wait()

    began = anyio.current_time()
    await one.close(drain=one.note("drain", drain))
    await until(lambda: child.done)
    assert anyio.current_time() - began < 2
    assert one.told == ["farewell", "drain", "last", "finished"]


@pytest.mark.parametrize("step", ["farewell", "drain", "last"])
async def test_a_step_may_call_something_that_closes(living: Any, plan: Plan, step: str) -> None:
    """Application code that a farewell passes through, say; it does not wait for what waits for it."""
    one = await living(plan)
    await one.life.wait_open(5)
    with anyio.fail_after(2):
        await one.close(**{step: one.note(step, one.close)})
    assert one.told == ["farewell", "drain", "last"]


async def test_two_lives_whose_closings_close_each_other(living: Any, plan: Plan, ms: float) -> None:
    one, other = await living(plan, close_timeout=1000 * ms), await living(plan, close_timeout=1000 * ms)
    with anyio.fail_after(3000 * ms):
        await one.close(farewell=lambda: other.close(farewell=one.close))
    assert one.told == other.told == ["drain", "last"]


async def test_what_a_driver_calls_to_know_where_to_connect_may_close(living: Any, plan: Plan, peer: Any) -> None:
    """It is application code, a middleware say: it is not cancelled, and yet the attempt comes to nothing."""
    one: Living
    done = anyio.Event()

    async def close() -> None:
        await one.close()
        await anyio.lowlevel.checkpoint()
        done.set()

    plan.do["endpoint"] = close
    one = await living(plan)
    with anyio.fail_after(3):
        await done.wait()
        await one.life.wait_ended()
    assert plan.came_to == ["endpoint"]
    assert one.supervisor.status.state is State.CLOSED
    assert peer.upgrades == []


# -- cancelled -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["farewell", "drain", "last"])
async def test_a_cancelled_caller_closes_all_the_same(living: Any, plan: Plan, step: str) -> None:
    one = await living(plan)
    await one.life.wait_open(5)
    with anyio.CancelScope() as scope:

        async def cancel() -> None:
            scope.cancel()
            await anyio.lowlevel.checkpoint()

        await one.close(**{step: one.note(step, cancel)})
        await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert one.told == ["farewell", "drain", "last"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("first", [True, False])
async def test_asyncios_own_cancellation_waits_for_the_end(living: Any, plan: Plan, first: bool) -> None:
    one = await living(plan)
    await one.life.wait_open(5)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def drain() -> None:
        reached.set()
        await go_on.wait()

    closing = asyncio.create_task(one.close(drain=one.note("drain", drain)))
    await reached.wait()
    cancelled = closing if first else asyncio.create_task(one.close())
    await asyncio.sleep(0)
    for _ in range(3):
        cancelled.cancel()
        await asyncio.sleep(0)
    assert not cancelled.done()
    go_on.set()
    await asyncio.wait({closing, cancelled})
    assert cancelled.cancelled()
    assert closing.cancelled() == first
    assert one.told == ["farewell", "drain", "last"]


# -- at every stage, in its time -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
async def test_closing_at_each_stage_of_an_attempt(
    living: Any, plan: Plan, peer: Any, until: Any, ms: float, stage: str
) -> None:
    left = anyio.Event()

    async def hang() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            left.set()

    if stage == "upgrade":
        peer.hang = True
    else:
        plan.do[stage] = hang
    one = await living(plan, attempt_timeout=1000.0)

    async def farewell() -> None:
        """The attempt is over; a connection that was ready is open."""
        assert left.is_set() == (stage in ("endpoint", "handshake", "prepare"))
        assert (one.supervisor.link is not None) == (stage == "ready")

    await until(lambda: peer.upgrades if stage == "upgrade" else stage in plan.came_to)
    began = anyio.current_time()
    await one.close(farewell=one.note("farewell", farewell))
    assert anyio.current_time() - began < 1000 * ms
    await one.life.wait_ended()
    came_to = list(plan.came_to)
    await until(lambda: not peer.open)
    assert plan.came_to == came_to
    assert one.supervisor.link is None
    assert one.told == ["farewell", "drain", "last"]


@pytest.mark.parametrize("hung", ["farewell", "drain", "last"])
async def test_a_step_that_hangs_is_cut_and_the_others_have_their_time(
    living: Any, plan: Plan, ms: float, hung: str
) -> None:
    one = await living(plan, close_timeout=500 * ms)
    await one.life.wait_open(5)
    began = anyio.current_time()
    await one.close(**{hung: one.note(hung, anyio.sleep_forever)})
    assert anyio.current_time() - began < 750 * ms  # not the sum of what all steps may take
    rest = [name for name in ("farewell", "drain", "last") if name != hung]
    assert [what for what in one.told if what in rest] == rest
    assert f"{hung}: cut" in one.told


class FakeSocket:
    """A WebSocket that opens after a while and answers a close frame or does not."""

    def __init__(self, *, deaf: bool) -> None:
        self._deaf = deaf
        self._ended = anyio.Event()
        self._closed = Closed(None, "", by_peer=False)
        self._receivers: Any = None

    def start_reading(self, receivers: Any, group: Any) -> None:
        self._receivers = receivers

    def stop_reading(self) -> None:
        self._receivers = None

    def can_write(self) -> bool:
        return False

    async def send(self, messages: Any) -> bool:
        list(messages)
        return not self._ended.is_set()

    async def close(self, code: int, reason: str, *, within: float) -> None:
        with anyio.move_on_after(within):
            await (anyio.sleep_forever if self._deaf else anyio.lowlevel.checkpoint)()
            self._closed = Closed(code, reason, by_peer=True)
        self._ended.set()
        if self._receivers is not None:
            self._receivers.ended(self._closed)


async def test_a_connection_that_was_replaced_is_gone_before_the_rest_is_delivered(living: Any, ms: float) -> None:
    """Its peer has not answered the close frame, and could still send."""

    @asynccontextmanager
    async def open_socket(endpoint: Endpoint) -> AsyncIterator[Any]:
        yield FakeSocket(deaf=True)

    one = await living(Plan(), close_timeout=500 * ms, open_socket=open_socket)
    await one.life.wait_open(5)
    replaced = one.supervisor.link
    one.supervisor.replace(at_once=True)
    with anyio.fail_after(5):
        while one.supervisor.link is replaced:
            await anyio.sleep(0.002)
    assert replaced.loss is None
    await one.close(drain=one.note("drain", one.life.wait_ended))
    assert replaced.loss is not None
    assert one.told == ["farewell", "drain", "last"]


def test_a_machine_that_sleeps_while_closing_delivers_the_rest_all_the_same() -> None:
    clock = MockClock(autojump_threshold=0)

    async def main() -> None:
        one = Living(Plan(), close_timeout=5.0)

        async def farewell() -> None:
            clock.jump(100.0)

        await one.close(farewell=farewell, drain=one.note("drain", taking(0.2)))
        assert one.told == ["drain", "last"]

    trio.run(main, clock=clock)


#: Seconds that something takes; None for ever.
TAKES = st.sampled_from([0.0, 0.1, 1.0, 3.0, None, None])


def taking(seconds: float | None) -> Callable[[], Awaitable[None]]:
    return anyio.sleep_forever if seconds is None else lambda: anyio.sleep(seconds)


@settings(max_examples=200, deadline=None)
@given(
    stages=st.dictionaries(st.sampled_from(STAGES), TAKES, max_size=2),
    deaf=st.booleans(),
    begins=st.sampled_from([0.0, 0.05, 0.5, 2.0]),
    steps=st.dictionaries(st.sampled_from(["farewell", "drain", "last"]), TAKES),
    closers=st.lists(st.tuples(st.sampled_from([0.0, 0.3, 2.0, 20.0]), st.booleans()), min_size=1, max_size=4),
    tasks=st.lists(st.tuples(TAKES, st.booleans()), max_size=3),
    cancels=st.booleans(),
)
def test_whatever_happens_it_is_closed_in_time_and_nothing_goes_on(
    stages: dict[str, float | None],
    deaf: bool,
    begins: float,
    steps: dict[str, float | None],
    closers: list[tuple[float, bool]],
    tasks: list[tuple[float | None, bool]],
    cancels: bool,
) -> None:
    close_timeout = 5.0
    opened = 0

    @asynccontextmanager
    async def open_socket(endpoint: Endpoint) -> AsyncIterator[Any]:
        nonlocal opened
        await taking(stages.get("upgrade", 0.0))()
        opened += 1
        yield FakeSocket(deaf=deaf)

    async def main() -> None:
        plan = Plan()
        plan.do = {name: taking(seconds) for name, seconds in stages.items() if name != "upgrade"}
        one = Living(plan, close_timeout=close_timeout, open_socket=open_socket, attempt_timeout=1.0)
        await one.life.start()
        children: list[BackgroundTask] = []
        for seconds, needed in tasks:
            children.append(one.life.spawn(one.note("task", taking(seconds)), "task", needed_to_close=needed))
        closed: list[float] = []
        begun: list[float] = []
        hooks = {name: one.note(name, taking(seconds)) for name, seconds in steps.items()}

        async def close(after: float) -> None:
            await anyio.sleep(begins + after)
            begun.append(anyio.current_time())
            with anyio.move_on_after(0.0 if cancels else 1000):
                await one.close(**hooks)
            closed.append(anyio.current_time())

        async with anyio.create_task_group() as group:
            for after, inside in closers:
                if inside:
                    children.append(one.life.spawn(lambda after=after: close(after), "handler", needed_to_close=True))
                else:
                    group.start_soon(close, after)
        with anyio.fail_after(200):
            while not all(child.done for child in children):
                await anyio.sleep(0.01)
        assert one.supervisor.status.state is State.CLOSED
        assert max(closed) <= max(min(begun) + close_timeout, *begun) + 0.001
        assert [name for name in one.told if name in ("farewell", "drain", "last")] == ["farewell", "drain", "last"]
        opened_then, came_to = opened, list(plan.came_to)
        await anyio.sleep(100)
        assert (opened, plan.came_to) == (opened_then, came_to)
        assert one.supervisor.link is None
        with anyio.fail_after(1):
            await one.life.wait_ended()
            await one.root.aclose()

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_a_request_after_the_end_starts_no_watch(living: Any, plan: Plan) -> None:
    one = await living(plan)
    await one.close()
    await one.root.aclose()
    table: RequestTable[str] = RequestTable(lambda: one.life.watch_deadlines(table))
    table.submit("1", b"", deadline=anyio.current_time())
    await anyio.wait_all_tasks_blocked()
    assert len(table) == 1, "nobody is left to let it time out"
