"""A parser for multipart bodies (fax uploads): multipart/form-data and multipart/mixed; RingCentral accepts both. Pure.

Used by `api_messages.py`. The standard library's parser is used only for the headers of the parts: for a whole body it
would take a second and a hundred megabytes for a few megabytes of line ends.
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

from rcex_ws.gateway.problem import Problem

__all__ = ["Part", "boundary_of", "read_parts"]

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
        raise Problem(400, "MSG-349", "Unable to parse fax envelope") from error


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
    name = headers.get_param("name", header="content-disposition")
    return Part(name if isinstance(name, str) else None, headers.get_filename(), headers.get_content_type(), content)
