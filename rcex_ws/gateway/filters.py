"""Event filters: resolving `~`, and choosing the filter of a subscription that matches an event. Pure functions.

Used by `subscriptions.py` and, for each event, by `core.py`. RingCentral matches by parsed path and by a subset of the
query, not by string equality; some parameters only request a richer body and do not affect matching.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote

__all__ = ["SERVED_FILTERS", "EventFilter", "best_match", "resolve"]

_BODY_PARAMETERS = frozenset({"detailedTelephonyState", "sipData", "withRecordings"})
"""Parameters that affect the body of a notification, not the matching."""

_KNOWN_PATHS = ("/restapi/v1.0/", "/restapi/v2/", "/team-messaging/v1/", "/ai/", "/webinar/", "/rcvideo/")

_OF_ACCOUNT = re.compile(r"(/restapi/v1\.0/account/[^/]+)/(presence|telephony/sessions)")
_OF_EXTENSION = re.compile(r"(/restapi/v1\.0/account/[^/]+)/extension/[^/]+/(presence|telephony/sessions)")
"""The data that a filter can select for a whole account; each event is still named after its extension."""
_PERMISSIONS = (
    (re.compile(r".*/(message-store|message-threads|voicemail|fax)(/.*)?"), "ReadMessages"),
    (re.compile(r".*/presence(/.*)?"), "ReadPresence"),
    (re.compile(r".*/telephony/sessions(/.*)?"), "CallControl"),
    (re.compile(r"/team-messaging/.*|/restapi/v1\.0/glip/.*"), "TeamMessaging"),
    (re.compile(r".*/a2p-sms/.*"), "A2PSMS"),
    (re.compile(r"/restapi/v1\.0/account/[^/]+/(extension|directory)(/.*)?"), "ReadAccounts"),
)
"""The permission that an application needs for the events of a path; the first that matches (developer guide)."""
SERVED_FILTERS = (
    "/restapi/v1.0/account/{accountId}/directory/entries",
    "/restapi/v1.0/account/{accountId}/extension",
    "/restapi/v1.0/account/{accountId}/presence",
    "/restapi/v1.0/account/{accountId}/telephony/sessions",
    "/restapi/v1.0/account/{accountId}/a2p-sms/batches",
    "/restapi/v1.0/account/{accountId}/message-threads/sync",
    "/restapi/v1.0/account/{accountId}/message-threads/entries/sync",
    *(
        f"/restapi/v1.0/account/{{accountId}}/extension/{{extensionId}}{part}"
        for part in (
            *("", "/message-store", "/message-store/instant", "/fax", "/voicemail", "/telephony/sessions"),
            *("/presence", "/presence/dnd", "/presence/line", "/presence/line/presence"),
            *("/favorite", "/favorite/presence"),
        )
    ),
    *(f"/team-messaging/v1/{kind}" for kind in ("posts", "chats", "groups")),
    *(f"/restapi/v1.0/glip/{kind}" for kind in ("posts", "groups")),
)
"""The paths of all events that something at the gateway causes; `notify` sends any other."""
_SERVED = re.compile("|".join(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) for path in SERVED_FILTERS))
_OWNER = re.compile(r"/restapi/v1\.0/account/([^/]+)(?:/extension/([^/]+)(?:/([^/]+))?)?")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """An event filter, or the path and query of an event.

    Args:
        text: the filter with its ids resolved, as returned to the client.
    """

    text: str

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.text.partition("?")[0].rstrip("/")

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters, each with all its values."""
        return parse_qs(self.text.partition("?")[2])

    def wants(self, parameter: str) -> bool:
        """Return whether it asks for a richer body by a parameter such as `sipData`."""
        return self.query.get(parameter, [""])[0].lower() == "true"

    @property
    def is_valid(self) -> bool:
        """Whether RingCentral could have events under this path."""
        return self.path.startswith(_KNOWN_PATHS)

    @property
    def is_served(self) -> bool:
        """Whether something at the gateway causes events under this path."""
        return _SERVED.fullmatch(self.path) is not None

    @property
    def owner(self) -> tuple[str, str, str]:
        """The account, the extension and the part of its data in the path; empty where it has none."""
        found = _OWNER.match(self.path)
        return (found[1], found[2] or "", found[3] or "") if found else ("", "", "")

    @property
    def permission(self) -> str | None:
        """The permission that the application needs to subscribe to it, None if it needs none."""
        return next((name for paths, name in _PERMISSIONS if paths.fullmatch(self.path)), None)

    def is_wider(self, event: EventFilter) -> bool:
        """Return whether this filter selects events of this kind for all extensions of the account."""
        own = _OF_ACCOUNT.fullmatch(self.path)
        theirs = _OF_EXTENSION.fullmatch(event.path)
        return own is not None and theirs is not None and own.groups() == theirs.groups()

    def event_name(self, event: EventFilter) -> str:
        """Return the `event` member of a notification for this filter: its text unless it is wider than the event."""
        if not self.is_wider(event):
            return self.text
        query = self.text.partition("?")[2]
        return f"{event.path}?{query}" if query else event.path

    def matches(self, event: EventFilter) -> bool:
        """Return whether this filter matches an event."""
        if self.path != event.path and not self.is_wider(event):
            return False
        offered = event.query
        return all(
            set(values) & set(offered.get(name, ()))
            for name, values in self.query.items()
            if name not in _BODY_PARAMETERS
        )


def resolve(text: str, account_id: str, extension_id: str) -> EventFilter:
    """Replace `~`, even percent-encoded, by the ids of the user, and drop a trailing slash of the path."""
    path, _, query = text.partition("?")
    path = quote(unquote(path.rstrip("/")), safe="/~!$&'()*+,;=:@")
    path = re.sub(r"/account/~(?=/|$)", f"/account/{account_id}", path)
    path = re.sub(r"/extension/~(?=/|$)", f"/extension/{extension_id}", path)
    return EventFilter(f"{path}?{query}" if query else path)


def best_match(filters: Iterable[EventFilter], event: EventFilter) -> EventFilter | None:
    """Return the most specific filter that matches an event: a subscription gets each event once.

    With filters for both plain and detailed presence only the detailed one is sent (RingCentral's documentation).
    """
    matching = [item for item in filters if item.matches(event)]
    return max(matching, key=lambda item: len(item.query), default=None)
