"""A server and its clients in one process, without sockets."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.errors import TransportFailure
from rcex_ws.feedme.server import ClientFailure, ClientTooSlow, ConnectedClient, FeedmeServer, ServerStopping
from rcex_ws.feedme.server.memory import MemoryPeer, MemoryTransport
from rcex_ws.websocket.frames import Binary, Text
from rcex_ws.websocket.peer import PeerOptions, Shared
from rcex_ws.websocket.socket import Ending
from tests.feedme.wire import HANDSHAKE, action, feed_open

pytestmark = pytest.mark.anyio


async def next_of(transport: MemoryTransport) -> Any:
    with anyio.fail_after(10):
        message = await transport.receive()
    return None if message is None else json.loads(message)


async def shaken(server: FeedmeServer) -> MemoryTransport:
    transport = server.memory_transport()
    await transport.connect()
    transport.send(json.dumps(HANDSHAKE).encode())
    assert (await next_of(transport))["Success"]
    return transport


async def test_an_application_can_be_tested_without_a_socket() -> None:
    server = FeedmeServer()
    scores = server.live_feed("scores", {}, {"ann": 0})

    @server.action("score")
    async def score(client: Any, args: Any) -> dict[str, Any]:
        with scores.change("scored", args) as draft:
            draft[args["player"]] += 1
        return {}

    async with server.mounted():
        async with FeedmeClient(transport=server.memory_transport) as client, client.feed("scores", {}) as feed:
            assert feed.data == {"ann": 0}
            changes = aiter(feed)
            await client.action("score", {"player": "ann"})
            change = await anext(changes)
            assert (change.action_name, change.new_data) == ("scored", {"ann": 1})
            assert scores.subscribers == 1
        assert scores.subscribers == 0


async def test_a_client_connects_again() -> None:
    async with FeedmeServer().mounted() as server:
        feed = server.live_feed("feed", {}, {"n": 0})
        async with (
            FeedmeClient(transport=server.memory_transport, connect_retry=0) as client,
            client.feed("feed", {}) as mine,
        ):
            server.clients[0].disconnect()
            with anyio.fail_after(10):
                while not feed.subscribers:
                    await anyio.lowlevel.checkpoint()
                feed.reveal("more", {}, [{"Operation": "Increment", "Path": ["n"], "Value": 1}])
                while not (mine.synced and mine.data == {"n": 1}):
                    await anyio.lowlevel.checkpoint()


async def test_a_server_that_is_not_running_refuses() -> None:
    server = FeedmeServer()
    for _ in range(2):
        transport = server.memory_transport()
        assert transport.state == "disconnected"
        with pytest.raises(ConnectionRefusedError, match="the server is not running"):
            await transport.connect()
        assert transport.state == "disconnected"
        client = FeedmeClient(transport=server.memory_transport, connect_retry=-1)
        client.connect()
        with pytest.raises(TransportFailure, match="not running"):
            await client.wait_connected()
        await client.aclose()
        await server.aclose()


async def test_messages_sent_before_the_client_leaves_arrive() -> None:
    async with FeedmeServer().mounted() as server:
        heard: list[Any] = []
        server.action()(lambda client, name, args: heard.append(name) or {})
        gone = anyio.Event()

        @server.on("disconnect")
        def left(client: Any, error: Any) -> None:
            heard.append(type(error))
            gone.set()

        transport = await shaken(server)
        transport.send(json.dumps(action("last")).encode())
        transport.disconnect()
        assert transport.state == "disconnected"
        transport.send(b"lost")
        assert await next_of(transport) is None
        with anyio.fail_after(10):
            await gone.wait()
            while len(heard) < 2:
                await anyio.lowlevel.checkpoint()
        assert set(heard) == {"last", ClientFailure}
        assert server.clients == ()


async def test_clients_that_have_left_leave_no_task_behind() -> None:
    async with FeedmeServer().mounted() as server:
        others = len(server._runtime._life._tasks)
        for _ in range(5):
            transport = await shaken(server)
            assert len(server._runtime._life._tasks) == others + 1
            transport.disconnect()
            while len(server._runtime._life._tasks) > others:
                await anyio.lowlevel.checkpoint()


async def test_a_client_whose_server_is_closed() -> None:
    async with FeedmeServer().mounted() as server:
        reasons: list[Any] = []
        server.on("disconnect", lambda client, error: reasons.append(type(error)))
        transport = await shaken(server)
        await server.aclose()
        assert await next_of(transport) is None
        assert transport.state == "disconnected"
    assert reasons == [ServerStopping]


async def test_a_client_that_does_not_read() -> None:
    async with FeedmeServer(max_buffer=1000).mounted() as server:
        reasons: list[Any] = []
        server.on("disconnect", lambda client, error: reasons.append(type(error)))
        feed = server.live_feed("feed")
        transport = await shaken(server)
        transport.send(json.dumps(feed_open()).encode())
        await next_of(transport)
        assert feed.reveal("more", {"text": "x" * 500}) == 1
        assert feed.reveal("more", {"text": "x" * 500}) == 0
        assert feed.subscribers == 0
        await server.aclose()
    assert reasons == [ClientTooSlow]


class TestPeer:
    async def test_messages_of_any_kind(self) -> None:
        peer = MemoryPeer(PeerOptions())
        assert not peer.is_open
        assert not peer.send([b"early"])
        await peer.accept("feedme", None, [b"hello"])
        await peer.wait_accepted()
        peer.ping()
        await peer.drain()
        assert peer.is_open
        assert peer.send([Text("text"), Binary(b"not for a Feedme client")])
        assert peer.send_shared(Shared([b"shared"]))
        peer.close()
        assert not peer.send([b"late"])
        assert not peer.overflowed
        assert [await peer.to_client.get() for _ in range(4)] == [b"hello", b"text", b"shared", None]

    async def test_a_peer_is_told_once_that_it_closes(self) -> None:
        peer, closings = MemoryPeer(PeerOptions()), []
        await peer.accept()
        peer.close(4000, "bye")
        peer.abort()
        ending = await peer.read(lambda *_: None, on_closing=lambda: closings.append(1))
        assert (ending, closings) == (Ending(4000, "bye", by_peer=True, answered=True), [1])

    async def test_an_abort_loses_what_was_sent(self) -> None:
        peers: list[MemoryPeer] = []

        async def accept(peer: MemoryPeer) -> None:
            peers.append(peer)
            await peer.accept(messages=[b"lost"])

        async with anyio.create_task_group() as group:
            transport = MemoryTransport(lambda peer: group.start_soon(accept, peer), max_buffer=100)
            await transport.connect()
        assert transport.state == "connected"
        peers[0].abort()
        with pytest.raises(ConnectionResetError, match="the server dropped the connection"):
            await transport.receive()

    async def test_a_client_that_left_before_it_was_accepted(self) -> None:
        peer = MemoryPeer(PeerOptions())
        peer.end_by_client()
        await peer.accept()
        peer.send([b"lost"])
        assert await peer.read(lambda *_: None) == Ending(1000, "", by_peer=True)
        await peer.accept()
        assert not peer.is_open
        assert await peer.to_client.get() is None

    async def test_a_refusal(self) -> None:
        async def refuse(peer: MemoryPeer) -> None:
            await peer.refuse(503)

        async with anyio.create_task_group() as group:
            transport = MemoryTransport(lambda peer: group.start_soon(refuse, peer), max_buffer=100)
            with pytest.raises(ConnectionRefusedError, match="with the status 503"):
                await transport.connect()
        assert transport.state == "disconnected"

    async def test_a_cancelled_connect(self) -> None:
        transport = MemoryTransport(lambda peer: None, max_buffer=100)
        with anyio.move_on_after(0):
            await transport.connect()
        assert transport.state == "disconnected"


async def test_handlers_see_the_path_and_the_headers_that_a_test_chooses() -> None:
    async with FeedmeServer() as server:
        seen: list[Any] = []

        @server.handshake
        def log_in(client: ConnectedClient) -> None:
            seen.append((client.request.path, client.request.headers))

        transport = partial(server.memory_transport, "/feedme?game=1", {"Authorization": "ann"})
        async with FeedmeClient(transport=transport):
            assert seen == [("/feedme?game=1", {"authorization": "ann"})]
