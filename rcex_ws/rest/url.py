"""Addresses: full URLs with encoded queries, whose host may see the bearer, and which calls count as the same path.

Pure; used by the way of a call, the rate gate and OAuth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit

from rcex_ws.errors import ConfigurationError
from rcex_ws.rest.message import Params, Scalar

__all__ = ["build_url", "check_server", "own_host", "path_of", "path_template"]

_RINGCENTRAL = ".ringcentral.com"
# An id has digits in number or in front, or is `~`; "v1.0" and "a2p-sms" are words.
_ID = re.compile(r"~|\d.*|(?:\D*\d){4}.*|.{32,}")


def check_server(server: str) -> str:
    """Return the server's URL without trailing slash.

    Raises:
        ConfigurationError: it is no http(s) URL with a host.
    """
    parts = urlsplit(server)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ConfigurationError("server must be an http(s) URL such as https://platform.ringcentral.com")
    return server.rstrip("/")


def build_url(server: str, path: str, params: Params | None = None) -> str:
    """Return the full URL of a call.

    Args:
        server: as `check_server` returned it.
        path: "/..." on the server, or an absolute http(s) URL.
        params: the query, added to the one that `path` may have.

    Raises:
        ConfigurationError: `path` is neither.
    """
    if path.startswith("/"):
        url = server + path
    elif path.startswith(("https://", "http://")):
        url = path
        if "\\" in path or "@" in (urlsplit(path).netloc or "@"):  # readers disagree on the host of such URLs
            raise ConfigurationError("path is an URL with user info or without a plain host name")
    else:
        raise ConfigurationError("path must begin with a slash or be an absolute http(s) URL")
    query = urlencode(list(_pairs(params or {})), quote_via=quote)
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"


def own_host(server: str, url: str) -> bool:
    """Tell whether the URL's host may see the bearer: the server's own, and RingCentral's others for RingCentral's."""
    mine, other = urlsplit(server), urlsplit(url)
    if mine.scheme == "https" and other.scheme != "https":
        return False
    if mine.hostname == other.hostname:
        return True
    both = (mine.hostname or "", other.hostname or "")
    return all(host.endswith(_RINGCENTRAL) for host in both)


def path_of(url: str) -> str:
    """Return the path of an URL or path, without query: what may stand in messages."""
    return urlsplit(url).path


@lru_cache(maxsize=1024)
def path_template(path: str) -> str:
    """Return the path with its ids replaced by `*`, so that calls of one kind share one key."""
    return "/".join("*" if _ID.fullmatch(segment) else segment for segment in path_of(path).split("/"))


def _pairs(params: Params) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        many = [value] if isinstance(value, str | int | float) or value is None else value
        for one in many:
            if one is not None:
                yield name, _text(one)


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
