"""High-volume text messages (A2P SMS), in a small form: batches are sent, read and listed, and their messages too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from rcex_ws.gateway.account.a2p import A2PBatch
from rcex_ws.gateway.account.messages import MessageText
from rcex_ws.gateway.account.numbers import e164, same_number
from rcex_ws.gateway.api.operation import ACCOUNT, Ask, Json, RestArea
from rcex_ws.gateway.api.sms import SmsParty, own_number
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.notices.messages import conversation_of, party_of, receive, text_files
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_BATCHES = f"{ACCOUNT}/a2p-sms/batches"
_MESSAGES = f"{ACCOUNT}/a2p-sms/messages"
_EVENT = "/restapi/v1.0/account/~/a2p-sms/batches"
_MOST_MESSAGES = 1_000
_LONGEST_TEXT = 1_000
_LONGEST_NUMBER = 64

area = RestArea("High Volume SMS", permission="A2PSMS")

A2PText = Annotated[str, Meta(min_length=1, max_length=_LONGEST_TEXT)]
PageNumber = Annotated[str, Meta(pattern="^[0-9]{1,9}$")]
_FIRST_PAGE = "0"
_Record = TypeVar("_Record")


class NewA2PMessage(Struct):
    """One message of a batch: its number, and its own text if it has one."""

    to: Annotated[list[Annotated[str, Meta(max_length=_LONGEST_NUMBER)]], Meta(min_length=1, max_length=1)]
    text: A2PText | None = None


class NewA2PBatch(Struct, kw_only=True):
    """Messages to send together."""

    sender: str = msgspec.field(name="from")
    text: A2PText | None = None
    messages: Annotated[list[NewA2PMessage], Meta(min_length=1, max_length=_MOST_MESSAGES)]


class BatchQuery(Struct, rename="camel"):
    """Which batches to list."""

    sender: str | None = msgspec.field(default=None, name="from")
    status: list[Literal["Queued", "Processing", "Sent", "Completed"]] = []
    page_token: PageNumber = _FIRST_PAGE
    per_page: Annotated[int, Meta(ge=1, le=1000)] = 1000


class A2PMessageQuery(Struct, rename="camel"):
    """Which messages to list."""

    batch_id: str | None = None
    phone_number: list[str] = []
    page_token: PageNumber = _FIRST_PAGE
    per_page: Annotated[int, Meta(ge=1, le=1000)] = 1000


@area.post(_BATCHES)
def send_batch(ask: Ask[None, NewA2PBatch]) -> Json:
    """Send a batch of text messages."""
    own, sent = own_number(ask.core, ask.caller, SmsParty(ask.body.sender)), ask.body
    texts: list[tuple[str, str]] = []
    rejected: list[dict[str, Any]] = []
    for index, one in enumerate(sent.messages):
        number, text = e164(one.to[0]), one.text or sent.text
        if text is None:
            raise Problem(400, "CMN-101", "Parameter [text] value is invalid")
        if number is None:
            refusal = {"errorCode": "CMN-101", "description": "The recipient is invalid"}
            rejected.append({"index": index, "to": one.to, **refusal})
        else:
            texts.append((number, text))
    batch = ask.core.a2p.add(own, texts, rejected)
    answer = batch.body()
    _announce(ask.core, batch)
    for number, text in texts:
        _deliver(ask.core, own, number, text)
    ask.core.a2p.complete(batch)
    _announce(ask.core, batch)
    return answer


@area.get(_BATCHES)
def list_batches(ask: Ask[BatchQuery, None]) -> Json:
    """List the batches of the account, newest first."""
    query = ask.query
    found = [
        batch.body()
        for batch in ask.core.a2p.batches()
        if (query.sender is None or same_number(batch.sender, query.sender))
        and (not query.status or batch.status in query.status)
    ]
    return _page(found, int(query.page_token), query.per_page)


@area.get(f"{_BATCHES}/{{batchId}}")
def read_a2p_batch(ask: Ask[None, None]) -> Json:
    """Read one batch."""
    batch = ask.core.a2p.batch(ask.path["batchId"])
    if batch is None:
        raise Problem(404, "CMN-102", "Resource for parameter [batchId] is not found")
    return batch.body()


@area.get(_MESSAGES)
def list_a2p_messages(ask: Ask[A2PMessageQuery, None]) -> Json:
    """List the messages of all batches, newest first."""
    query = ask.query
    numbers = [e164(number) for number in query.phone_number]
    found = [
        {**message.body(), "id": int(message.id)}  # a text where one message is read: RingCentral's API reference
        for message in ask.core.a2p.messages()
        if query.batch_id in (None, message.batch_id)
        and (not numbers or message.sender in numbers or message.to[0] in numbers)
    ]
    return _page(found, int(query.page_token), query.per_page)


@area.get(f"{_MESSAGES}/{{messageId}}")
def read_a2p_message(ask: Ask[None, None]) -> Json:
    """Read one message of a batch."""
    for message in ask.core.a2p.messages():
        if message.id == ask.path["messageId"]:
            return message.body()
    raise Problem(404, "CMN-102", "Resource for parameter [messageId] is not found")


def _page(found: Sequence[_Record], number: int, size: int) -> dict[str, Any]:
    paging: dict[str, Any] = {"perPage": size, "pageToken": str(number), "firstPageToken": _FIRST_PAGE}
    if number:
        paging["previousPageToken"] = str(number - 1)
    if len(found) > (number + 1) * size:
        paging["nextPageToken"] = str(number + 1)
    return {"records": found[number * size : (number + 1) * size], "paging": paging}


def _announce(core: GatewayCore, batch: A2PBatch) -> None:
    facts = batch.body()
    del facts["rejected"]
    core.publish(_EVENT, facts)


def _deliver(core: GatewayCore, sender: str, number: str, text: str) -> None:
    """Put a message into the mailbox of the extension that has this number; others are somewhere else in the world."""
    recipient = core.people.by_phone(number)
    if recipient is not None:
        common = MessageText(
            type="SMS",
            sender=party_of(core, sender),
            to=[party_of(core, number)],
            subject=text,
            conversation_id=conversation_of([sender, number]),
        )
        receive(core, recipient, common, text_files(text, ()))
