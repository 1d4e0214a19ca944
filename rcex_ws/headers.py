"""What may stand in a header that is sent, by HTTP and in the upgrade of a WebSocket. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from rcex_ws.errors import ConfigurationError

__all__ = ["check_headers", "is_header_text", "is_token"]

#: RFC 9110, 5.6.2: what the names of methods and headers consist of.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: RFC 9110, 5.5, without what is not ASCII: how that is read, nobody can tell. Space around it is no part of it.
_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")


def is_token(text: object) -> bool:
    """Tell whether something can be the name of a method or header."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None


def is_header_text(text: str) -> bool:
    """Tell whether a text can be the value of a header: visible ASCII, and spaces between."""
    return _VALUE.fullmatch(text) is not None


def check_headers(headers: object, *, name: str = "headers") -> None:
    """Refuse what cannot be sent as headers, and quote nothing of it: it may be a secret.

    Args:
        headers: what was given.
        name: of the argument.

    Raises:
        ConfigurationError: names the argument and the header.
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
