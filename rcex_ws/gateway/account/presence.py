"""The presence of each extension, and whose presence it watches. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import msgspec
from msgspec import Struct

from rcex_ws.gateway.account.people import ExtensionRecord

__all__ = ["PresenceBoard", "PresenceSettings"]

_DND_PARTS = {
    "TakeAllCalls": ("TakeAllCalls", True),
    "DoNotAcceptDepartmentCalls": ("TakeAllCalls", False),
    "TakeDepartmentCallsOnly": ("DoNotAcceptAnyCalls", True),
    "DoNotAcceptAnyCalls": ("DoNotAcceptAnyCalls", False),
}
"""What `dndStatus` means for `dndStatusPersonal` and `acceptCallQueueCalls`, which follow it, as it follows them."""


class PresenceSettings(Struct, rename="camel"):
    """What a user has set, under the names of RingCentral's API reference; the rest of a presence follows from it."""

    user_status: str = "Available"
    dnd_status: str = "TakeAllCalls"
    dnd_status_personal: str = "TakeAllCalls"
    accept_call_queue_calls: bool = True
    caller_id_visibility: str = "All"
    allow_see_my_presence: bool = True
    ring_on_monitored_call: bool = False
    pick_up_calls_on_hold: bool = False
    message: str = ""


class WatchedExtensions(Struct):
    """Ids of the extensions that a user watches: as favorites, and on the lines of the phone."""

    favorites: list[str] = []
    lines: list[str] = []


class PresenceBoard:
    """The presence of each extension: the members that are both in REST answers and in notifications.

    Args:
        telephony_status: returns the telephony status of an extension by its id.
    """

    def __init__(self, telephony_status: Callable[[str], str]) -> None:
        self._telephony_status = telephony_status
        self._settings: dict[str, PresenceSettings] = {}
        self._watched: dict[str, WatchedExtensions] = {}
        self._sequence = count(1)

    def of(self, owner: ExtensionRecord) -> dict[str, Any]:
        """Return the presence of an extension."""
        settings = self._settings.get(owner.id, PresenceSettings())
        telephony = self._telephony_status(owner.id)
        status = settings.user_status
        if status == "Available" and (telephony != "NoCall" or settings.dnd_status == "DoNotAcceptAnyCalls"):
            status = "Busy"
        return {
            "telephonyStatus": telephony,
            "presenceStatus": status,
            "meetingStatus": "Disconnected",
            **msgspec.to_builtins(settings),
        }

    def change(self, owner: ExtensionRecord, members: Mapping[str, Any]) -> None:
        """Set members of a presence, which have been checked."""
        before = msgspec.to_builtins(self._settings.get(owner.id, PresenceSettings()))
        after = {**before, **members}
        if "dndStatus" in members and members["dndStatus"] in _DND_PARTS:
            parts = zip(("dndStatusPersonal", "acceptCallQueueCalls"), _DND_PARTS[members["dndStatus"]], strict=True)
            after |= {name: value for name, value in parts if name not in members}
        elif "dndStatus" not in members:
            told = (after["dndStatusPersonal"], after["acceptCallQueueCalls"])
            after["dndStatus"] = next((one for one, means in _DND_PARTS.items() if means == told), "Unknown")
        self._settings[owner.id] = msgspec.convert(after, PresenceSettings)

    def watched(self, owner_id: str) -> WatchedExtensions:
        """Return whom an extension watches, which may be changed in place."""
        return self._watched.setdefault(owner_id, WatchedExtensions())

    def forget(self, owner_id: str) -> None:
        """Forget what a removed extension has set."""
        self._settings.pop(owner_id, None)
        self._watched.pop(owner_id, None)

    def next_sequence(self) -> int:
        """Return the next sequence number for presence notifications."""
        return next(self._sequence)

    def dump(self) -> dict[str, Any]:
        """Return what users have set as JSON-ready data."""
        saved = msgspec.to_builtins({"settings": self._settings, "watched": self._watched})
        return dict(saved)

    def load(self, saved: dict[str, Any]) -> None:
        """Take back what `dump` has returned."""
        self._settings = msgspec.convert(saved["settings"], dict[str, PresenceSettings])
        self._watched = msgspec.convert(saved["watched"], dict[str, WatchedExtensions])
