"""The presence of each extension. No I/O."""

from __future__ import annotations

from itertools import count
from typing import Any

from rcex_ws.gateway.account.people import ExtensionRecord

__all__ = ["PresenceBoard"]


class PresenceBoard:
    """The presence of each extension: the members that are both in REST answers and in notifications."""

    def __init__(self) -> None:
        self._all: dict[str, dict[str, Any]] = {}
        self._sequence = count(1)

    def of(self, owner: ExtensionRecord) -> dict[str, Any]:
        """Return the presence of an extension, which may be changed in place."""
        return self._all.setdefault(
            owner.id,
            {
                "telephonyStatus": "NoCall",
                "presenceStatus": "Available",
                "userStatus": "Available",
                "meetingStatus": "Disconnected",
                "dndStatus": "TakeAllCalls",
                "allowSeeMyPresence": True,
                "ringOnMonitoredCall": False,
                "pickUpCallsOnHold": False,
            },
        )

    def next_sequence(self) -> int:
        """Return the next sequence number for presence notifications."""
        return next(self._sequence)
