"""Files: uploaded as the raw body of a request, posted into a chat, and read again."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from rcex_ws.gateway.account.team.items import TeamFile
from rcex_ws.gateway.api.operation import Ask, Json
from rcex_ws.gateway.api.team.area import TeamArea, refuse_access
from rcex_ws.gateway.api.team.posts import writable_chat
from rcex_ws.gateway.multipart import boundary_of, read_parts
from rcex_ws.gateway.notices.team import post_in
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_LONGEST_NAME = 255
_BYTES = "application/octet-stream"
_TYPE = re.compile(r"[ -~]{1,255}")
"""What may be given back as a header; the type in a part of a form can be any text."""

area = TeamArea()


class FileQuery(Struct, rename="camel"):
    """The name of a file, and the chat to post it in."""

    name: Annotated[str, Meta(max_length=_LONGEST_NAME)] | None = None
    group_id: Annotated[str, Meta(max_length=40)] | None = None


@area.post("/files", consumes=(_BYTES, "multipart/form-data"))
def upload_file(ask: Ask[FileQuery, bytes]) -> Json:
    """Upload a file, and post it in a chat if one is named."""
    chat = None if ask.query.group_id is None else writable_chat(ask, ask.query.group_id)
    name, content_type, content = _sent(ask)
    file = ask.core.team.items.add_file(ask.caller.id, name, content_type, content)
    if chat is not None:
        file.chat_ids = [chat.id]
        post_in(ask.core, chat, ask.caller.id, attachments=[{"id": file.id, "type": "File"}])
    return [ask.core.team.file_body(file, ask.server)]


@area.get("/files/{fileId}")
def read_file(ask: Ask[None, None]) -> Json:
    """Read what is known of a file."""
    return ask.core.team.file_body(_file(ask), ask.server)


@area.get("/files/{fileId}/content")
def read_file_content(ask: Ask[None, None]) -> Response:
    """Read the bytes of a file."""
    file = _file(ask)
    if ask.socket is not None:
        raise Problem(415, "CMN-115", "Binary content is not available over a WebSocket")
    return Response(file.content, headers={"Content-Type": file.content_type})


def _sent(ask: Ask[FileQuery, bytes]) -> tuple[str, str, bytes]:
    """Return the name, the type and the bytes of an upload: the raw body, or the first part of a form with bytes."""
    content_type = ask.request.headers.get("content-type", _BYTES)
    boundary = boundary_of(content_type)
    name, content = ask.query.name, ask.body
    if boundary is not None:
        part = next((one for one in read_parts(ask.body, boundary) if one.content), None)
        if part is None:
            raise Problem(400, "CMN-101", "Parameter [body] value is invalid")
        name, content_type, content = name or part.filename, part.content_type, part.content
    if not content:
        raise Problem(400, "CMN-101", "Parameter [body] value is invalid")
    return (name or "file")[:_LONGEST_NAME], content_type if _TYPE.fullmatch(content_type) else _BYTES, content


def _file(ask: Ask[None, None]) -> TeamFile:
    file = ask.core.team.items.file(ask.path["fileId"])
    if file is None:
        raise Problem(404, "CMN-102", "Resource for parameter [fileId] is not found")
    if not ask.core.team.may_read(file, ask.caller.id):
        raise refuse_access("The file is in no chat of the user")
    return file
