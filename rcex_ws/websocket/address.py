"""What stands in a WebSocket address. Pure; it may hold a token, so no part of an address is ever in an error."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

from msgspec import Struct

from rcex_ws.errors import ConnectFailed

__all__ = ["Address", "parse_address"]

_DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}

#: What may stand in a path or query as it is: the delimiters of RFC 3986, and what is encoded already.
_SAFE: Final = ":/?#[]@!$&'()*+,;=%"


class Address(Struct, frozen=True):
    """Say where a WebSocket server is.

    Attributes:
        scheme: "ws" or "wss".
        host: in lower case and ASCII; an IPv6 address has no brackets.
        port: also when the address names none.
        resource: path and query, as they stand in the request line.
    """

    scheme: str
    host: str
    port: int
    resource: str

    @property
    def secure(self) -> bool:
        """Tell whether it is TLS."""
        return self.scheme == "wss"

    @property
    def url(self) -> str:
        """The whole address, in ASCII."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.resource}"

    def __repr__(self) -> str:
        return f"Address({self.scheme!r}, {self.host!r}, {self.port})"


def parse_address(url: str) -> Address:
    """Take a WebSocket address apart.

    Args:
        url: a ws:// or wss:// address, in any case; a host or path that is not ASCII is encoded.

    Raises:
        ConnectFailed: it is none, which trying again does not change.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if host and ":" not in host:
            # For ASCII this checks the lengths of the labels, which the resolver would raise something else for.
            host = host.encode("idna").decode("ascii")
    except (ValueError, AttributeError, TypeError):  # brackets, port, labels; not a string
        raise _refusal() from None
    if parts.scheme not in _DEFAULT_PORTS or not host or port == 0:
        raise _refusal()
    if parts.fragment or "@" in parts.netloc:
        what = "a fragment" if parts.fragment else "a user name; a login goes into the headers"
        raise _refusal(f": it has {what}")
    resource = parts.path or "/"
    if parts.query:
        resource += f"?{parts.query}"
    if not resource.isascii():
        resource = quote(resource, safe=_SAFE)
    if not _is_visible(host) or not _is_visible(resource):
        raise _refusal(": it has a space or a control character")
    return Address(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port, resource)


def _is_visible(text: str) -> bool:
    """Tell whether it can stand in a line of HTTP."""
    return all("!" <= char <= "~" for char in text)


def _refusal(why: str = "") -> ConnectFailed:
    return ConnectFailed(f"the WebSocket address is not a valid ws:// or wss:// URI{why}", retryable=False)
