"""The smallest protocol: a client whose texts come back, and its server. A message is "key text"."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Self

import anyio

from rcex_ws.connection import Conversation, Driver, Endpoint, Life, Link, Loss, RequestTable, Supervisor
from rcex_ws.errors import NotConnected, RequestLost
from rcex_ws.loop import now
from rcex_ws.websocket.listen import bind, serve
from rcex_ws.websocket.server_peer import ServerPeer


class EchoConversation(Conversation):
    """One connection of an `EchoClient`; its heartbeat is the default one, a ping frame."""

    def __init__(self, link: Link, requests: RequestTable[str]) -> None:
        self._link, self._requests = link, requests

    def on_message(self, data: bytes, binary: bool) -> None:
        """Settle the request that this answers."""
        key, _, text = data.decode(errors="replace").partition(" ")
        self._requests.settle(key, text)

    async def after_ready(self) -> None:
        """Send what was queued, and all that follows, over this connection."""
        self._requests.connect(self._link.send)

    def on_lost(self, loss: Loss) -> None:
        """Fail what was sent over this connection; what was queued for one that was never ready waits for the next."""
        if self._link.was_ready:
            self._requests.disconnect(
                lambda request: RequestLost(f"the connection was lost: {loss}", sent=request.sent)
            )


class EchoClient(anyio.AsyncContextManagerMixin, Driver):
    """Have texts echoed, over one connection after another; `options` are those of `Supervisor`."""

    def __init__(self, url: str, *, timeout: float = 30.0, close_timeout: float = 5.0, **options: Any) -> None:
        self._url, self._timeout, self._keys = url, timeout, count(1)
        self._requests: RequestTable[str] = RequestTable(lambda: self.life.watch_deadlines(self._requests))
        self.supervisor = Supervisor(self, **options)
        self.life = Life(self.supervisor, close_timeout=close_timeout)

    async def endpoint(self) -> Endpoint:
        """Return where to connect."""
        return Endpoint(self._url)

    def conversation(self, link: Link) -> EchoConversation:
        """Return the conversation for a new connection."""
        return EchoConversation(link, self._requests)

    def on_failed(self, error: Exception) -> None:
        """Fail what waits for an answer that will not come."""
        self._requests.disconnect(lambda request: RequestLost(f"no answer: {error}", sent=request.sent))

    async def echo(self, text: str) -> str:
        """Return the text as it comes back; without a connection, over the next one."""
        self.supervisor.raise_if_ended()
        key, deadline = str(next(self._keys)), now() + self._timeout
        return await self._requests.call(key, f"{key} {text}".encode(), deadline=deadline)

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self, None]:
        try:
            await self.life.start()
            await self.life.wait_open(self._timeout)
            yield self
        finally:
            self.on_failed(NotConnected("the client is closed"))
            await self.life.close()


class EchoServer(anyio.AsyncContextManagerMixin):
    """Send every message back, on a free port of this machine; `peers` are the open connections."""

    def __init__(self) -> None:
        self.peers, self._listener = set[ServerPeer](), bind()
        self.url = "ws://{}:{}/".format(*self._listener.getsockname())

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self, None]:
        async with anyio.create_task_group() as group:
            with self._listener:
                group.start_soon(serve, self._listener, self._serve)
                yield self
                group.cancel_scope.cancel()

    async def _serve(self, peer: ServerPeer) -> None:
        await peer.accept()
        self.peers.add(peer)
        try:
            await peer.read(lambda data, _: peer.send([data]))
        finally:
            self.peers.discard(peer)
