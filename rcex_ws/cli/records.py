"""The records of `listen`: what has happened, each as a JSON-ready dict with its `kind`, in the order it happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol, TypeAlias

from rcex_ws import BadFrame, Gap, Notification, Recovery

__all__ = ["Record", "Sink", "of_error", "of_gap", "of_loss", "of_notification", "of_recovery"]

Record: TypeAlias = dict[str, Any]


class Sink(Protocol):
    """Where records go: lines, a table, a command."""

    async def take(self, record: Record) -> None:
        """Take one record; notifications wait until it returns."""
        ...


def of_notification(notification: Notification) -> Record:
    """Make the record of a notification, with the names that it has on the wire."""
    try:
        body = notification.body
    except BadFrame as error:
        return of_error(error)
    return {
        "kind": "notification",
        "uuid": notification.uuid,
        "event": notification.event,
        "timestamp": _time(notification.timestamp),
        "subscriptionId": notification.subscription_id,
        "ownerId": notification.owner_id,
        "body": body,
    }


def of_gap(gap: Gap) -> Record:
    """Make the record of a gap: for this period notifications are or may be missing."""
    return {
        "kind": "gap",
        "since": _time(gap.since),
        "until": _time(gap.until),
        "certain": gap.certain,
        "reason": gap.reason,
    }


def of_loss(reason: object) -> Record:
    """Make the record of a lost connection."""
    return {"kind": "disconnected", "reason": str(reason)}


def of_recovery(recovery: Recovery | None) -> Record:
    """Make the record of a connection that is there again."""
    if recovery is None:
        return {"kind": "recovery", "outcome": None}
    return {
        "kind": "recovery",
        "outcome": str(recovery.outcome),
        "errorCode": recovery.error_code,
        "outage": None if recovery.outage is None else round(recovery.outage, 3),
        "attempts": recovery.attempts,
    }


def of_error(error: Exception) -> Record:
    """Make the record of an error that does not end the listening."""
    return {"kind": "error", "error": type(error).__name__, "message": str(error)}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
