"""What follows from each change of a phone call: notifications, presence, the call log, a voicemail.

Used by REST handlers and commands after each step. Members of a notification: RingCentral's API reference, "Extension
Telephony Sessions Event". Each has the one party that has changed, as it is mostly at RingCentral.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from rcex_ws.gateway.account.call_parties import CallChange, CallParty, PhoneCall
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.filters import EventFilter
from rcex_ws.gateway.notices.presence import sip_data, tell_presence
from rcex_ws.gateway.notices.voicemail import store_voicemail

__all__ = ["tell_calls"]

_EVENT = "/restapi/v1.0/account/~/extension/~/telephony/sessions"
_SERVER_ID = "10.0.0.1.TAM"


def tell_calls(core: GatewayCore) -> None:
    """Do what follows from the changes of calls since the last time."""
    changes = core.calls.take_changes()
    ended: dict[str, list[tuple[PhoneCall, CallParty]]] = {}
    for change in changes:
        owner = _owner(core, change.party)
        if owner is None:
            continue
        _tell_session(core, change, owner)
        if change.is_status:
            ended.setdefault(owner.id, [])
        if change.is_status and change.body["status"]["code"] in ("Disconnected", "Gone"):
            ended[owner.id].append((change.call, change.party))
            core.call_log.add(change.call, change.party, owner.id, store_voicemail(core, change.party, owner))
    for extension_id, parties in ended.items():
        owner = core.people.by_id(extension_id)
        if owner is not None:
            tell_presence(core, owner, ended=parties)


def _owner(core: GatewayCore, party: CallParty) -> ExtensionRecord | None:
    """Return the extension of a party; None if it was deleted meanwhile."""
    return None if party.extension_id is None else core.people.by_id(party.extension_id)


def _tell_session(core: GatewayCore, change: CallChange, owner: ExtensionRecord) -> None:
    call, party = change.call, change.party
    facts = {
        "direction": party.direction,
        "missedCall": "true" if change.missed else "false",
        "statusCode": change.body["status"]["code"],
        "phoneNumber": [*_spellings(party.caller.phone_number), *_spellings(party.callee.phone_number)],
    }

    def body(chosen: EventFilter, _: str) -> Mapping[str, Any]:
        more: dict[str, Any] = {"missedCall": change.missed, "queueCall": False}
        if chosen.wants("sipData"):
            more["sipData"] = sip_data(party)
        if chosen.wants("withRecordings"):
            more["recordings"] = change.recordings
        return {
            "sequence": change.sequence,
            "sessionId": call.session_id,
            "telephonySessionId": call.id,
            "serverId": _SERVER_ID,
            "eventTime": iso(change.moment),
            "parties": [change.body | more],
            "origin": {"type": call.origin},
        }

    core.publish(f"{_EVENT}?{urlencode(facts, doseq=True)}", body, owner)


def _spellings(number: str) -> tuple[str, ...]:
    """Return a number as filters write it: with a plus sign, with one that was decoded as a space, without."""
    digits = number.lstrip("+")
    return (number, f" {digits}", digits) if number.startswith("+") else (number,)
