"""What is stored of a session: plain values, as they are in the file. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from rcex_ws.files import Moment, Seconds
from rcex_ws.rest.owner import Owner
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.models import SubscriptionInfo

__all__ = ["ServerHas", "StoredGap", "StoredSession", "StoredSubscription"]


class ServerHas(StrEnum):
    """What is known of the filters that the server has."""

    NOTHING = "nothing"  #: it has no subscription of this session
    KNOWN = "known"  #: it has the filters requested last
    UNSURE = "unsure"  #: a call may not have been answered: it has the old filters or the new ones


class StoredGap(Struct, frozen=True, kw_only=True):
    """A gap, in the server's time, in seconds since the epoch.

    Attributes:
        since: the last complete moment; None if it is not known.
        until: the end; None while it is not known.
        certain: whether something is known to be lost.
        reason: why, for people.
    """

    since: Moment | None
    until: Moment | None = None
    certain: bool = False
    reason: str = ""


class StoredSubscription(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is stored of a subscription.

    Attributes:
        wanted: the filters, as the application requested them.
        info: the server's newest description of the subscription; None if there is none.
        certainty: what was known of the server's filters.
        doubt: the gap since the server may have had other filters, or none; None if it cannot have had.
        orphans: ids of earlier subscriptions still to be deleted.
    """

    wanted: tuple[str, ...]
    info: SubscriptionInfo | None
    certainty: ServerHas
    doubt: StoredGap | None = None
    orphans: tuple[str, ...] = ()


class StoredSession(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is stored of a session.

    Attributes:
        wsc: its recovery token; None if the session is lost and the next has no subscription yet.
        subscription: the subscription.
        unfinished: the gap to report unless the session is recovered after a clean end.
        recovery_timeout: seconds for which the server keeps the session.
        clean: whether everything was processed, and nothing can be missing up to the last frame.
        uuids: the newest notifications, oldest first.
        open_gaps: the gaps that handlers and hook were not through with, which are to be reported again, oldest first.
        owner: whose session it is; None in a file of a version that did not store this.
        closed: whether the process closed in order, clean or not.
    """

    wsc: Wsc | None
    subscription: StoredSubscription
    unfinished: StoredGap
    recovery_timeout: Seconds
    clean: bool
    uuids: list[str] = []
    open_gaps: list[StoredGap] = []
    owner: Owner | None = None
    closed: bool = False
