"""Annotated types for public signatures. Pure."""

from __future__ import annotations

from os import PathLike
from typing import Annotated

from msgspec import Meta

from rcex_ws.address import websocket_fault
from rcex_ws.headers import is_header_text, is_token
from rcex_ws.options.constraints import Rule
from rcex_ws.options.urls import server_fault, url_fault

__all__ = [
    "LONGEST",
    "Bytes",
    "CloseCode",
    "Count",
    "Credential",
    "EventFilter",
    "FilePath",
    "HeaderName",
    "HeaderText",
    "HeaderValue",
    "Label",
    "Name",
    "Number",
    "Password",
    "Port",
    "Seconds",
    "ServerUrl",
    "Status",
    "Url",
    "Wait",
    "WebSocketUrl",
]

# Up to this many seconds, some 31 years, clocks and timers are exact to the microsecond.
LONGEST = 1e9
_MAX_COUNT = 2**53


def _printable(text: str) -> str | None:
    return None if text.isascii() and text.isprintable() else "it has characters other than printable ASCII"


def _one_line(text: str) -> str | None:
    return None if text.isprintable() else "it has a line end or another control character"


def _label(text: str) -> str | None:
    return _one_line(text) if text else "it is empty"


def _credential(text: str) -> str | None:
    return _printable(text.strip()) if text.strip() else "it is empty"


def _path(path: str | PathLike[str]) -> str | None:
    text = str(path)
    if "\0" in text:
        return "it has a null character"
    return None if text.strip() else "it is empty"


def _header_name(text: str) -> str | None:
    return None if is_token(text) else "it has characters other than letters, digits and hyphens"


def _header_value(text: str) -> str | None:
    return None if is_header_text(text) else "it has characters other than printable ASCII"


def _event_filter(text: str) -> str | None:
    if text != text.strip() or not text.isprintable():
        return "it has white space around it, or a control character"
    return None if text.startswith("/") else "it does not begin with a slash"


Seconds = Annotated[float, Meta(gt=0, le=LONGEST, description="seconds above 0")]
"""A positive duration."""
Wait = Annotated[float, Meta(ge=0, le=LONGEST, description="seconds, 0 or more")]
"""A duration that may be zero."""
Count = Annotated[int, Meta(gt=0, le=_MAX_COUNT, description="a whole number above 0")]
Number = Annotated[int, Meta(ge=0, le=_MAX_COUNT, description="a whole number, 0 or more")]
Bytes = Annotated[int, Meta(gt=0, le=_MAX_COUNT, description="a number of bytes above 0")]
Port = Annotated[int, Meta(ge=0, le=65535, description="a port, from 0 to 65535")]
Status = Annotated[int, Meta(ge=200, le=599, description="a status of HTTP, 200 to 599")]
CloseCode = Annotated[int, Meta(ge=1000, le=4999, description="a close code, 1000 to 4999")]
Name = Annotated[str, Meta(min_length=1, description="a text that is not empty")]
Label = Annotated[str, Rule("a text of one line", _label)]
HeaderText = Annotated[str, Rule("a text on one line", _one_line)]
"""Text for an HTTP header, which is encoded if it is not ASCII."""
HeaderName = Annotated[str, Rule("the name of a header", _header_name)]
HeaderValue = Annotated[str, Rule("a text of visible ASCII and spaces", _header_value, secret=True)]
Credential = Annotated[str, Rule("a text of printable ASCII", _credential, secret=True)]
"""A secret or an id for a header or a form; surrounding whitespace is stripped, see `trimmed`."""
Password = Annotated[str, Rule("a text", secret=True)]
FilePath = Annotated[str | PathLike[str], Rule("the path of a file", _path)]
EventFilter = Annotated[str, Rule("a path that begins with a slash", _event_filter)]
ServerUrl = Annotated[str, Rule("an http(s) URL such as https://platform.ringcentral.com", server_fault, secret=True)]
Url = Annotated[str, Rule("an http(s), ws or wss URL", url_fault, secret=True)]
WebSocketUrl = Annotated[str, Rule("a ws:// or wss:// URL", websocket_fault, secret=True)]
