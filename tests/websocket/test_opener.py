"""Opening one WebSocket: through every kind of proxy, over TLS, and with errors that show no secret."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import anyio
import pytest

from rcex_ws.connection import Endpoint, open_websocket
from rcex_ws.errors import ConfigurationError, ConnectFailed, UpgradeRefused
from rcex_ws.websocket.socket import Receivers
from tests.reading import read


def ignore(*_: object) -> None:
    """Take what a test does not look at."""


async def echo(endpoint: Endpoint) -> bytes:
    """Send one message and give what comes back."""
    messages: list[bytes] = []
    with anyio.fail_after(10):
        async with open_websocket(endpoint) as websocket, anyio.create_task_group() as group:

            def on_message(data: bytes, binary: bool) -> None:
                messages.append(data)
                group.cancel_scope.cancel()

            group.start_soon(read, websocket, Receivers(on_message, ignore))
            assert await websocket.send([b"ping?"])
    return messages[0]


async def failure(endpoint: Endpoint) -> ConnectFailed:
    """Open a WebSocket that cannot be opened."""
    with anyio.fail_after(10), pytest.raises(ConnectFailed) as caught:
        async with open_websocket(endpoint):
            pass
    return caught.value


# -- proxies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
async def test_the_environments_proxy_is_used(
    peer: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, f"http://localhost:{proxy.port}")
    assert await echo(Endpoint(peer.url)) == b"ping?"
    assert proxy.targets == [f"http localhost:{peer.port}"]


async def test_no_proxy_of_the_environment_is_heeded(peer: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://localhost:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert await echo(Endpoint(peer.url)) == b"ping?"
    assert proxy.targets == []


async def test_false_ignores_the_environments_proxy(peer: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://localhost:{proxy.port}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://localhost:{proxy.port}")
    assert await echo(Endpoint(peer.url, proxy=False)) == b"ping?"
    assert proxy.targets == []


@pytest.mark.parametrize("kind", ["http", "socks5", "socks5h"])
async def test_an_explicit_proxy_is_used(peer: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://localhost:1")  # the explicit one wins
    assert await echo(Endpoint(peer.url, proxy=f"{kind}://localhost:{proxy.port}")) == b"ping?"
    (target,) = proxy.targets
    assert target.startswith(kind.rstrip("5h")[:4])
    assert target.endswith(f":{peer.port}")


@pytest.mark.parametrize("kind", ["http", "socks5h"])
async def test_tls_goes_through_a_proxy(tls_peer: Any, proxy: Any, authority: Any, kind: str) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    endpoint = Endpoint(tls_peer.url, proxy=f"{kind}://localhost:{proxy.port}", ssl_context=context)
    assert await echo(endpoint) == b"ping?"
    assert len(proxy.targets) == 1


async def test_t2_the_pinned_context_counts_whatever_the_case_of_the_scheme(tls_peer: Any, authority: Any) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    url = tls_peer.url.replace("wss:", "WSS:")
    assert await echo(Endpoint(url, ssl_context=context)) == b"ping?"
    assert "certificate" in str(await failure(Endpoint(url)))


async def test_credentials_in_the_proxys_url_are_sent_to_it(peer: Any, proxy: Any) -> None:
    assert await echo(Endpoint(peer.url, proxy=f"http://user:pass@localhost:{proxy.port}")) == b"ping?"
    assert "Proxy-Authorization: Basic dXNlcjpwYXNz" in proxy.headers[0]


async def test_a_proxy_that_refuses_can_be_tried_again(peer: Any, proxy: Any) -> None:
    proxy.answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
    error = await failure(Endpoint(peer.url, proxy=f"http://user:SECRET@localhost:{proxy.port}"))
    assert (error.retryable, error.upgrade_sent) == (True, False)
    assert "proxy" in str(error)
    assert "SECRET" not in str(error)


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_a_proxy_that_is_not_there_can_be_tried_again(peer: Any, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    error = await failure(Endpoint(peer.url, proxy=f"{kind}://user:SECRET@127.0.0.1:{port}"))
    assert (error.retryable, error.upgrade_sent) == (True, False)
    assert "SECRET" not in str(error)


@pytest.mark.parametrize("proxy", ["ftp://user:SECRET@localhost:1", "user:SECRET@localhost:1", "http://user:SECRET@"])
async def test_a_proxy_that_is_none_is_final_and_tells_no_secret(peer: Any, proxy: str) -> None:
    with anyio.fail_after(10), pytest.raises((ConnectFailed, ConfigurationError)) as caught:
        async with open_websocket(Endpoint(peer.url, proxy=proxy)):
            pass
    assert not caught.value.retryable
    assert "SECRET" not in f"{caught.value} {caught.value!r}"


# -- TLS ---------------------------------------------------------------------------------------------------------------


async def test_tls_with_the_given_context(tls_peer: Any, authority: Any) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    assert await echo(Endpoint(tls_peer.url, ssl_context=context)) == b"ping?"


async def test_a_context_is_ignored_without_tls(peer: Any) -> None:
    assert await echo(Endpoint(peer.url, ssl_context=ssl.create_default_context())) == b"ping?"


async def test_a_certificate_that_is_not_trusted_is_named_and_nothing_was_sent(tls_peer: Any) -> None:
    error = await failure(Endpoint(tls_peer.url))
    assert "certificate" in str(error).lower()
    assert not error.upgrade_sent
    assert tls_peer.upgrades == []


async def test_tls_to_a_server_without_it_is_a_failure(peer: Any) -> None:
    error = await failure(Endpoint(peer.url.replace("ws:", "wss:")))
    assert (error.retryable, error.upgrade_sent) == (True, False)


# -- addresses and answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://host/?access_token=SECRET", "ws:///?access_token=SECRET", "ws://host/?a=SECRET#fragment"]
)
async def test_an_address_that_is_none_is_final_and_tells_no_secret(url: str) -> None:
    error = await failure(Endpoint(url))
    assert not error.retryable
    assert "SECRET" not in f"{error} {error!r}"


async def test_an_endpoint_shows_no_secret() -> None:
    endpoint = Endpoint("ws://host/?a=SECRET", headers={"Authorization": "SECRET"}, proxy="http://u:SECRET@host:1")
    assert "SECRET" not in repr(endpoint)


async def test_a_refused_upgrade_tells_status_and_wait(peer: Any) -> None:
    peer.refusals = [(429, {"Retry-After": "17"})]
    error = await failure(Endpoint(peer.url))
    assert isinstance(error, UpgradeRefused)
    assert (error.status, error.retry_after, error.upgrade_sent) == (429, 17.0, True)
    assert "SECRET" not in str(error)


async def test_an_answer_that_is_no_http_is_a_failure_after_the_upgrade() -> None:
    async def serve(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"220 this is a mail server\r\n")

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        error = await failure(Endpoint(f"ws://127.0.0.1:{port}/?a=SECRET"))
        assert (error.retryable, error.upgrade_sent) == (True, True)
        assert "SECRET" not in str(error)
        group.cancel_scope.cancel()


# -- one open WebSocket ------------------------------------------------------------------------------------------------


async def test_leaving_the_block_ends_the_connection(peer: Any, until: Any) -> None:
    async with open_websocket(Endpoint(peer.url)):
        await until(lambda: peer.open)
    await until(lambda: not peer.open)


async def test_an_exception_in_the_block_comes_out_as_it_is(peer: Any, until: Any) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_websocket(Endpoint(peer.url)):
            raise KeyError("mine")
    await until(lambda: not peer.open)


async def test_a_cancelled_block_ends_the_connection(peer: Any, until: Any) -> None:
    with anyio.CancelScope() as scope:
        async with open_websocket(Endpoint(peer.url)):
            await until(lambda: peer.open)
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    await until(lambda: not peer.open)


async def test_a_cancelled_opening_leaves_no_socket(peer: Any, until: Any, ms: float) -> None:
    peer.hang = True
    with anyio.move_on_after(60 * ms) as scope:
        async with open_websocket(Endpoint(peer.url)):
            pytest.fail("the peer does not answer")
    assert scope.cancelled_caught  # a socket left open is a ResourceWarning, and that an error


async def test_sending_after_the_end_says_so(peer: Any, until: Any) -> None:
    async with open_websocket(Endpoint(peer.url)) as websocket:
        await websocket.abort()
        assert not await websocket.send([b"too late"])
        closed = await read(websocket, Receivers(ignore, ignore))
        assert (closed.code, closed.by_peer) == (None, False)
        await websocket.abort()
        await websocket.close(1000, "", within=1.0)
