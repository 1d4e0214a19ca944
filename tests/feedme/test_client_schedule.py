"""When a client tries again, and when it gives up waiting: on the only loop whose clock a test can turn."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rcex_ws.feedme.errors import TimedOut, TransportFailure
from tests.feedme.scripted import connected, disconnected


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Only trio has a clock that tests can turn."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


async def test_retries_wait_longer_each_time_up_to_the_maximum_and_end() -> None:
    options = {"connect_retry": 0.1, "connect_retry_backoff": 0.1, "connect_retry_max": 0.25}
    async with disconnected(**options, connect_retry_max_attempts=4) as rig:
        rig.script.refuse = OSError()
        begun = trio.current_time()
        rig.client.connect()
        with pytest.raises(TransportFailure):
            await rig.client.wait_connected()
        await trio.sleep(1000)
        assert [round(at - begun, 6) for at in rig.script.attempts] == [0, 0.1, 0.3, 0.55, 0.8]
        assert rig.told.lines == ["connecting", "disconnect TRANSPORT_FAILURE"] * 5


async def test_retries_begin_anew_after_a_connect_of_the_application() -> None:
    async with disconnected(connect_retry=1, connect_retry_backoff=10, connect_retry_max=100) as rig:
        rig.script.refuse = OSError()
        begun = trio.current_time()
        rig.client.connect()
        await trio.sleep(5)
        rig.client.connect()
        await trio.sleep(13)
        assert [at - begun for at in rig.script.attempts] == [0, 1, 5, 6, 17]


async def test_an_attempt_that_takes_too_long_times_out_and_is_retried() -> None:
    async with disconnected(connect_timeout=7, connect_retry=2) as rig:
        rig.script.hang = True
        begun = trio.current_time()
        rig.client.connect()
        (error,) = await rig.told.wait("disconnect TIMEOUT")
        assert isinstance(error, TimedOut)
        assert trio.current_time() == begun + 7
        await trio.sleep(3)
        assert rig.client.state == "connecting"
        assert [at - begun for at in rig.script.attempts] == [0, 9]


async def test_a_handshake_without_an_answer_times_out() -> None:
    async with disconnected(connect_timeout=7, connect_retry=-1) as rig:
        rig.script.handshake = None
        rig.client.connect()
        await rig.told.wait("disconnect TIMEOUT")
        assert rig.script.current.state == "disconnected"


async def test_with_a_connect_timeout_of_zero_it_waits_for_ever() -> None:
    async with disconnected(connect_timeout=0) as rig:
        rig.script.hang = True
        rig.client.connect()
        await trio.sleep(80_000)
        assert rig.told.lines == ["connecting"]


async def test_a_connection_that_has_lasted_is_opened_again_at_once() -> None:
    async with connected() as rig:
        await trio.sleep(30)
        rig.script.lose()
        lost = trio.current_time()
        await rig.told.wait("connect", 2)
        assert trio.current_time() == lost
        assert rig.told.lines[2:] == ["disconnect TRANSPORT_FAILURE", "connecting", "connect"]


async def test_one_that_has_not_lasted_is_opened_again_after_the_time_of_a_retry() -> None:
    async with connected(connect_retry=5) as rig:
        await trio.sleep(29)
        rig.script.lose()
        lost = trio.current_time()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
        assert rig.client.state == "disconnected"
        await rig.told.wait("connect", 2)
        assert trio.current_time() == lost + 5


async def test_after_a_loss_the_schedule_of_retries_applies() -> None:
    options = {"connect_retry": 1, "connect_retry_backoff": 1, "connect_retry_max_attempts": 2}
    async with connected(**options) as rig:
        await trio.sleep(30)
        rig.script.refuse = OSError()
        rig.script.lose()
        lost = trio.current_time()
        await trio.sleep(1000)
        assert [at - lost for at in rig.script.attempts[1:]] == [0, 1, 3]


async def test_without_retries_a_loss_is_followed_by_one_attempt_at_least() -> None:
    async with connected(connect_retry=-1) as rig:
        await trio.sleep(10)
        rig.script.refuse = OSError()
        rig.script.lose()
        await trio.sleep(1000)
        assert len(rig.script.attempts) == 2


async def test_a_success_lets_retries_count_anew() -> None:
    async with connected(connect_retry=1, connect_retry_backoff=1, connect_retry_max_attempts=2) as rig:
        for _ in range(3):
            await trio.sleep(30)
            rig.script.refuse = OSError()
            rig.script.lose()
            await trio.sleep(2)
            rig.script.refuse = None
            await rig.client.wait_connected()


async def test_a_time_out_is_reported_before_the_next_reason() -> None:
    async with disconnected(connect_timeout=1, connect_retry=1) as rig:
        rig.script.hang = True
        rig.client.connect()
        await rig.told.wait("disconnect TIMEOUT")
        rig.script.hang, rig.script.refuse = False, OSError()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
