"""Connecting on trio, step by step."""

from __future__ import annotations

import ssl

import pytest
import trio
from trio.testing import memory_stream_pair

from rcex_ws.websocket.dial_trio import _PrefixedStream, _start_tls


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
