"""The values that users of the WebSocket extension get: notifications, subscription info, gaps, outcomes. Pure.

Wire facts: RingCentral developer guide, notifications/websockets, and frames recorded from the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec
from msgspec import UNSET, Raw, Struct

from rcex_ws import bounds
from rcex_ws.errors import BadFrame, ConfigurationError, UnknownName
from rcex_ws.options import EnumOfJavaScript, NamesOfJavaScript, Rule, check_fields, checked
from rcex_ws.readers import printable, read_number
from rcex_ws.wsg.frames import Envelope, decode_body
from rcex_ws.wsg.view_of import view_of
from rcex_ws.wsg.views import View

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


class Events(StrEnum, metaclass=EnumOfJavaScript):
    """The lifecycle events of the extension, with the argument of their handlers."""

    AUTO_RECOVER_SUCCESS = "autoRecoverSuccess"  #: (ws) the session was recovered; missed events follow
    AUTO_RECOVER_FAILED = "autoRecoverFailed"  #: (ws) it was not recovered; the new subscription is active
    AUTO_RECOVER_ERROR = "autoRecoverError"  #: (error) an attempt failed; others follow
    NEW_WEBSOCKET_OBJECT = "newWebSocketObject"  #: (ws) a new connection
    NEW_WSC = "newWsc"  #: (wsc) a new recovery token
    CONNECTION_READY = "connectionReady"  #: (ws) REST calls and notifications flow
    DISCONNECTED = "disconnected"  #: (reason) the connection was lost
    NOTIFICATION_GAP = "notificationGap"  #: (gap) for this period notifications are or may be missing
    ERROR = "error"  #: (error) any other error


def _is_event(name: str) -> str | None:
    return None if name in list(Events) else "there is no such event"


EventName = Annotated[str, Rule(f"one of {', '.join(Events)}", _is_event)]


class ConnectionDetails(NamesOfJavaScript, Struct, rename="camel", frozen=True):
    """The body of the first frame of a connection; times in seconds.

    Attributes:
        creation_time: ISO 8601, as the server wrote it.
        max_connections_per_session: WebSockets per OAuth session.
        recovery_buffer_size: notifications kept while the client is away.
        recovery_timeout: how long a lost session can be recovered.
        idle_timeout: the server closes after so long without any message.
        absolute_timeout: maximum age of a connection.
        max_active_requests: maximum number of requests in flight.
        recovery_state: "Successful" or "Failed"; None if no recovery was requested.
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


class SubscriptionInfo(NamesOfJavaScript, Struct, rename="camel", frozen=True):
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
        """Return a JSON-ready dict with the names used on the wire."""
        return msgspec.json.decode(msgspec.json.encode(self), type=dict[str, Any])

    @classmethod
    @checked
    def from_dict(cls, info: Mapping[str, Any]) -> SubscriptionInfo:
        """Read a dict made by `to_dict`, or the server's answer.

        Raises:
            ConfigurationError: a field is missing or has the wrong type.
        """
        return read_info("info", info)


def read_info(argument: str, info: Mapping[str, Any]) -> SubscriptionInfo:
    """Read a subscription from a dict; error messages name `argument`.

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
    FAILED = "failed"  #: refused for good, or the extension has failed; see `error`


class Notification(NamesOfJavaScript, Struct, gc=False, eq=False):
    """One notification; its body is decoded on first access.

    Attributes:
        uuid: unique; duplicates were dropped by it.
        event: the filter that matched, with ids resolved, and with its query.
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
        """The id of the subscription at the server; None if the server did not send it."""
        return _string(self._envelope.subscription_id)

    @property
    def owner_id(self) -> str | None:
        """The extension that owns the subscription; None if the server did not send it."""
        return _string(self._envelope.owner_id)

    @property
    def timestamp(self) -> datetime | None:
        """When the server created it; None if the server did not send it."""
        return parse_time(self._envelope.timestamp)

    @property
    def made(self) -> float:
        """For `Completeness`: `timestamp` in seconds; without one, the moment proven complete when it arrived."""
        timestamp = self.timestamp
        return self._not_before if timestamp is None else timestamp.timestamp()

    @property
    def body(self) -> Any:
        """What happened; decoded on first access.

        Raises:
            BadFrame: it is not JSON.
        """
        if self._body is UNSET:
            self._body = decode_body(self._envelope.body)
        return self._body

    @property
    def view(self) -> View | None:
        """The body as one of the classes of `rcex_ws.wsg.views`; None if it has no view there, or does not fit it.

        Raises:
            BadFrame: the body is not JSON.
        """
        return view_of(self.event, self.body)

    @property
    def raw(self) -> bytes:
        """The whole notification as received: JSON with uuid, event, timestamp, subscriptionId, ownerId and body."""
        return bytes(self._raw)

    if not TYPE_CHECKING:  # pragma: no branch - or type checkers would accept it

        def __getitem__(self, name: object) -> NoReturn:
            raise UnknownName(f"[{name!r}]: the members of a notification are attributes here, such as .body")

    def __repr__(self) -> str:
        return f"<Notification {printable(self.uuid)} {printable(self.event)}>"


class Outcome(StrEnum):
    """Whether the session was recovered after an outage, or why not."""

    RECOVERED = "recovered"  #: the server continues the session and sends what it buffered
    REFUSED = "refused"  #: the server refused to continue the session
    WINDOW_EXCEEDED = "windowExceeded"  #: the recovery window was over before an attempt
    UNREADABLE = "unreadable"  #: the server cannot read the recovery token, or this client what it replays


class Recovery(Struct, gc=False):
    """How an outage ended: the outcome, the time without a connection, and what was replayed.

    Attributes:
        outcome: whether the session was recovered, or why not.
        error_code: the server's code, if it refused; otherwise None.
        outage: seconds from the loss to the new connection; after a restart, from the last moment known to be complete;
            None if that is not known.
        attempts: number of attempts it took.
        replayed: notifications so far that the server made before the new connection.
        duplicates: notifications so far that had arrived before.
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
        since: the last moment proven complete; None if none is known.
        until: the moment from which everything is complete again.
        certain: True if notifications are known to be lost, False if that cannot be excluded.
        reason: why, for people.
    """

    since: datetime | None
    until: datetime
    certain: bool
    reason: str


def parse_time(text: str | None) -> datetime | None:
    """Read a time of the server: ISO 8601 with `Z`, `+00:00` or `+0000`; None if it is not one after 1970."""
    try:
        parsed = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if not 1970 < parsed.year < 9999:  # arithmetic near the ends of the range of datetime overflows
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def read_details(body: Raw) -> ConnectionDetails:
    """Read the body of ConnectionDetails member by member: an invalid one must not hide the others.

    Numbers are limited to `rcex_ws.bounds`.
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
