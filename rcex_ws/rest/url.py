"""Full URLs with encoded queries, and path templates that tell kinds of calls apart. Pure.

Used by `calls`, `gate`, `oauth` and `rcex_ws.wsg`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from rcex_ws.errors import ConfigurationError
from rcex_ws.rest.message import Params, Scalar

__all__ = ["as_builtin", "build_url", "path_of", "path_template"]

#: Types that JSON and a query accept as they are.
_BUILTIN_TYPES = frozenset({str, int, float, bool, type(None)})

#: httpx refuses longer URLs, and hardly any server accepts one.
_MAX_LENGTH = 2**16

# An id starts with a digit, has at least four, is very long, or is `~`; "v1.0" and "a2p-sms" are words.
_ID = re.compile(r"~|\d.*|(?:\D*\d){4}.*|.{32,}")


def build_url(server: str, path: str, params: Params | None = None) -> str:
    """Return the full URL of a call.

    Args:
        server: URL of the server, as returned by `check_server`.
        path: "/..." on the server, or an absolute http(s) URL; already checked.
        params: query parameters, added to those that `path` may have.

    Raises:
        ConfigurationError: the URL is too long.
    """
    url = server + path if path.startswith("/") else path
    query = urlencode(list(_pairs(params or {})), quote_via=quote)
    if query:
        url = f"{url}{'&' if '?' in url else '?'}{query}"
    if len(url) > _MAX_LENGTH:
        raise ConfigurationError(f"path and params: are longer than {_MAX_LENGTH:,} characters; only a body may be")
    return url


def path_of(url: str) -> str:
    """Return the path of a URL or path without its query, so that it can be shown in messages."""
    return urlsplit(url).path


@lru_cache(maxsize=1024)
def path_template(path: str) -> str:
    """Return the path with its ids replaced by `*`, so that calls of one kind share one key."""
    return "/".join("*" if _ID.fullmatch(segment) else segment for segment in path_of(path).split("/"))


def as_builtin(value: Any) -> Any:
    """Return a value of a subclass, such as an enum, as plain `str`, `int` or `float`, which all transports accept."""
    if type(value) in _BUILTIN_TYPES:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    return int(value) if isinstance(value, int) else float(value)


def _pairs(params: Params) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        many = [value] if isinstance(value, str | int | float) or value is None else value
        for one in many:
            if one is not None:
                yield name, _text(one)


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(as_builtin(value))
