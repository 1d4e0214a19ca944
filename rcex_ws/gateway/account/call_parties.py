"""A phone call and its parties: what they are, and their JSON forms. The steps from one to the next are in `calls.py`.

Statuses and reasons are those of RingCentral's Call Control API. Only parties that are extensions make notifications;
the other ends of calls, outside the account, are in REST answers alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from rcex_ws.gateway.account.people import ACCOUNT_ID, ExtensionDirectory, ExtensionRecord
from rcex_ws.gateway.problem import Problem

__all__ = [
    "RINGING",
    "TELEPHONY_STATUS",
    "CallChange",
    "CallEnd",
    "CallParty",
    "OriginType",
    "PartyCode",
    "PhoneCall",
]

PartyCode = Literal["Setup", "Proceeding", "Answered", "Hold", "Parked", "VoiceMail", "Disconnected", "Gone"]
OriginType = Literal["Call", "RingOut", "CallOut"]

RINGING: tuple[PartyCode, ...] = ("Setup", "Proceeding")
_ENDED: tuple[PartyCode, ...] = ("Disconnected", "Gone")
TELEPHONY_STATUS: dict[PartyCode, str] = {
    "Answered": "CallConnected",
    "Setup": "Ringing",
    "Proceeding": "Ringing",
    "Hold": "OnHold",
    "Parked": "ParkedCall",
}
"""The status in a presence by that of a party; of several calls the first one here counts (the order is ours)."""


class CallEnd(Struct, frozen=True):
    """One end of a call: an extension, or a phone outside the account.

    Args:
        phone_number: the phone number.
        name: the name that is displayed, empty if unknown.
        extension_id: the id of the extension, None outside the account.
        extension_number: its number, likewise.
    """

    phone_number: str
    name: str = ""
    extension_id: str | None = None
    extension_number: str | None = None

    @classmethod
    def of(cls, one: ExtensionRecord) -> CallEnd:
        """Return the end of a call that is an extension."""
        return cls(one.phone_number, one.name, one.id, one.number)

    @classmethod
    def find(cls, people: ExtensionDirectory, text: str, name: str = "") -> CallEnd:
        """Return the end of a call with this extension number, extension id or phone number.

        Args:
            people: the extensions.
            text: the number.
            name: the name of a phone outside the account.
        """
        one = people.by_id(text) or people.by_phone(text)
        return cls(text, name) if one is None else cls.of(one)

    def body(self) -> dict[str, Any]:
        """Return the JSON form in a party."""
        body = {"phoneNumber": self.phone_number, "name": self.name}
        return body if self.extension_id is None else body | {"extensionId": self.extension_id}


class CallParty(Struct, eq=False):
    """One party of a call: what one end of it sees.

    Attributes:
        extension_id: whose party it is, None for a phone outside the account.
        peer_id: the party that has replaced this one.
        answered: when it was answered first.
        recording_id: the id of its recording, None if there is none.
        is_recording: whether the recording goes on.
    """

    id: str
    direction: Literal["Inbound", "Outbound"]
    caller: CallEnd
    callee: CallEnd
    started: datetime
    code: PartyCode = "Setup"
    reason: str | None = None
    peer_id: dict[str, str] | None = None
    park_id: str | None = None
    answered: datetime | None = None
    ended: datetime | None = None
    missed: bool = False
    muted: bool = False
    to_voicemail: bool = False
    recording_id: str | None = None
    is_recording: bool = False

    @property
    def own_end(self) -> CallEnd:
        """The end that this party is."""
        return self.callee if self.direction == "Inbound" else self.caller

    @property
    def extension_id(self) -> str | None:
        """The id of its extension, None outside the account."""
        return self.own_end.extension_id

    @property
    def is_live(self) -> bool:
        """Whether it still takes part."""
        return self.code not in _ENDED

    @property
    def telephony_status(self) -> str:
        """The status in the presence of its extension."""
        return TELEPHONY_STATUS.get(self.code, "NoCall")

    def recordings(self) -> list[dict[str, Any]]:
        """Return the JSON form of its recordings."""
        return [] if self.recording_id is None else [{"id": self.recording_id, "active": self.is_recording}]

    def body(self) -> dict[str, Any]:
        """Return its JSON form, common to REST answers and notifications."""
        status: dict[str, Any] = {"code": self.code, "rcc": False}
        if self.reason is not None:
            status["reason"] = self.reason
        if self.peer_id is not None:
            status["peerId"] = self.peer_id
        if self.park_id is not None:
            status["parkData"] = self.park_id
        own = {} if self.extension_id is None else {"extensionId": self.extension_id}
        return {
            "accountId": ACCOUNT_ID,
            **own,
            "id": self.id,
            "direction": self.direction,
            "to": self.callee.body(),
            "from": self.caller.body(),
            "status": status,
            "park": {} if self.park_id is None else {"id": self.park_id},
            "standAlone": False,
            "muted": self.muted,
        }


class PhoneCall(Struct, eq=False):
    """One telephony session."""

    id: str
    session_id: str
    origin: OriginType
    created: datetime
    parties: list[CallParty] = []
    sequence: int = 0

    @property
    def is_live(self) -> bool:
        """Whether it goes on."""
        return any(party.is_live for party in self.parties)

    @property
    def caller(self) -> CallParty:
        """The party that has called."""
        return self.parties[0]

    def ringing(self) -> CallParty | None:
        """Return the called party that rings, None if there is none."""
        return next((party for party in reversed(self.parties[1:]) if party.code in RINGING), None)

    def party(self, party_id: str) -> CallParty:
        """Return a party by its id.

        Raises:
            Problem: 404 CMN-102 if there is none.
        """
        found = next((party for party in self.parties if party.id == party_id), None)
        if found is None:
            raise Problem(404, "CMN-102", "Resource for parameter [partyId] is not found")
        return found


class CallChange(Struct, frozen=True, eq=False):
    """One change of a party that is an extension.

    Args:
        call: its call.
        party: the party, which may have changed further.
        sequence: the number of the change in its call.
        moment: when it happened.
        body: the JSON form of the party after the change.
        missed: whether the call was missed by then.
        recordings: the JSON form of its recordings then.
        is_status: whether its status has changed.
    """

    call: PhoneCall
    party: CallParty
    sequence: int
    moment: datetime
    body: dict[str, Any]
    missed: bool
    recordings: list[dict[str, Any]]
    is_status: bool
