"""How a connection is lost over real sockets, by the network, the peer or a bug; and what comes next."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.connection import Endpoint, Loss, LossKind, Reason, State
from rcex_ws.errors import RequestLost


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


async def test_the_outcome_of_a_long_connection_is_its_loss_whatever_ready_raises(
    peer: Any, supervise: Any, until: Any, talk_class: Any
) -> None:
    """A request made in `ready` dies with the connection: that is no failed attempt."""

    class AsksWhenReady(talk_class):
        def __init__(self, link: Any) -> None:
            super().__init__(link)
            self.over = anyio.Event()

        def on_lost(self, loss: Loss) -> None:
            super().on_lost(loss)
            self.over.set()

        async def after_ready(self) -> None:
            await self.over.wait()
            raise RequestLost("the connection went", sent=True)

    async with supervise(peer.url, talk=AsksWhenReady) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(peer.end)
        await until(lambda: len(rig.driver.talks) == 2)
        assert rig.driver.failures == []


@pytest.mark.parametrize("where", ["on_message", "heartbeat", "handshake", "prepare", "after_ready"])
async def test_a_bug_in_a_conversation_is_final_and_told(
    peer: Any, supervise: Any, until: Any, talk_class: Any, ms: float, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    def bug(self: Any, *args: Any) -> Any:
        raise KeyError("a bug")

    buggy = type("Buggy", (talk_class,), {where: bug})
    async with supervise(peer.url, talk=buggy, heartbeat_interval=20 * ms) as rig:
        with anyio.fail_after(5):
            await rig.child.wait()
        assert rig.supervisor.status.state is State.FAILED
        assert rig.supervisor.link is None
        assert len(rig.driver.fatal) == 1
        assert rig.driver.talks[0].losses, "the conversation hears its end"
        with pytest.raises(Exception) as caught:
            await rig.supervisor.wait_ready()
        assert caught.value is rig.driver.fatal[0]
        await until(lambda: not peer.open)
    assert "a bug" in caplog.text


async def test_the_reason_of_a_bug_is_the_bug(peer: Any, supervise: Any, until: Any, talk_class: Any) -> None:
    class Buggy(talk_class):
        async def prepare(self) -> None:
            raise KeyError("a bug")

    async with supervise(peer.url, talk=Buggy) as rig:
        await until(lambda: rig.supervisor.status.state is State.FAILED)
        assert "a bug" in rig.supervisor.status.reason.text
        assert rig.supervisor.status.reason.code is Reason.BUG
        assert isinstance(rig.driver.fatal[0], KeyError)


async def test_a_bug_in_lost_does_not_leave_a_connection_that_is_neither_lost_nor_alive(
    peer: Any, supervise: Any, until: Any, talk_class: Any
) -> None:
    class Buggy(talk_class):
        def on_lost(self, loss: Loss) -> None:
            super().on_lost(loss)
            raise KeyError("a bug")

    async with supervise(peer.url, talk=Buggy) as rig:
        await rig.supervisor.wait_ready()
        with pytest.raises(KeyError):
            rig.link.abort()
        await until(lambda: rig.driver.talks[0].link is not rig.supervisor.link, within=2)


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


async def test_a_bug_in_the_driver_is_final(peer: Any, supervise: Any) -> None:
    async with supervise(peer.url) as rig:
        rig.driver.endpoint = None
        with anyio.fail_after(5):
            await rig.child.wait()
        assert rig.supervisor.status.state is State.FAILED
        assert isinstance(rig.driver.fatal[0], TypeError)
