"""The decisions of a supervisor: attempts that the application asks for, and bugs in a driver or a conversation."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.connection import Loss, Reason, State
from rcex_ws.errors import ConnectFailed, NotConnected, RequestLost, UpgradeRefused


async def test_attempt_cuts_the_wait_short(peer: Any, supervise: Any, until: Any) -> None:
    peer.refusals = [(503, {"Retry-After": "500"})]
    async with supervise(peer.url, reconnect_delays=lambda _: 1000.0) as rig:
        await until(lambda: rig.supervisor.status.state is State.WAITING)
        with anyio.fail_after(5):
            await rig.supervisor.attempt_now()
        assert rig.supervisor.is_ready
        await rig.supervisor.attempt_now()
        assert len(peer.upgrades) == 2, "an attempt while connected does nothing"


async def test_an_attempt_in_the_moment_of_the_loss_is_the_next_one(peer: Any, supervise: Any) -> None:
    async with supervise(peer.url, reconnect_delays=lambda _: 1000.0) as rig:
        await rig.supervisor.wait_ready()
        rig.link.abort()
        with anyio.fail_after(5):
            await rig.supervisor.attempt_now()
        assert rig.supervisor.is_ready
        assert len(rig.driver.talks) == 2


async def test_a_failed_attempt_raises_to_everybody_who_asked_and_is_one_attempt(
    peer: Any, supervise: Any, until: Any
) -> None:
    peer.refusals = [(503, {}), (502, {}), (500, {})]
    outcomes: list[int] = []

    async with supervise(peer.url, reconnect_delays=lambda _: 1000.0) as rig:
        await until(lambda: rig.supervisor.status.state is State.WAITING)

        async def ask() -> None:
            with pytest.raises(UpgradeRefused) as caught:
                await rig.supervisor.attempt_now()
            outcomes.append(caught.value.status)

        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(ask)
        assert outcomes == [502, 502, 502]
        await anyio.wait_all_tasks_blocked()
        assert (len(peer.upgrades), rig.supervisor.status.state) == (2, State.WAITING)


async def test_joining_an_attempt_under_way_does_not_cause_another(
    peer: Any, supervise: Any, until: Any, ms: float
) -> None:
    peer.hang = True
    async with supervise(peer.url, attempt_timeout=150 * ms, reconnect_delays=lambda _: 1000.0) as rig:
        await until(lambda: peer.upgrades)
        with pytest.raises(ConnectFailed):
            await rig.supervisor.attempt_now()
        await anyio.sleep(50 * ms)  # the wrong attempt would begin at once
        assert (len(rig.driver.asked), rig.supervisor.status.state) == (1, State.WAITING)


async def test_without_auto_reconnect_a_loss_waits_for_an_attempt(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url, reconnect_hint="call attempt_now()") as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(peer.end)
        await until(lambda: rig.supervisor.status.state is State.WAITING)
        with pytest.raises(NotConnected, match="dropped"):
            await rig.supervisor.wait_ready()
        assert len(rig.driver.asked) == 1
        with anyio.fail_after(5):
            await rig.supervisor.attempt_now()
        assert rig.supervisor.is_ready


async def test_without_auto_reconnect_the_first_connection_is_still_tried_again(peer: Any, supervise: Any) -> None:
    peer.refusals = [(503, {})]
    async with supervise(peer.url, reconnect_hint="call attempt_now()") as rig:
        await rig.supervisor.wait_ready()
        assert len(peer.upgrades) == 2


async def test_the_connections_peak_is_one(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url) as rig:
        for number in range(1, 6):
            await until(lambda: len(rig.driver.talks) == number and rig.supervisor.is_ready)  # noqa: B023
            rig.link.abort()
        await until(lambda: len(peer.open) == 1)
    await until(lambda: not peer.open)


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


async def test_a_bug_in_the_driver_is_final(peer: Any, supervise: Any) -> None:
    async with supervise(peer.url) as rig:
        rig.driver.endpoint = None
        with anyio.fail_after(5):
            await rig.child.wait()
        assert rig.supervisor.status.state is State.FAILED
        assert isinstance(rig.driver.fatal[0], TypeError)


async def test_an_error_after_ready_is_a_loss_and_no_failed_attempt(
    peer: Any, supervise: Any, until: Any, talk_class: Any
) -> None:
    class Failing(talk_class):
        async def after_ready(self) -> None:
            if len(rig.driver.talks) == 1:
                raise RequestLost("what is asked for when ready", sent=True)

    async with supervise(peer.url, talk=Failing) as rig:
        await until(lambda: len(rig.driver.talks) == 2)
        assert rig.driver.failures == []
        assert [str(loss) for loss in rig.driver.talks[0].losses] == ["what is asked for when ready"]


async def test_rescheduling_does_nothing_while_no_attempt_is_due(peer: Any, supervise: Any) -> None:
    async with supervise(peer.url, reconnect_delays=lambda _: 60.0) as rig:
        await rig.supervisor.wait_ready()
        rig.supervisor.reschedule(0.0)
        rig.link.abort()
        await anyio.wait_all_tasks_blocked()
        assert rig.supervisor.status.state is State.WAITING
