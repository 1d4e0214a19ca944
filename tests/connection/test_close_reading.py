"""What a close reading of the engine found, each with the test that would have found it."""

from __future__ import annotations

from collections import deque
from typing import Any

import anyio
import pytest

from rcex_ws.connection import DeliveryQueue, LossKind, Pending, RequestTable, State
from rcex_ws.connection.outbox import Outbox
from rcex_ws.errors import RequestTimeout, UpgradeRefused
from rcex_ws.loop import Errands
from rcex_ws.websocket.frames import CloseFrame


async def test_a_server_that_wants_to_be_left_at_once_makes_no_hot_loop(
    peer: Any, supervise: Any, until: Any, talk_class: Any, ms: float
) -> None:
    class Leaving(talk_class):
        async def after_ready(self) -> None:
            rig.supervisor.replace()

    async with supervise(peer.url, talk=Leaving, reconnect_delays=lambda n: 400 * ms) as rig:
        await rig.supervisor.wait_ready()
        await anyio.sleep(200 * ms)  # long enough for dozens
        assert len(rig.driver.talks) == 1
        await until(lambda: len(rig.driver.talks) == 2)


async def test_the_application_replaces_a_connection_at_once(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url, reconnect_delays=lambda n: 60.0) as rig:
        await rig.supervisor.wait_ready()
        rig.supervisor.replace(at_once=True)
        await until(lambda: len(rig.driver.talks) == 2, within=5)
        await until(lambda: rig.supervisor.link is rig.driver.talks[1].link)


async def test_a_renewal_that_waits_is_hurried_by_the_application(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url, reconnect_delays=lambda n: 60.0) as rig:
        await rig.supervisor.wait_ready()
        peer.refusals.append((503, {}))
        rig.supervisor.replace(at_once=True)
        await until(lambda: rig.driver.failures)
        rig.supervisor.replace(at_once=True)
        await until(lambda: rig.supervisor.link is not rig.driver.talks[0].link, within=5)


async def test_long_lived_connections_that_are_replaced_count_no_failures(
    peer: Any, supervise: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rcex_ws.connection.schedule.STABLE_AFTER", 0.0)
    counted: list[int] = []

    def delays(failures: int) -> float:
        counted.append(failures)
        return 0.01

    async with supervise(peer.url, reconnect_delays=delays) as rig:
        await rig.supervisor.wait_ready()
        for number in range(1, 4):
            peer.refusals.append((503, {}))
            rig.supervisor.replace()
            await until(lambda number=number: len(rig.driver.talks) == number + 1)
            await until(lambda: rig.supervisor.link is rig.driver.talks[-1].link)
    assert counted == [1, 1, 1]


async def test_a_link_lost_with_its_greeting_is_never_ready(
    peer: Any, supervise: Any, until: Any, talk_class: Any
) -> None:
    class LostAtOnce(talk_class):
        def __init__(self, link: Any) -> None:
            super().__init__(link)
            self.greeted = anyio.Event()
            self.was_ready = False

        def on_message(self, data: bytes, binary: bool) -> None:
            self.greeted.set()  # and in the same read, before the handshake can go on:
            self.link.abort()

        async def handshake(self) -> None:
            await self.greeted.wait()

        async def after_ready(self) -> None:
            self.was_ready = True

    async with supervise(peer.url, talk=LostAtOnce) as rig:
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(peer.send, "hello")
        await until(lambda: rig.driver.failures)
        assert not any(talk.was_ready for talk in rig.driver.talks)
        assert "before it was ready" in str(rig.driver.failures[0])


async def test_a_fatal_refusal_of_the_next_leaves_the_last(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        first = rig.link
        peer.refusals.append((403, {}))
        rig.supervisor.replace()
        await until(lambda: len(peer.upgrades) == 2)
        await until(lambda: not peer.refusals)
        await anyio.wait_all_tasks_blocked()
        assert rig.supervisor.status.state is State.READY
        assert first.loss is None
        peer.refusals.append((403, {}))
        first.abort()  # only now it is the end
        await until(lambda: rig.supervisor.status.state is State.FAILED)
        assert isinstance(rig.driver.fatal[0], UpgradeRefused)


async def test_by_hand_a_connection_can_be_replaced_too(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url, reconnect_hint="call attempt_now()") as rig:
        await rig.supervisor.wait_ready()
        rig.supervisor.replace()
        await until(lambda: len(rig.driver.talks) == 2)


class ClosedSocket:
    """A socket whose peer has begun to close it: nothing can be written any more."""

    def can_write(self) -> bool:
        return False

    def write(self, messages: Any) -> bool:
        return False

    async def send(self, messages: Any) -> bool:
        return False


async def test_what_a_closing_socket_does_not_take_is_not_sent() -> None:
    errands = Errands()
    outbox = Outbox(ClosedSocket(), errands, close_timeout=1.0)  # type: ignore[arg-type]
    pending: Pending[str] = Pending("1", b"x", 0.0)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(errands.run)
            outbox.start(group)
            outbox.put(pending)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    assert not pending.sent


async def test_a_lost_link_writes_nothing_more(peer: Any, supervise: Any, until: Any) -> None:
    """Else what a table sends again over the next connection goes over this one, too."""
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        link = rig.link
        link.send(b"first")
        link.send(b"second")  # waits for the end of this moment
        link.abort()
        link.send(b"third")
        await until(lambda: len(rig.driver.talks) == 2)
        rig.link.send(b"last")
        await until(lambda: "last" in peer.received)
        assert not {"second", "third"} & set(peer.received)


async def test_closing_a_link_writes_what_waits(peer: Any, supervise: Any, until: Any) -> None:
    peer.deaf = True  # an echo into the closing would end its reading
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        link = rig.link
        for number in range(100):
            link.send(str(number).encode())
        with anyio.fail_after(5):
            await link.close(1000, "", within=3.0)
        assert link.loss is not None
        assert link.loss.kind is LossKind.CLOSED
        await until(lambda: not peer.open)
        assert peer.received == [str(number) for number in range(100)]


async def test_a_close_frame_ends_the_connection_when_it_comes(peer: Any, supervise: Any, until: Any) -> None:
    """Not when the peer ends the stream, for which it may take seconds: what is sent meanwhile would be lost."""
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        (connection,) = peer.open

        async def close_and_keep_the_stream() -> None:
            connection.protocol.send_close(1001, "away")
            connection.transport.write(b"".join(connection.protocol.data_to_send()))

        await anyio.to_thread.run_sync(lambda: peer.run(close_and_keep_the_stream()))
        await until(lambda: rig.driver.talks[0].losses, within=2)
        assert rig.driver.talks[0].losses[0].code == 1001


async def test_a_handler_that_is_dear_gives_others_a_turn_after_each_item() -> None:
    queue: DeliveryQueue[int] = DeliveryQueue(max_items=100, max_bytes=100, on_overflow=lambda *_: None)
    for number in range(10):
        queue.put(number, 1)
    queue.close()
    seen: deque[int] = deque()
    turns: list[int] = []

    async def count_turns() -> None:
        while True:
            turns.append(len(seen))
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(count_turns)
        async for number in queue:
            seen.append(number)
            busy(0.006)
        group.cancel_scope.cancel()
    assert len(set(turns)) >= 5, "nearly one for each; trio runs its tasks in a random order"


def busy(seconds: float) -> None:
    import time

    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def test_a_watch_that_cannot_start_is_tried_again() -> None:
    starts: list[str] = []

    def watch() -> None:
        starts.append("tried")
        if len(starts) == 1:
            raise RuntimeError("not running yet")
        group.start_soon(table.watch_deadlines)

    table: RequestTable[str] = RequestTable(watch)
    async with anyio.create_task_group() as group:
        with pytest.raises(RuntimeError):
            table.submit("1", b"", deadline=anyio.current_time() + 0.01)
        with anyio.fail_after(5), pytest.raises(RequestTimeout):
            await table.call("2", b"", deadline=anyio.current_time() + 0.01)
    assert len(starts) == 2


async def test_a_close_frame_waits_its_turn(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        link = rig.link
        link.send(b"before")
        link.begin_close(CloseFrame(1000))
        link.send(b"after")
        await until(lambda: link.loss is not None)
        await until(lambda: "before" in peer.received)
        assert peer.received == ["before"]
