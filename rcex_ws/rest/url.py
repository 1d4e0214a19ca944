"""Full URLs with encoded queries, and which calls count as the same path.

Pure; used by the way of a call, the rate gate and OAuth.
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

#: What JSON and a query take as it is.
_BUILTIN_TYPES = frozenset({str, int, float, bool, type(None)})

#: httpx sends no longer URL, and hardly any server takes one.
_MAX_LENGTH = 2**16

# An id has digits in number or in front, or is `~`; "v1.0" and "a2p-sms" are words.
_ID = re.compile(r"~|\d.*|(?:\D*\d){4}.*|.{32,}")


def build_url(server: str, path: str, params: Params | None = None) -> str:
    """Return the full URL of a call.

    Args:
        server: as `check_server` returned it.
        path: "/..." on the server, or an absolute http(s) URL; checked before.
        params: the query, added to the one that `path` may have.

    Raises:
        ConfigurationError: it is too long.
    """
    url = server + path if path.startswith("/") else path
    query = urlencode(list(_pairs(params or {})), quote_via=quote)
    if query:
        url = f"{url}{'&' if '?' in url else '?'}{query}"
    if len(url) > _MAX_LENGTH:
        raise ConfigurationError(f"path and params: are longer than {_MAX_LENGTH:,} characters; a body may be")
    return url


def path_of(url: str) -> str:
    """Return the path of an URL or path, without query: what may stand in messages."""
    return urlsplit(url).path


@lru_cache(maxsize=1024)
def path_template(path: str) -> str:
    """Return the path with its ids replaced by `*`, so that calls of one kind share one key."""
    return "/".join("*" if _ID.fullmatch(segment) else segment for segment in path_of(path).split("/"))


def as_builtin(value: Any) -> Any:
    """Give a member of an enum, or of another subclass, as what it is made of: the ways of a call agree on that."""
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
