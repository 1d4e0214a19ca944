"""The simulation's network: streams in memory from a life to the server, for HTTP and for the WebSocket alike.

A `Line` belongs to one life. When that is killed, its streams end as a dead process's do and nothing of it connects,
reads or writes any more; after an orderly close nothing of it may, and what does is written down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpcore
import httpx
import trio
from httpcore import SOCKET_OPTION

from oracle import journal as j
from oracle.wire import MemoryStream, memory_pair
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.opener import open_websocket

__all__ = ["Line"]

Serve = Callable[[MemoryStream], Awaitable[None]]


class Line:
    """What one life reaches the server by.

    Args:
        nursery: runs the server's side of each connection.
        serve: that side.
        put: takes records.
        life: whose line it is.
        connect_time: gives the seconds until a connection is made.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        serve: Serve,
        put: Callable[[j.Record], None],
        life: int,
        connect_time: Callable[[], float],
    ) -> None:
        self.dead = False
        self.closed = False
        self.detached = False
        self._nursery = nursery
        self._serve = serve
        self._put = put
        self._life = life
        self._connect_time = connect_time
        self._ends: list[MemoryStream] = []

    async def dial(self, *, socket: bool = False) -> LifeStream:
        """Connect; `socket` says that it is for the WebSocket, which has to rest once the extension is closed."""
        self.used("connect", socket=socket)
        await trio.sleep(self._connect_time())
        if self.dead:
            raise OSError("the process is dead")
        client_end, server_end = memory_pair()
        self._ends = [end for end in self._ends if not end.closed]
        self._ends.append(client_end)
        self._nursery.start_soon(self._serve, server_end)
        return LifeStream(self, client_end, socket=socket)

    def used(self, what: str, *, socket: bool = False) -> None:
        """Write down what is done after the close: by anything, or for the WebSocket once the extension has closed."""
        if self.dead:
            return
        if self.closed or (socket and self.detached):
            self._put(j.Sent(self._life, f"{what}{' for the WebSocket' if socket else ''}"))

    def kill(self) -> None:
        """Let everything end as a dead process's sockets do."""
        self.dead = True
        for end in self._ends:
            end.close()

    @property
    def open_ends(self) -> int:
        """How many connections the life has not closed."""
        return sum(not end.closed for end in self._ends)

    def open_socket(self, endpoint: Endpoint) -> AbstractAsyncContextManager[Any]:
        """Open a WebSocket; the seam that the extension offers."""
        return _Opening(self, endpoint)

    def http_client(self) -> httpx.AsyncClient:
        """Make the HTTP client that goes this way."""
        return httpx.AsyncClient(transport=_Transport(self))


class LifeStream(trio.abc.HalfCloseableStream):
    """The client's end of a connection."""

    def __init__(self, line: Line, inner: MemoryStream, *, socket: bool) -> None:
        self._line = line
        self._inner = inner
        self._socket = socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write."""
        self._line.used("write", socket=self._socket)
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for room."""
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read."""
        data = await self._inner.receive_some(max_bytes)
        if data or self._line.closed:
            self._line.used("read", socket=self._socket)
        return data

    async def send_eof(self) -> None:
        """Send FIN."""
        await self._inner.send_eof()

    async def aclose(self) -> None:
        """Close."""
        await self._inner.aclose()

    def is_readable(self) -> bool:
        """Say whether there is something to read, be it the end; for a connection that sits in a pool."""
        inner = self._inner
        pipe = inner._in  # the stream has no public way to say that its peer has ended
        return inner.closed or inner.unread > 0 or pipe.finished or pipe.broken


class _Opening(AbstractAsyncContextManager[Any]):
    """Dial, then open a WebSocket over the stream."""

    def __init__(self, line: Line, endpoint: Endpoint) -> None:
        self._line = line
        self._endpoint = endpoint

    async def __aenter__(self) -> Any:
        stream = await self._line.dial(socket=True)
        try:
            self._socket = open_websocket(self._endpoint, stream=stream)
            return await self._socket.__aenter__()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self._socket.__aexit__(*error)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: LifeStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _Mapped(httpcore.ReadTimeout, httpcore.ReadError), trio.fail_after(_seconds(timeout)):
            return await self._stream.receive_some(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            with _Mapped(httpcore.WriteTimeout, httpcore.WriteError), trio.fail_after(_seconds(timeout)):
                await self._stream.send_all(buffer)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.is_readable() if info == "is_readable" else None


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, line: Line) -> None:
        self._line = line

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with _Mapped(httpcore.ConnectTimeout, httpcore.ConnectError), trio.fail_after(_seconds(timeout)):
            return _Stream(await self._line.dial())

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class _Transport(httpx.AsyncBaseTransport):
    """What `httpx.AsyncHTTPTransport` does, over a backend of ours."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._pool = httpcore.AsyncConnectionPool(network_backend=_Backend(line), keepalive_expiry=None)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.path.endswith("/wstoken"):
            self._line.used("ask for a token", socket=True)
        try:
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
            body = await response.aread()
            await response.aclose()
        except Exception as error:
            # Each exception of httpcore has one of the same name in httpx.
            mapped = getattr(httpx, type(error).__name__, None)
            if mapped is None or not type(error).__module__.startswith("httpcore"):
                raise
            raise mapped(str(error)) from error
        return httpx.Response(response.status, headers=response.headers, content=body)

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Mapped:
    """Turn trio's exceptions into httpcore's."""

    def __init__(self, timed_out: type[Exception], failed: type[Exception]) -> None:
        self._timed_out = timed_out
        self._failed = failed

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, trio.TooSlowError):
            raise self._timed_out(str(error)) from error
        if isinstance(error, OSError | trio.BrokenResourceError | trio.ClosedResourceError):
            raise self._failed(str(error)) from error


def _seconds(timeout: float | None) -> float:
    return float("inf") if timeout is None else timeout
