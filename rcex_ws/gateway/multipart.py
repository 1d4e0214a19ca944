"""A parser for multipart bodies: multipart/form-data and multipart/mixed; RingCentral accepts both. Pure.

Used by `api/arguments.py` for faxes and text messages with files. The standard library's parser is used only for the
headers of the parts: for a whole body it would take a second and a hundred megabytes for a few megabytes of line ends.
"""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.shapes import as_object, decode

__all__ = ["MEDIA_TYPE", "Form", "Part", "boundary_of", "read_form", "read_parts"]

MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
"""What can be sent back as a Content-Type (RFC 6838, section 4.2)."""
_LONGEST_HEAD = 2**14
_MOST_PARTS = 1000
_REST_OF_LINE = re.compile(rb"(--)?[ \t]*(?=\r?\n|\Z)")
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError, MessageError)
"""What the standard library's parser is known to raise for malformed headers."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its form name and file name, None if missing, its content type, its bytes."""

    name: str | None
    filename: str | None
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """A request with files: the members of its JSON object, and the files."""

    members: dict[str, Any]
    files: list[Part]


def boundary_of(content_type: str) -> str | None:
    """Return the boundary in a Content-Type, None if it is not multipart."""
    message: Message = Message()
    message["Content-Type"] = content_type
    try:
        return message.get_boundary() if message.get_content_maintype() == "multipart" else None
    except _UNREADABLE:
        return None


def read_parts(body: bytes, boundary: str) -> list[Part]:
    """Return the parts of a multipart body; a nested multipart is not split.

    Raises:
        Problem: 400 MSG-349 if the body cannot be parsed.
    """
    try:
        return [_part(head, content) for head, content in _split(body, boundary.encode())]
    except _UNREADABLE as error:
        raise Problem(400, "MSG-349", "Unable to parse the multipart body") from error


def read_form(body: bytes, boundary: str) -> Form:
    """Return a multipart body as a JSON object and files.

    The object is a part of the type application/json, or has one form field for each member, among them phone numbers
    in `to` (which may be repeated) and `from`.

    Raises:
        Problem: 400 MSG-349 if the body cannot be parsed, 400 CMN-100 if the JSON part is no object.
    """
    members: dict[str, Any] = {}
    files: list[Part] = []
    for part in read_parts(body, boundary):
        if part.content_type == "application/json":
            members |= _json_object(part)
        elif part.filename is not None or part.name is None:
            files.append(part)
        elif part.name == "to":
            members.setdefault("to", []).append({"phoneNumber": _text(part)})
        else:
            members[part.name] = {"phoneNumber": _text(part)} if part.name == "from" else _text(part)
    return Form(members, files)


def _json_object(part: Part) -> dict[str, Any]:
    try:
        sent = as_object(decode(part.content))
    except ValueError as error:
        raise Problem(400, "CMN-100", "The JSON part of the request is malformed") from error
    if sent is None or not isinstance(sent.get("to", []), list):
        raise Problem(400, "CMN-100", "The JSON part of the request is an object, and its member [to] an array")
    return sent


def _text(part: Part) -> str:
    try:
        return part.content.decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "MSG-349", "A field of the form is not UTF-8") from error


def _split(body: bytes, boundary: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the head and the content of each part (RFC 2046, section 5.1; line ends may lack their CR)."""
    begin: int | None = None
    for start, end, last in _delimiters(body, b"--" + boundary):
        if begin is not None:
            yield _cut(body, begin, start)
        if last:
            return
        begin = end
    if begin is not None:  # a truncated part counts, too
        yield _cut(body, begin, len(body))


def _delimiters(body: bytes, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield for each delimiter line: the start of the line end before it, its end, whether it is the closing one."""
    at = 0 if body.startswith(delimiter) else body.find(b"\n" + delimiter)
    for _ in range(_MOST_PARTS):
        if at < 0:
            return
        line = at + 1 if body[at : at + 1] == b"\n" else at
        rest = _REST_OF_LINE.match(body, line + len(delimiter))
        if rest:
            yield at - (body[max(0, at - 1) : at] == b"\r"), rest.end(), rest[1] is not None
        at = body.find(b"\n" + delimiter, line)
    raise ValueError("too many parts")


def _cut(body: bytes, begin: int, end: int) -> tuple[bytes, bytes]:
    """Split a part, which starts with the line end of its delimiter, at the first empty line."""
    gap = _EMPTY_LINE.search(body, begin, min(end, begin + _LONGEST_HEAD))
    if gap is None:
        raise ValueError("a part whose headers do not end")
    return body[begin : gap.start()].lstrip(), body[gap.end() : end]


def _part(head: bytes, content: bytes) -> Part:
    headers = BytesParser(policy=HTTP).parsebytes(head + b"\r\n\r\n", headersonly=True)
    encoding = str(headers.get("content-transfer-encoding", "")).strip().lower()
    if encoding == "base64":
        content = base64.b64decode(content)
    elif encoding == "quoted-printable":
        content = quopri.decodestring(content)
    name, kind = headers.get_param("name", header="content-disposition"), headers.get_content_type()
    return Part(
        name if isinstance(name, str) else None,
        headers.get_filename(),
        kind if MEDIA_TYPE.fullmatch(kind) else "application/octet-stream",
        content,
    )
