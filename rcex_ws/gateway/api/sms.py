"""Text messages (SMS), and those with files (MMS), to any phone number; an extension that has it gets the message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct, field, structs

from rcex_ws.gateway.account.messages import Attachment, MessageParty, MessageText
from rcex_ws.gateway.account.numbers import e164
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.api.arguments import Upload
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.notices.messages import conversation_of, party_of, send, text_files
from rcex_ws.gateway.problem import Problem

__all__ = ["SmsParty", "area", "number_of", "own_number", "recipients_of"]

_MOST_RECIPIENTS = 50
_MOST_FILES = 10
_MOST_BYTES = 1_500_000
_LONGEST_TEXT = 1000
"""The limits of one message (RingCentral's API reference, "Send SMS")."""
_CONSUMES = ("application/json", "multipart/form-data", "multipart/mixed")

area = RestArea("SMS", permission="SMS")


class SmsParty(Struct, rename="camel"):
    """The sender or a recipient."""

    phone_number: Annotated[str, Meta(min_length=1)] | None = None
    extension_number: str | None = None


class NewSms(Struct, kw_only=True):
    """A text message to send."""

    sender: SmsParty = field(name="from")
    to: Annotated[list[SmsParty], Meta(min_length=1, max_length=_MOST_RECIPIENTS)]
    text: Annotated[str, Meta(max_length=_LONGEST_TEXT)] = ""


@area.post(f"{EXTENSION}/sms", consumes=_CONSUMES)
def send_sms(ask: Ask[None, Upload[NewSms]]) -> Json:
    """Send a text message, with files if it is multipart."""
    return _send(ask)


@area.post(f"{EXTENSION}/mms", consumes=_CONSUMES[1:])
def send_mms(ask: Ask[None, Upload[NewSms]]) -> Json:
    """Send a text message with files."""
    if not ask.body.files:
        raise Problem(400, "CMN-101", "Parameter [attachments] value is invalid")
    return _send(ask)


def recipients_of(core: GatewayCore, to: Sequence[MessageParty]) -> list[ExtensionRecord]:
    """Return the extensions that have these phone numbers, each once."""
    found = [core.people.by_phone(one.phone_number) for one in to if one.phone_number is not None]
    return list({one.id: one for one in found if one is not None}.values())


def number_of(name: str, party: SmsParty) -> str:
    """Return the phone number of a party in E.164.

    Raises:
        Problem: 400 CMN-101 if it has none, 400 MSG-246 if it has an extension number instead.
    """
    if party.phone_number is None and party.extension_number is not None:
        raise Problem(400, "MSG-246", "Sending SMS from/to extension numbers is not available")
    number = e164(party.phone_number or "")
    if number is None:
        raise Problem(400, "CMN-101", f"Parameter [{name}.phoneNumber] value is invalid")
    return number


def own_number(core: GatewayCore, sender: ExtensionRecord, party: SmsParty) -> str:
    """Return the phone number of the sender, which must be one of the extension that sends.

    Raises:
        Problem: 403 MSG-304 if it is not, 400 as for `number_of`.
    """
    number = number_of("from", party)
    owner = core.people.by_phone(number)
    if owner is None or owner.id != sender.id:
        raise Problem(403, "MSG-304", "Phone number doesn't belong to extension")
    return number


def _send(ask: Ask[None, Upload[NewSms]]) -> Json:
    sender, sent = ask.own_extension, ask.body.sent
    if not sent.text and not ask.body.files:
        raise Problem(400, "CMN-101", "Parameter [text] value is invalid")
    if len(ask.body.files) > _MOST_FILES or sum(len(file.content) for file in ask.body.files) > _MOST_BYTES:
        raise Problem(413, "MSG-348", "The attachments are too many or too large")
    numbers = list(dict.fromkeys(number_of("to", one) for one in sent.to))
    own = own_number(ask.core, sender, sent.sender)
    to = [structs.replace(party_of(ask.core, one), message_status="Sent") for one in numbers]
    files = [
        Attachment(0, "MmsAttachment", part.content_type, part.content, file_name=part.filename)
        for part in ask.body.files
    ]
    text = MessageText(
        type="SMS",
        sender=party_of(ask.core, own),
        to=to,
        subject=sent.text,
        conversation_id=conversation_of([own, *numbers]),
    )
    message = send(ask.core, sender, text, recipients_of(ask.core, to), text_files(sent.text, files))
    return message.body(ask.server)
