"""Messages: company-pager, fax, and the message store (list, get, batch get, content, mark, delete).

A new or changed message triggers the notifications that RingCentral would send.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from msgspec import Meta, Struct
from starlette.responses import Response

from rcex_ws.gateway.account.messages import Message
from rcex_ws.gateway.account.people import ACCOUNT_ID, ExtensionRecord
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.filters import EventFilter
from rcex_ws.gateway.multipart import Part, boundary_of, read_parts
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.shapes import as_array, as_object, decode

__all__ = ["area"]

_STORE_EVENT = "/restapi/v1.0/account/~/extension/~/message-store"
_STORE = f"{EXTENSION}/message-store"
_ONE = f"{_STORE}/{{messageId}}"
_MOST_DIGITS = 18
_MOST_PAGES = 10**9

area = RestArea("Messages", permission="ReadMessages")


class NewPager(Struct):
    """A company-pager message to send."""

    text: Annotated[str, Meta(min_length=1)]
    to: list[dict[str, Any]]


class MessageQuery(Struct, rename="camel"):
    """Which messages to list."""

    message_type: list[str] = []
    direction: list[str] = []
    page: Annotated[int, Meta(ge=1, le=_MOST_PAGES)] = 1
    per_page: Annotated[int, Meta(ge=1, le=_MOST_PAGES)] = 100


class ReadMark(Struct, rename="camel"):
    """The new status of a message."""

    read_status: Literal["Read", "Unread"]


@area.post(f"{EXTENSION}/company-pager", permission="InternalMessages")
def send_pager(ask: Ask[None, NewPager]) -> Json:
    """Send a message to extensions of the account."""
    recipients = _recipients(ask.core, ask.body.to)
    return _pager(ask.core, ask.own_extension, recipients, ask.body.text).body(ask.server)


@area.post(f"{EXTENSION}/fax", permission="Faxes", consumes=("multipart/form-data", "multipart/mixed"))
def send_fax(ask: Ask[None, bytes]) -> Json:
    """Send a fax."""
    sender = ask.own_extension
    boundary = boundary_of(ask.request.headers.get("content-type", ""))
    if boundary is None:
        raise Problem(415, "CMN-115", "A fax is sent as multipart/form-data")
    wanted, files = _fax_parts(read_parts(ask.body, boundary))
    to = wanted.get("to")
    if not to or not files:
        raise Problem(400, "CMN-101", "A fax needs the parameter [to] and an attachment")
    stored = [("RenderedDocument", part.content_type, part.content) for part in files]
    facts = {"to": to, "faxResolution": wanted.get("faxResolution", "High"), "faxPageCount": len(files)}
    message = ask.core.messages.add(sender, "Fax", "Outbound", files=stored, facts=facts)
    _notify_owner(ask.core, message)
    return message.body(ask.server)


@area.get(_STORE)
def list_messages(ask: Ask[MessageQuery, None]) -> Json:
    """List the messages of the caller, newest first."""
    owner, query = ask.own_extension, ask.query
    found = [
        message.body(ask.server)
        for message in ask.core.messages.of(owner)
        if (not query.message_type or message.facts["type"] in query.message_type)
        and (not query.direction or message.facts["direction"] in query.direction)
    ]
    records = found[(query.page - 1) * query.per_page : query.page * query.per_page]
    paging = {"page": query.page, "perPage": query.per_page, "totalElements": len(found)}
    return {"uri": f"{ask.server}{owner.uri}/message-store", "records": records, "paging": paging}


@area.get(_ONE)
def read_message(ask: Ask[None, None]) -> Response | Json:
    """Read one message, or several whose ids are separated by commas."""
    owner, ids = ask.own_extension, ask.path["messageId"].split(",")
    if len(ids) == 1:
        return _message(ask.core, owner, ids[0]).body(ask.server)
    return _batch(ask.core, owner, ids, ask.server)


@area.put(_ONE)
def mark_message(ask: Ask[None, ReadMark]) -> Json:
    """Mark a message as read or unread."""
    message = _message(ask.core, ask.own_extension, ask.path["messageId"])
    ask.core.messages.mark(message, ask.body.read_status)
    _notify_owner(ask.core, message, is_new=False)
    return message.body(ask.server)


@area.delete(_ONE)
def delete_message(ask: Ask[None, None]) -> None:
    """Delete one message, or several whose ids are separated by commas."""
    # Without `purge` RingCentral keeps a deleted message for a while; here it is gone at once.
    named = [_message(ask.core, ask.own_extension, one) for one in ask.path["messageId"].split(",")]
    for message in {one.id: one for one in named}.values():
        ask.core.messages.delete(message)
        _notify_owner(ask.core, message, is_new=False)


@area.get(f"{_ONE}/content/{{attachmentId}}")
def read_content(ask: Ask[None, None]) -> Response:
    """Read the bytes of an attachment."""
    message = _message(ask.core, ask.own_extension, ask.path["messageId"])
    file = next((one for one in message.attachments if one.id == ask.path["attachmentId"]), None)
    if file is None:
        raise Problem(404, "CMN-102", "Resource for parameter [attachmentId] is not found")
    if ask.socket is not None:
        # RingCentral's SDK documents that binary downloads do not work over a WebSocket; the wording is ours.
        raise Problem(415, "CMN-115", "Binary content is not available over a WebSocket")
    return Response(file.content, media_type=file.content_type)


def _pager(core: GatewayCore, sender: ExtensionRecord, recipients: list[ExtensionRecord], text: str) -> Message:
    """Store one copy per extension involved, and notify each owner."""
    facts = {
        "from": {"extensionNumber": sender.number, "extensionId": sender.id, "name": sender.name},
        "to": [{"extensionNumber": one.number, "extensionId": one.id, "name": one.name} for one in recipients],
        "subject": text,
        "conversation": {"id": str(uuid.uuid4())},
    }
    sent = core.messages.add(sender, "Pager", "Outbound", facts=facts)
    _notify_owner(core, sent, *(["Inbound"] if sender in recipients else []))
    for one in recipients:
        received = sent if one is sender else core.messages.add(one, "Pager", "Inbound", facts=facts)
        if one is not sender:
            _notify_owner(core, received)
        core.publish(f"{_STORE_EVENT}/instant?type=Pager", _inbound(received), one)
    return sent


def _inbound(message: Message) -> Callable[[EventFilter, str], dict[str, Any]]:
    return lambda _, server: message.body(server) | {"direction": "Inbound"}


def _notify_owner(core: GatewayCore, message: Message, *more_directions: str, is_new: bool = True) -> None:
    """Notify the owner of a new message, or of a changed or deleted one (for which RingCentral sends no id)."""
    kind = message.facts["type"]
    counts = {"newCount": 1, "updatedCount": 0, "newMessageIds": [message.id]}
    change = {"type": kind, **(counts if is_new else {"newCount": 0, "updatedCount": 1})}
    body = {
        "accountId": ACCOUNT_ID,
        "extensionId": message.owner.id,
        "lastUpdated": iso(core.clock.wall()),
        "changes": [change],
    }
    query = urlencode({"type": kind, "direction": [message.facts["direction"], *more_directions]}, doseq=True)
    core.publish(f"{_STORE_EVENT}?{query}", body, message.owner)


def _recipients(core: GatewayCore, to: object) -> list[ExtensionRecord]:
    """Return the extensions named by `[{extensionId | extensionNumber}, ...]`."""
    found: list[ExtensionRecord] = []
    for item in as_array(to) or ():
        one = as_object(item) or {}
        extension = core.people.by_id(str(one.get("extensionId") or one.get("extensionNumber")))
        if extension is None:
            raise Problem(400, "CMN-101", "Parameter [to] value is invalid")
        if extension not in found:
            found.append(extension)
    if not found:
        raise Problem(400, "CMN-101", "Parameter [to] value is invalid")
    return found


def _fax_parts(parts: Iterable[Part]) -> tuple[dict[str, Any], list[Part]]:
    """Split a fax into the request, which is a JSON part or one form field per member, and the documents."""
    wanted: dict[str, Any] = {}
    files: list[Part] = []
    for part in parts:
        if part.content_type == "application/json":
            wanted |= _fax_request(part.content)
        elif part.filename is None and part.name == "to":
            wanted.setdefault("to", []).append({"phoneNumber": _text(part)})
        elif part.filename is None and part.name is not None:
            wanted[part.name] = _text(part)
        else:
            files.append(part)
    return wanted, files


def _fax_request(content: bytes) -> dict[str, Any]:
    try:
        asked = as_object(decode(content))
    except ValueError as error:
        raise Problem(400, "CMN-100", "The JSON part of the fax is malformed") from error
    if asked is None or as_array(asked.get("to", [])) is None:
        raise Problem(400, "CMN-100", "The JSON part of the fax is an object, and its member [to] an array")
    return asked


def _text(part: Part) -> str:
    try:
        return part.content.decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "MSG-349", "A field of the fax is not UTF-8") from error


def _message(core: GatewayCore, owner: ExtensionRecord, message_id: str) -> Message:
    number = _decimal(message_id)
    message = None if number is None else core.messages.get(owner, number)
    if message is None:
        raise Problem(404, "CMN-102", "Resource for parameter [messageId] is not found")
    return message


def _batch(core: GatewayCore, owner: ExtensionRecord, ids: list[str], server: str) -> Response:
    """Return the answer for several ids: 207, one part with all statuses, then one part per id."""
    statuses: list[dict[str, Any]] = []
    bodies: list[dict[str, Any]] = []
    for one in ids:
        href = f"{server}{owner.uri}/message-store/{one}"
        try:
            bodies.append(_message(core, owner, one).body(server))
            statuses.append({"href": href, "status": 200, "responseDescription": "OK"})
        except Problem as problem:
            bodies.append(problem.body())
            statuses.append({"href": href, "status": problem.status, "responseDescription": problem.message})
    boundary = f"Boundary_{uuid.uuid4().hex}"
    parts = [{"response": statuses}, *bodies]
    text = "".join(f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{json.dumps(part)}\r\n" for part in parts)
    return Response(f"{text}--{boundary}--\r\n", 207, {"Content-Type": f"multipart/mixed; boundary={boundary}"})


def _decimal(text: str) -> int | None:
    """Parse a whole number of reasonable length."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None
