"""What stands in an address, whoever gave it, and where a token may go. Pure.

An address may hold a token or a password, so no part of one is ever in an error. Who gave it decides what a bad one is:
the caller's is a `ConfigurationError`, a server's a `ConnectFailed` that may pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

from rcex_ws.errors import ConfigurationError, ConnectFailed
from rcex_ws.secret import SECRET, HiddenFields

__all__ = [
    "Address",
    "address_from_server",
    "check_server",
    "encode_path",
    "may_have_token",
    "parse_address",
    "same_origin",
    "server_fault",
    "websocket_fault",
    "with_query",
]

_DEFAULT_PORTS: Final = {"ws": 80, "wss": 443, "http": 80, "https": 443}
_SECURE: Final = frozenset({"wss", "https"})
_WEBSOCKET: Final = frozenset({"ws", "wss"})
_HTTP: Final = frozenset({"http", "https"})

#: What may stand in a path or query as it is: the delimiters of RFC 3986, and what is encoded already.
_SAFE: Final = ":/?#[]@!$&'()*+,;=%"

#: What readers of URLs disagree on: some drop it, some take it for a slash.
_FORBIDDEN: Final = frozenset(map(chr, range(33))) | {"\\", "\x7f"}

#: RingCentral's own hosts (API reference: platform, media, ...): its bearer is good at all of them.
_RINGCENTRAL: Final = ".ringcentral.com"


class Address(HiddenFields, frozen=True):
    """Say where a server is.

    Attributes:
        scheme: "ws", "wss", "http" or "https".
        host: in lower case and ASCII; an IPv6 address has no brackets.
        port: also when the address names none.
        resource: path and query, as they stand in the request line.
    """

    scheme: str
    host: str
    port: int
    resource: Annotated[str, SECRET]

    @property
    def secure(self) -> bool:
        """Tell whether it is TLS."""
        return self.scheme in _SECURE

    @property
    def origin(self) -> tuple[bool, str, int]:
        """What is one server: a WebSocket and an HTTP address of one host and port have the same."""
        return self.secure, self.host, self.port

    @property
    def url(self) -> str:
        """The whole address, in ASCII."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.resource}"


class _InvalidAddress(ValueError):
    """Say what was expected and why a text is not that, in words that quote nothing of it."""

    def __init__(self, expected: str, why: str) -> None:
        super().__init__(f"{expected}: {why}")
        self.why = why


def parse_address(url: str) -> Address:
    """Take a WebSocket address apart.

    Args:
        url: a ws:// or wss:// address, in any case; a host or path that is not ASCII is encoded.

    Raises:
        ConnectFailed: it is none, which trying again does not change.
    """
    try:
        return _parse(url, _WEBSOCKET)
    except _InvalidAddress as exc:
        raise ConnectFailed(f"the WebSocket address is {exc}", retryable=False) from None


def address_from_server(url: object, *, by: str, server: str) -> Address:
    """Take apart a WebSocket address that a server told; the next time it may tell another.

    Args:
        url: what it told.
        by: what told it, for the error.
        server: the URL of that server. What answers by TLS gets nothing in clear: the address bears a token.

    Raises:
        ConnectFailed: it is none, or not as secure as the server.
    """
    try:
        address = _parse(url, _WEBSOCKET)
    except _InvalidAddress as exc:
        raise ConnectFailed(f"the WebSocket address told by {by} is {exc}") from None
    if urlsplit(server).scheme == "https" and not address.secure:
        raise ConnectFailed(f"the WebSocket address told by {by} is ws://, and a server with https must tell wss://")
    return address


def websocket_fault(url: str) -> str | None:
    """Tell what is wrong with a caller's WebSocket address; None if nothing is."""
    try:
        _parse(url, _WEBSOCKET)
    except _InvalidAddress as exc:
        return exc.why
    return None


def server_fault(url: object) -> str | None:
    """Tell what is wrong with a caller's URL of a server; None if nothing is."""
    try:
        address = _parse(url, _HTTP)
    except _InvalidAddress as exc:
        return exc.why
    return "it is one with a query" if "?" in address.resource else None


def check_server(url: object, *, name: str = "server") -> str:
    """Return a server's URL without trailing slash.

    Args:
        url: what was given.
        name: of the argument.

    Raises:
        ConfigurationError: it is no http(s) URL of a server.
    """
    fault = server_fault(url)
    if fault is not None:
        raise ConfigurationError(f"{name}: expected an http(s) URL such as https://platform.ringcentral.com: {fault}")
    return str(url).rstrip("/")


def may_have_token(server: str, url: str) -> bool:
    """Tell whether the token of a server may go to an URL: to its own origin, and from RingCentral to RingCentral.

    Args:
        server: the URL of the server, as `check_server` returned it.
        url: where to, an http(s) or ws(s) URL.
    """
    mine, other = _origin(server), _origin(url)
    if mine is None or other is None:
        return False
    if mine == other:
        return True
    return all(secure and port == 443 and host.endswith(_RINGCENTRAL) for secure, host, port in (mine, other))


def encode_path(path: str) -> str:
    """Encode what is not ASCII in a path or URL, and leave all else as it is."""
    return path if path.isascii() else quote(path, safe=_SAFE)


def same_origin(server: str, url: str) -> bool:
    """Tell whether two URLs are of one server: scheme, host and port."""
    mine = _origin(server)
    return mine is not None and mine == _origin(url)


def with_query(url: str, values: Mapping[str, str]) -> str:
    """Give an URL with more in its query, encoded whole: a token may have any character."""
    more = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
    return f"{url}{'&' if '?' in url else '?'}{more}"


@lru_cache(maxsize=64)
def _origin(url: str) -> tuple[bool, str, int] | None:
    try:
        parts = urlsplit(url)
        return _parse(f"{parts.scheme}://{parts.netloc}", _HTTP | _WEBSOCKET).origin
    except ValueError:  # `_InvalidAddress` is one, too
        return None


def _parse(url: object, schemes: frozenset[str]) -> Address:
    """Take an address apart.

    Raises:
        _InvalidAddress: it is none.
    """
    expected = "not a valid ws:// or wss:// URI" if schemes == _WEBSOCKET else "expected an http(s) URL"
    if not isinstance(url, str):
        raise _InvalidAddress(expected, f"it is of the type {type(url).__name__}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if host and ":" not in host:
            # For ASCII this checks the lengths of the labels, which the resolver would raise something else for.
            host = host.encode("idna").decode("ascii")
        resource = encode_path((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    except ValueError:  # brackets, port, labels, half a character
        raise _InvalidAddress(expected, "its host or port cannot be read") from None
    if parts.scheme not in schemes:
        raise _InvalidAddress(expected, "it begins otherwise")
    if not host or port == 0:
        raise _InvalidAddress(expected, "it has no host, or the port 0")
    if parts.fragment:
        raise _InvalidAddress(expected, "it has a fragment")
    if "@" in parts.netloc:
        raise _InvalidAddress(expected, "it has a user name; a login goes into the headers")
    if not _is_visible(host) or not _is_visible(resource) or not _FORBIDDEN.isdisjoint(url):
        raise _InvalidAddress(expected, "it has a space, a backslash or a control character")
    return Address(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port, resource)


def _is_visible(text: str) -> bool:
    """Tell whether it can stand in a line of HTTP."""
    return all("!" <= char <= "~" for char in text)
