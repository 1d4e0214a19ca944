"""A server as a part of an ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from rcex_ws.websocket.asgi_peer import serve_asgi
from rcex_ws.websocket.peer import Peer, PeerOptions

__all__ = ["AsgiMount"]

_Message = MutableMapping[str, Any]


class AsgiMount:
    """An ASGI application that serves WebSockets; an object, as Starlette calls a function with a WebSocket of its own.

    Args:
        handler: serves one WebSocket.
        options: its limits.
        protocol: its name, for people who open the address in a browser.
    """

    def __init__(self, handler: Callable[[Peer], Awaitable[None]], options: PeerOptions, *, protocol: str) -> None:
        self._handler = handler
        self._options = options
        self._hint = f"This is a WebSocket of the {protocol} protocol.\n".encode()

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Serve one WebSocket, and refuse any other request."""
        if scope["type"] == "websocket":
            await serve_asgi(self._handler, scope, receive, send, self._options)
        elif scope["type"] == "http":
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"upgrade", b"websocket")]
            await send({"type": "http.response.start", "status": 426, "headers": headers})
            await send({"type": "http.response.body", "body": self._hint})
        else:
            raise NotImplementedError(f"a mounted server has no {scope['type']}")  # the lifespan is the application's
