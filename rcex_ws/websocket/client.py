"""Open one WebSocket, on asyncio or on trio, behind one async context manager.

The supervisor calls it once per attempt. No error and no log line from here down shows the URL, which holds a token.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from msgspec.structs import replace

from rcex_ws.address import parse_address
from rcex_ws.errors import ConnectFailed, UpgradeRefused
from rcex_ws.loop import on_trio
from rcex_ws.trace import Step
from rcex_ws.websocket.dial_asyncio import dial_asyncio
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.handshake import ClientHandshake
from rcex_ws.websocket.loop_socket import LoopSocket
from rcex_ws.websocket.socket import Socket

if TYPE_CHECKING:
    import trio

__all__ = ["open_socket"]

#: Redirects followed.
_MOST_REDIRECTS = 5


@asynccontextmanager
async def open_socket(endpoint: Endpoint, *, stream: trio.abc.Stream | None = None) -> AsyncGenerator[Socket, None]:
    """Open one WebSocket; abort it on exit unless it is closed by then.

    There is no time-out here: the caller's covers the whole attempt.

    Args:
        endpoint: where to connect.
        stream: on trio, a connected stream to use instead of a new TCP connection.

    Raises:
        UpgradeRefused: the server answered with an HTTP status other than 101.
        ConnectFailed: anything else, from name resolution to TLS.
    """
    for _ in range(_MOST_REDIRECTS):
        handshake = ClientHandshake(
            endpoint.url,
            headers=endpoint.headers,
            subprotocol=endpoint.subprotocol,
            max_size=endpoint.max_size,
        )
        socket = await _connect(endpoint, handshake, stream)
        try:
            try:
                with endpoint.trace.begin(Step.UPGRADE):
                    await socket.open()
            except UpgradeRefused:
                if handshake.location is None:
                    raise
                endpoint = _redirect(endpoint, handshake.location)
                continue
            yield socket
        finally:
            await socket.abort()
        return
    raise ConnectFailed(f"the server redirected the upgrade more than {_MOST_REDIRECTS} times", upgrade_sent=True)


async def _connect(endpoint: Endpoint, handshake: ClientHandshake, stream: trio.abc.Stream | None) -> Socket:
    if not on_trio():
        loop = asyncio.get_running_loop()
        _, socket = await dial_asyncio(endpoint, lambda: LoopSocket(handshake, loop))
        return socket
    from rcex_ws.websocket.dial_trio import dial_trio
    from rcex_ws.websocket.stream_socket import StreamSocket

    return StreamSocket(await dial_trio(endpoint) if stream is None else stream, handshake)


def _redirect(endpoint: Endpoint, location: str) -> Endpoint:
    """Follow a redirect within the origin; the token in the URL must not go anywhere else."""
    ours = parse_address(endpoint.url)
    try:
        url = urljoin(endpoint.url, location)
        theirs = parse_address(url)
    except (ValueError, ConnectFailed):
        raise ConnectFailed(
            "the upgrade was redirected to no WebSocket; a captive portal or a proxy may have answered",
            upgrade_sent=True,
        ) from None
    if ours.origin != theirs.origin:
        raise ConnectFailed("the server redirected the upgrade to another origin", upgrade_sent=True)
    return replace(endpoint, url=url)
