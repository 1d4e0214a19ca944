"""Validate outbound headers, for HTTP and for the WebSocket upgrade. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from rcex_ws.errors import ConfigurationError

__all__ = ["check_headers", "is_header_text", "is_token"]

#: RFC 9110, 5.6.2: the name of a method or header.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: RFC 9110, 5.5: the value of a header, ASCII only, since the meaning of other bytes is undefined; no outer space.
_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")


def is_token(text: object) -> bool:
    """Return whether something can be the name of a method or header."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None


def is_header_text(text: str) -> bool:
    """Return whether a text can be the value of a header: visible ASCII, with spaces only in between."""
    return _VALUE.fullmatch(text) is not None


def check_headers(headers: object, *, name: str = "headers") -> None:
    """Refuse headers that cannot be sent. Errors quote no value, which may be a secret.

    Args:
        headers: the caller's value.
        name: the argument's name, for the error.

    Raises:
        ConfigurationError: a header is invalid; the message names the argument and the header.
    """
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"{name}: expected a dict of names and texts, got {type(headers).__name__}")
    for key, value in cast("Mapping[object, object]", headers).items():
        if not is_token(key):
            kind = type(key).__name__
            raise ConfigurationError(f"{name}: expected names of letters, digits and hyphens, got another ({kind})")
        if not isinstance(value, str):
            raise ConfigurationError(f"{name}: {key}: expected a text, got {type(value).__name__}")
        if not is_header_text(value):
            raise ConfigurationError(f"{name}: {key}: has a control or non-ASCII character, or space around it")
