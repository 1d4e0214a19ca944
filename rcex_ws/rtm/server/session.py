"""One client over all of its connections: what it is sent, what it may have missed, what it subscribes to."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

from rcex_ws.rtm.frames import GAP_EVENT, encode_event
from rcex_ws.rtm.resumption import GapNotice
from rcex_ws.rtm.server.backlog import Backlog
from rcex_ws.rtm.server.errors import ClientGone
from rcex_ws.rtm.server.remote_client import RemoteClient
from rcex_ws.websocket.peer import Peer, Shared

__all__ = ["ClientSession", "Outbound", "Push", "user_mark"]

Push = tuple[str, frozenset[str]]
"""A push subscription: an event and its tags."""


class Outbound(Shared):
    """An event for any number of clients, encoded and framed once.

    Args:
        frame: the event, encoded.
        published: whether it stands in the log of a user.
    """

    __slots__ = ("frame", "published")

    def __init__(self, frame: bytes, *, published: bool = False) -> None:
        super().__init__((frame,))
        self.frame = frame
        self.published = published


class ClientSession:
    """One client.

    Args:
        peer: its connection.
        backlog: keeps what it may have missed; None for a client that cannot resume.
        check: checks the arguments of `RemoteClient.emit`, and returns the event encoded.
        end: ends the session and its connection, for a reason; see `RemoteClient.disconnect`.

    Attributes:
        client: the client, as the application sees it.
        key: what the client has to know to resume; "" if it cannot.
        peer: its connection; None once that closes.
        backlog: as given.
        pushes: its push subscriptions; None for none.
        expires_at: when a lost client is given up, by the clock of the event loop.
        ended: why the application has disconnected it; None if it has not.
    """

    __slots__ = ("_begun", "_check", "backlog", "client", "ended", "expires_at", "key", "peer", "pushes")

    def __init__(
        self,
        peer: Peer,
        backlog: Backlog | None,
        check: Callable[[str, tuple[Any, ...]], Outbound],
        end: Callable[[ClientSession, str], None],
    ) -> None:
        self.client = RemoteClient(
            secrets.token_hex(8),
            peer.request,
            emit=self._emit,
            disconnect=partial(end, self),
            is_connected=lambda: self.peer is not None,
        )
        self.key = ""
        self.peer: Peer | None = peer
        self.backlog = backlog
        self.pushes: set[Push] | None = None
        self.expires_at = math.inf
        self.ended: ClientGone | None = None
        self._begun = False
        self._check = check

    def begin(self) -> None:
        """Let events be sent, and give the client a key to resume with if it asked for one; its user is known now."""
        self._begun = True
        if self.backlog is not None:
            self.key = f"{user_mark(self.client.user_id)}{secrets.token_urlsafe(16)}"

    @property
    def connected(self) -> bool:
        """Whether it was let in and has a connection."""
        return self._begun and self.peer is not None

    def send(self, event: Outbound) -> bool:
        """Send an event; return whether the client is connected."""
        peer, backlog = self.peer, self.backlog
        if not self._begun:
            return False
        if backlog is None:
            return peer is not None and peer.send_shared(event)
        due = backlog.put(event.frame, published=event.published)
        if peer is None or not peer.send_shared(event):
            return False
        if due:
            peer.ping(backlog.ping())
        return True

    def tell_gap(self, notice: GapNotice) -> None:
        """Tell the client that events may be missing."""
        frame = encode_event(GAP_EVENT, (notice,))
        if self.backlog is not None:
            self.backlog.put_notice(frame)
        if self.peer is not None:
            self.peer.send((frame,))

    def _emit(self, event: str, data: tuple[Any, ...]) -> bool:
        return self.send(self._check(event, data))


def user_mark(user_id: str | None) -> str:
    """Return what the keys of a user's sessions begin with: positions of one user mean nothing for another."""
    return "" if user_id is None else sha256(user_id.encode(errors="surrogatepass")).hexdigest()[:8] + "-"
