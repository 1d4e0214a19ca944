"""REST through proxies: chosen as for a WebSocket, refused by name, and named when they fail."""

from __future__ import annotations

import gc
import socket
import ssl
import struct
import threading

import httpx
import pytest

from rcex_ws.errors import ConfigurationError, TransportError
from rcex_ws.rest import RingCentral
from rcex_ws.slack import RTMClient

REFUSED = b"HTTP/1.1 407 SECRET\r\nProxy-Authenticate: Basic\r\n\r\n"


@pytest.fixture
def sent(monkeypatch):
    """Answer in the place of all servers; give the URLs that were asked for, with the proxy that would lead there."""
    sent = []

    def init(self, *, verify, proxy=None, trust_env):
        assert isinstance(verify, ssl.SSLContext)
        assert not trust_env
        self.proxy = proxy
        self.open = True

    async def handle(self, request):
        assert self.open
        sent.append((str(request.url), None if self.proxy is None else str(self.proxy.url)))
        if request.url.path == "/elsewhere":
            return httpx.Response(302, headers={"Location": "https://other.example/"})
        return httpx.Response(200, json={})

    async def aclose(self):
        self.open = False
        sent.append("closed")

    for name, method in (("__init__", init), ("handle_async_request", handle), ("aclose", aclose)):
        monkeypatch.setattr(httpx.AsyncHTTPTransport, name, method)
    return sent


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        (None, "http://environment.example:1"),
        (True, "http://environment.example:1"),
        (False, None),
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("https://me:SECRET@proxy.example", "https://proxy.example"),
        ("socks5://proxy.example", "socks5://proxy.example:1080"),
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
async def test_the_proxy_is_the_one_that_is_asked_for(sent, token, monkeypatch, proxy, expected):
    monkeypatch.setenv("HTTPS_PROXY", "environment.example:1")
    async with RingCentral(token=token, proxy=proxy) as rc:
        await rc.get("/a")
    assert sent == [("https://platform.ringcentral.com/a", expected), "closed"]


async def test_a_login_is_given_to_httpx(token, monkeypatch):
    logins = []

    def init(self, *, proxy, **_):
        logins.append((proxy.auth, proxy.ssl_context))

    async def handle(self, request):
        return httpx.Response(204)

    async def aclose(self):
        pass

    for name, method in (("__init__", init), ("handle_async_request", handle), ("aclose", aclose)):
        monkeypatch.setattr(httpx.AsyncHTTPTransport, name, method)
    for scheme in ("http", "https"):
        async with RingCentral(token=token, proxy=f"{scheme}://me:p%40ss@proxy.example") as rc:
            await rc.get("/a")
    assert [login for login, _ in logins] == [("me", "p@ss")] * 2
    assert logins[0][1] is None
    assert logins[1][1].verify_mode is ssl.CERT_REQUIRED


async def test_each_request_has_the_proxy_of_its_own_server(sent, token, monkeypatch):
    """Also behind a redirect."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("NO_PROXY", "other.example")
    async with RingCentral(token=token) as rc:
        await rc.get("/elsewhere")
        await rc.get("/here")
    assert sent == [
        ("https://platform.ringcentral.com/elsewhere", "http://proxy.example"),
        ("https://other.example/", None),
        ("https://platform.ringcentral.com/here", "http://proxy.example"),
        "closed",
        "closed",
    ]


@pytest.mark.parametrize("proxy", ["", "socks4://SECRET@proxy.example", "proxy.example:3128", 7, b"http://x"], ids=repr)
def test_a_proxy_that_is_none_is_refused_at_once(token, proxy):
    for make in (lambda: RingCentral(token=token, proxy=proxy), lambda: RTMClient("xoxb-1", proxy=proxy)):
        with pytest.raises(ConfigurationError, match=r"proxy: expected .*a URL such as") as caught:
            make()
        assert "SECRET" not in str(caught.value)


async def test_a_mistake_in_the_environment_is_told_alike(token, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks4://me:SECRET@proxy.example")
    async with RingCentral(token=token) as rc:
        with pytest.raises(ConfigurationError, match="HTTPS_PROXY must be a URL such as") as caught:
            await rc.get("/a")
    assert "SECRET" not in str(caught.value)


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


async def failure(proxy, token, server="https://server.invalid"):
    """Give the text of the error of a call through a proxy."""
    async with RingCentral(token=token, proxy=proxy, server=server) as rc:
        with pytest.raises(TransportError) as caught:
            await rc.get("/a")
    assert caught.value.retryable
    assert "SECRET" not in f"{caught.value!r}"
    return str(caught.value)


async def test_a_login_that_is_refused_says_407(proxy, token):
    proxy.answer = REFUSED
    text = await failure(f"http://me:SECRET@localhost:{proxy.port}", token)
    assert f"GET /a: the proxy localhost:{proxy.port} wants another login (HTTP 407)" in text
    text = await failure(f"http://localhost:{proxy.port}", token)
    assert f"GET /a: the proxy localhost:{proxy.port} wants a login (HTTP 407)" in text


async def test_a_proxy_that_refuses_is_named(proxy, token):
    proxy.answer = b"HTTP/1.1 503 SECRET\r\n\r\n"
    text = await failure(f"http://localhost:{proxy.port}", token)
    assert f"GET /a: the proxy localhost:{proxy.port} refused to connect (HTTP 503)" in text


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
async def test_a_proxy_that_is_not_there_is_named(token, scheme):
    text = await failure(f"{scheme}://me:SECRET@127.0.0.1:{(port := unused_port())}", token)
    assert f"GET /a: no connection to the proxy 127.0.0.1:{port}: Connection refused" in text


async def test_a_socks_proxy_that_refuses_is_named(token, monkeypatch):
    """Without a socket: httpcore 1.0.9 forgets to close the one to such a proxy."""

    async def handle(self, request):
        raise httpx.ProxyError("Proxy Server could not connect: Connection refused.")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    text = await failure("socks5h://me:SECRET@proxy.example", token)
    assert text.endswith(
        "the proxy proxy.example:1080 did not connect: Proxy Server could not connect: Connection refused"
    )


async def test_tls_through_a_proxy_is_told_as_tls(token, proxy):
    """Whose certificate it is, httpx does not tell."""

    def serve():
        client, _ = listener.accept()
        with client:
            client.recv(65536)
            client.sendall(b"220 this is a mail server\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        text = await failure(f"http://localhost:{proxy.port}", token, url)
        assert "GET /a: no answer from localhost: TLS: " in text
        thread.join(10)


@pytest.fixture
def resetting():
    """Accept connections, read a little and reset them; give the URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.recv(1000)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

    thread = threading.Thread(target=serve, name="resetting")
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


async def test_a_body_that_is_not_taken_leaves_nothing_unfinished(resetting, token):
    """On trio an async generator that is left unfinished makes a ResourceWarning, which is an error here."""
    async with RingCentral(server=resetting, token=token) as rc:
        with pytest.raises(TransportError):
            await rc.post("/restapi/v1.0/account/~/extension/~/fax", content=b"x" * 50_000_000)
        gc.collect()


async def test_a_file_that_is_not_taken_leaves_nothing_unfinished(resetting, token, tmp_path):
    """Its body is read while it is sent, by an object that is no async generator either."""
    path = tmp_path / "fax.tiff"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    async with RingCentral(server=resetting, token=token) as rc:
        with pytest.raises(TransportError):
            await rc.post("/restapi/v1.0/account/~/extension/~/fax", json={}, files={"attachment": path})
        gc.collect()
