"""Messages: company-pager, fax, and the message store (list, get, batch get, content, mark, delete).

Routes of the REST application. A new or changed message triggers the notifications that RingCentral would send.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rcex_ws.gateway.api_people import EXTENSION, own_extension_of
from rcex_ws.gateway.call import json_body, server_of, socket_of
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.filters import EventFilter
from rcex_ws.gateway.multipart import Part, boundary_of, read_parts
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.shapes import as_array, as_object, decode
from rcex_ws.gateway.store import ACCOUNT_ID, ExtensionRecord, Message

__all__ = ["routes"]

_STORE_EVENT = "/restapi/v1.0/account/~/extension/~/message-store"
_PER_PAGE = 100
_MOST_DIGITS = 18


def routes(core: GatewayCore) -> list[Route]:
    """Return the routes."""

    async def send_pager(request: Request) -> Response:
        sender = own_extension_of(core, request)
        body = await json_body(request)
        text = body.get("text")
        if not isinstance(text, str) or not text:
            raise Problem(400, "CMN-101", "Parameter [text] value is invalid")
        recipients = _recipients(core, body.get("to"))
        return JSONResponse(_pager(core, sender, recipients, text).body(server_of(request)))

    async def send_fax(request: Request) -> Response:
        sender = own_extension_of(core, request)
        boundary = boundary_of(request.headers.get("content-type", ""))
        if boundary is None:
            raise Problem(415, "CMN-115", "A fax is sent as multipart/form-data")
        wanted, files = _fax_parts(read_parts(await request.body(), boundary))
        to = wanted.get("to")
        if not to or not files:
            raise Problem(400, "CMN-101", "A fax needs the parameter [to] and an attachment")
        stored = [("RenderedDocument", part.content_type, part.content) for part in files]
        facts = {"to": to, "faxResolution": wanted.get("faxResolution", "High"), "faxPageCount": len(files)}
        message = core.store.add_message(sender, "Fax", "Outbound", files=stored, facts=facts)
        _notify_owner(core, message)
        return JSONResponse(message.body(server_of(request)))

    async def read_all(request: Request) -> Response:
        owner = own_extension_of(core, request)
        kinds = set(request.query_params.getlist("messageType"))
        directions = set(request.query_params.getlist("direction"))
        found = [
            message.body(server_of(request))
            for message in core.store.messages_of(owner)
            if (not kinds or message.facts["type"] in kinds)
            and (not directions or message.facts["direction"] in directions)
        ]
        page = _number(request, "page", 1)
        per_page = _number(request, "perPage", _PER_PAGE)
        records = found[(page - 1) * per_page : page * per_page]
        paging = {"page": page, "perPage": per_page, "totalElements": len(found)}
        uri = f"{server_of(request)}{owner.uri}/message-store"
        return JSONResponse({"uri": uri, "records": records, "paging": paging})

    async def read(request: Request) -> Response:
        owner = own_extension_of(core, request)
        ids = request.path_params["message_id"].split(",")
        if len(ids) == 1:
            return JSONResponse(_message(core, owner, ids[0]).body(server_of(request)))
        return _batch(core, owner, ids, server_of(request))

    async def mark(request: Request) -> Response:
        message = _message(core, own_extension_of(core, request), request.path_params["message_id"])
        wanted = (await json_body(request)).get("readStatus")
        if wanted not in ("Read", "Unread"):
            raise Problem(400, "CMN-101", "Parameter [readStatus] value is invalid")
        core.store.mark_message(message, wanted)
        _notify_owner(core, message, is_new=False)
        return JSONResponse(message.body(server_of(request)))

    async def delete(request: Request) -> Response:
        owner = own_extension_of(core, request)
        # Without `purge` RingCentral keeps a deleted message for a while; here it is gone at once.
        named = [_message(core, owner, one) for one in request.path_params["message_id"].split(",")]
        for message in {one.id: one for one in named}.values():
            core.store.delete_message(message)
            _notify_owner(core, message, is_new=False)
        return Response(status_code=204)

    async def content(request: Request) -> Response:
        message = _message(core, own_extension_of(core, request), request.path_params["message_id"])
        wanted = request.path_params["attachment_id"]
        file = next((one for one in message.attachments if one.id == wanted), None)
        if file is None:
            raise Problem(404, "CMN-102", "Resource for parameter [attachmentId] is not found")
        if socket_of(request) is not None:
            # RingCentral's SDK documents that binary downloads do not work over a WebSocket; the wording is ours.
            raise Problem(415, "CMN-115", "Binary content is not available over a WebSocket")
        return Response(file.content, media_type=file.content_type)

    store = f"{EXTENSION}/message-store"
    return [
        Route(f"{EXTENSION}/company-pager", send_pager, methods=["POST"]),
        Route(f"{EXTENSION}/fax", send_fax, methods=["POST"]),
        Route(store, read_all, methods=["GET"]),
        Route(f"{store}/{{message_id}}", read, methods=["GET"]),
        Route(f"{store}/{{message_id}}", mark, methods=["PUT"]),
        Route(f"{store}/{{message_id}}", delete, methods=["DELETE"]),
        Route(f"{store}/{{message_id}}/content/{{attachment_id}}", content, methods=["GET"]),
    ]


def _pager(core: GatewayCore, sender: ExtensionRecord, recipients: list[ExtensionRecord], text: str) -> Message:
    """Store one copy per extension involved, and notify each owner."""
    facts = {
        "from": {"extensionNumber": sender.number, "extensionId": sender.id, "name": sender.name},
        "to": [{"extensionNumber": one.number, "extensionId": one.id, "name": one.name} for one in recipients],
        "subject": text,
        "conversation": {"id": str(uuid.uuid4())},
    }
    sent = core.store.add_message(sender, "Pager", "Outbound", facts=facts)
    _notify_owner(core, sent, *(["Inbound"] if sender in recipients else []))
    for one in recipients:
        received = sent if one is sender else core.store.add_message(one, "Pager", "Inbound", facts=facts)
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
        extension = core.store.by_id(str(one.get("extensionId") or one.get("extensionNumber")))
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
    message = None if number is None else core.store.messages.get((owner.id, number))
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


def _number(request: Request, name: str, default: int) -> int:
    number = _decimal(request.query_params.get(name, str(default)))
    if number is None or number < 1:
        raise Problem(400, "CMN-101", f"Parameter [{name}] value is invalid")
    return number


def _decimal(text: str) -> int | None:
    """Parse a whole number of reasonable length."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None
