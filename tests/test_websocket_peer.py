"""The peer of the tests leaves nothing behind that a later garbage collection would charge to another test."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any
from urllib.parse import urlsplit

from tests.websocket_peer import Peer


def dial(peer: Peer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(peer.url).port), 5)


UPGRADE = (
    b"GET /path HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def test_e9_a_peer_that_is_ended_leaves_no_pending_task(until: Any) -> None:
    """Ended while one upgrade waits, one has not come, one connection is stuck in a write and one errand is at work."""
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(Peer())
        open_one, waiting_one, _silent_one = (stack.enter_context(dial(peer)) for _ in range(3))
        open_one.sendall(UPGRADE)
        await until(lambda: peer.open)
        peer.hang = True
        waiting_one.sendall(UPGRADE)
        await until(lambda: len(peer.upgrades) == 2)
        (connection,) = peer.open
        loop = connection.loop
        asyncio.run_coroutine_threadsafe(connection.send(b"x" * 2**24), loop)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(1000), loop)
    assert loop.is_closed()
    assert not asyncio.all_tasks(loop)
