"""Transports of the application: which of their faults are told, and that none of them harms the client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rcex_ws.errors import ConnectFailed
from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.errors import TransportFailure, TransportFault
from rcex_ws.feedme.transport import Transport
from rcex_ws.feedme.transport_socket import open_transport
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.frames import Ping
from rcex_ws.websocket.socket import Receivers, ignore
from tests.feedme.scripted import Script, ScriptedTransport, Told

LOST = "disconnect TRANSPORT_FAILURE"
FAULT = "disconnect TRANSPORT_ERROR"


class Connected(ScriptedTransport):
    """Connected from the start."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.state = "connected"


class NeverConnected(ScriptedTransport):
    """Returns from `connect` without a connection."""

    async def connect(self) -> None:
        await super().connect()
        self.state = "connecting"


class CannotSend(ScriptedTransport):
    """Raises when it is to send."""

    def send(self, text: bytes) -> None:
        raise ZeroDivisionError("send")


class CannotSendActions(ScriptedTransport):
    """Raises when it is to send anything but the handshake."""

    def send(self, text: bytes) -> None:
        if b"Handshake" not in text:
            raise ZeroDivisionError("send")
        super().send(text)


class ReceivesTexts(ScriptedTransport):
    """Returns a str in the place of bytes."""

    async def receive(self) -> Any:
        return "text" if await super().receive() else None


class HidesItsState(ScriptedTransport):
    """Raises when it is asked for its state once it is connected."""

    async def connect(self) -> None:
        await super().connect()
        self.broken = True

    def __getattribute__(self, name: str) -> Any:
        if name == "state" and "broken" in vars(self):
            raise ZeroDivisionError("state")
        return super().__getattribute__(name)


class CannotDisconnect(ScriptedTransport):
    """Raises when it is to disconnect after a failed attempt."""

    async def connect(self) -> None:
        raise OSError("down")

    def disconnect(self) -> None:
        raise ZeroDivisionError("disconnect")


async def connect(make: Callable[[], Transport]) -> tuple[FeedmeClient, Told]:
    client, told = FeedmeClient(transport=make, connect_retry=0, connect_retry_backoff=0), Told()
    client.on("disconnect", lambda error: told.add("disconnect", error))
    client.connect()
    return client, told


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Connected, "at the start"),
        (NeverConnected, "after connect"),
        (CannotSend, "send"),
        (ReceivesTexts, "str"),
        (HidesItsState, "state"),
        (CannotDisconnect, "disconnect"),
    ],
)
async def test_a_transport_that_breaks_the_rules_is_a_transport_error_and_is_not_tried_again(
    kind: type[ScriptedTransport], text: str
) -> None:
    made: list[ScriptedTransport] = []

    def make() -> ScriptedTransport:
        made.append(kind(Script()))
        return made[-1]

    client, told = await connect(make)
    (error,) = await told.wait(FAULT)
    assert isinstance(error, TransportFault)
    assert error.code == "TRANSPORT_ERROR"
    assert text in str(error)
    with pytest.raises(TransportFault):
        await client.wait_connected()
    assert client.state == "disconnected"
    await client.aclose()
    assert len(made) == 1
    assert told.lines[-1] == FAULT
    if kind not in (Connected, HidesItsState, CannotDisconnect):
        assert made[0].state == "disconnected"


async def test_a_fault_while_connected_is_first_a_loss_then_the_reason_changes() -> None:
    client, told = await connect(lambda: CannotSendActions(Script()))
    await client.wait_connected()
    action = client.action("x", {})
    await told.wait(FAULT)
    assert told.lines == [LOST, FAULT]
    with pytest.raises(Exception, match="NOT_CONNECTED"):
        await action
    await client.aclose()


async def test_a_transport_that_belongs_to_a_client_already() -> None:
    transport = ScriptedTransport(Script())
    first, _ = await connect(lambda: transport)
    await first.wait_connected()
    second, told = await connect(lambda: transport)
    (error,) = await told.wait(FAULT)
    assert "belongs" in str(error)
    assert first.state == "connected"
    await second.aclose()
    assert first.state == "connected"
    await first.aclose()


async def test_a_transport_may_be_used_again_once_it_has_ended() -> None:
    transport = ScriptedTransport(Script())
    for _ in range(2):
        client, _ = await connect(lambda: transport)
        await client.wait_connected()
        await client.aclose()
        assert await transport.receive() is None


async def test_what_makes_transports_may_raise() -> None:
    def make() -> Transport:
        raise ZeroDivisionError("no transport today")

    client, told = await connect(make)
    (error,) = await told.wait(FAULT)
    assert "no transport today" in str(error)
    await client.aclose()


async def test_a_transport_that_ends_by_itself_is_a_failure_with_its_error() -> None:
    script = Script()
    client, told = await connect(script)
    await client.wait_connected()
    script.lose(ValueError("the modem"))
    (error,) = await told.wait(LOST)
    assert isinstance(error, TransportFailure)
    assert "ValueError: the modem" in str(error.transport_error)
    await client.aclose()


async def test_a_transport_that_disconnects_without_saying_so_takes_nothing_more() -> None:
    script = Script()
    client, told = await connect(script)
    await client.wait_connected()
    script.current.state = "disconnected"
    client.action("x", {})
    await anyio.wait_all_tasks_blocked()
    assert script.unseen == []
    script.lose()
    await told.wait(LOST)
    await client.aclose()


async def test_one_that_never_ends_delays_aclose_by_the_close_timeout_at_most() -> None:
    class Endless(ScriptedTransport):
        def disconnect(self) -> None:
            pass

    client = FeedmeClient(transport=lambda: Endless(Script()), close_timeout=0.1)
    client.connect()
    await client.wait_connected()
    with anyio.fail_after(5):
        await client.aclose()


async def test_a_transport_may_say_itself_whether_trying_again_can_help() -> None:
    script = Script()
    script.refuse = ConnectFailed("the key is not known there", retryable=False)
    client, told = await connect(script)
    (error,) = await told.wait(LOST)
    assert error.transport_error is script.refuse
    with pytest.raises(TransportFailure):
        await client.wait_connected()
    await client.aclose()
    assert len(script.attempts) == 1


async def test_what_comes_after_disconnect_is_not_received() -> None:
    class Talkative(ScriptedTransport):
        def disconnect(self) -> None:
            self.say({"MessageType": "ViolationResponse", "Diagnostics": {}})
            super().disconnect()

    told = Told()
    client = FeedmeClient(transport=lambda: Talkative(Script()))
    client.on("bad_client_message", lambda _: told.add("bad_client_message"))
    async with client:
        pass
    assert told.lines == []


class Endless(ScriptedTransport):
    """Has a message whenever it is asked, without ever waiting."""

    async def receive(self) -> bytes:
        return b"{}"


async def test_nothing_is_delivered_after_reading_has_stopped() -> None:
    got: list[bytes] = []
    async with open_transport(lambda: Endless(Script()), Endpoint("")) as socket, anyio.create_task_group() as group:

        def on_message(data: bytes, _: bool) -> None:
            got.append(data)
            socket.stop_reading()

        receivers = Receivers(on_message, ignore, ended=lambda _: got.append(b"ended"))
        socket.start_reading(receivers, group)
    assert got == [b"{}"]


async def test_a_message_that_arrives_with_the_loss_is_not_delivered() -> None:
    transport = ScriptedTransport(Script())
    got: list[bytes] = []
    async with open_transport(lambda: transport, Endpoint("")) as socket:
        async with anyio.create_task_group() as group:
            socket.start_reading(Receivers(lambda data, _: got.append(data), ignore), group)
            await anyio.wait_all_tasks_blocked()
            transport.say({"MessageType": "x"})
            socket.stop_reading()
        assert got == []
        await socket.abort()


async def test_it_has_no_descriptors_and_sends_encoded_texts_alone() -> None:
    async with open_transport(lambda: ScriptedTransport(Script()), Endpoint("")) as socket:
        assert list(socket.descriptors()) == []
        with pytest.raises(TypeError, match="encoded texts alone"):
            await socket.send([Ping()])
