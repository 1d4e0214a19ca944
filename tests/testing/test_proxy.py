"""The fault proxy does to real sockets exactly what its methods say."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import anyio
import anyio.to_thread
import pytest

from rcex_ws.testing import FaultProxy
from rcex_ws.testing.forwarding import ForwardedConnection

TIMEOUT = 5.0


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A listening socket; the tests accept from it themselves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        yield listener


@pytest.fixture
def proxy(server: socket.socket) -> Iterator[FaultProxy]:
    with FaultProxy(*server.getsockname()) as proxy:
        yield proxy


@pytest.fixture
def connect(server: socket.socket, proxy: FaultProxy) -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """Open another connection through the proxy, and return its two ends."""
    sockets: list[socket.socket] = []

    def connect() -> tuple[socket.socket, socket.socket]:
        client = socket.create_connection((proxy.host, proxy.port), timeout=TIMEOUT)
        sockets.append(client)
        peer, _ = server.accept()
        sockets.append(peer)
        peer.settimeout(TIMEOUT)
        return client, peer

    yield connect
    for sock in sockets:
        sock.close()


@pytest.fixture
def pair(connect: Callable[[], tuple[socket.socket, socket.socket]]) -> tuple[socket.socket, socket.socket]:
    return connect()


def receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (chunk := sock.recv(size - len(data))):
        data += chunk
    return data


def silent(sock: socket.socket) -> bool:
    """Return whether nothing arrives for many times as long as a chunk takes here."""
    sock.settimeout(0.1)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(TIMEOUT)
    return False


def test_bytes_pass_in_both_directions_and_are_counted(
    proxy: FaultProxy, pair: tuple[socket.socket, socket.socket]
) -> None:
    client, peer = pair
    client.sendall(b"hello")
    assert receive(peer, 5) == b"hello"
    peer.sendall(b"bye")
    assert receive(client, 3) == b"bye"
    assert proxy.connections == 1
    # An echo proves that the counting, which follows the sending, is done.
    client.sendall(b"?")
    receive(peer, 1)
    peer.sendall(b"!")
    receive(client, 1)
    proxy.thaw()
    assert (proxy.bytes_up, proxy.bytes_down) == (6, 4)


def test_half_close_passes_and_the_other_direction_goes_on(pair: tuple[socket.socket, socket.socket]) -> None:
    client, peer = pair
    client.shutdown(socket.SHUT_WR)
    assert peer.recv(1) == b""
    peer.sendall(b"still")
    assert receive(client, 5) == b"still"


def test_cut_ends_both_sides_by_fin(proxy: FaultProxy, pair: tuple[socket.socket, socket.socket]) -> None:
    client, peer = pair
    assert proxy.cut() == 1
    assert proxy.connections == 0
    # Neither more data from one side nor its slow close turns the end of stream into a reset.
    client.sendall(b"late")
    assert client.recv(1) == b""
    assert peer.recv(1) == b""
    client.sendall(b"later")
    assert client.recv(1) == b""


def test_reset_ends_both_sides_by_rst(proxy: FaultProxy, pair: tuple[socket.socket, socket.socket]) -> None:
    assert proxy.reset() == 1
    assert proxy.connections == 0
    for sock in pair:
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_a_reset_by_one_side_reaches_the_other(pair: tuple[socket.socket, socket.socket]) -> None:
    client, peer = pair
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    peer.close()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_cut_takes_every_connection(
    proxy: FaultProxy, connect: Callable[[], tuple[socket.socket, socket.socket]]
) -> None:
    pairs = [connect(), connect(), connect()]
    assert proxy.connections == 3
    assert proxy.cut() == 3
    assert [client.recv(1) for client, _ in pairs] == [b"", b"", b""]


@pytest.mark.parametrize(("direction", "sender"), [("up", 0), ("down", 1)])
def test_freeze_holds_one_direction_only_and_thaw_delivers(
    proxy: FaultProxy, pair: tuple[socket.socket, socket.socket], direction: str, sender: int
) -> None:
    frozen_from, free_from = pair[sender], pair[1 - sender]
    proxy.freeze("up" if direction == "up" else "down")
    frozen_from.sendall(b"held")
    free_from.sendall(b"free")
    assert receive(frozen_from, 4) == b"free"
    assert silent(free_from)
    proxy.thaw()
    assert receive(free_from, 4) == b"held"


def test_freeze_both_keeps_sockets_open_and_holds_new_connections(
    proxy: FaultProxy,
    pair: tuple[socket.socket, socket.socket],
    connect: Callable[[], tuple[socket.socket, socket.socket]],
) -> None:
    proxy.freeze()
    new_client, new_peer = connect()
    new_client.sendall(b"x")
    pair[0].close()  # an end of stream is lost on a dead link too
    assert silent(new_peer)
    assert silent(pair[1])
    proxy.thaw()
    assert receive(new_peer, 1) == b"x"
    assert pair[1].recv(1) == b""


def test_cut_and_reset_act_on_a_frozen_connection(
    proxy: FaultProxy, connect: Callable[[], tuple[socket.socket, socket.socket]]
) -> None:
    client, _ = connect()
    proxy.freeze()
    proxy.cut()
    assert client.recv(1) == b""
    client, _ = connect()
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_delay_holds_back_in_order_and_does_not_add_up(
    proxy: FaultProxy, pair: tuple[socket.socket, socket.socket]
) -> None:
    client, peer = pair
    proxy.delay(0.3, "up")
    started = time.monotonic()
    for n in range(10):
        client.sendall(bytes([n]))
        proxy.thaw()  # one iteration of the proxy's loop, so that the bytes do not become one chunk
    assert receive(peer, 10) == bytes(range(10))
    assert 0.3 <= time.monotonic() - started < 3 * 0.3
    peer.sendall(b"fast")
    started = time.monotonic()
    receive(client, 4)
    assert time.monotonic() - started < 0.3


@pytest.mark.parametrize(("rst", "size"), [(False, 5), (False, 70_000), (True, 5), (True, 5_000)])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_cut_after_forwards_exactly_n_bytes(
    proxy: FaultProxy, pair: tuple[socket.socket, socket.socket], direction: str, rst: bool, size: int
) -> None:
    sender, receiver = pair if direction == "up" else (pair[1], pair[0])
    proxy.cut_after(size, "up" if direction == "up" else "down", rst=rst)
    sender.sendall(b"y" * (size + 10_000))
    assert len(receive(receiver, size)) == size
    if rst:
        with pytest.raises(ConnectionResetError):
            receiver.recv(1)
    else:
        assert receiver.recv(1) == b""


def test_cut_after_takes_one_connection_and_spares_the_next(
    proxy: FaultProxy, connect: Callable[[], tuple[socket.socket, socket.socket]]
) -> None:
    proxy.cut_after(3, "down")
    client, peer = connect()
    peer.sendall(b"abcdef")
    assert receive(client, 6) == b"abc"
    client, peer = connect()
    peer.sendall(b"abcdef")
    assert receive(client, 6) == b"abcdef"


def test_cut_after_refuses_less_than_one_byte(proxy: FaultProxy) -> None:
    with pytest.raises(ValueError, match=r"^n_bytes: expected a whole number above 0"):
        proxy.cut_after(0, "up")


def test_refuse_turns_new_connections_away_and_keeps_open_ones(
    proxy: FaultProxy,
    pair: tuple[socket.socket, socket.socket],
    connect: Callable[[], tuple[socket.socket, socket.socket]],
) -> None:
    port = proxy.port
    proxy.refuse()
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((proxy.host, proxy.port), timeout=TIMEOUT)
    pair[0].sendall(b"open")
    assert receive(pair[1], 4) == b"open"
    proxy.accept()
    proxy.accept()
    assert proxy.port == port
    client, peer = connect()
    client.sendall(b"again")
    assert receive(peer, 5) == b"again"


def test_a_target_that_refuses_resets_the_client(proxy: FaultProxy, server: socket.socket) -> None:
    server.close()
    # The reset may arrive before connect() returns, so both are inside.
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection((proxy.host, proxy.port), timeout=TIMEOUT) as client,
    ):
        client.recv(1)


def test_leaving_ends_what_is_open_and_the_thread(server: socket.socket) -> None:
    with FaultProxy(*server.getsockname()) as proxy:
        client = socket.create_connection((proxy.host, proxy.port), timeout=TIMEOUT)
        server.accept()[0].close()
        proxy.freeze()
        assert any(thread.name == "fault-proxy" for thread in threading.enumerate())
    with client:
        assert client.recv(1) == b""
    assert not any(thread.name == "fault-proxy" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("ws://127.0.0.1:81/ws?a=b", ("127.0.0.1", 81)),
        ("wss://ws.example/ws", ("ws.example", 443)),
        ("http://api.example/x", ("api.example", 80)),
    ],
)
def test_url_keeps_all_but_the_address(url: str, target: tuple[str, int]) -> None:
    with FaultProxy.to(url) as proxy:
        assert proxy._target == target
        scheme, rest = url.split("://")
        assert proxy.url(url) == f"{scheme}://127.0.0.1:{proxy.port}/{rest.split('/', 1)[1]}"


def test_retarget_moves_new_connections_and_leaves_open_ones(
    proxy: FaultProxy, pair: tuple[socket.socket, socket.socket]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(TIMEOUT)
        proxy.retarget(f"ws://127.0.0.1:{other.getsockname()[1]}/ws")
        with socket.create_connection((proxy.host, proxy.port), timeout=TIMEOUT) as client, other.accept()[0] as peer:
            client.sendall(b"new")
            assert receive(peer, 3) == b"new"
    pair[0].sendall(b"old")
    assert receive(pair[1], 3) == b"old"


def test_a_url_without_host_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^url: expected"):
        FaultProxy.to("/ws")


async def test_methods_serve_async_tests(proxy: FaultProxy, server: socket.socket) -> None:
    async with await anyio.connect_tcp(proxy.host, proxy.port) as client:
        peer, _ = await anyio.to_thread.run_sync(server.accept)
        with peer:
            await client.send(b"hello")
            assert await anyio.to_thread.run_sync(receive, peer, 5) == b"hello"
            proxy.reset()
            with pytest.raises(anyio.BrokenResourceError):
                await client.receive()


async def test_small_writes_are_not_held_back() -> None:
    """Nagle's algorithm would hold the second of two writes until the first is acknowledged, which takes 40 ms."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        client, _ = listener.accept()
        connection = ForwardedConnection(client, lambda _: None)
        for sock in (client, connection._upstream):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            sock.close()
