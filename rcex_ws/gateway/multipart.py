"""Reading multipart bodies (fax uploads), with the standard library's MIME parser. Pure.

Used by `api_messages.py`. The email parser, unlike a form parser, reads multipart/form-data and multipart/mixed alike,
and RingCentral takes both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP

from rcex_ws.gateway.problem import Problem

__all__ = ["Part", "boundary_of", "read_parts"]

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError, MessageError)
"""What the standard library's parser is known to raise for headers that are none."""


@dataclass(frozen=True, slots=True)
class Part:
    """Hold one part: its form name and file name if it has any, its type, its bytes."""

    name: str | None
    filename: str | None
    content_type: str
    content: bytes = field(repr=False)


def boundary_of(content_type: str) -> str | None:
    """Return the boundary that a Content-Type names, None when it is not multipart."""
    message: Message = Message()
    message["Content-Type"] = content_type
    try:
        return message.get_boundary() if message.get_content_maintype() == "multipart" else None
    except _UNREADABLE:
        return None


def read_parts(body: bytes, boundary: str) -> list[Part]:
    """Return the parts of a multipart body.

    Raises:
        Problem: 400 MSG-349 for one that the parser cannot read.
    """
    head = f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'.encode()
    try:
        return list(_parts(head + body))
    except _UNREADABLE as error:
        raise Problem(400, "MSG-349", "Unable to parse fax envelope") from error


def _parts(message: bytes) -> Iterator[Part]:
    for part in BytesParser(policy=HTTP).parsebytes(message).walk():
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        yield Part(
            name if isinstance(name, str) else None,
            part.get_filename(),
            part.get_content_type(),
            content if isinstance(content, bytes) else b"",
        )
