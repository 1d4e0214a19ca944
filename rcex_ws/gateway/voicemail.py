"""The message that a caller leaves: stored for the extension that was called, and told. Used by `call_notices.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rcex_ws.gateway.account.call_parties import CallEnd, CallParty
from rcex_ws.gateway.account.people import ACCOUNT_ID, ExtensionRecord
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.filters import EventFilter

__all__ = ["SILENCE", "store_voicemail"]

_EXTENSION = "/restapi/v1.0/account/~/extension/~"
SILENCE = b"\xff\xfb\x90\xc4" + bytes(413)
"""One frame of MPEG audio."""


def store_voicemail(core: GatewayCore, party: CallParty, owner: ExtensionRecord) -> int | None:
    """Store the voicemail of a party that has ended; return its id, None if the caller has left none."""
    if not party.to_voicemail:
        return None
    facts = {
        "from": _end(party.caller),
        "to": [_end(party.callee)],
        "subject": "Voice message",
        "vmTranscriptionStatus": "NotAvailable",
    }
    files = [("AudioRecording", "audio/mpeg", SILENCE)]
    message = core.messages.add(owner, "VoiceMail", "Inbound", facts=facts, files=files)

    def whole(_: EventFilter, server: str) -> Mapping[str, Any]:
        return message.body(server)

    summary = {
        "accountId": ACCOUNT_ID,
        "extensionId": owner.id,
        "lastUpdated": iso(core.clock.wall()),
        "changes": [{"type": "VoiceMail", "newCount": 1, "updatedCount": 0, "newMessageIds": [message.id]}],
    }
    core.publish(f"{_EXTENSION}/message-store?type=VoiceMail&direction=Inbound", summary, owner)
    core.publish(f"{_EXTENSION}/voicemail", whole, owner)
    return message.id


def _end(end: CallEnd) -> dict[str, Any]:
    body = {"phoneNumber": end.phone_number, "name": end.name}
    return body if end.extension_id is None else body | {"extensionId": end.extension_id}
