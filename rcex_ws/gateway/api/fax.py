"""Faxes to any phone number; an extension that has it gets the fax."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from rcex_ws.gateway.account.messages import Attachment, MessageParty, MessageText
from rcex_ws.gateway.account.numbers import e164
from rcex_ws.gateway.api.arguments import Upload
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.api.sms import recipients_of
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.notices.messages import party_of, send
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_LONGEST_COVER_TEXT = 1024
_MOST_RECIPIENTS = 50

area = RestArea("Fax", permission="Faxes")


class FaxRecipient(Struct, rename="camel"):
    """Who gets a fax."""

    phone_number: str
    name: str | None = None


class NewFax(Struct, rename="camel"):
    """A fax to send."""

    to: Annotated[list[FaxRecipient], Meta(min_length=1, max_length=_MOST_RECIPIENTS)]
    fax_resolution: Literal["High", "Low"] = "High"
    cover_index: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    cover_page_text: Annotated[str, Meta(max_length=_LONGEST_COVER_TEXT)] | None = None


@area.post(f"{EXTENSION}/fax", consumes=("multipart/form-data", "multipart/mixed"))
def send_fax(ask: Ask[None, Upload[NewFax]]) -> Json:
    """Send a fax: each file is a page, and the cover page is one more."""
    sender, sent = ask.own_extension, ask.body.sent
    if not ask.body.files:
        raise Problem(400, "CMN-101", "A fax needs an attachment")
    to = [_recipient(ask.core, one) for one in sent.to]
    files = [
        Attachment(0, "RenderedDocument", part.content_type, part.content, file_name=part.filename)
        for part in ask.body.files
    ]
    text = MessageText(
        type="Fax",
        sender=party_of(ask.core, sender.phone_number),
        to=to,
        fax_resolution=sent.fax_resolution,
        fax_page_count=len(files) + bool(sent.cover_index),
        cover_index=sent.cover_index,
        cover_page_text=sent.cover_page_text,
    )
    return send(ask.core, sender, text, recipients_of(ask.core, to), files).body(ask.server)


def _recipient(core: GatewayCore, wanted: FaxRecipient) -> MessageParty:
    if e164(wanted.phone_number) is None:
        raise Problem(400, "CMN-101", "Parameter [to.phoneNumber] value is invalid")
    party = party_of(core, wanted.phone_number)
    return structs.replace(party, name=wanted.name or party.name, message_status="Sent")
