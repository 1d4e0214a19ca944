"""`CoreClient`: what the WebSocket extension needs of the client that it is installed in, and nothing more.

`RingCentral` is one. Another client can be one, too: demo/own_client.py is one of 60 lines on httpx, and tests run it.
It installs the extension by `await extension.install(client)`, sends calls through `extension.takes` and
`extension.transport` if it likes, and closes it by `await extension.aclose()`.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable
from typing import Protocol

from rcex_ws.rest.message import Request, Response, Send
from rcex_ws.rest.token import Token
from rcex_ws.tasks import RootTask

__all__ = ["CoreClient"]


class CoreClient(Protocol):
    """A REST client that a `WebSocketExtension` can be installed in."""

    @property
    def server(self) -> str:
        """URL of the API without trailing slash."""
        ...

    @property
    def client_id(self) -> str | None:
        """Id of the application; None if unknown. A stored session belongs to one application."""
        ...

    @property
    def user_agent(self) -> str:
        """What names the application, in printable ASCII; every frame carries it as X-User-Agent."""
        ...

    @property
    def token(self) -> Token | None:
        """The token of the OAuth session; None when nobody is logged in."""
        ...

    @property
    def proxy(self) -> str | bool | None:
        """Proxy of the WebSocket: None or True reads the environment, a URL names one, False uses none."""
        ...

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """TLS context of the WebSocket; asked for only if its address begins with wss."""
        ...

    @property
    def tasks(self) -> RootTask:
        """Owner of the background tasks. The client ends it by `aclose` when it closes; the extension starts it."""
        ...

    @property
    def https_calls(self) -> int:
        """Number of calls sent by HTTPS so far, for the extension's statistics."""
        ...

    async def ensure_token(self) -> Token:
        """Return a token that is valid for a call now; renew it first if necessary.

        Raises:
            LoginRefused: the session has ended and cannot be renewed: the extension gives up.
            RcexError: the renewal failed; see `.retryable`.
        """
        ...

    def send(self, request: Request, *, transport: Send | None = None) -> Awaitable[Response]:
        """Send a call of the extension.

        Args:
            request: the call; `request.start_clock()` starts its time-out.
            transport: sends it over the extension's own socket; None sends it by HTTPS with the bearer token.

        Raises:
            RestError: an answer other than 2xx; `LoginRefused` makes the extension give up.
            TransportError: no answer came.
        """
        ...
