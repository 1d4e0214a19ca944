"""Recovery of a session over real sockets: what succeeds, what fails and how, and that the replay is one write."""

from __future__ import annotations

import socket as sockets
import struct
from contextlib import asynccontextmanager

import anyio
import pytest
import trio
import websockets
from trio.testing import memory_stream_pair
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from rcex_ws.gateway import GatewayApp
from rcex_ws.gateway.nodes import PEER_OPTIONS
from rcex_ws.websocket.listen_trio import serve_stream

EXTENSION = "/restapi/v1.0/account/~/extension/~"
STORE = f"{EXTENSION}/message-store"


@pytest.fixture
def lose(until, kinds):
    """Open a subscribed session at a gateway, cut it, and return its wsc."""

    async def lose(gw, user):
        socket, details = await user.open()
        await socket.subscribe(STORE)
        assert gw.cut() == 1
        await socket.closed()
        return details[0]["wsc"]["token"]

    return lose


def states(gw, uuid):
    return [entry["state"] for entry in gw.log() if entry.get("uuid") == uuid]


async def test_same_login_recovers_with_all_that_was_missed(start, log_in, lose, kinds):
    gw = start()
    user = await log_in(gw)
    wsc = await lose(gw, user)
    uuids = [gw.notify(STORE, {"n": n})[0] for n in range(20)]
    socket, (meta, body) = await user.open(wsc)
    assert body["recoveryState"] == "Successful"
    assert "recoveryErrorCode" not in body
    assert meta["wsc"]["sequence"] == 1
    assert meta["wsc"]["token"] != wsc
    replay = [await socket.recv() for _ in range(20)]
    assert [frame[1]["body"]["n"] for frame in replay] == list(range(20))
    assert [frame[1]["uuid"] for frame in replay] == uuids
    assert states(gw, uuids[0]) == ["buffered", "sent"]
    assert kinds(gw)[-21] == "recovered"
    gw.notify(STORE, {"n": 20})
    assert (await socket.recv())[1]["body"]["n"] == 20


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_connection_details_and_replay_are_one_write():
    # Over memory streams one write arrives in one read.
    gateway = GatewayApp()
    core = gateway.core
    login = core.oauth.log_in(core.people.first)
    session = core.sessions.open(login, SilentLink()).session
    core.sessions.bind(session, core.subscriptions.create(login.owner, [STORE]))
    core.sessions.lose(session.connection)
    for n in range(20):
        gateway.notify(STORE, {"n": n})
    uri = parse_uri(f"{gateway.ws_uri}?access_token={core.oauth.issue_wstoken(login)}&wsc={session.token}")
    protocol = ClientProtocol(uri)
    protocol.send_request(protocol.connect())
    client_end, server_end = memory_stream_pair()
    async with trio.open_nursery() as nursery, client_end:
        nursery.start_soon(serve_stream, server_end, gateway.serve, PEER_OPTIONS)
        await client_end.send_all(b"".join(protocol.data_to_send()))
        protocol.receive_data(bytes(await client_end.receive_some()))
        assert protocol.state is State.OPEN
    assert len([event for event in protocol.events_received() if isinstance(event, Frame)]) == 21


class SilentLink:
    id = 0

    def deliver(self, frame):
        pass


async def test_without_coalescing_frames_come_one_by_one(start, log_in, lose):
    gw = start(coalesce=False)
    user = await log_in(gw)
    wsc = await lose(gw, user)
    for n in range(10):
        gw.notify(STORE, {"n": n})
    socket, _ = await user.open(wsc)
    began = anyio.current_time()
    assert [(await socket.recv())[1]["body"]["n"] for _ in range(10)] == list(range(10))
    assert anyio.current_time() - began > 0.02


async def test_refreshed_login_recovers(start, log_in, lose):
    gw = start()
    user = await log_in(gw)
    wsc = await lose(gw, user)
    await user.refresh()
    _, details = await user.open(wsc)
    assert details[1]["recoveryState"] == "Successful"


async def test_new_login_fails_with_wsg_1003(start, log_in, lose, kinds):
    gw = start()
    wsc = await lose(gw, await log_in(gw))
    _, (meta, body) = await (await log_in(gw)).open(wsc)
    assert (body["recoveryState"], body["recoveryErrorCode"]) == ("Failed", "WSG-1003")
    assert meta["wsc"]["token"] != wsc
    assert "recovery_failed" in kinds(gw)


async def test_session_without_subscription_fails_with_wsg_1005(start, log_in):
    gw = start()
    user = await log_in(gw)
    _, details = await user.open()
    gw.cut()
    _, (_, body) = await user.open(details[0]["wsc"]["token"])
    assert (body["recoveryState"], body["recoveryErrorCode"]) == ("Failed", "WSG-1005")


async def test_too_late_fails(start, log_in, lose):
    gw = start(recovery_timeout=0.4)
    user = await log_in(gw)
    wsc = await lose(gw, user)
    (early,) = gw.notify(STORE, {})
    await anyio.sleep(0.45)
    (late,) = gw.notify(STORE, {})
    socket, (_, body) = await user.open(wsc)
    assert (body["recoveryState"], body["recoveryErrorCode"]) == ("Failed", "WSG-1005")
    assert (states(gw, early), states(gw, late)) == (["buffered", "dropped"], ["dropped"])
    assert (await socket.request("GET", EXTENSION))[0]["status"] == 200  # nothing was replayed before it


async def test_garbage_gets_an_error_frame_and_the_end(start, log_in):
    user = await log_in(start())
    socket = await user.open_raw(wsc="garbage")
    meta, body = await socket.recv()
    assert meta["type"] == "Error"
    assert body == {"errorCode": "WSG-400", "message": "Malformed WebSocket session context token"}
    await socket.closed()


async def test_overflow_drops_the_oldest(start, log_in, lose):
    gw = start(recovery_buffer_size=3)
    user = await log_in(gw)
    wsc = await lose(gw, user)
    uuids = [gw.notify(STORE, {"n": n})[0] for n in range(5)]
    socket, _ = await user.open(wsc)
    assert [(await socket.recv())[1]["body"]["n"] for _ in range(3)] == [2, 3, 4]
    assert states(gw, uuids[0]) == ["buffered", "dropped"]


async def test_newest_connection_takes_the_session(start, log_in, kinds):
    gw = start()
    user = await log_in(gw)
    old, details = await user.open()
    await old.subscribe(STORE)
    new, (_, body) = await user.open(details[0]["wsc"]["token"])
    assert body["recoveryState"] == "Successful"
    await old.closed()
    gw.notify(STORE, {"n": 1})
    assert (await new.recv())[1]["body"] == {"n": 1}
    assert "superseded" in kinds(gw)
    assert "lost" not in kinds(gw)


@pytest.mark.parametrize("code", ["WSG-1003", "WSG-1005"])
async def test_fail_recovery(start, log_in, lose, code):
    gw = start()
    user = await log_in(gw)
    wsc = await lose(gw, user)
    gw.notify(STORE, {})
    gw.fail_recovery(code)
    socket, (meta, body) = await user.open(wsc)
    assert (body["recoveryState"], body["recoveryErrorCode"]) == ("Failed", code)
    assert meta["wsc"]["token"] != wsc
    await socket.subscribe(STORE)  # on this same connection, and nothing was replayed before the answer


async def test_fail_recovery_with_wsg_400(start, log_in, lose):
    gw = start()
    user = await log_in(gw)
    wsc = await lose(gw, user)
    gw.fail_recovery("WSG-400")
    socket = await user.open_raw(wsc=wsc)
    assert (await socket.recv())[1]["errorCode"] == "WSG-400"
    await socket.closed()
    _, details = await user.open(wsc)
    assert details[1]["recoveryState"] == "Successful"


@asynccontextmanager
async def dumb_client(user, wsc=""):
    """Open a WebSocket that never answers, not even pings."""
    issued = await user.wstoken()
    uri = parse_uri(f"{issued['uri']}?access_token={issued['ws_access_token']}&wsc={wsc}")
    protocol = ClientProtocol(uri)
    protocol.send_request(protocol.connect())
    async with await anyio.connect_tcp(uri.host, uri.port) as stream:
        await stream.send(b"".join(protocol.data_to_send()))
        yield stream


async def test_loss_by_the_client_is_noticed_and_buffered(start, log_in, until, kinds):
    gw = start()
    async with dumb_client(await log_in(gw)) as stream:
        await until(lambda: "connect" in kinds(gw))
        raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    await until(lambda: "lost" in kinds(gw))


async def test_g1_nothing_is_sent_after_the_clients_close_frame(start, log_in, lose, until, kinds):
    gw = start()
    user = await log_in(gw)
    wsc = await lose(gw, user)
    async with dumb_client(user, wsc) as stream:
        await until(lambda: "recovered" in kinds(gw))
        await stream.send(b"\x88\x82\0\0\0\0\x03\xe8")  # 1000; the connection stays open, but nothing is read
        await until(lambda: kinds(gw).count("lost") == 2)
        uuids = [gw.notify(STORE, {"n": n})[0] for n in range(40)]
        assert [states(gw, uuid) for uuid in uuids] == [["buffered"]] * 40
        socket, (_, body) = await user.open(wsc)
        assert body["recoveryState"] == "Successful"
        assert [(await socket.recv())[1]["body"]["n"] for _ in range(40)] == list(range(40))


async def test_missing_pong_counts_as_loss(start, log_in, until, kinds):
    gw = start(ping_interval=0.05, pong_timeout=0.1)
    async with dumb_client(await log_in(gw)):
        await until(lambda: "lost" in kinds(gw))
    (lost,) = [entry for entry in gw.log() if entry["kind"] == "lost"]
    assert lost["reason"] == "no pong"


async def test_answered_pings_keep_the_connection(start, log_in, kinds):
    gw = start(ping_interval=0.05, pong_timeout=0.4)
    socket, _ = await (await log_in(gw)).open()
    with pytest.raises(TimeoutError), anyio.fail_after(0.7):
        await socket.connection.recv()
    assert "lost" not in kinds(gw)


async def test_sixth_login_ends_the_first_with_its_websocket(start, log_in):
    gw = start(logout_grace=0)
    first = await log_in(gw)
    socket, _ = await first.open()
    for _ in range(5):
        await log_in(gw)
    with pytest.raises(websockets.ConnectionClosed) as caught:
        await socket.raw()
    assert caught.value.rcvd.code == 1008
    assert (await first.http.get(EXTENSION)).status_code == 401
