"""The local gateway over in-memory streams, on trio, so that tests can run hours of virtual time.

Used by tests under `trio.testing.MockClock`, which does not work with real sockets. REST goes through ASGI in process,
and each WebSocket over a pair of memory streams, whose client end is passed to
`websockets.trio.client.connect(uri, stream=...)`. All timers of the gateway use the clock of the event loop.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Self

import anyio
import httpx
import trio
from trio.testing import memory_stream_pair

from rcex_ws.connection import Endpoint, open_websocket
from rcex_ws.gateway import GatewayApp, GatewayOptions
from rcex_ws.gateway.nodes import PEER_OPTIONS
from rcex_ws.websocket.listen_trio import serve_stream
from rcex_ws.websocket.socket import Socket

__all__ = ["MemoryGateway"]


class MemoryGateway:
    """A gateway without sockets; an async context manager, on trio only.

    ::

        async with MemoryGateway(idle_timeout=1800) as memory:
            answer = await memory.http.post("/restapi/oauth/token", ...)
            async with connect(uri, stream=memory.open_stream()) as ws: ...

    Args:
        options: the fields of `rcex_ws.gateway.GatewayOptions`.

    Attributes:
        server: the base URL of the REST API, which only `http` can reach.
        ws_uri: the WebSocket address given to clients, who use `open_stream` instead.
        client_id: client id of the one application.
        client_secret: its client secret.
        jwt: JWT credential of the first user.
        gateway: the gateway, with its faults and its log.
        http: an HTTP client whose requests the gateway answers in process.
    """

    server = "http://gateway.memory"
    ws_uri = "ws://gateway.memory/ws"

    def __init__(self, **options: Any) -> None:
        self.gateway = GatewayApp(GatewayOptions(public_ws_uri=self.ws_uri, **options))
        app = self.gateway.core.apps.first
        self.client_id, self.client_secret = app.client_id, app.client_secret
        self.jwt = self.gateway.core.people.first.jwt
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.gateway.app), base_url=self.server)
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.http)
            self._tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(self._tasks.cancel_scope.cancel)
            self._tasks.start_soon(self.gateway.run)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: Any) -> bool | None:
        return await self._exit.__aexit__(*exc_info)

    def open_stream(self) -> trio.abc.HalfCloseableStream:
        """Return the client end of a new connection to the gateway."""
        client_end, server_end = memory_stream_pair()
        self._tasks.start_soon(serve_stream, server_end, self.gateway.serve, PEER_OPTIONS)
        return client_end

    def open_websocket(self, endpoint: Endpoint) -> AbstractAsyncContextManager[Socket]:
        """Open a WebSocket of this library over a new connection; an `rcex_ws.connection.Opener`."""
        return open_websocket(endpoint, stream=self.open_stream())
