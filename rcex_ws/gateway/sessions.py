"""WebSocket sessions: the `wsc` that identifies one, its recovery, and the ring buffer while it is lost. Pure, no I/O.

Used by `websocket.py` (a connection opened or lost) and `core.py` (a notification to deliver). A session outlives its
connection; the connection itself is known here only as a `SessionConnection`.

Outcomes of a recovery (experiments published by the author of RingCentral's SDK): with the same OAuth session, even
after a refresh, "Successful"; with another OAuth session, Failed with WSG-1003; without a subscription, Failed with
WSG-1005; with a malformed wsc, an Error frame WSG-400 and the end. For one that is too late there is no published code;
here it is Failed with WSG-1005, as the session no longer exists then.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from rcex_ws.gateway.clock import Clock
from rcex_ws.gateway.oauth import OAuthSession
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.subscriptions import LIFE, ServerSubscription, ServerSubscriptions

__all__ = ["MalformedWsc", "Opening", "ServerFrame", "ServerSession", "ServerSessions", "SessionConnection"]

MALFORMED = "WSG-400"
NO_CONTEXT = "WSG-1005"
FOREIGN_SESSION = "WSG-1003"


@dataclass(frozen=True, slots=True)
class ServerFrame:
    """A frame from the server before it is encoded: `[meta, body]`."""

    meta: dict[str, Any] = field(repr=False)
    body: Any


class MalformedWsc(Exception):
    """A wsc that this gateway has not issued."""


class SessionConnection(Protocol):
    """What a session needs of its connection."""

    @property
    def id(self) -> int:
        """The number of the connection."""
        ...

    def deliver(self, frame: ServerFrame) -> None:
        """Queue a frame."""
        ...

    def supersede(self) -> None:
        """End the connection, because a newer one has taken over the session."""
        ...


@dataclass(slots=True, eq=False)
class ServerSession:
    """The state that outlives a connection."""

    id: str
    oauth: OAuthSession
    connection: SessionConnection | None
    buffer: deque[ServerFrame]
    token: str = field(default="", repr=False)
    sequence: int = 0
    subscription_id: str | None = None
    lost_at: float | None = None
    forfeited: bool = False

    @property
    def wsc(self) -> dict[str, Any]:
        """The session context as it is in a frame."""
        return {"token": self.token, "sequence": self.sequence}


@dataclass(frozen=True, slots=True)
class Opening:
    """The result of `ServerSessions.open`.

    Args:
        session: the session of the connection.
        recovery: members for the body of ConnectionDetails, empty if no wsc was sent.
        replay: frames buffered while the session was lost.
        given_up: frames that were buffered for sessions that can no longer be recovered.
    """

    session: ServerSession
    recovery: dict[str, str]
    replay: list[ServerFrame] = field(default_factory=list[ServerFrame])
    given_up: list[ServerFrame] = field(default_factory=list[ServerFrame])


class ServerSessions:
    """The sessions that are connected or can be recovered.

    A wsc contains its session id and is signed, so nothing has to be stored to recognise it later; if its session has
    been dropped, the recovery is too late.

    Args:
        options: the recovery window and the size of the buffer.
        clock: the source of time.
        subscriptions: the subscriptions, of which those of the sessions are looked up and kept alive.
    """

    def __init__(self, options: GatewayOptions, clock: Clock, subscriptions: ServerSubscriptions) -> None:
        self._options = options
        self._clock = clock
        self._subscriptions = subscriptions
        self._key = secrets.token_bytes(32)
        self._lost: deque[tuple[float, ServerSession]] = deque()
        self._by_id: dict[str, ServerSession] = {}

    def open(
        self, oauth: OAuthSession, connection: SessionConnection, wsc: str | None = None, fail_with: str | None = None
    ) -> Opening:
        """Recover the session for a new connection, or make a new one.

        Args:
            oauth: the login of the connection.
            connection: the connection.
            wsc: the token of the session to recover, None for a new session.
            fail_with: an error code to fail the recovery with, for a fault.

        Raises:
            MalformedWsc: this gateway has not issued the wsc.
        """
        session_id = None if wsc is None else self._session_id(wsc)
        if fail_with == MALFORMED:
            raise MalformedWsc
        given_up = self._forget()
        if session_id is None:
            return Opening(self._new(oauth, connection), {}, given_up=given_up)
        session = self._by_id.get(session_id)
        code = fail_with or self._obstacle(session, oauth)
        if session is None or code is not None:
            if session is not None and session.oauth is oauth:
                given_up += self._forfeit(session)
            recovery = {"recoveryState": "Failed", "recoveryErrorCode": code or NO_CONTEXT}
            return Opening(self._new(oauth, connection), recovery, given_up=given_up)
        return Opening(session, {"recoveryState": "Successful"}, self._recover(session, connection), given_up)

    def lose(self, connection: SessionConnection) -> bool:
        """Record the loss of a connection; return False if its session was already lost or taken over."""
        session = next((one for one in self._by_id.values() if one.connection is connection), None)
        if session is None:
            return False
        session.connection = None
        session.lost_at = self._clock.now()
        self._lost.append((session.lost_at, session))
        subscription = self._subscriptions.find(session.subscription_id)
        if subscription is not None:
            subscription.expires_at = session.lost_at + LIFE
        return True

    def get(self, session_id: str | None) -> ServerSession | None:
        """Return the session with this id."""
        return self._by_id.get(session_id) if session_id else None

    def connected(self, oauth: OAuthSession) -> list[ServerSession]:
        """Return the sessions of a login that have a connection."""
        return [one for one in self._by_id.values() if one.oauth is oauth and one.connection is not None]

    def bind(self, session: ServerSession, subscription: ServerSubscription) -> None:
        """Bind a subscription to a session, and delete its previous one (one subscription per connection)."""
        previous = self._subscriptions.find(session.subscription_id)
        if previous is not None and previous is not subscription:
            self._subscriptions.delete(previous)
        former = self.get(subscription.session_id)
        if former is not None and former is not session:
            former.subscription_id = None
        session.subscription_id = subscription.id
        subscription.session_id = session.id
        subscription.expires_at = None

    def can_recover(self, session: ServerSession) -> bool:
        """Return whether a session is connected, or was lost within the recovery window."""
        if session.lost_at is None:
            return True
        return not session.forfeited and self._clock.now() < session.lost_at + self._options.recovery_timeout

    def keep(self, session: ServerSession, frame: ServerFrame) -> ServerFrame | None:
        """Buffer a frame for a lost session; return the frame that was dropped for lack of room, if any."""
        if not session.buffer.maxlen:
            return frame
        pushed_out = session.buffer[0] if len(session.buffer) == session.buffer.maxlen else None
        session.buffer.append(frame)
        return pushed_out

    def renew_wsc(self, session: ServerSession) -> None:
        """Issue a new wsc for a session; earlier ones stay valid."""
        session.sequence += 1
        text = f"{session.id}|{session.sequence}|{secrets.token_urlsafe(64)}"
        session.token = base64.urlsafe_b64encode(f"{text}|{self._seal(text)}".encode()).decode().rstrip("=")

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[ServerSession]:
        return iter(self._by_id.values())

    def _seal(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def _session_id(self, wsc: str) -> str:
        """Return the session id in a wsc.

        Raises:
            MalformedWsc: this gateway has not issued the wsc.
        """
        try:
            whole = base64.b64decode(wsc + "=" * (-len(wsc) % 4), altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise MalformedWsc from error
        text, _, seal = whole.rpartition("|")
        if not hmac.compare_digest(seal.encode(), self._seal(text).encode()):
            raise MalformedWsc
        return text.partition("|")[0]

    def _forget(self) -> list[ServerFrame]:
        """Drop the sessions whose recovery window has passed, and return the frames buffered for them."""
        given_up: list[ServerFrame] = []
        while self._lost and self._clock.now() >= self._lost[0][0] + self._options.recovery_timeout:
            lost_at, session = self._lost.popleft()
            if session.lost_at == lost_at:
                self._by_id.pop(session.id, None)
                given_up += session.buffer
                session.buffer.clear()
        return given_up

    def _new(self, oauth: OAuthSession, connection: SessionConnection) -> ServerSession:
        buffer: deque[ServerFrame] = deque(maxlen=self._options.recovery_buffer_size)
        session = ServerSession(str(uuid.uuid4()), oauth, connection, buffer)
        self._by_id[session.id] = session
        self.renew_wsc(session)
        return session

    def _obstacle(self, session: ServerSession | None, oauth: OAuthSession) -> str | None:
        if session is None:
            return NO_CONTEXT
        if session.oauth is not oauth:
            return FOREIGN_SESSION
        if self._subscriptions.find(session.subscription_id) is None or not self.can_recover(session):
            return NO_CONTEXT
        return None

    def _forfeit(self, session: ServerSession) -> list[ServerFrame]:
        """Discard a session after a failed recovery: "context and missed notifications are lost" (documentation)."""
        given_up = list(session.buffer)
        session.buffer.clear()
        session.forfeited = True
        return given_up

    def _recover(self, session: ServerSession, connection: SessionConnection) -> list[ServerFrame]:
        if session.connection is not None:
            # RingCentral does not document what happens to the older connection; here the newest one wins.
            session.connection.supersede()
        session.connection, session.lost_at, session.sequence = connection, None, 0
        self.renew_wsc(session)
        subscription = self._subscriptions.find(session.subscription_id)
        if subscription is not None:
            subscription.expires_at = None
        replay = list(session.buffer)
        session.buffer.clear()
        return replay
