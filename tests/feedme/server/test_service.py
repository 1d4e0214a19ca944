"""When a client is pinged, when it is disconnected, and what the application is told of it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from rcex_ws.feedme.server import (
    ClientFailure,
    ClientLost,
    ClientTooSlow,
    ConnectedClient,
    FeedmeServer,
    HandshakeTimedOut,
)
from rcex_ws.feedme.server.conversation import ServerConversation
from rcex_ws.feedme.server.service import ClientService
from rcex_ws.websocket.server_handshake import UpgradeRequest
from tests.feedme.server.conversing import Conversing
from tests.feedme.server.raw_client import connected
from tests.feedme.wire import HANDSHAKE, action, feed_open
from tests.websocket.serving import CLOSE, UPGRADE, Raw, masked


class Watched:
    """A service whose peer is this object, and whose clock is that of a `Conversing`."""

    def __init__(self, *, heartbeat: bool = True, **options: Any) -> None:
        self.talk = Conversing(**options)
        self.request = UpgradeRequest("/", {})
        self.overflowed = False
        self.done: list[Any] = []
        self.service = ClientService(self.talk.core, self, heartbeat=heartbeat)  # type: ignore[arg-type]

    def poll(self, passed: float) -> float:
        """Let time pass, and poll; return the seconds until the next time."""
        self.talk.now += passed
        return self.service.poll(self.talk.now) - self.talk.now

    def receive(self, message: Any) -> None:
        self.service._on_message(json.dumps(message).encode(), False)

    def send(self, messages: Any) -> bool:
        self.done.append("send")
        return True

    def ping(self) -> None:
        self.done.append("ping")

    def close(self, code: int, reason: str = "") -> None:
        self.done.append(("close", code, reason))
        self.service._on_closing()

    def abort(self) -> None:
        self.done.append("abort")
        self.service._on_closing()


def test_a_client_without_a_handshake_is_disconnected() -> None:
    watched = Watched(handshake_timeout=5, heartbeat_interval=100)
    assert watched.poll(0) == 5
    assert watched.poll(4) == 1
    assert watched.poll(1) == math.inf
    assert watched.done == [("close", 1008, "handshake timeout")]
    assert type(watched.service._why(None)) is HandshakeTimedOut
    assert str(watched.service._why(None)) == "HANDSHAKE_TIMEOUT: the client sent no handshake in time"


def test_a_handshake_whose_handler_does_not_return_is_not_the_clients_fault() -> None:
    watched = Watched(handshake_timeout=5, heartbeat_interval=100)
    watched.talk.core.handlers.set_handshake(lambda _: None)
    watched.receive(HANDSHAKE)
    watched.poll(5)
    assert watched.done == [("close", 1008, "handshake timeout")]
    assert str(watched.service._why(None)) == "HANDSHAKE_TIMEOUT: no handler answered the handshake in time"


FORK = """
import os
from tests.feedme.server.test_service import Watched

child = os.fork()
os.write(1, f"{Watched().service.client.id}\\n".encode())
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_server_gives_other_ids_to_its_clients() -> None:
    ran = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=30, check=True)
    one, two = ran.stdout.split()
    assert one != two


def test_a_refused_handshake_does_not_stop_the_clock() -> None:
    watched = Watched(handshake_timeout=5, heartbeat_interval=100)
    watched.receive({"MessageType": "Handshake", "Versions": ["9"]})
    watched.poll(5)
    assert watched.done == ["send", ("close", 1008, "handshake timeout")]


def test_after_the_handshake_only_the_heartbeat_counts() -> None:
    watched = Watched(handshake_timeout=5, heartbeat_interval=100)
    watched.receive(HANDSHAKE)
    assert watched.poll(0) == 100
    assert watched.poll(50) == 50


def test_the_time_out_for_the_handshake_can_be_switched_off() -> None:
    watched = Watched(handshake_timeout=0, heartbeat=False)
    assert watched.poll(1e9) == math.inf
    assert watched.done == []


def test_a_silent_client_is_pinged_and_then_dropped() -> None:
    watched = Watched(heartbeat_interval=30, heartbeat_timeout=10, handshake_timeout=0)
    assert watched.poll(0) == 30
    assert watched.poll(30) == 10
    assert watched.poll(9) == 1
    assert watched.poll(1) == math.inf
    assert watched.done == ["ping", "abort"]
    assert str(watched.service._why(None)) == "FAILURE: the client gave no sign of life"


def test_a_sign_of_life_postpones_the_next_ping() -> None:
    watched = Watched(heartbeat_interval=30, heartbeat_timeout=10, handshake_timeout=0)
    watched.poll(30)
    watched.talk.now += 5
    watched.service._on_heard()
    assert watched.poll(5) == 20
    assert watched.poll(19) == 1
    watched.poll(1)
    assert watched.done == ["ping", "ping"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x8a\x80\0\0\0\0", id="pong"),
        pytest.param(masked(0x81, b"{}"), id="message"),
        # A client on a slow link can send no pong before the end of it.
        pytest.param(b"\x81\xff" + (100_000).to_bytes(8) + bytes(4) + bytes(40_000), id="part of a large message"),
    ],
)
async def test_all_that_arrives_is_a_sign_of_life(data: bytes, until: Callable[..., Any]) -> None:
    async with FeedmeServer() as server:
        with Raw(int(server.url.rstrip("/").rpartition(":")[2])) as client:
            await client.open()
            await until(lambda: server.clients)
            heartbeat = next(iter(server._runtime.services.values()))._heartbeat
            assert heartbeat is not None
            heartbeat.last_inbound = 0.0
            await client.send(data)
            await until(lambda: heartbeat.last_inbound)


def test_a_closing_client_is_left_alone() -> None:
    watched = Watched(handshake_timeout=5)
    watched.service.disconnect()
    watched.service.disconnect()
    watched.service.close(ClientLost("too late"))
    watched.receive(HANDSHAKE)
    assert watched.poll(1000) == math.inf
    assert watched.done == [("close", 1000, "")]
    assert watched.service._why(None) is None


@pytest.mark.parametrize(("overflowed", "reason"), [(True, ClientTooSlow), (False, ClientFailure)])
def test_a_websocket_that_ends_while_something_is_sent(overflowed: bool, reason: type[ClientLost]) -> None:
    """Only a peer can say whether its client was too slow, or the connection was lost at that very moment."""
    watched = Watched()

    def send(messages: Any) -> bool:
        watched.overflowed = overflowed
        watched.service._on_closing()
        return False

    watched.send = send  # type: ignore[method-assign]
    watched.receive(HANDSHAKE)
    assert type(watched.service._why(None)) is reason


class Heard:
    """What the application is told of clients, in order."""

    def __init__(self, server: FeedmeServer) -> None:
        self.events: list[tuple[str, Any]] = []
        self.clients: list[ConnectedClient] = []
        server.on("connect", self.clients.append)
        server.on("disconnect", lambda client, error: self.events.append(("disconnect", error)))
        server.on("bad_client_message", lambda client, error: self.events.append(("bad", error)))

    @property
    def errors(self) -> list[Any]:
        return [error for name, error in self.events if name == "disconnect"]


@pytest.mark.anyio
class TestOverASocket:
    async def test_a_client_that_leaves(self, until: Callable[..., Any]) -> None:
        async with FeedmeServer() as server:
            heard = Heard(server)
            async with connected(server.url) as client:
                assert server.clients == (heard.clients[0],)
                await client.close()
            async with connected(server.url) as client:
                await client.drop()
            await until(lambda: len(heard.errors) == 2)
            assert server.clients == ()
        assert [type(error) for error in heard.errors] == [ClientFailure, ClientFailure]
        assert [error.close_code for error in heard.errors] == [1000, None]
        assert len({client.id for client in heard.clients}) == 2

    async def test_a_binary_message_ends_the_connection(self, until: Callable[..., Any]) -> None:
        async with FeedmeServer() as server:
            heard = Heard(server)
            async with connected(server.url) as client:
                await client.send(b"{}", action())
                assert await client.receive() is None
                assert client.ending is not None
                assert (client.ending.code, client.ending.reason) == (1003, "text only")
            await until(lambda: heard.errors)
        assert [str(error) for error in heard.errors] == ["FAILURE: the client sent a binary message"]

    async def test_a_message_that_is_too_large_ends_the_connection(self, until: Callable[..., Any]) -> None:
        async with FeedmeServer(max_size=1000) as server:
            heard = Heard(server)
            async with connected(server.url) as client:
                assert (await client.ask("x" * 1000))["MessageType"] == "ViolationResponse"
                await client.send("x" * 1001)
                assert await client.receive() is None
                assert client.ending is not None
                assert client.ending.code == 1009
            await until(lambda: heard.errors)
        assert type(heard.errors[0]) is ClientFailure
        assert str(heard.errors[0]) == "FAILURE: the client sent what cannot be read: 1009"

    async def test_messages_sent_before_a_client_leaves_are_handled(self, until: Callable[..., Any]) -> None:
        """Even if all of it arrives at once."""
        async with FeedmeServer() as server:
            heard, names = Heard(server), list[str]()
            server.action()(lambda client, name, args: names.append(name) or {})
            with Raw(int(server.url.rstrip("/").rpartition(":")[2])) as client:
                messages = (HANDSHAKE, *(action(str(n), callback_id=str(n)) for n in range(3)))
                await client.send(
                    UPGRADE + b"".join(masked(0x81, json.dumps(one).encode()) for one in messages) + CLOSE
                )
                await client.rest()
            await until(lambda: heard.errors and len(names) == 3)
        assert names == ["0", "1", "2"]
        assert heard.errors[0].close_code == 1000

    async def test_a_client_that_breaks_the_rules_may_be_disconnected(self, until: Callable[..., Any]) -> None:
        async with FeedmeServer(disconnect_on_violation=True) as server:
            heard = Heard(server)
            async with connected(server.url) as client:
                await client.send("x", action())
                assert (await client.receive())["Diagnostics"] == {"Problem": "Invalid JSON.", "Message": "x"}
                assert await client.receive() is None
                assert client.ending is not None
                assert client.ending.code == 1002
            await until(lambda: heard.errors)
        assert [str(error) for _, error in heard.events] == [
            "INVALID_MESSAGE: Invalid JSON.",
            "FAILURE: the client broke the rules: Invalid JSON.",
        ]

    async def test_the_application_disconnects_a_client(self, until: Callable[..., Any]) -> None:
        async with FeedmeServer() as server:
            heard = Heard(server)
            server.live_feed("feed", {"a": "1"})
            async with connected(server.url) as client:
                await client.ask(feed_open("feed", a="1"))
                assert heard.clients[0].feeds == [("feed", {"a": "1"})]
                heard.clients[0].disconnect()
                heard.clients[0].disconnect()
                assert await client.receive() is None
                assert client.ending is not None
                assert client.ending.code == 1000
                assert heard.clients[0].feeds == []
            await until(lambda: heard.errors)
        assert heard.errors == [None]

    async def test_a_client_that_does_not_read_is_dropped_while_others_go_on(self, until: Callable[..., Any]) -> None:
        async with FeedmeServer(max_buffer=200_000, close_timeout=0.5) as server:
            heard = Heard(server)
            feed = server.live_feed("feed", {}, {"n": 0})
            port = int(server.url.rstrip("/").rpartition(":")[2])
            async with connected(server.url) as reader:
                await reader.ask(feed_open())
                with Raw(port, small=True) as slow:
                    await slow.open()
                    for message in (HANDSHAKE, feed_open()):
                        await slow.send(masked(0x81, json.dumps(message).encode()))
                    await until(lambda: feed.subscribers == 2)
                    count = 0
                    while not heard.errors:
                        count += 1
                        assert (
                            feed.reveal(
                                "more", {"text": "x" * 100_000}, [{"Operation": "Set", "Path": ["n"], "Value": count}]
                            )
                            > 0
                        )
                        assert (await reader.receive())["ActionName"] == "more"
                    assert feed.subscribers == 1
                assert type(heard.errors[0]) is ClientTooSlow
                assert feed.reveal("last") == 1
                assert (await reader.receive())["ActionName"] == "last"
        assert feed.data == {"n": count}

    @pytest.mark.parametrize("in_memory", [True, False])
    async def test_a_bug_ends_one_connection_and_is_reported(
        self, in_memory: bool, monkeypatch: pytest.MonkeyPatch, until: Callable[..., Any]
    ) -> None:
        bug = ZeroDivisionError("bug")

        def fail(_: Any, __: bytes) -> None:
            raise bug

        async with FeedmeServer() as server:
            heard, errors = Heard(server), list[Exception]()
            server.on("error", errors.append)
            async with connected(server.url) as other:
                with monkeypatch.context() as patched:
                    patched.setattr(ServerConversation, "receive", fail)
                    if in_memory:
                        transport = server.memory_transport()
                        await transport.connect()
                        transport.send(b"{}")
                        assert await transport.receive() is None
                    else:
                        async with connected(server.url, handshake=False) as client:
                            await client.send("{}")
                            assert await client.receive() is None
                            assert client.ending is not None
                            assert client.ending.code == 1011
                    await until(lambda: heard.errors)
                assert await other.rest() == []
        assert errors == [bug]
        assert type(heard.errors[0]) is ClientFailure

    async def test_the_headers_and_the_path_of_a_client(self) -> None:
        async with FeedmeServer() as server, connected(f"{server.url}some/path?x=1", headers={"X-A": "b"}):
            (client,) = server.clients
            assert (client.request.path, client.request.headers["x-a"]) == ("/some/path?x=1", "b")
            assert client.state == {}
            assert repr(client) == f"<ConnectedClient {client.id}>"
