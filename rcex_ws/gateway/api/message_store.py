"""The message store: list, read, mark, delete and restore messages, and read their files.

A changed message triggers the notification that RingCentral would send.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field
from starlette.responses import Response

from rcex_ws.gateway.account.messages import Availability, Direction, Message, MessageKind, ReadStatus
from rcex_ws.gateway.api.batch import ids_in, read_batch
from rcex_ws.gateway.api.message_filter import Moment, chosen, milliseconds, newest_of_each_conversation, span, words
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.api.paging import PagedQuery, page_of
from rcex_ws.gateway.notices.messages import announce
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_STORE = f"{EXTENSION}/message-store"
_ONE = f"{_STORE}/{{messageId}}"
_MOST_DIGITS = 18

area = RestArea("Message Store", permission="ReadMessages")


def _alive() -> list[Availability]:
    return ["Alive"]


class MessageQuery(PagedQuery, rename="camel"):
    """Which messages to list."""

    availability: list[Availability] = field(default_factory=_alive)
    conversation_id: str | None = None
    date_from: Moment | None = None
    date_to: Moment | None = None
    direction: list[Direction] = field(default_factory=list[Direction])
    distinct_conversations: bool = False
    message_type: list[MessageKind] = field(default_factory=list[MessageKind])
    read_status: list[ReadStatus] = field(default_factory=list[ReadStatus])
    phone_number: str | None = None


class ReadMark(Struct, rename="camel"):
    """The new status of a message."""

    read_status: ReadStatus


class MessagePatch(Struct, rename="camel"):
    """What to change of a message."""

    read_status: ReadStatus | None = None
    availability: Availability | None = None


class DeleteQuery(Struct):
    """How to delete messages."""

    purge: bool = False
    type: Literal["Fax", "SMS", "VoiceMail", "Pager", "Text", "All"] = "All"


class DeleteFilter(DeleteQuery, rename="camel"):
    """Which messages to delete, and how."""

    conversation_id: list[str] = []
    date_to: Moment | None = None


@area.get(_STORE)
def list_messages(ask: Ask[MessageQuery, None]) -> Json:
    """List the messages of the caller, newest first; without `dateFrom` those of one day."""
    owner, query = ask.own_extension, ask.query
    since, until = span(ask.core.messages.now(), query.date_from, query.date_to)
    found = list(
        chosen(
            ask.core.messages,
            owner.id,
            kinds=query.message_type,
            directions=query.direction,
            conversations=words(query.conversation_id),
            availability=query.availability,
            read_statuses=query.read_status,
            phone_number=query.phone_number,
            since=since,
            until=until,
        )
    )
    if query.distinct_conversations:
        found = list(newest_of_each_conversation(found))
    return page_of(ask, _uri(ask), found, lambda message: message.body(ask.server))


@area.get(_ONE)
def read_message(ask: Ask[None, None]) -> Response | Json:
    """Read one message, or several whose ids are separated by commas."""
    return read_batch(ask.path["messageId"], _uri(ask), lambda one: _message(ask, one).body(ask.server))


@area.put(_ONE, permission="EditMessages")
def mark_message(ask: Ask[None, ReadMark]) -> Response | Json:
    """Mark one message, or several whose ids are separated by commas, as read or unread."""

    def mark(message_id: str) -> dict[str, Any]:
        return _changed(ask, _message(ask, message_id), ask.body.read_status)

    return read_batch(ask.path["messageId"], _uri(ask), mark)


@area.patch(_ONE, permission="EditMessages")
def patch_message(ask: Ask[None, MessagePatch]) -> Response | Json:
    """Mark messages as read or unread, delete them, or restore deleted ones."""

    def patch(message_id: str) -> dict[str, Any]:
        message, wanted = _message(ask, message_id), ask.body.availability
        if message.availability == "Purged" and wanted not in (None, "Purged"):
            raise Problem(400, "CMN-101", "Parameter [availability] value is invalid")
        if wanted == "Alive":
            message.availability = "Alive"
        elif wanted is not None and wanted != message.availability:
            ask.core.messages.delete(message, purge=wanted == "Purged")
        return _changed(ask, message, ask.body.read_status)

    return read_batch(ask.path["messageId"], _uri(ask), patch)


@area.delete(_ONE, permission="EditMessages")
def delete_message(ask: Ask[DeleteQuery, None]) -> None:
    """Delete one message, or several whose ids are separated by commas; for good those that are deleted already."""
    named = [_message(ask, one) for one in ids_in(ask.path["messageId"])]
    for message in {one.id: one for one in named}.values():
        _delete(ask, message)


@area.delete(_STORE, permission="EditMessages")
def delete_by_filter(ask: Ask[DeleteFilter, None]) -> None:
    """Delete the messages of conversations, of a type or until a date; without any of these, all of them."""
    owner, query = ask.own_extension, ask.query
    conversations = {word for text in query.conversation_id for word in words(text)}
    until = None if query.date_to is None else milliseconds("dateTo", query.date_to)
    for message in list(chosen(ask.core.messages, owner.id, conversations=conversations, until=until)):
        _delete(ask, message)


@area.get(f"{_ONE}/content/{{attachmentId}}")
def read_content(ask: Ask[None, None]) -> Response:
    """Read the bytes of an attachment."""
    message = _message(ask, ask.path["messageId"])
    file = next((one for one in message.attachments if str(one.id) == ask.path["attachmentId"]), None)
    if file is None:
        raise Problem(404, "CMN-102", "Resource for parameter [attachmentId] is not found")
    if ask.socket is not None:
        # RingCentral's SDK documents that binary downloads do not work over a WebSocket; the wording is ours.
        raise Problem(415, "CMN-115", "Binary content is not available over a WebSocket")
    return Response(file.content, media_type=file.content_type)


def _uri(ask: Ask[Any, Any]) -> str:
    return f"{ask.server}{ask.own_extension.uri}/message-store"


def _message(ask: Ask[Any, Any], message_id: str) -> Message:
    owner = ask.own_extension
    is_number = message_id.isascii() and message_id.isdecimal() and len(message_id) <= _MOST_DIGITS
    message = ask.core.messages.get(int(message_id)) if is_number else None
    if message is None or message.owner_id != owner.id:
        raise Problem(404, "CMN-102", "Resource for parameter [messageId] is not found")
    return message


def _changed(ask: Ask[Any, Any], message: Message, read_status: ReadStatus | None) -> dict[str, Any]:
    message.read_status = read_status or message.read_status
    ask.core.messages.touch(message)
    announce(ask.core, message, is_new=False)
    return message.body(ask.server)


def _delete(ask: Ask[DeleteQuery, None], message: Message) -> None:
    """Delete a message as the query says, and notify its owner; one of another type or purged already is left alone."""
    if message.availability == "Purged" or ask.query.type not in ("All", message.text.type):
        return
    ask.core.messages.delete(message, purge=ask.query.purge)
    announce(ask.core, message, is_new=False)
