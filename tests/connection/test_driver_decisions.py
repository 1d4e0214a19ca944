"""What a driver may decide after a loss or a failed attempt: another delay, an end, or an error, in its own time."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from rcex_ws.connection import State
from rcex_ws.errors import ConfigurationError, ConnectFailed, NotConnected


@pytest.fixture(autouse=True)
def quiet(caplog: Any) -> None:
    caplog.set_level(logging.ERROR, "rcex_ws.connection")


async def end(rig: Any, peer: Any, how: str) -> None:
    """End the current connection by a loss, or the attempt by a refusal."""
    if how == "loss":
        await rig.supervisor.wait_ready()
        rig.link.abort()
    else:
        peer.refusals.append((503, {}))


@pytest.mark.parametrize("ended", ["loss", "failure"])
async def test_none_ends_without_an_error(peer: Any, supervise: Any, until: Any, ended: str) -> None:
    async with supervise(peer.url) as rig:

        async def next_delay(*_: Any) -> None:
            return None

        rig.driver.next_delay = next_delay
        await end(rig, peer, ended)
        await until(lambda: rig.child.done)
        assert rig.supervisor.status.state is State.CLOSED
        assert rig.driver.fatal == []
        with pytest.raises(NotConnected):
            await rig.supervisor.attempt_now()
        with pytest.raises(NotConnected):
            await rig.supervisor.wait_ready()


@pytest.mark.parametrize("ended", ["loss", "failure"])
async def test_raising_gives_up(peer: Any, supervise: Any, until: Any, ended: str) -> None:
    error = ConfigurationError("enough")
    async with supervise(peer.url) as rig:

        async def next_delay(*_: Any) -> None:
            raise error

        rig.driver.next_delay = next_delay
        await end(rig, peer, ended)
        await until(lambda: rig.child.done)
        assert rig.supervisor.status.state is State.FAILED
        assert rig.driver.fatal == [error]
        with pytest.raises(ConfigurationError, match="enough"):
            await rig.supervisor.wait_ready()


async def test_the_drivers_delay_is_honoured(peer: Any, supervise: Any, until: Any, ms: float) -> None:
    proposed: list[float] = []
    async with supervise(peer.url, reconnect_delays=lambda n: 1000.0 + n) as rig:

        async def next_delay(_: Any, delay: float) -> float:
            proposed.append(delay)
            return 150 * ms

        rig.driver.next_delay = next_delay
        await rig.supervisor.wait_ready()
        began = anyio.current_time()
        rig.link.abort()
        await until(lambda: len(rig.driver.asked) == 2)
        assert rig.driver.asked[1] - began >= 150 * ms
        assert proposed == [1001.0]


async def test_a_driver_may_take_its_time(peer: Any, supervise: Any, until: Any) -> None:
    go_on = anyio.Event()
    async with supervise(peer.url) as rig:

        async def next_delay(_: Any, delay: float) -> float:
            await go_on.wait()
            return 0.0

        rig.driver.next_delay = next_delay
        peer.refusals.append((503, {}))
        await until(lambda: peer.upgrades)
        failed: list[Exception] = []

        async def attempt() -> None:
            try:
                await rig.supervisor.attempt_now()
            except ConnectFailed as exc:
                failed.append(exc)

        async with anyio.create_task_group() as group:
            group.start_soon(attempt)
            await anyio.sleep(0.05)
            assert len(rig.driver.asked) == 1
            go_on.set()
        await rig.supervisor.wait_ready()
        assert len(failed) == 1
