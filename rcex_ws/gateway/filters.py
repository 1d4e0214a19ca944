"""Event filters: resolving `~`, and which filter of a subscription takes an event. Pure functions.

Used by `subscriptions.py` and, for each event, by `core.py`. RingCentral matches by parsed path and by a subset of the
query, not by string equality; some parameters only ask for a richer body and take no part in the match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote

__all__ = ["EventFilter", "best_match", "resolve"]

_BODY_PARAMETERS = frozenset({"detailedTelephonyState", "sipData", "withRecordings"})
"""Parameters that shape the notification instead of selecting it."""

_KNOWN_PATHS = ("/restapi/v1.0/", "/restapi/v2/", "/team-messaging/v1/", "/ai/", "/webinar/", "/rcvideo/")

_OF_ACCOUNT = re.compile(r"(/restapi/v1\.0/account/[^/]+)/(presence|telephony/sessions)")
_OF_EXTENSION = re.compile(r"(/restapi/v1\.0/account/[^/]+)/extension/[^/]+/(presence|telephony/sessions)")
"""What a filter can ask for of a whole account; each event of it is named after its extension."""
_OWNER = re.compile(r"/restapi/v1\.0/account/([^/]+)(?:/extension/([^/]+)(?:/([^/]+))?)?")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Hold one event filter, parsed once.

    Args:
        text: The filter with its ids resolved, as answered to the client.
    """

    text: str

    @property
    def path(self) -> str:
        """The path alone."""
        return self.text.partition("?")[0].rstrip("/")

    @property
    def query(self) -> dict[str, list[str]]:
        """The query, each parameter with all its values."""
        return parse_qs(self.text.partition("?")[2])

    @property
    def is_valid(self) -> bool:
        """Whether it names something that RingCentral could have events for."""
        return self.path.startswith(_KNOWN_PATHS)

    @property
    def owner(self) -> tuple[str, str, str]:
        """The account, the extension and the part of its data that it is about; empty where it says nothing of it."""
        found = _OWNER.match(self.path)
        return (found[1], found[2] or "", found[3] or "") if found else ("", "", "")

    def is_wider(self, event: EventFilter) -> bool:
        """Tell whether it asks for what an event is, of all extensions of the account."""
        own = _OF_ACCOUNT.fullmatch(self.path)
        theirs = _OF_EXTENSION.fullmatch(event.path)
        return own is not None and theirs is not None and own.groups() == theirs.groups()

    def names(self, event: EventFilter) -> str:
        """Return what a notification that it gets is named: the filter itself, unless that is wider than the event."""
        if not self.is_wider(event):
            return self.text
        query = self.text.partition("?")[2]
        return f"{event.path}?{query}" if query else event.path

    def takes(self, event: EventFilter) -> bool:
        """Tell whether a notification of this event goes to this filter."""
        if self.path != event.path and not self.is_wider(event):
            return False
        offered = event.query
        return all(
            set(values) & set(offered.get(name, ()))
            for name, values in self.query.items()
            if name not in _BODY_PARAMETERS
        )


def resolve(text: str, account_id: str, extension_id: str) -> EventFilter:
    """Replace `~`, however it is encoded, by the ids of the user it stands for; drop a trailing slash of the path."""
    path, _, query = text.partition("?")
    path = quote(unquote(path.rstrip("/")), safe="/~!$&'()*+,;=:@")
    path = re.sub(r"/account/~(?=/|$)", f"/account/{account_id}", path)
    path = re.sub(r"/extension/~(?=/|$)", f"/extension/{extension_id}", path)
    return EventFilter(f"{path}?{query}" if query else path)


def best_match(filters: Iterable[EventFilter], event: EventFilter) -> EventFilter | None:
    """Return the filter that gets the event: the most specific one, for a subscription gets each event once.

    Plain and detailed presence both subscribed yield only the detailed one (RingCentral's documentation).
    """
    matching = [item for item in filters if item.takes(event)]
    return max(matching, key=lambda item: len(item.query), default=None)
