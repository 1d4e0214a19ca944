"""What users of the WebSocket extension get to see: notifications, subscription info, gaps, outcomes. No behaviour.

Wire facts: RingCentral developer guide, notifications/websockets, and frames recorded from the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Raw, Struct

from rcex_ws import bounds
from rcex_ws.errors import BadFrame, ConfigurationError
from rcex_ws.options import Rule, check_fields, checked
from rcex_ws.readers import printable, read_number
from rcex_ws.wsg.frames import Envelope, decode_body

__all__ = [
    "ConnectionDetails",
    "EventName",
    "Events",
    "Gap",
    "Notification",
    "Outcome",
    "Recovery",
    "SubscriptionInfo",
    "SubscriptionState",
    "parse_time",
    "read_details",
    "read_info",
]


class Events(StrEnum):
    """The lifecycle events of the extension, with what their handlers get."""

    AUTO_RECOVER_SUCCESS = "autoRecoverSuccess"  #: (ws) the session was recovered; missed events follow
    AUTO_RECOVER_FAILED = "autoRecoverFailed"  #: (ws) it was not; the new subscription is active
    AUTO_RECOVER_ERROR = "autoRecoverError"  #: (error) an attempt failed, more will follow
    NEW_WEBSOCKET_OBJECT = "newWebSocketObject"  #: (ws) a new connection
    NEW_WSC = "newWsc"  #: (wsc) a new recovery token
    CONNECTION_READY = "connectionReady"  #: (ws) REST and events flow
    DISCONNECTED = "disconnected"  #: (reason) the connection was lost
    NOTIFICATION_GAP = "notificationGap"  #: (gap) for this period notifications are or may be missing
    ERROR = "error"  #: (error) anything else that went wrong


def _is_event(name: str) -> str | None:
    return None if name in list(Events) else "there is no such event"


EventName = Annotated[str, Rule(f"one of {', '.join(Events)}", _is_event)]


class ConnectionDetails(Struct, rename="camel", frozen=True):
    """The body of the first frame of a connection; times in seconds.

    Attributes:
        creation_time: ISO 8601, as the server wrote it.
        max_connections_per_session: WebSockets per OAuth session.
        recovery_buffer_size: notifications kept while the client is away.
        recovery_timeout: how long a lost session can be recovered.
        idle_timeout: without any message for so long the server closes.
        absolute_timeout: the oldest a connection can get.
        max_active_requests: requests in flight.
        recovery_state: "Successful" or "Failed"; None when no recovery was asked for.
        recovery_error_code: why it failed.
    """

    creation_time: str = ""
    max_connections_per_session: int = 50
    recovery_buffer_size: int = 100
    recovery_timeout: float = 180
    idle_timeout: float = 1800
    absolute_timeout: float = 86400
    max_active_requests: int = 10
    recovery_state: str | None = None
    recovery_error_code: str | None = None


_BOUNDS = {
    "maxConnectionsPerSession": bounds.CONNECTIONS,
    "recoveryBufferSize": bounds.BUFFER_SIZE,
    "recoveryTimeout": bounds.RECOVERY_TIMEOUT,
    "idleTimeout": bounds.IDLE_TIMEOUT,
    "absoluteTimeout": bounds.ABSOLUTE_TIMEOUT,
    "maxActiveRequests": bounds.ACTIVE_REQUESTS,
}


class DisabledFilter(Struct, rename="camel", frozen=True):
    """A filter that the server did not grant."""

    filter: str
    reason: str | None = None
    message: str | None = None


class SubscriptionInfo(Struct, rename="camel", frozen=True):
    """A subscription as the server describes it.

    Attributes:
        id: its id.
        event_filters: with `~` resolved to ids.
        disabled_filters: those the server did not grant.
        status: "Active" or "Blacklisted".
        uri: its path.
        creation_time: ISO 8601, as the server wrote it.
        expiration_time: likewise.
        expires_in: seconds until then.
        delivery_mode: as the server wrote it.
    """

    id: str
    event_filters: tuple[str, ...] = ()
    disabled_filters: tuple[DisabledFilter, ...] = ()
    status: str | None = None
    uri: str | None = None
    creation_time: str | None = None
    expiration_time: str | None = None
    expires_in: int | None = None
    delivery_mode: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready dict with the names of the wire."""
        return msgspec.json.decode(msgspec.json.encode(self), type=dict[str, Any])

    @classmethod
    @checked
    def from_dict(cls, info: Mapping[str, Any]) -> SubscriptionInfo:
        """Read the dict that `to_dict` gave, or the server's answer.

        Raises:
            ConfigurationError: a field is missing or has the wrong type.
        """
        return read_info("info", info)


def read_info(argument: str, info: Mapping[str, Any]) -> SubscriptionInfo:
    """Read a subscription from a dict; `argument` is what a mistake is reported of.

    Raises:
        ConfigurationError: a field is missing or has the wrong type.
    """
    members = dict(info)
    if isinstance(members.get("id"), int):  # ids come as strings and as numbers
        members["id"] = str(members["id"])
    try:
        return msgspec.convert(members, SubscriptionInfo)
    except msgspec.ValidationError as exc:
        raise ConfigurationError(f"{argument}: {exc}; pass what SubscriptionInfo.to_dict() gave") from exc


class SubscriptionState(StrEnum):
    """The states of a `Subscription`."""

    PENDING = "pending"  #: the server has not answered yet
    ACTIVE = "active"
    REPLACED = "replaced"  #: another subscribe() took its place
    REVOKED = "revoked"
    CLOSED = "closed"  #: the extension was closed; the server may still know it
    FAILED = "failed"  #: the server refused to renew it; see `error`


class Notification(Struct, gc=False, eq=False):
    """One notification; cheap until its body is asked for.

    Attributes:
        uuid: unique; duplicates were dropped by it.
        event: the filter that matched, with ids resolved and its query.
        received_at: wall-clock seconds since the epoch.
    """

    uuid: str
    event: str
    received_at: float
    _envelope: Envelope
    _raw: Raw
    _not_before: float
    _body: Any = UNSET

    @property
    def subscription_id(self) -> str | None:
        """The id of the server's subscription; None if the server did not say."""
        return _string(self._envelope.subscription_id)

    @property
    def owner_id(self) -> str | None:
        """The extension that owns the subscription; None if the server did not say."""
        return _string(self._envelope.owner_id)

    @property
    def timestamp(self) -> datetime | None:
        """When the server made it; None if it did not say."""
        return parse_time(self._envelope.timestamp)

    @property
    def made(self) -> float:
        """For the account of completeness: `timestamp` in seconds; without one, what had been proven when it came."""
        timestamp = self.timestamp
        return self._not_before if timestamp is None else timestamp.timestamp()

    @property
    def body(self) -> Any:
        """What happened; decoded when first asked for.

        Raises:
            BadFrame: the server sent something that is no JSON.
        """
        if self._body is UNSET:
            self._body = decode_body(self._envelope.body)
        return self._body

    @property
    def raw(self) -> bytes:
        """The whole notification as it came: JSON with uuid, event, timestamp, subscriptionId, ownerId and body."""
        return bytes(self._raw)

    def __repr__(self) -> str:
        return f"<Notification {printable(self.uuid)} {printable(self.event)}>"


class Outcome(StrEnum):
    """How an outage ended."""

    RECOVERED = "recovered"  #: the server recovered the session; it sends what it buffered
    REFUSED = "refused"  #: the server refused to recover the session
    WINDOW_EXCEEDED = "windowExceeded"  #: it was too late to ask
    UNREADABLE = "unreadable"  #: the recovery token was dropped: the server cannot read it, or we its replay


class Recovery(Struct, gc=False):
    """Describe the last recovery.

    Attributes:
        outcome: how the outage ended.
        error_code: the server's code, if it refused.
        outage: seconds from the loss to the new connection; after a restart from the last proof that was stored; None
            if there was none.
        attempts: how many it took.
        replayed: notifications so far that were made before the new connection.
        duplicates: notifications so far that had been delivered before.
    """

    outcome: Outcome
    error_code: str | None
    outage: float | None
    attempts: int
    replayed: int = 0
    duplicates: int = 0


class Gap(Struct, frozen=True, gc=False):
    """A period for which notifications are or may be missing; read the affected data again.

    Both ends are inclusive, and in the server's time: that of `Notification.timestamp`.

    Attributes:
        since: the last moment that is proven complete; None when there is none known.
        until: from here on all is complete again.
        certain: True when the server or this library knows of a loss, False when it cannot be excluded.
        reason: for people.
    """

    since: datetime | None
    until: datetime
    certain: bool
    reason: str


def parse_time(text: str | None) -> datetime | None:
    """Read the server's times: ISO 8601 with `Z`, `+00:00` or `+0000`; None if it is no time after 1970."""
    try:
        parsed = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if not 1970 < parsed.year < 9999:  # near the ends of what a datetime can be it breaks
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def read_details(body: Raw) -> ConnectionDetails:
    """Read the body of ConnectionDetails member by member: one that is odd must not hide the others.

    Numbers are believed within `rcex_ws.bounds`.
    """
    try:
        members = msgspec.convert(decode_body(body), dict[str, Any])
    except (BadFrame, msgspec.ValidationError):
        return ConnectionDetails()
    for name, bound in _BOUNDS.items():
        if name in members:
            members[name] = read_number(members[name], bound)
    readable: dict[str, Any] = {}
    for name, value in members.items():
        with suppress(msgspec.ValidationError):
            msgspec.convert({name: value}, ConnectionDetails, strict=False)
            readable[name] = value
    return msgspec.convert(readable, ConnectionDetails, strict=False)


def _string(value: str | int | None) -> str | None:
    return None if value is None else str(value)
