"""Connecting and disconnecting: states, events, retries."""

from __future__ import annotations

import anyio
import pytest

from rcex_ws.feedme.errors import Disconnected, HandshakeRejected, InvalidState, TransportFailure
from tests.feedme.scripted import Rig, connected, disconnected
from tests.feedme.wire import HANDSHAKE, REJECTION, WELCOME


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
        assert rig.script.current.sent == [HANDSHAKE]


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


async def test_connect_within_that_handler_takes_the_place_of_the_retry() -> None:
    def prepare(rig: Rig) -> None:
        rig.client.on("disconnect", lambda _: rig.client.connect())

    async with connected(prepare, connect_retry=0.05, connect_retry_backoff=0) as rig:
        rig.script.lose()
        await rig.told.wait("connect", 2)
        await rig.settle()
        assert "error" not in rig.told.lines
        assert len(rig.script.transports) == 2


async def test_cancel_retry_within_the_handler_of_disconnect_is_the_end() -> None:
    def prepare(rig: Rig) -> None:
        rig.client.on("disconnect", lambda _: rig.client.cancel_retry())

    async with connected(prepare, connect_retry=0.05, connect_retry_backoff=0) as rig:
        rig.script.lose()
        await rig.told.wait("disconnect TRANSPORT_FAILURE")
        with pytest.raises(TransportFailure):
            await rig.client.wait_connected()
        assert len(rig.script.transports) == 1


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


async def test_who_waits_for_the_connection_is_told_when_the_application_disconnects() -> None:
    async with disconnected() as rig, anyio.create_task_group() as group:
        rig.script.hang = True
        rig.client.connect()

        async def wait() -> None:
            with pytest.raises(Disconnected):
                await rig.client.wait_connected()

        group.start_soon(wait)
        await rig.settle()
        rig.client.disconnect()


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
