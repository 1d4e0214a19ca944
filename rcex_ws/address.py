"""Parse addresses, whatever their source, and decide where a token may be sent. Pure.

An address may contain a token or a password, so errors quote no part of one. The source decides which error a bad one
is: the caller's is a `ConfigurationError`, a server's a `ConnectFailed`, which may be retried.
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

#: Characters of a path or query that are not encoded: the delimiters of RFC 3986, and `%`.
_SAFE: Final = ":/?#[]@!$&'()*+,;=%"

#: Characters that URL parsers disagree on: some drop them, some read them as a slash.
_FORBIDDEN: Final = frozenset(map(chr, range(33))) | {"\\", "\x7f"}

#: RingCentral's own hosts (API reference: platform, media, ...): its bearer token is valid for all of them.
_RINGCENTRAL: Final = ".ringcentral.com"


class Address(HiddenFields, frozen=True):
    """The parts of a server's address.

    Attributes:
        scheme: "ws", "wss", "http" or "https".
        host: in lower case and ASCII; an IPv6 address has no brackets.
        port: the default of the scheme unless the address names one.
        resource: path and query, as in the request line.
    """

    scheme: str
    host: str
    port: int
    resource: Annotated[str, SECRET]

    @property
    def secure(self) -> bool:
        """Whether the connection uses TLS."""
        return self.scheme in _SECURE

    @property
    def origin(self) -> tuple[bool, str, int]:
        """Identifies the server: equal for the WebSocket and HTTP addresses of one host and port."""
        return self.secure, self.host, self.port

    @property
    def url(self) -> str:
        """The whole address, in ASCII."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.resource}"


class _InvalidAddress(ValueError):
    """An invalid address: what was expected, and what is wrong, without quoting it."""

    def __init__(self, expected: str, why: str) -> None:
        super().__init__(f"{expected}: {why}")
        self.why = why


def parse_address(url: str) -> Address:
    """Parse a WebSocket address.

    Args:
        url: a ws:// or wss:// address, in upper or lower case; a non-ASCII host or path is encoded.

    Raises:
        ConnectFailed: the address is invalid; not retryable.
    """
    try:
        return _parse(url, _WEBSOCKET)
    except _InvalidAddress as exc:
        raise ConnectFailed(f"the WebSocket address is {exc}", retryable=False) from None


def address_from_server(url: object, *, by: str, server: str) -> Address:
    """Parse a WebSocket address received from a server.

    Args:
        url: the received value.
        by: the source of the value, for the error.
        server: the URL of that server. If it uses TLS, so must the address, which carries a token.

    Raises:
        ConnectFailed: the address is invalid or less secure than the server; retryable, as the next may be another.
    """
    try:
        address = _parse(url, _WEBSOCKET)
    except _InvalidAddress as exc:
        raise ConnectFailed(f"the WebSocket address from {by} is {exc}") from None
    if urlsplit(server).scheme == "https" and not address.secure:
        raise ConnectFailed(f"the WebSocket address from {by} is ws://, but a server with https must send wss://")
    return address


def websocket_fault(url: str) -> str | None:
    """Return what is wrong with a caller's WebSocket address, or None."""
    try:
        _parse(url, _WEBSOCKET)
    except _InvalidAddress as exc:
        return exc.why
    return None


def server_fault(url: object) -> str | None:
    """Return what is wrong with a caller's URL of a server, or None."""
    try:
        address = _parse(url, _HTTP)
    except _InvalidAddress as exc:
        return exc.why
    return "it has a query" if "?" in address.resource else None


def check_server(url: object, *, name: str = "server") -> str:
    """Return a server's URL without trailing slash.

    Args:
        url: the caller's value.
        name: the argument's name, for the error.

    Raises:
        ConfigurationError: it is not the http(s) URL of a server.
    """
    fault = server_fault(url)
    if fault is not None:
        raise ConfigurationError(f"{name}: expected an http(s) URL such as https://platform.ringcentral.com: {fault}")
    return str(url).rstrip("/")


def may_have_token(server: str, url: str) -> bool:
    """Return whether a server's token may be sent to a URL: only within its origin, or among RingCentral's hosts.

    Args:
        server: the URL of the server, as returned by `check_server`.
        url: the destination, an http(s) or ws(s) URL.
    """
    mine, other = _origin(server), _origin(url)
    if mine is None or other is None:
        return False
    if mine == other:
        return True
    return all(secure and port == 443 and host.endswith(_RINGCENTRAL) for secure, host, port in (mine, other))


def encode_path(path: str) -> str:
    """Encode the non-ASCII characters of a path or URL, and nothing else."""
    return path if path.isascii() else quote(path, safe=_SAFE)


def same_origin(server: str, url: str) -> bool:
    """Return whether two URLs have the same scheme, host and port."""
    mine = _origin(server)
    return mine is not None and mine == _origin(url)


def with_query(url: str, values: Mapping[str, str]) -> str:
    """Add parameters to the query of a URL, with every special character encoded: a token may have any."""
    more = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
    return f"{url}{'&' if '?' in url else '?'}{more}"


@lru_cache(maxsize=64)
def _origin(url: str) -> tuple[bool, str, int] | None:
    try:
        parts = urlsplit(url)
        return _parse(f"{parts.scheme}://{parts.netloc}", _HTTP | _WEBSOCKET).origin
    except ValueError:  # `_InvalidAddress` is one as well
        return None


def _parse(url: object, schemes: frozenset[str]) -> Address:
    """Parse an address.

    Raises:
        _InvalidAddress: it is not one with such a scheme.
    """
    expected = "not a valid ws:// or wss:// URI" if schemes == _WEBSOCKET else "expected an http(s) URL"
    if not isinstance(url, str):
        raise _InvalidAddress(expected, f"it is of the type {type(url).__name__}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if host and ":" not in host:
            # For ASCII this checks the length of each label, for which the resolver would raise another error.
            host = host.encode("idna").decode("ascii")
        resource = encode_path((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    except ValueError:  # brackets, port, labels, a lone surrogate
        raise _InvalidAddress(expected, "its host or port cannot be read") from None
    if parts.scheme not in schemes:
        raise _InvalidAddress(expected, "its scheme is missing or wrong")
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
    """Return whether a text consists of visible ASCII, as a request line requires."""
    return all("!" <= char <= "~" for char in text)
