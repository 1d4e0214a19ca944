"""What is kept of a session when the process ends: plain values, as they stand in the file."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from rcex_ws.files import Moment, Seconds
from rcex_ws.rest.owner import Owner
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.models import SubscriptionInfo

__all__ = ["Certainty", "StoredGap", "StoredSession", "StoredSubscription"]


class Certainty(StrEnum):
    """How sure we are of what the server has."""

    NOTHING = "nothing"  #: it has no subscription of ours
    KNOWN = "known"  #: it has the filters that were asked for last
    UNSURE = "unsure"  #: a call was not answered, or may not have been: it has the old filters or the new ones


class StoredGap(Struct, frozen=True, kw_only=True):
    """What may be missing from some moment on.

    Attributes:
        since: that moment, in the server's time, in seconds since the epoch; None if it is not known.
        certain: whether something is known to be lost.
        reason: why, for people.
    """

    since: Moment | None
    certain: bool = False
    reason: str = ""


class StoredSubscription(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is kept of a subscription.

    Attributes:
        wanted: the filters, as the application asked for them.
        info: the subscription, as the server described it last; None if it never did.
        certainty: how sure we were of what the server has.
        doubt: since when it may have had other filters, or none; None if that was not in doubt.
        orphans: ids of earlier subscriptions that were still to be deleted.
    """

    wanted: tuple[str, ...]
    info: SubscriptionInfo | None
    certainty: Certainty
    doubt: StoredGap | None = None
    orphans: tuple[str, ...] = ()


class StoredSession(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is kept of a session.

    Attributes:
        wsc: its recovery token; None when it is lost and the next has no subscription yet.
        subscription: what was subscribed.
        unfinished: from when on something may be missing, unless the session is recovered after a clean end.
        recovery_timeout: seconds the server keeps the session.
        clean: the process had delivered all it got, and the server had said good-bye.
        uuids: the newest notifications it got, oldest first.
        owner: whose it is; None in a file from before that was stored.
    """

    wsc: Wsc | None
    subscription: StoredSubscription
    unfinished: StoredGap
    recovery_timeout: Seconds
    clean: bool
    uuids: list[str] = []
    owner: Owner | None = None
