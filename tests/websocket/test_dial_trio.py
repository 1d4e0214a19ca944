"""Connecting on trio, step by step."""

from __future__ import annotations

import ssl

import pytest
import trio
from trio.testing import memory_stream_pair

from rcex_ws.address import parse_address
from rcex_ws.errors import ConnectFailed
from rcex_ws.trace import SILENT
from rcex_ws.websocket.dial import Route
from rcex_ws.websocket.dial_trio import _PrefixedStream, _start_tls, _tunnel
from rcex_ws.websocket.proxies import Proxy


@pytest.fixture
def anyio_backend() -> str:
    """Only trio, whose streams these are."""
    return "trio"


async def test_a_cancelled_tls_handshake_closes_the_stream() -> None:
    near, _far = memory_stream_pair()
    with trio.move_on_after(0.01) as scope:
        await _start_tls(near, ssl.create_default_context(), "localhost", "the server localhost")
    assert scope.cancelled_caught
    with pytest.raises(trio.ClosedResourceError):
        await near.send_all(b"x")


async def test_a_bug_in_the_tls_handshake_closes_the_stream_and_is_no_failed_step() -> None:
    near, _far = memory_stream_pair()

    async def fail() -> None:
        raise ZeroDivisionError

    near.receive_stream.receive_some_hook = fail
    with pytest.raises(ZeroDivisionError):
        await _start_tls(near, ssl.create_default_context(), "localhost", "the server localhost")
    with pytest.raises(trio.ClosedResourceError):
        await near.send_all(b"x")


@pytest.mark.parametrize(("error", "raised"), [(trio.BrokenResourceError, ConnectFailed), (ValueError, ValueError)])
async def test_a_proxy_that_is_lost_is_named_and_a_bug_is_not(error: type[Exception], raised: type[Exception]) -> None:
    near, _far = memory_stream_pair()
    proxy = Proxy("http", "proxy.example", 3128)

    async def fail() -> None:
        raise error

    near.receive_stream.receive_some_hook = fail
    with pytest.raises(raised) as caught:
        await _tunnel(near, proxy, Route(parse_address("ws://server.example/"), proxy, None), SILENT)
    assert raised is not ConnectFailed or str(caught.value).startswith("lost the proxy proxy.example:3128: ")
    with pytest.raises(trio.ClosedResourceError):
        await near.send_all(b"x")


async def test_a_stream_behind_early_bytes_is_otherwise_the_same() -> None:
    near, far = memory_stream_pair()
    stream = _PrefixedStream(near, b"early")
    await far.send_all(b"late")
    assert [await stream.receive_some(2), await stream.receive_some(), await stream.receive_some()] == [
        b"ea",
        b"rly",
        b"late",
    ]
    await stream.wait_send_all_might_not_block()
    await stream.send_all(b"x")
    assert await far.receive_some() == b"x"
    await stream.aclose()
    assert await far.receive_some() == b""
