"""A WebSocket server that does what a test says, for what needs real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from rcex_ws.websocket.frames import Sendable
from rcex_ws.websocket.listen import bind, serve
from rcex_ws.websocket.server_handshake import UpgradeRequest
from rcex_ws.websocket.server_peer import ServerPeer
from tests.feedme.wire import WELCOME, Message

__all__ = ["Served", "served"]


class Served:
    """The server.

    Attributes:
        upgrades: the requests.
        peers: the connections.
        received: what came in, decoded, after the handshake.
        refusal: the HTTP status for the next upgrades; None to accept.
        selects: whether it selects the subprotocol that it is offered.
        deaf: whether it reads nothing, not even pings.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.upgrades: list[UpgradeRequest] = []
        self.peers: list[ServerPeer] = []
        self.received: list[Message] = []
        self.refusal: int | None = None
        self.selects = True
        self.deaf = False

    def say(self, message: Message | Sendable | bytes) -> None:
        self.peers[-1].send([json.dumps(message).encode() if isinstance(message, dict) else message])

    async def serve(self, peer: ServerPeer) -> None:
        """Serve one client."""
        self.upgrades.append(peer.request)
        if self.refusal is not None:
            await peer.refuse(self.refusal)
            return
        await peer.accept(peer.request.subprotocols[0] if self.selects else None)
        self.peers.append(peer)
        if self.deaf:
            self.say(WELCOME)
            await anyio.sleep_forever()
        await peer.read(self._on_message)

    def _on_message(self, data: bytes, _: bool) -> None:
        message = json.loads(data)
        if message["MessageType"] == "Handshake":
            self.say(WELCOME)
        else:
            self.received.append(message)


@asynccontextmanager
async def served() -> AsyncGenerator[Served]:
    """Run one on a free port of this machine."""
    with bind() as listener:
        server = Served("ws://{}:{}/feedme".format(*listener.getsockname()))
        async with anyio.create_task_group() as group:
            group.start_soon(serve, listener, server.serve)
            yield server
            group.cancel_scope.cancel()
