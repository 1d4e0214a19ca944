"""One connection over real sockets: how it is lost, by the network, the peer or the application, and closed."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.connection import Endpoint, Loss, LossKind, Pending
from rcex_ws.websocket.frames import CloseFrame


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
async def test_a_close_frame_is_an_announced_loss(
    peer: Any, supervise: Any, until: Any, lost_link: Any, code: int
) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(peer.close, code, "bye")
        loss = await lost_link(rig)
        assert (loss.kind, loss.code, loss.text, loss.announced) == (LossKind.CLOSED, code, "bye", True)
        await until(lambda: len(rig.driver.talks) == 2)
        await rig.supervisor.wait_ready()


@pytest.mark.parametrize("how", ["reset", "end"])
async def test_an_end_without_a_close_frame_is_a_drop(
    peer: Any, supervise: Any, until: Any, lost_link: Any, how: str
) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(getattr(peer, how))
        loss = await lost_link(rig)
        assert (loss.kind, loss.code, loss.announced) == (LossKind.DROPPED, None, False)
        await until(lambda: len(rig.driver.talks) == 2)
        await rig.supervisor.wait_ready()


@pytest.mark.parametrize("how", ["close", "end"])
async def test_what_came_before_the_end_is_delivered_before_the_loss(
    peer: Any, supervise: Any, until: Any, lost_link: Any, talk_class: Any, how: str
) -> None:
    class CountsAtLoss(talk_class):
        def on_lost(self, loss: Loss) -> None:
            super().on_lost(loss)
            self.before_loss = len(self.messages)

    async with supervise(peer.url, talk=CountsAtLoss) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)

        def burst() -> None:
            peer.send(*["x"] * 1000)
            peer.close(1001) if how == "close" else peer.end()

        await anyio.to_thread.run_sync(burst)
        await lost_link(rig)
        assert rig.driver.talks[0].before_loss == 1000


async def test_a_message_above_the_bound_is_our_own_end(peer: Any, supervise: Any, until: Any, lost_link: Any) -> None:
    async with supervise(Endpoint(peer.url, max_size=1000)) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(peer.send, "x" * 1001)
        loss = await lost_link(rig)
        assert (loss.kind, loss.code, loss.announced) == (LossKind.UNREADABLE, 1009, False)


async def test_a_loss_before_ready_is_a_failed_attempt(peer: Any, supervise: Any, until: Any, talk_class: Any) -> None:
    class WaitsForGreeting(talk_class):
        async def prepare(self) -> None:
            await anyio.sleep_forever()

    async with supervise(peer.url, talk=WaitsForGreeting) as rig:
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(peer.close, 1011)
        await until(lambda: rig.driver.failures)
        assert "before it was ready: closed 1011" in str(rig.driver.failures[0])


async def test_silence_after_a_heartbeat_is_a_loss(
    peer: Any, supervise: Any, until: Any, lost_link: Any, ms: float
) -> None:
    async with supervise(peer.url, heartbeat_interval=60 * ms, heartbeat_timeout=60 * ms) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(peer.freeze)
        loss = await lost_link(rig)
        assert (loss.kind, loss.announced) == (LossKind.SILENT, False)
        await until(lambda: len(rig.driver.talks) >= 2)


async def test_answered_heartbeats_keep_the_connection(peer: Any, supervise: Any, until: Any, ms: float) -> None:
    async with supervise(peer.url, heartbeat_interval=30 * ms, heartbeat_timeout=400 * ms) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: rig.talk.messages.count(b"beat") >= 3)
        assert (rig.driver.talks[0].losses, len(rig.driver.talks)) == ([], 1)


async def test_abort_drops_at_once_and_the_supervisor_goes_on(peer: Any, supervise: Any) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        rig.link.abort()
        assert not rig.supervisor.is_ready, "the loss counts at once"
        assert [loss.kind for loss in rig.driver.talks[0].losses] == [LossKind.ABORTED]
        await rig.supervisor.wait_ready()
        assert len(rig.driver.talks) == 2


@pytest.fixture
def fill() -> Any:
    """Let the peer read nothing more, and send it more than every buffer on the way takes."""

    async def fill(peer: Any, rig: Any) -> None:
        await anyio.to_thread.run_sync(peer.freeze)
        for _ in range(64):
            rig.link.send(b"x" * 2**18)

    return fill


async def test_a_full_write_buffer_does_not_stop_the_reader(peer: Any, supervise: Any, until: Any, fill: Any) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await fill(peer, rig)
        await anyio.to_thread.run_sync(peer.send, "still read")
        await until(lambda: b"still read" in rig.talk.messages)
        assert len(rig.driver.talks) == 1


async def test_a_full_write_buffer_does_not_stop_the_end(
    peer: Any, supervise: Any, until: Any, fill: Any, lost_link: Any, ms: float
) -> None:
    async with supervise(peer.url, heartbeat_interval=100 * ms, heartbeat_timeout=100 * ms) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await fill(peer, rig)
        assert (await lost_link(rig)).kind is LossKind.SILENT
        await until(lambda: len(rig.driver.talks) >= 2)


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


async def test_requests_that_are_withdrawn_are_not_written(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        rig.link.send(b"first")
        rig.link.send(Pending("2", b"second", 0.0))  # waits for the end of this turn
        rig.link.withdraw_requests()
        rig.link.send(b"third")
        await until(lambda: "third" in peer.received)
        assert "second" not in peer.received


async def test_a_lost_link_is_closed_at_once_and_stays_lost(peer: Any, supervise: Any) -> None:
    async with supervise(peer.url, reconnect_delays=lambda _: 60.0) as rig:
        await rig.supervisor.wait_ready()
        link = rig.link
        link.abort()
        loss = link.loss
        with anyio.fail_after(1):
            await link.close(1000, "", within=60.0)
        assert link.loss is loss


async def test_a_conversation_may_drop_its_link_when_it_is_made(
    peer: Any, supervise: Any, until: Any, talk_class: Any
) -> None:
    class Dropping(talk_class):
        def __init__(self, link: Any) -> None:
            super().__init__(link)
            link.abort()

    async with supervise(peer.url, talk=Dropping) as rig:
        await until(lambda: rig.driver.failures)
        assert "before it was ready: dropped by abort()" in str(rig.driver.failures[0])
        assert rig.driver.talks[0].losses == []
