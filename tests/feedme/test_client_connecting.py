"""Connecting and disconnecting: states, events, retries."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import trio
from trio.testing import MockClock

from rcex_ws.feedme.errors import Disconnected, HandshakeRejected, InvalidState, TimedOut, TransportFailure
from tests.feedme.scripted import WELCOME, Rig, connected, disconnected

REJECTION = {"MessageType": "HandshakeResponse", "Success": False}


async def test_connecting_covers_the_handshake() -> None:
    async with disconnected() as rig:
        rig.script.handshake = None
        assert rig.client.state == "disconnected"
        rig.client.connect()
        assert rig.client.state == "connecting"
        await rig.told.wait("connecting")
        await rig.script.until_sent(1)
        assert rig.client.state == "connecting"
        rig.script.say(WELCOME)
        await rig.told.wait("connect")
        assert rig.client.state == "connected"
        assert rig.told.lines == ["connecting", "connect"]
        assert rig.script.current.sent == [{"MessageType": "Handshake", "Versions": ["0.1"]}]


async def test_events_fire_after_the_call_and_the_state_changes_within_it() -> None:
    async with disconnected() as rig:
        rig.client.connect()
        assert rig.told.lines == []
        rig.client.disconnect()
        assert rig.client.state == "disconnected"
        assert rig.told.lines == []
        await rig.settle()
        assert rig.told.lines == ["connecting", "disconnect"]


async def test_to_disconnect_is_reported_without_an_error_and_ends_the_transport_in_order() -> None:
    async with connected() as rig:
        rig.client.disconnect()
        assert rig.client.state == "disconnected"
        assert await rig.told.wait("disconnect") == (None,)
        await rig.settle()
        await rig.script.until(lambda: rig.script.current.state == "disconnected")
        assert rig.told.lines == ["connecting", "connect", "disconnect"]


async def test_disconnect_and_connect_in_one_turn_is_a_new_connection() -> None:
    async with connected() as rig:
        rig.client.disconnect()
        rig.client.connect()
        assert rig.client.state == "connecting"
        await rig.told.wait("connect", 2)
        assert rig.told.lines == ["connecting", "connect", "disconnect", "connecting", "connect"]
        assert len(rig.script.transports) == 2


async def test_connect_within_the_handler_of_disconnect() -> None:
    def prepare(rig: Rig) -> None:
        rig.client.on("disconnect", lambda _: rig.client.connect())

    async with connected(prepare, reconnect=False) as rig:
        rig.script.lose()
        await rig.told.wait("connect", 2)
        assert rig.told.lines == ["connecting", "connect", "disconnect TRANSPORT_FAILURE", "connecting", "connect"]


async def test_disconnect_within_the_handler_of_connect() -> None:
    async with disconnected() as rig:
        rig.client.on("connect", rig.client.disconnect)
        rig.client.connect()
        assert await rig.told.wait("disconnect") == (None,)
        assert rig.client.state == "disconnected"


async def test_connect_needs_the_client_disconnected_and_disconnect_the_opposite() -> None:
    async with disconnected() as rig:
        with pytest.raises(InvalidState):
            rig.client.disconnect()
        rig.client.connect()
        with pytest.raises(InvalidState):
            rig.client.connect()
        await rig.told.wait("connect")
        with pytest.raises(InvalidState):
            rig.client.connect()
        rig.client.disconnect()
        with pytest.raises(InvalidState):
            rig.client.disconnect()


async def test_a_rejected_handshake_is_final() -> None:
    async with disconnected(connect_retry=0) as rig:
        rig.script.handshake = REJECTION
        rig.client.connect()
        (error,) = await rig.told.wait("disconnect HANDSHAKE_REJECTED")
        assert isinstance(error, HandshakeRejected)
        with pytest.raises(HandshakeRejected):
            await rig.client.wait_connected()
        await rig.settle()
        assert len(rig.script.transports) == 1
        assert rig.client.state == "disconnected"


async def test_a_version_that_was_not_offered_is_reported_and_ignored() -> None:
    async with disconnected() as rig:
        rig.script.handshake = {**WELCOME, "Version": "0.2"}
        rig.client.connect()
        (error,) = await rig.told.wait("bad_server_message UNEXPECTED_MESSAGE")
        assert error.server_message == rig.script.handshake
        assert rig.client.state == "connecting"
        rig.script.say(WELCOME)
        await rig.told.wait("connect")


async def test_a_second_answer_to_the_handshake_is_reported_and_ignored() -> None:
    async with connected() as rig:
        assert await rig.say(WELCOME, REJECTION) == ["bad_server_message UNEXPECTED_MESSAGE"] * 2
        assert rig.client.state == "connected"


@pytest.mark.parametrize("extra", [{}, {"ClientId": "abc"}, {"ClientId": ""}])
async def test_the_oldest_dialect_gives_the_client_an_id(extra: dict[str, str]) -> None:
    async with disconnected() as rig:
        rig.script.handshake = {**WELCOME, **extra}
        rig.client.connect()
        await rig.told.wait("connect")


async def test_a_transport_that_does_not_connect_is_a_failure_with_its_error() -> None:
    async with disconnected(connect_retry=-1) as rig:
        rig.script.refuse = OSError("no route")
        rig.client.connect()
        (error,) = await rig.told.wait("disconnect TRANSPORT_FAILURE")
        assert isinstance(error, TransportFailure)
        assert "no route" in str(error.transport_error)
        assert error.retryable
        with pytest.raises(TransportFailure):
            await rig.client.wait_connected()


async def test_a_loss_before_the_handshake_is_complete_is_a_failed_attempt() -> None:
    async with disconnected(connect_retry=-1) as rig:
        rig.script.handshake = None
        rig.client.connect()
        await rig.script.until_sent(1)
        rig.script.lose()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
        await rig.settle()
        assert rig.told.lines == ["connecting", "disconnect TRANSPORT_FAILURE"]


async def test_a_retry_at_once_with_connect_retry_zero() -> None:
    async with disconnected(connect_retry=0, connect_retry_backoff=0) as rig:
        rig.script.refuse = OSError()
        rig.client.connect()
        await rig.told.wait("disconnect TRANSPORT_FAILURE", 3)
        rig.script.refuse = None
        await rig.client.wait_connected()


async def test_disconnect_fires_again_when_only_the_reason_changes() -> None:
    async with disconnected(connect_retry=-1) as rig:
        rig.script.refuse = OSError()
        rig.client.connect()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
        rig.script.refuse, rig.script.handshake = None, REJECTION
        rig.client.connect()
        await rig.told.wait("disconnect HANDSHAKE_REJECTED")


async def test_connect_drops_a_pending_retry() -> None:
    async with disconnected(connect_retry=3600, connect_retry_max=3600) as rig:
        rig.script.refuse = OSError()
        rig.client.connect()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
        rig.script.refuse = None
        rig.client.connect()
        await rig.told.wait("connect")


async def test_cancel_retry_stops_a_pending_retry_and_those_who_wait_for_it() -> None:
    async with disconnected(connect_retry=3600, connect_retry_max=3600) as rig:
        rig.script.refuse = OSError()
        rig.client.connect()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                with pytest.raises(TransportFailure):
                    await rig.client.wait_connected()

            group.start_soon(wait)
            await rig.settle()
            rig.client.cancel_retry()
        rig.client.cancel_retry()  # there is none any more
        assert rig.client.state == "disconnected"


async def test_cancel_retry_leaves_a_connection_and_an_attempt_alone() -> None:
    async with disconnected() as rig:
        rig.client.connect()
        rig.client.cancel_retry()
        await rig.told.wait("connect")
        rig.client.cancel_retry()
        await rig.settle()
        assert rig.client.state == "connected"


async def test_to_wait_for_the_connection_of_a_client_that_does_not_connect_raises() -> None:
    async with disconnected() as rig:
        with pytest.raises(Disconnected):
            await rig.client.wait_connected()
        rig.client.connect()
        await rig.client.wait_connected()
        rig.client.disconnect()
        with pytest.raises(Disconnected):
            await rig.client.wait_connected()


async def test_without_reconnect_a_loss_is_final() -> None:
    async with connected(reconnect=False) as rig:
        rig.script.lose(OSError("cable"))
        (error,) = await rig.told.wait("disconnect TRANSPORT_FAILURE")
        assert "cable" in str(error.transport_error)
        with pytest.raises(TransportFailure):
            await rig.client.wait_connected()
        assert len(rig.script.transports) == 1


async def test_a_connection_that_the_server_ends_in_order_is_lost_too() -> None:
    async with connected(reconnect=False) as rig:
        rig.script.current.end(None)
        await rig.told.wait("disconnect TRANSPORT_FAILURE")


class TestOnTheClock:
    """Schedules, on the only loop whose clock a test can turn."""

    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, Any]]:
        return "trio", {"clock": MockClock(autojump_threshold=0)}

    async def test_retries_wait_longer_each_time_up_to_the_maximum_and_end(self) -> None:
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

    async def test_retries_begin_anew_after_a_connect_of_the_application(self) -> None:
        async with disconnected(connect_retry=1, connect_retry_backoff=10, connect_retry_max=100) as rig:
            rig.script.refuse = OSError()
            begun = trio.current_time()
            rig.client.connect()
            await trio.sleep(5)
            rig.client.connect()
            await trio.sleep(5)
            assert [at - begun for at in rig.script.attempts] == [0, 1, 5, 6]

    async def test_an_attempt_that_takes_too_long_times_out_and_is_retried(self) -> None:
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

    async def test_a_handshake_without_an_answer_times_out(self) -> None:
        async with disconnected(connect_timeout=7, connect_retry=-1) as rig:
            rig.script.handshake = None
            rig.client.connect()
            await rig.told.wait("disconnect TIMEOUT")
            assert rig.script.current.state == "disconnected"

    async def test_with_a_connect_timeout_of_zero_it_waits_for_ever(self) -> None:
        async with disconnected(connect_timeout=0) as rig:
            rig.script.hang = True
            rig.client.connect()
            await trio.sleep(80_000)
            assert rig.told.lines == ["connecting"]

    async def test_a_connection_that_has_lasted_is_opened_again_at_once(self) -> None:
        async with connected() as rig:
            await trio.sleep(30)
            rig.script.lose()
            lost = trio.current_time()
            await rig.told.wait("connect", 2)
            assert trio.current_time() == lost
            assert rig.told.lines[2:] == ["disconnect TRANSPORT_FAILURE", "connecting", "connect"]

    async def test_one_that_has_not_lasted_is_opened_again_after_the_time_of_a_retry(self) -> None:
        async with connected(connect_retry=5) as rig:
            await trio.sleep(29)
            rig.script.lose()
            lost = trio.current_time()
            await rig.told.wait("disconnect TRANSPORT_FAILURE")
            assert rig.client.state == "disconnected"
            await rig.told.wait("connect", 2)
            assert trio.current_time() == lost + 5

    async def test_after_a_loss_the_schedule_of_retries_applies(self) -> None:
        options = {"connect_retry": 1, "connect_retry_backoff": 1, "connect_retry_max_attempts": 2}
        async with connected(**options) as rig:
            await trio.sleep(30)
            rig.script.refuse = OSError()
            rig.script.lose()
            lost = trio.current_time()
            await trio.sleep(1000)
            assert [at - lost for at in rig.script.attempts[1:]] == [0, 1, 3]

    async def test_without_retries_a_loss_is_followed_by_one_attempt_at_least(self) -> None:
        async with connected(connect_retry=-1) as rig:
            await trio.sleep(10)
            rig.script.refuse = OSError()
            rig.script.lose()
            await trio.sleep(1000)
            assert len(rig.script.attempts) == 2

    async def test_a_success_lets_retries_count_anew(self) -> None:
        async with connected(connect_retry=1, connect_retry_backoff=1, connect_retry_max_attempts=2) as rig:
            for _ in range(3):
                await trio.sleep(30)
                rig.script.refuse = OSError()
                rig.script.lose()
                await trio.sleep(2)
                rig.script.refuse = None
                await rig.client.wait_connected()

    async def test_a_time_out_is_reported_before_the_next_reason(self) -> None:
        async with disconnected(connect_timeout=1, connect_retry=1) as rig:
            rig.script.hang = True
            rig.client.connect()
            await rig.told.wait("disconnect TIMEOUT")
            rig.script.hang, rig.script.refuse = False, OSError()
            await rig.told.wait("disconnect TRANSPORT_FAILURE")
