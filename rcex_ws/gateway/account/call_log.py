"""The call log: one record for each extension that took part in a call, made when its part has ended. No I/O.

Fields and values are those of RingCentral's API reference ("Call Log"). Each change of a record has a number, so that
a sync token can name all changes since.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from rcex_ws.gateway.account.call_parties import CallEnd, CallParty, PhoneCall
from rcex_ws.gateway.account.people import ACCOUNT_ID
from rcex_ws.gateway.clock import Clock, iso

__all__ = ["CallLog", "CallLogRecord"]

_MOST_RECORDS = 10_000
"""The oldest are dropped first."""

_ACTIONS = {"RingOut": "RingOut Web", "CallOut": "CallOut-CallMe"}


class CallLogLeg(Struct):
    """One leg: a party of the call, of this extension or another."""

    party_id: str
    direction: str
    caller: CallEnd
    callee: CallEnd
    started: datetime
    duration_ms: int
    action: str
    result: str

    @property
    def own_end(self) -> CallEnd:
        """The end that the leg belongs to."""
        return self.callee if self.direction == "Inbound" else self.caller

    @property
    def transport(self) -> str:
        """Whether it leads to a phone outside the account."""
        return "PSTN" if self.own_end.extension_id is None else "VoIP"

    @property
    def kind(self) -> str:
        """Its `legType`."""
        if self.direction == "Inbound":
            return "Accept"
        if self.caller.extension_id is None:
            return "PstnToSip"
        return "SipToPstnMetered" if self.callee.extension_id is None else "ExtensionToExtension"

    def body(self, server: str) -> dict[str, Any]:
        """Return its JSON form, with URIs below this base URL."""
        own = self.own_end.extension_id
        uri = f"{server}/restapi/v1.0/account/{ACCOUNT_ID}/extension/{own}"
        return {
            **({} if own is None else {"extension": {"id": int(own), "uri": uri}}),
            "partyId": self.party_id,
            "startTime": iso(self.started),
            "duration": self.duration_ms // 1000,
            "durationMs": self.duration_ms,
            "type": "Voice",
            "internalType": "LocalNumber",
            "direction": self.direction,
            "action": self.action,
            "result": self.result,
            "from": _end(self.caller),
            "to": _end(self.callee),
            "transport": self.transport,
        }


class CallLogRecord(Struct):
    """One record of one extension.

    Attributes:
        legs: its own leg first, then those of the other parties.
        change: the number of its last change.
    """

    id: str
    extension_id: str
    telephony_session_id: str
    session_id: str
    legs: list[CallLogLeg]
    modified: datetime
    change: int
    message_id: int | None = None
    recording_id: str | None = None
    deleted: bool = False

    @property
    def main(self) -> CallLogLeg:
        """The leg of the extension itself."""
        return self.legs[0]

    def body(self, server: str, *, detailed: bool) -> dict[str, Any]:
        """Return its JSON form.

        Args:
            server: the base URL for URIs.
            detailed: whether to add the legs.
        """
        session = {"telephonySessionId": self.telephony_session_id, "sessionId": self.session_id}
        owner = f"{server}/restapi/v1.0/account/{ACCOUNT_ID}/extension/{self.extension_id}"
        body = {
            "uri": f"{owner}/call-log/{self.id}?view={'Detailed' if detailed else 'Simple'}",
            "id": self.id,
            **session,
            **self.main.body(server),
            "lastModifiedTime": iso(self.modified),
        }
        if self.message_id is not None:
            uri = f"{owner}/message-store/{self.message_id}"
            body["message"] = {"id": str(self.message_id), "type": "VoiceMail", "uri": uri}
        if self.recording_id is not None:
            body["recording"] = self.recording(server) | {"type": "OnDemand"}
        if self.deleted:
            body["deleted"] = True
        if detailed:
            body["legs"] = [
                session | leg.body(server) | {"legType": leg.kind, "master": leg is self.main} for leg in self.legs
            ]
            body["billing"] = {"costIncluded": 0, "costPurchased": 0}
        return body

    def recording(self, server: str) -> dict[str, Any]:
        """Return the JSON form of its recording."""
        uri = f"{server}/restapi/v1.0/account/{ACCOUNT_ID}/recording/{self.recording_id}"
        return {"id": self.recording_id, "uri": uri, "contentUri": f"{uri}/content"}


class CallLog:
    """The call log of all extensions.

    Args:
        clock: the source of dates.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: dict[tuple[str, str], CallLogRecord] = {}
        self.last_change = 0

    def add(self, call: PhoneCall, party: CallParty, extension_id: str, message_id: int | None = None) -> CallLogRecord:
        """Log the part of an extension in a call.

        Args:
            call: the call.
            party: the party of the extension, which has ended.
            extension_id: the extension.
            message_id: the voicemail in its message store.
        """
        record = self.preview(call, party, extension_id)
        record.message_id = message_id
        self._touch(record)
        self._all[extension_id, record.id] = record
        while len(self._all) > _MOST_RECORDS:
            del self._all[next(iter(self._all))]
        return record

    def preview(self, call: PhoneCall, party: CallParty, extension_id: str) -> CallLogRecord:
        """Return the record of a call that may be going on, without keeping it."""
        others = [other for other in call.parties if other is not party]
        legs = [self._leg(call, one) for one in (party, *others)]
        # The id is derived, so that an active call keeps it when it is logged.
        record_id = f"{call.session_id}{party.id.rpartition('-')[2]}"
        now = self._clock.wall()
        return CallLogRecord(
            record_id,
            extension_id,
            call.id,
            call.session_id,
            legs,
            now,
            self.last_change,
            recording_id=party.recording_id,
        )

    def get(self, extension_id: str | None, record_id: str) -> CallLogRecord | None:
        """Return a record, deleted or not.

        Args:
            extension_id: the extension, None for any.
            record_id: the id of the record.
        """
        return next((one for one in self.of(extension_id) if one.id == record_id), None)

    def of(self, extension_id: str | None) -> Iterator[CallLogRecord]:
        """Yield the records of an extension, or of all, newest first, deleted ones too."""
        return (one for one in reversed(self._all.values()) if extension_id in (None, one.extension_id))

    def delete(self, record: CallLogRecord) -> None:
        """Mark a record as deleted, which is how a sync tells it."""
        record.deleted = True
        self._touch(record)

    def dump(self) -> dict[str, Any]:
        """Return the records as JSON-ready data."""
        saved = msgspec.to_builtins(list(self._all.values()))
        return {"lastChange": self.last_change, "records": saved}

    def load(self, saved: dict[str, Any]) -> None:
        """Take back what `dump` has returned."""
        records = msgspec.convert(saved["records"], list[CallLogRecord])
        self._all = {(one.extension_id, one.id): one for one in records}
        self.last_change = int(saved["lastChange"])

    def _touch(self, record: CallLogRecord) -> None:
        self.last_change += 1
        record.change, record.modified = self.last_change, self._clock.wall()

    def _leg(self, call: PhoneCall, party: CallParty) -> CallLogLeg:
        ended = party.ended or self._clock.wall()
        lasted = int((ended - party.started).total_seconds() * 1000)
        action = "Transfer" if party.reason == "BlindTransfer" else _ACTIONS.get(call.origin)
        if action is None:
            action = "Phone Call" if party.direction == "Inbound" else "VoIP Call"
        return CallLogLeg(
            party.id, party.direction, party.caller, party.callee, party.started, lasted, action, _result(party)
        )


def _result(party: CallParty) -> str:
    if party.is_live:
        return "In Progress"
    if party.to_voicemail:
        return "Voicemail"
    if party.answered is not None:
        return "Accepted" if party.direction == "Inbound" else "Call connected"
    if party.reason in ("Rejected", "CallReplied"):
        return {"Rejected": "Rejected", "CallReplied": "Reply"}[party.reason]
    return "Missed" if party.direction == "Inbound" else "No Answer"


def _end(end: CallEnd) -> dict[str, Any]:
    body = {"phoneNumber": end.phone_number, "name": end.name}
    if end.extension_id is None:
        return body
    return body | {"extensionNumber": end.extension_number, "extensionId": end.extension_id}
