"""Connecting to a server on every loop: TCP, TLS, each kind of proxy, each failure, and a cancellation anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio
import trustme
import uvloop

from rcex_ws.errors import ConfigurationError, ConnectFailed
from rcex_ws.loop import on_trio
from rcex_ws.websocket import dial_asyncio as dial_asyncio_module
from rcex_ws.websocket.dial import step_failed
from rcex_ws.websocket.dial_asyncio import dial_asyncio
from rcex_ws.websocket.dial_trio import dial_trio
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.eyeballs import AddressInfo

KINDS = ["http", "https", "socks5", "socks5h"]


@pytest.fixture(
    params=[("asyncio", {}), ("asyncio", {"use_uvloop": True}), ("trio", {})], ids=["asyncio", "uvloop", "trio"]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Server:
    """Echoes data in capitals; or, without an echo, sends nothing at all.

    Attributes:
        greeting: sent to every client first.
        came: number of connections so far.
        open: number of connections still open.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, echo: bool = True) -> None:
        self.greeting = b""
        self.open = 0
        self.came = 0
        self._tls, self._echo = tls, echo
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://localhost:{self.port}/?access_token=SECRET"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            self.open += 1
            self.came += 1
            self._threads.append(threading.Thread(target=self._serve, args=(client,)))
            self._threads[-1].start()

    def _serve(self, raw: socket.socket) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self._ended)
            stack.enter_context(contextlib.suppress(OSError))  # the client may reset
            client = stack.enter_context(raw)
            if self._tls is not None:
                client = stack.enter_context(self._tls.wrap_socket(raw, server_side=True))
                self._sockets.append(client)
            client.sendall(self.greeting)
            while data := client.recv(65536):
                if self._echo:
                    client.sendall(data.upper())

    def _ended(self) -> None:
        self.open -= 1

    def __enter__(self) -> Server:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in self._sockets:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


@pytest.fixture
def system_trusts(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replace the system's trust store by one that trusts the test servers."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def tls_server(server_tls: ssl.SSLContext) -> Iterator[Server]:
    with Server(server_tls) as server:
        yield server


@pytest.fixture
def mute() -> Iterator[Server]:
    with Server(echo=False) as server:
        yield server


@pytest.fixture
def tls_proxy(server_tls: ssl.SSLContext, proxy: Any) -> Iterator[Any]:
    with type(proxy)(server_tls) as tls_proxy:
        yield tls_proxy


@pytest.fixture
def proxy_of(request: pytest.FixtureRequest) -> Callable[[str], tuple[Any, str]]:
    """Return a proxy of one kind, and its URL."""

    def proxy_of(kind: str) -> tuple[Any, str]:
        proxy = request.getfixturevalue("tls_proxy" if kind == "https" else "proxy")
        return proxy, f"{kind}://localhost:{proxy.port}"

    return proxy_of


class Keeper(asyncio.Protocol):
    """A protocol that records its callbacks."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.received = b""
        self.more = asyncio.Event()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        assert self.events == ["made"]
        self.received += data
        self.more.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")
        self.more.set()
        self.lost.set()


class AsyncioLine:
    def __init__(self, transport: asyncio.Transport, protocol: Keeper) -> None:
        self.transport, self.protocol = transport, protocol
        self.socket = transport.get_extra_info("socket")

    async def send(self, data: bytes) -> None:
        self.transport.write(data)

    async def receive(self, size: int) -> bytes:
        while len(self.protocol.received) < size and not self.protocol.lost.is_set():
            self.protocol.more.clear()
            await self.protocol.more.wait()
        data, self.protocol.received = self.protocol.received[:size], self.protocol.received[size:]
        return data

    async def drop(self) -> None:
        self.transport.abort()
        await self.protocol.lost.wait()


class TrioLine:
    def __init__(self, stream: Any) -> None:
        self.stream = stream
        while hasattr(stream, "transport_stream"):
            stream = stream.transport_stream
        self.socket = stream.socket
        self.send = self.stream.send_all

    async def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += await self.stream.receive_some(size - len(data))
        return data

    async def drop(self) -> None:
        await trio.aclose_forcefully(self.stream)


@asynccontextmanager
async def dialed(endpoint: Endpoint) -> AsyncIterator[AsyncioLine | TrioLine]:
    """Dial, and close everything on exit."""
    with anyio.fail_after(10):
        line = TrioLine(await dial_trio(endpoint)) if on_trio() else AsyncioLine(*await dial_asyncio(endpoint, Keeper))
        try:
            yield line
        finally:
            with anyio.CancelScope(shield=True):
                await line.drop()


async def echo(endpoint: Endpoint) -> bytes:
    async with dialed(endpoint) as line:
        await line.send(b"hello" * 40_000)
        assert await line.receive(200_000) == b"HELLO" * 40_000
        return b"HELLO"


async def failure(endpoint: Endpoint) -> str:
    """Dial an unreachable endpoint, and return the error's text."""
    with pytest.raises(ConnectFailed) as caught:
        async with dialed(endpoint):
            pass
    error = caught.value
    assert (error.retryable, error.upgrade_sent) == (True, False)
    assert "SECRET" not in f"{error!r}"
    return str(error)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return int(unused.getsockname()[1])


# -- TCP ---------------------------------------------------------------------------------------------------------------


async def test_tcp_without_delay(server: Server) -> None:
    async with dialed(Endpoint(server.url)) as line:
        assert line.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert await echo(Endpoint(server.url)) == b"HELLO"


async def test_a_server_that_is_not_there_is_named() -> None:
    text = await failure(Endpoint(f"ws://127.0.0.1:{(port := unused_port())}/?access_token=SECRET"))
    assert text == f"no connection to the server 127.0.0.1:{port}: Connection refused"


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Make each name resolve to these addresses; without any, make resolution hang."""

    async def look_up(port: int) -> Any:
        if not addresses:
            await anyio.sleep_forever()
        # Without a protocol number, as on some systems: asyncio then does not set TCP_NODELAY.
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port)) for address in addresses]

    if on_trio():

        class Resolver(trio.abc.HostnameResolver):
            async def getaddrinfo(self, host: Any, port: Any, *_: Any, **__: Any) -> Any:
                return await look_up(port)

            async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
                raise AssertionError

        trio.socket.set_custom_hostname_resolver(Resolver())
    else:
        monkeypatch.setattr(anyio, "getaddrinfo", lambda host, port, **_: look_up(port))


async def test_tcp_without_delay_also_if_the_protocol_has_no_number(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, "127.0.0.1")
    async with dialed(Endpoint(f"ws://one.example:{server.port}/")) as line:
        assert line.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_the_reasons_of_all_addresses_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.1", "255.255.255.255")  # connecting to the latter is forbidden
    text = await failure(Endpoint(f"ws://two.example:{(port := unused_port())}/"))
    reasons = text.removeprefix(f"no connection to the server two.example:{port}: ").split("; ")
    assert reasons[0] == "Connection refused"
    assert len(reasons) == 2


@contextmanager
def deaf(address: str, port: int = 0) -> Iterator[int]:
    """Make connecting hang: the system does not answer a SYN while the backlog is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("kind", ["", "http", "socks5h"])
async def test_an_address_that_does_not_answer_does_not_hold_up_the_next(
    server: Server, proxy: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    port = proxy.port if kind else server.port
    endpoint = Endpoint(
        f"ws://127.0.0.1:{server.port}/" if kind else f"ws://two.example:{port}/",
        proxy=f"{kind}://two.example:{port}" if kind else False,
    )
    with deaf("127.0.0.2", port):
        begin = anyio.current_time()
        async with dialed(endpoint):
            assert 0.2 < anyio.current_time() - begin < 5


async def test_a_name_without_an_address() -> None:
    assert "no connection to the server nowhere.invalid:80: " in await failure(Endpoint("ws://nowhere.invalid/"))


@pytest.mark.parametrize("url", ["", "http://localhost/", "ws://[x", "ws://localhost:99999/"])
async def test_an_address_that_is_none_is_final(url: str) -> None:
    with pytest.raises(ConnectFailed, match="not a valid ws") as caught:
        async with dialed(Endpoint(url)):
            pass
    assert not caught.value.retryable


# -- TLS ---------------------------------------------------------------------------------------------------------------


async def test_tls_with_the_given_context(tls_server: Server, trusting: ssl.SSLContext) -> None:
    assert await echo(Endpoint(tls_server.url, ssl_context=trusting)) == b"HELLO"


async def test_the_given_context_counts_for_a_scheme_in_capitals(tls_server: Server, trusting: ssl.SSLContext) -> None:
    url = tls_server.url.replace("wss:", "WSS:")
    assert await echo(Endpoint(url, ssl_context=trusting)) == b"HELLO"
    pinned = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trustme.CA().configure_trust(pinned)
    assert "certificate verify failed" in await failure(Endpoint(url, ssl_context=pinned))


@pytest.mark.usefixtures("system_trusts")
async def test_tls_without_a_context_trusts_what_the_system_trusts(tls_server: Server) -> None:
    assert await echo(Endpoint(tls_server.url)) == b"HELLO"


async def test_a_context_is_not_used_without_tls(server: Server, trusting: ssl.SSLContext) -> None:
    assert await echo(Endpoint(server.url, ssl_context=trusting)) == b"HELLO"


async def test_a_certificate_that_is_not_trusted_is_named(tls_server: Server) -> None:
    text = await failure(Endpoint(tls_server.url))
    assert text.startswith(f"no TLS with the server localhost:{tls_server.port}: TLS: certificate verify failed: ")


async def test_a_certificate_of_another_host_is_named(tls_server: Server, trusting: ssl.SSLContext) -> None:
    url = tls_server.url.replace("localhost", "127.0.0.1")
    assert "certificate verify failed: IP address mismatch" in await failure(Endpoint(url, ssl_context=trusting))


async def test_tls_to_a_server_without_it(server: Server, trusting: ssl.SSLContext) -> None:
    server.greeting = b"220 this is a mail server\r\n"
    url = server.url.replace("ws:", "wss:")
    text = await failure(Endpoint(url, ssl_context=trusting))
    assert text.startswith(f"no TLS with the server localhost:{server.port}: ")
    assert text.partition(": ")[2].startswith(("TLS: ", "it speaks first"))


async def test_a_server_that_ends_the_handshake(trusting: ssl.SSLContext) -> None:
    def end() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(10)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=end)
        thread.start()
        url = f"wss://localhost:{listener.getsockname()[1]}/"
        assert "no TLS with the server localhost" in await failure(Endpoint(url, ssl_context=trusting))
        thread.join(10)


@pytest.mark.parametrize("kind", ["", *KINDS])
async def test_what_the_server_says_first_is_received(
    tls_server: Server, server: Server, trusting: ssl.SSLContext, proxy_of: Any, system_trusts: None, kind: str
) -> None:
    setting = proxy_of(kind)[1] if kind else False
    for target in (server, tls_server):
        target.greeting = b"welcome"
        async with dialed(Endpoint(target.url, ssl_context=trusting, proxy=setting)) as line:
            assert await line.receive(7) == b"welcome"


# -- proxies -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("system_trusts")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
async def test_through_a_proxy(
    server: Server, tls_server: Server, trusting: ssl.SSLContext, proxy_of: Any, kind: str, secure: bool
) -> None:
    target = tls_server if secure else server
    proxy, url = proxy_of(kind)
    assert await echo(Endpoint(target.url, proxy=url, ssl_context=trusting)) == b"HELLO"
    host = "127.0.0.1" if kind == "socks5" else "localhost"  # socks5 resolves the name here
    assert proxy.targets == [f"{kind[:5].rstrip('5s') if kind == 'https' else kind.rstrip('5h')} {host}:{target.port}"]
    async with dialed(Endpoint(target.url, proxy=url, ssl_context=trusting)) as line:
        assert line.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_the_environments_proxy_is_used(server: Server, proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"localhost:{proxy.port}")
    assert await echo(Endpoint(server.url)) == b"HELLO"
    assert len(proxy.targets) == 1
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert await echo(Endpoint(server.url)) == b"HELLO"
    assert len(proxy.targets) == 1
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("HTTP_PROXY")
    monkeypatch.setenv("ALL_PROXY", "socks://localhost:1")
    with pytest.raises(ConfigurationError, match="ALL_PROXY must be a URL"):
        await echo(Endpoint(server.url))


@pytest.mark.usefixtures("system_trusts")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_login_is_sent_to_the_proxy(server: Server, proxy_of: Any, kind: str) -> None:
    proxy, url = proxy_of(kind)
    assert await echo(Endpoint(server.url, proxy=url.replace("//", "//user:p%40ss@"))) == b"HELLO"
    if kind.startswith("socks"):
        assert proxy.logins == ["user:p@ss"]
    else:
        assert "\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n" in proxy.headers[0]


@pytest.mark.usefixtures("system_trusts")
@pytest.mark.parametrize("kind", ["http", "https"])
async def test_an_answer_in_single_bytes(
    tls_server: Server, trusting: ssl.SSLContext, proxy_of: Any, kind: str
) -> None:
    proxy, url = proxy_of(kind)
    proxy.one_by_one = True
    assert await echo(Endpoint(tls_server.url, proxy=url, ssl_context=trusting)) == b"HELLO"


@pytest.mark.usefixtures("system_trusts")
@pytest.mark.parametrize("kind", ["http", "https"])
async def test_what_comes_behind_the_answer_belongs_to_the_tunnel(
    server: Server, tls_server: Server, trusting: ssl.SSLContext, proxy_of: Any, kind: str
) -> None:
    proxy, url = proxy_of(kind)
    proxy.answer += b"early"
    async with dialed(Endpoint(server.url, proxy=url)) as line:
        assert await line.receive(2) == b"ea"
        await line.send(b"late")
        assert await line.receive(7) == b"rlyLATE"
    text = await failure(Endpoint(tls_server.url, proxy=url, ssl_context=trusting))
    assert text == (
        f"the proxy localhost:{proxy.port} sent 5 bytes before TLS with the server localhost:{tls_server.port}"
    )


@pytest.mark.usefixtures("system_trusts")
@pytest.mark.parametrize("kind", ["http", "https"])
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants another login (HTTP 407)"),
        (b"HTTP/1.1 503 SECRET\r\nContent-Length: 6\r\n\r\nSECRET", "refused to connect (HTTP 503)"),
        (b"220 SECRET\r\n\r\n", "sent an answer that is not HTTP to CONNECT"),
        (b"", "closed the connection without an answer to CONNECT"),
        (b"HTTP/1.1 20", "closed the connection without an answer to CONNECT"),
    ],
)
async def test_a_proxy_that_does_not_connect_is_named(
    server: Server, proxy_of: Any, kind: str, answer: bytes, says: str
) -> None:
    proxy, url = proxy_of(kind)
    proxy.answer = answer
    text = await failure(Endpoint(server.url, proxy=url.replace("//", "//user:SECRET@")))
    assert text.startswith(f"the proxy localhost:{proxy.port} {says}")
    assert server.came == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_that_is_not_there_is_named(server: Server, kind: str) -> None:
    text = await failure(Endpoint(server.url, proxy=f"{kind}://user:SECRET@localhost:{(port := unused_port())}"))
    assert text.startswith(f"no connection to the proxy localhost:{port}: Connection refused")


@pytest.mark.parametrize("kind", ["http", "socks5", "socks5h"])
async def test_a_server_that_the_proxy_cannot_reach(proxy: Any, kind: str) -> None:
    target = f"localhost:{unused_port()}"
    text = await failure(Endpoint(f"ws://{target}/", proxy=f"{kind}://user:SECRET@localhost:{proxy.port}"))
    assert text.startswith(f"the proxy localhost:{proxy.port} ")
    assert ("(HTTP 502)" if kind == "http" else "Connection refused") in text


async def test_a_server_that_socks5_cannot_look_up(proxy: Any) -> None:
    text = await failure(Endpoint("ws://nowhere.invalid/", proxy=f"socks5://localhost:{proxy.port}"))
    assert text.startswith("no connection to the server nowhere.invalid:80: ")


@pytest.mark.parametrize("kind", ["socks5", "socks5h"])
async def test_a_socks_proxy_that_speaks_something_else(server: Server, kind: str) -> None:
    text = await failure(Endpoint(server.url, proxy=f"{kind}://localhost:{server.port}"))
    assert text.startswith(f"the proxy localhost:{server.port} did not connect to the server localhost:{server.port}")


async def test_a_login_that_socks_cannot_send(server: Server, proxy: Any) -> None:
    url = f"socks5h://user:{'SECRET' * 50}@localhost:{proxy.port}"
    with pytest.raises(ConnectFailed, match="cannot be sent by SOCKS") as caught:
        async with dialed(Endpoint(server.url, proxy=url)):
            pass
    assert not caught.value.retryable


async def test_the_certificate_of_a_proxy_is_not_the_endpoints_matter(
    server: Server, tls_proxy: Any, trusting: ssl.SSLContext
) -> None:
    """As in httpx, the system's trust store applies to the proxy."""
    url = f"https://localhost:{tls_proxy.port}"
    text = await failure(Endpoint(server.url, proxy=url, ssl_context=trusting))
    assert text.startswith(f"no TLS with the proxy localhost:{tls_proxy.port}: TLS: certificate verify failed")


@pytest.mark.usefixtures("system_trusts")
async def test_tls_to_a_proxy_without_it(server: Server, mute: Server) -> None:
    mute.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    text = await failure(Endpoint(server.url, proxy=f"https://localhost:{mute.port}"))
    assert text.startswith(f"no TLS with the proxy localhost:{mute.port}: ")
    assert text.partition(": ")[2].startswith(("TLS: ", "it speaks first"))


@pytest.mark.usefixtures("system_trusts")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_behind_a_proxy_is_the_servers(tls_server: Server, proxy_of: Any, kind: str) -> None:
    strict = ssl.create_default_context(cadata=trustme.CA().cert_pem.bytes().decode())
    faulty = sys.version_info < (3, 11, 8) or (3, 12) <= sys.version_info < (3, 12, 2)
    if faulty and kind == "https" and not on_trio():
        # A bug of these versions (cpython#113214), which the loop logs; our error is right all the same.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    text = await failure(Endpoint(tls_server.url, proxy=proxy_of(kind)[1], ssl_context=strict))
    assert text.startswith(f"no TLS with the server localhost:{tls_server.port}: TLS: certificate verify failed: ")


# -- nothing is left ---------------------------------------------------------------------------------------------------


async def all_ended(server: Server) -> None:
    """Wait until a server has seen the end of all its connections."""
    with anyio.fail_after(5):
        while server.open:
            await anyio.sleep(0.002)


@pytest.mark.usefixtures("system_trusts")
@pytest.mark.parametrize(
    "stage", ["tls", "http", "https: tls", "https", "socks5", "socks5h", "http > tls", "https > tls"]
)
async def test_a_cancellation_at_a_stage_that_hangs_leaves_nothing(
    mute: Server, proxy_of: Any, trusting: ssl.SSLContext, ms: float, stage: str
) -> None:
    kind, _, inside = stage.partition(" > ")
    proxy, setting = None, False
    if stage == "https: tls":
        endpoint = Endpoint(mute.url, proxy=f"https://localhost:{mute.port}")
    elif stage == "tls":
        endpoint = Endpoint(mute.url.replace("ws:", "wss:"), ssl_context=trusting)
    else:
        proxy, setting = proxy_of(kind)
        proxy.hang = not inside
        url = mute.url.replace("ws:", "wss:") if inside else mute.url
        endpoint = Endpoint(url, proxy=setting, ssl_context=trusting)
    with anyio.move_on_after(150 * ms) as scope:
        async with dialed(endpoint):
            pytest.fail("nobody answers")
    assert scope.cancelled_caught
    assert mute.came == (0 if proxy is not None and proxy.hang else 1)
    await all_ended(mute)


@pytest.mark.parametrize("addresses", [[], ["127.0.0.2"], ["127.0.0.2", "127.0.0.3"]], ids=["name", "one", "two"])
async def test_a_cancellation_while_tcp_hangs_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, ms: float, addresses: list[str]
) -> None:
    resolve_to(monkeypatch, *addresses)
    with deaf("127.0.0.2") as port, deaf("127.0.0.3", port), anyio.move_on_after(300 * ms) as scope:
        async with dialed(Endpoint(f"ws://two.example:{port}/")):
            pytest.fail("nobody answers")
    assert scope.cancelled_caught


@pytest.mark.usefixtures("system_trusts")
@pytest.mark.parametrize("kind", ["", *KINDS])
async def test_a_cancellation_at_any_moment_leaves_nothing(
    tls_server: Server, proxy_of: Any, trusting: ssl.SSLContext, kind: str
) -> None:
    """Cancel after 0, 1, 2 ... iterations of the loop, until it completes first."""
    endpoint = Endpoint(tls_server.url, proxy=proxy_of(kind)[1] if kind else False, ssl_context=trusting)
    through = False

    async def dial() -> None:
        nonlocal through
        async with dialed(endpoint):
            through = True

    turns = 0
    while not through:
        async with anyio.create_task_group() as group:
            group.start_soon(dial)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        turns += 1 + turns // 5
    assert turns > 5
    await all_ended(tls_server)  # the collector would report a socket left here: a ResourceWarning is an error


async def test_a_cancellation_of_asyncios_own_waits_until_the_socket_has_an_owner(
    server: Server, tls_server: Server, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    if on_trio():
        pytest.skip("trio has no other cancellation than anyio's")
    connect_to = dial_asyncio_module._connect_to

    async def connect_and_cancel(info: AddressInfo) -> socket.socket:
        sock = await connect_to(info)
        dialing.cancel()
        return sock

    monkeypatch.setattr(dial_asyncio_module, "_connect_to", connect_and_cancel)
    monkeypatch.setattr(dial_asyncio_module, "resolve", resolve_one)
    for target in (server, tls_server):
        dialing = asyncio.create_task(dial_asyncio(Endpoint(target.url, ssl_context=trusting), Keeper))
        with pytest.raises(asyncio.CancelledError):
            await dialing
        await all_ended(target)


async def resolve_one(host: str, port: int) -> list[AddressInfo]:
    """Skip resolution: with a single address there is no task group, whose cancellation is anyio's."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


async def test_tls_on_a_connection_that_is_lost_already_does_not_hang(server: Server, trusting: ssl.SSLContext) -> None:
    if on_trio():
        pytest.skip("a stream of trio's tells it by itself")
    (info,) = await resolve_one("localhost", server.port)
    line = await dial_asyncio_module._PendingConnection.from_socket(await dial_asyncio_module._connect_to(info))
    line.transport.abort()
    with anyio.fail_after(5), pytest.raises(ConnectFailed, match="no TLS with whom: the connection was lost"):
        await line.start_tls(trusting, "localhost", "whom")
    await anyio.sleep(0.01)


async def test_a_factory_that_raises_leaves_nothing(server: Server, proxy: Any) -> None:
    if on_trio():
        pytest.skip("there is no factory on trio")

    def factory() -> Keeper:
        raise KeyError("mine")

    for setting in (False, f"http://localhost:{proxy.port}", f"socks5://localhost:{proxy.port}"):
        with pytest.raises(KeyError, match="mine"):
            await dial_asyncio(Endpoint(server.url, proxy=setting), factory)
    await all_ended(server)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_it_works_where_anyio_does_not_know_the_loop(
    run: Any, tls_server: Server, tls_proxy: Any, trusting: ssl.SSLContext, system_trusts: None
) -> None:
    """anyio's pytest plugin makes the loop known to anyio even outside any task; `asyncio.run` does not."""
    endpoint = Endpoint(tls_server.url, proxy=f"https://localhost:{tls_proxy.port}", ssl_context=trusting)
    assert run(echo(endpoint)) == b"HELLO"
    assert run(echo(Endpoint(tls_server.url, ssl_context=trusting))) == b"HELLO"


def test_the_reason_of_a_failure_is_found_though_its_causes_form_a_cycle() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert str(step_failed("no connection", first)) == "no connection: ValueError: first"
