"""Several WebSocket addresses over one core: their turns, the loss of one, its return."""

from __future__ import annotations

import socket
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from rcex_ws import ConfigurationError
from rcex_ws.gateway import Gateway, GatewayApp

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
STORE = "/restapi/v1.0/account/~/extension/~/message-store"


async def uris(user, count):
    return [(await user.wstoken())["uri"] for _ in range(count)]


def port_of(uri):
    return urlsplit(uri).port


def is_refused(uri):
    try:
        socket.create_connection(("127.0.0.1", port_of(uri)), 5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def node_of():
    """Return the number of the node of the latest connection."""
    return lambda gw: [entry["node"] for entry in gw.log() if entry["kind"] == "connect"][-1]


async def test_wstoken_answers_name_the_nodes_in_turn(start, log_in):
    gw = start(nodes=3)
    assert len(set(gw.ws_uris)) == 3
    assert gw.ws_uri == gw.ws_uris[0]
    ada, bob = await log_in(gw), await log_in(gw)
    assert await uris(ada, 4) == [*gw.ws_uris, gw.ws_uris[0]]
    assert await uris(bob, 2) == gw.ws_uris[1:]  # a turn is the gateway's, not a client's


async def test_all_nodes_serve_one_gateway(start, log_in, node_of):
    gw = start(nodes=2)
    user = await log_in(gw)
    opened = []
    for number in (1, 2):
        opened.append((await user.open())[0])
        assert node_of(gw) == number
    for one in opened:
        await one.subscribe(STORE)
    gw.notify(STORE, {"n": 1})
    assert [(await one.recv())[1]["body"] for one in opened] == [{"n": 1}] * 2


async def test_lost_node_is_a_killed_machine(start, log_in):
    gw = start(nodes=2)
    user = await log_in(gw)
    (first, _), (second, _) = await user.open(), await user.open()
    assert gw.lose_node(1) == 1
    assert is_refused(gw.ws_uris[0])
    error = await first.closed()
    assert error.rcvd is None  # no close frame
    # trio hides the errno of a reset; asyncio shows it
    assert isinstance(error.__cause__, ConnectionResetError) or "trio" in str(type(first.connection))
    await second.subscribe(STORE)  # the other one does not notice
    assert not is_refused(gw.ws_uris[1])
    assert [(entry["node"], entry["connections"]) for entry in gw.log() if entry["kind"] == "node_lost"] == [(1, [1])]
    assert [entry["reason"] for entry in gw.log() if entry["kind"] == "lost"] == ["node lost"]


async def test_sessions_of_a_lost_node_are_recovered_at_another(start, log_in, node_of):
    gw = start(nodes=2)
    user = await log_in(gw)
    socket_, details = await user.open()
    await socket_.subscribe(STORE)
    gw.lose_node(node_of(gw))
    sent = [gw.notify(STORE, {"n": n})[0] for n in range(5)]
    recovered, (_, body) = await user.open(details[0]["wsc"]["token"])
    assert (body["recoveryState"], node_of(gw)) == ("Successful", 2)
    assert [(await recovered.recv())[1]["uuid"] for _ in range(5)] == sent


async def test_wstoken_answers_name_living_nodes_only(start, log_in):
    gw = start(nodes=3)
    user = await log_in(gw)
    first, second, third = gw.ws_uris
    gw.lose_node(2)
    assert await uris(user, 4) == [first, third, first, third]
    gw.restore_node(2)
    assert await uris(user, 4) == [first, second, third, first]


async def test_restored_node_has_its_address_again(start, log_in, node_of):
    gw = start(nodes=2)
    user = await log_in(gw)
    for _ in range(3):
        gw.lose_node(1)
        assert is_refused(gw.ws_uris[0])
        gw.restore_node(1)
        assert not is_refused(gw.ws_uris[0])
    assert await uris(user, 1) == gw.ws_uris[:1]
    await user.open()
    await user.open()
    assert node_of(gw) == 1
    assert [entry["kind"] for entry in gw.log() if entry["kind"].startswith("node")] == [
        "node_lost",
        "node_restored",
    ] * 3


async def test_last_node_may_be_lost(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.lose_node(1)
    answer = await user.http.post("/restapi/oauth/wstoken")
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "CMN-211")
    assert (await user.http.get("/restapi/v1.0")).status_code == 200  # REST goes on
    gw.restore_node(1)
    await user.open()


async def test_gateway_behind_a_proxy_may_be_lost(start, log_in):
    gw = start(public_ws_uri="wss://proxy.test/ws")
    user = await log_in(gw)
    gw.lose_node(1)
    assert is_refused(gw.ws_uri)
    assert (await user.http.post("/restapi/oauth/wstoken")).status_code == 503
    gw.restore_node(1)
    assert await uris(user, 1) == ["wss://proxy.test/ws"]


async def test_losing_twice_and_restoring_twice_changes_nothing(start, log_in):
    gw = start(nodes=2)
    user = await log_in(gw)
    await user.open()
    assert [gw.lose_node(1), gw.lose_node(1)] == [1, 0]
    gw.restore_node(1)
    gw.restore_node(1)
    gw.restore_node(2)
    assert sorted(await uris(user, 2)) == sorted(gw.ws_uris)


async def test_websocket_without_a_session_is_lost_too(start, log_in):
    gw = start(nodes=2)
    user = await log_in(gw)
    gw.refuse("details", "hang")
    one = await user.open_raw()
    assert gw.lose_node(1) == 0
    assert (await one.closed()).rcvd is None


async def test_upgrade_without_an_answer_is_lost_too(start, log_in, until, kinds):
    gw = start(nodes=2)
    gw.refuse("upgrade", "hang")
    with socket.create_connection(("127.0.0.1", port_of(gw.ws_uri)), 5) as asking:
        asking.sendall(UPGRADE)
        await until(lambda: "upgrade_refused" in kinds(gw))
        assert gw.lose_node(1) == 0
        with pytest.raises(ConnectionResetError):
            asking.recv(1)


async def test_frozen_websocket_is_lost_too(start, log_in):
    gw = start(nodes=2)
    one, _ = await (await log_in(gw)).open()
    await one.subscribe(STORE)
    gw.freeze()
    assert gw.lose_node(1) == 1
    assert (await one.closed()).rcvd is None
    gw.thaw()
    gw.notify(STORE, {})
    assert gw.log()[-1]["state"] == "buffered"


def test_tcp_connection_that_has_asked_for_nothing_is_lost_too(start):
    gw = start(nodes=2)
    with socket.create_connection(("127.0.0.1", port_of(gw.ws_uris[1])), 5) as idle:
        gw.lose_node(2)
        with suppress(ConnectionResetError):  # if it was not accepted yet
            assert idle.recv(1) == b""


def test_port_of_a_lost_node_is_not_given_to_others(start):
    gw = start()
    gw.lose_node(1)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port_of(gw.ws_uri)))


def test_node_whose_port_is_taken_stays_lost(start):
    gw = start(nodes=2)
    gw.lose_node(2)
    with socket.create_server(("127.0.0.1", port_of(gw.ws_uris[1]))):
        with pytest.raises(ConfigurationError, match=rf"^node: cannot listen on port {port_of(gw.ws_uris[1])} again"):
            gw.restore_node(2)
        answer = httpx.post(f"{gw.server}/_gateway/restore_node", json={"node": 2})
        assert (answer.status_code, answer.json()["message"][:19]) == (400, "restore_node: node:")
    assert is_refused(gw.ws_uris[1])
    gw.restore_node(2)
    assert not is_refused(gw.ws_uris[1])


@pytest.mark.parametrize("node", [0, -1, 3, 10**9, "1", 1.5, None])
def test_number_that_is_no_node_is_an_error(start, node):
    gw = start(nodes=2)
    for order in (gw.lose_node, gw.restore_node):
        with pytest.raises(ConfigurationError, match=r"^node: expected"):
            order(node)
        answer = httpx.post(f"{gw.server}/_gateway/{order.__name__}", json={"node": node})
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(f"{order.__name__}: node: expected")
    assert not [uri for uri in gw.ws_uris if is_refused(uri)]


async def test_nodes_over_http(start, log_in):
    gw = start(nodes=2)
    await (await log_in(gw)).open()
    async with httpx.AsyncClient(base_url=f"{gw.server}/_gateway", verify=False) as control:
        assert (await control.post("/lose_node", json={"node": 1})).json() == {"result": 1}
        assert is_refused(gw.ws_uris[0])
        assert (await control.post("/restore_node", json={"node": 1})).json() == {"result": None}
        assert not is_refused(gw.ws_uris[0])


@pytest.mark.parametrize("nodes", [0, -1, 101, "2", 1.5, None, True])
def test_number_of_nodes_that_cannot_be_is_an_error(nodes):
    with pytest.raises(ConfigurationError, match=r"^nodes: expected a number of nodes, 1 to 100"):
        Gateway(nodes=nodes)


def test_several_nodes_have_no_common_public_address():
    with pytest.raises(ConfigurationError, match=r"^nodes: .* public_ws_uri"):
        Gateway(nodes=2, public_ws_uri="wss://proxy.test/ws")


def two_free_ports():
    """Return the first one of two consecutive ports."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as one, suppress(OSError, OverflowError):
            port = one.getsockname()[1]
            socket.create_server(("127.0.0.1", port + 1)).close()
            return port


def test_nodes_have_consecutive_ports():
    port = two_free_ports()
    with Gateway(nodes=2, ws_port=port) as gw:
        assert [port_of(uri) for uri in gw.ws_uris] == [port, port + 1]


def test_each_node_needs_a_port():
    with pytest.raises(ConfigurationError, match=r"^ws_port: 3 nodes .* 65535"):
        Gateway(nodes=3, ws_port=65534)
    Gateway(nodes=2, ws_port=65534)


def test_port_of_a_later_node_in_use_is_an_error_and_frees_the_others():
    port = two_free_ports()
    gw = Gateway(nodes=2, ws_port=port)
    with socket.create_server(("127.0.0.1", port + 1)):
        with pytest.raises(ConfigurationError, match=f"^ws_port: {port + 1} is in use"), gw:
            pass
        socket.create_server(("127.0.0.1", port)).close()
    with gw:  # it may be tried again
        pass


def test_lost_node_does_not_hold_up_the_end(start):
    with Gateway(nodes=2) as gw:
        gw.lose_node(2)
    with socket.create_server(("127.0.0.1", port_of(gw.ws_uris[1]))):  # its port is free
        pass


def test_clients_of_a_wildcard_address_are_told_each_node_by_their_name():
    with Gateway(nodes=2, host="0.0.0.0") as gw:
        auth = (gw.client_id, gw.client_secret)
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": gw.jwt}
        tokens = httpx.post(f"{gw.server}/restapi/oauth/token", data=form, auth=auth).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}", "Host": "gateway:80"}
        told = [httpx.post(f"{gw.server}/restapi/oauth/wstoken", headers=headers).json()["uri"] for _ in range(2)]
        assert told == [f"ws://gateway:{port_of(uri)}/ws" for uri in gw.ws_uris]


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_gateway_without_sockets_has_no_nodes():
    with pytest.raises(ConfigurationError, match=r"^node: expected"):
        GatewayApp().lose_node(1)
