"""The message that a caller leaves: stored for the extension that was called, and told. Used by `calls.py`."""

from __future__ import annotations

from rcex_ws.gateway.account.call_parties import CallEnd, CallParty
from rcex_ws.gateway.account.messages import Attachment, MessageParty, MessageText
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.notices.messages import receive

__all__ = ["SILENCE", "store_voicemail"]

SILENCE = b"\xff\xfb\x90\xc4" + bytes(413)
"""One frame of MPEG audio."""


def store_voicemail(core: GatewayCore, party: CallParty, owner: ExtensionRecord) -> int | None:
    """Store the voicemail of a party that has ended; return its id, None if the caller has left none."""
    if not party.to_voicemail:
        return None
    text = MessageText(
        type="VoiceMail",
        sender=_end(party.caller),
        to=[_end(party.callee)],
        subject="Voice message",
        vm_transcription_status="NotAvailable",
    )
    return receive(core, owner, text, [Attachment(0, "AudioRecording", "audio/mpeg", SILENCE)]).id


def _end(end: CallEnd) -> MessageParty:
    return MessageParty(phone_number=end.phone_number, name=end.name, extension_id=end.extension_id)
