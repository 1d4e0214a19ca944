"""A client, as the functions and hooks of the application get to know it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcex_ws.websocket.server_handshake import UpgradeRequest

__all__ = ["RemoteClient"]


class RemoteClient:
    """A client of an `RtmServer`. One that resumes its session after a loss stays the same object.

    Args:
        client_id: see `id`.
        request: see `request`.
        emit: sends it an event.
        disconnect: closes its connection.
        is_connected: returns whether there is one.

    Attributes:
        id: identifies the client among all clients of all servers.
        request: the request for its WebSocket: `path` with the query, `headers` with names in lower case.
        authentication: what the authentication handler has returned; None before that, and without a handler.
        user_id: the id of its user; None if it has none.
        state: whatever the application wants to remember about the client.
    """

    __slots__ = ("_disconnect", "_emit", "_is_connected", "authentication", "id", "request", "state", "user_id")

    def __init__(
        self,
        client_id: str,
        request: UpgradeRequest,
        *,
        emit: Callable[[str, tuple[Any, ...]], bool],
        disconnect: Callable[[str], None],
        is_connected: Callable[[], bool],
    ) -> None:
        self.id: str = client_id
        self.request: UpgradeRequest = request
        self.authentication: Any = None
        self.user_id: str | None = None
        self.state: dict[str, Any] = {}
        self._emit = emit
        self._disconnect = disconnect
        self._is_connected = is_connected

    @property
    def connected(self) -> bool:
        """Whether it is connected; otherwise it may still come back."""
        return self._is_connected()

    def emit(self, event: str, *data: Any) -> bool:
        """Send an event to this client.

        Args:
            event: its name.
            *data: its arguments, any JSON.

        Returns:
            Whether the client got it. One that has lost its connection gets it if it comes back in time; one that is
            not authenticated yet does not.

        Raises:
            ConfigurationError: an argument is invalid.
            WrongEventLoop: the caller runs in another event loop than the server.
        """
        return self._emit(event, data)

    def disconnect(self, reason: str = "") -> None:
        """Close its connection for good, so that it cannot resume; ignored if that is done already.

        Args:
            reason: what the client is told, up to 120 bytes.

        Raises:
            ConfigurationError: the reason is no text, or too long.
            WrongEventLoop: the caller runs in another event loop than the server.
        """
        self._disconnect(reason)

    def __repr__(self) -> str:
        return f"<RemoteClient {self.id} of {self.user_id!r}>" if self.user_id else f"<RemoteClient {self.id}>"
