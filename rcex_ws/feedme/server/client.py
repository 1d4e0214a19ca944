"""A connected client, as the application sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcex_ws.feedme.messages import FeedArgs
from rcex_ws.websocket.server_handshake import UpgradeRequest

__all__ = ["ConnectedClient"]


class ConnectedClient:
    """A client of a `FeedmeServer`, given to handlers.

    Args:
        client_id: see `id`.
        request: see `request`.
        disconnect: closes the connection.
        open_feeds: returns the names and arguments of its open feeds.

    Attributes:
        id: identifies the client among all clients of all servers.
        request: the request for its WebSocket: `path` with the query, `headers` with names in lower case,
            `subprotocols`.
        state: whatever the application wants to remember about the client.
    """

    __slots__ = ("_disconnect", "_open_feeds", "id", "request", "state")

    def __init__(
        self,
        client_id: str,
        request: UpgradeRequest,
        disconnect: Callable[[], None],
        open_feeds: Callable[[], list[tuple[str, FeedArgs]]],
    ) -> None:
        self.id: str = client_id
        self.request: UpgradeRequest = request
        self.state: dict[str, Any] = {}
        self._disconnect = disconnect
        self._open_feeds = open_feeds

    @property
    def feeds(self) -> list[tuple[str, FeedArgs]]:
        """The names and arguments of the feeds that the client has open."""
        return self._open_feeds()

    def disconnect(self) -> None:
        """Close the connection to the client; ignored if it is closed already.

        Raises:
            WrongEventLoop: the caller runs in another event loop than the server.
        """
        self._disconnect()

    def __repr__(self) -> str:
        return f"<ConnectedClient {self.id}>"
