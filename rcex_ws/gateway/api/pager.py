"""Messages between the extensions of the account (company-pager)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from rcex_ws.gateway.account.messages import MessageParty, MessageText
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.notices.messages import announce, conversation_of, receive, send, tell_whole, text_files
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

area = RestArea("Pager Messages", permission="InternalMessages")


class PagerRecipient(Struct, rename="camel"):
    """Who gets a message."""

    extension_id: str | int | None = None
    extension_number: str | int | None = None


class NewPager(Struct):
    """A company-pager message to send."""

    text: Annotated[str, Meta(min_length=1)]
    to: Annotated[list[PagerRecipient], Meta(min_length=1)]


@area.post(f"{EXTENSION}/company-pager")
def send_pager(ask: Ask[None, NewPager]) -> Json:
    """Send a message to extensions of the account."""
    core, sender = ask.core, ask.own_extension
    recipients = _recipients(core, ask.body.to)
    text = MessageText(
        type="Pager",
        sender=_party(sender),
        to=[_party(one) for one in recipients],
        subject=ask.body.text,
        conversation_id=conversation_of(one.id for one in (sender, *recipients)),
    )
    others = [one for one in recipients if one.id != sender.id]
    if len(others) == len(recipients):
        return send(core, sender, text, others, text_files(text.subject, ())).body(ask.server)
    # What one writes to oneself is stored once, and announced as sent and as received.
    message = core.messages.add(sender.id, "Outbound", text, text_files(text.subject, ()))
    announce(core, message, "Inbound")
    tell_whole(core, message, sender)
    for one in others:
        receive(core, one, text, text_files(text.subject, ()))
    return message.body(ask.server)


def _party(one: ExtensionRecord) -> MessageParty:
    return MessageParty(extension_number=one.number, extension_id=one.id, name=one.name)


def _recipients(core: GatewayCore, to: list[PagerRecipient]) -> list[ExtensionRecord]:
    found = [core.people.by_id(str(one.extension_id or one.extension_number)) for one in to]
    if None in found:
        raise Problem(400, "CMN-101", "Parameter [to] value is invalid")
    return list({one.id: one for one in found if one is not None}.values())
