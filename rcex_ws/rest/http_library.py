"""The interface to an HTTP library: protocols for its client and its answers, and its errors turned into ours.

The library is httpx, or that of a client passed in by the user (httpx2). Used by `rcex_ws.rest.https`.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from rcex_ws.errors import RequestTimeout, TransportError
from rcex_ws.rest.message import Request

__all__ = ["HTTPClient", "HTTPResponse", "failure_of"]

_MAX_CHAIN = 20
#: Errors of httpx that come before a connection to the server is ready for the request; httpx2 has the same names.
_NEVER_SENT = frozenset(
    {"ConnectError", "ConnectTimeout", "InvalidURL", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}
)


class HTTPResponse(Protocol):
    """The part of `httpx.Response` that is used here."""

    @property
    def status_code(self) -> int:
        """The HTTP status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, decompressed."""
        ...

    async def aclose(self) -> None:
        """Stop reading and close the connection."""
        ...


class HTTPClient(Protocol):
    """The part of `httpx.AsyncClient` that is used here."""

    def stream(self, *args: Any, **kwargs: Any) -> AbstractAsyncContextManager[HTTPResponse]:
        """Send a request and yield the answer before its body."""
        ...


def failure_of(exc: Exception, client: HTTPClient, request: Request, url: str) -> TransportError | None:
    """Return our error for an error of the HTTP library; None for any other exception.

    The library's own text is left out: it may quote the URL or a header (h11 quotes the bearer token).
    """
    # UnicodeError: a host name that cannot be encoded, even one in a redirect that is not followed; httpx parses it.
    if isinstance(exc, TransportError) or not isinstance(exc, (OSError, UnicodeError, *_library_errors(client))):
        return None
    reason = _reason(exc) or type(exc).__name__
    if (sentence := getattr(exc, "sentence", None)) is None:
        sentence = f"no answer from {urlsplit(url).hostname}: {reason}"
    elif getattr(exc, "unreachable", False):  # the text of a proxy failure names the proxy
        sentence += f": {reason}"
    text = f"{request}: {sentence}"
    # ConnectTimeout, ReadTimeout, WriteTimeout, PoolTimeout: the names are the same in httpx and httpx2.
    sent = not any(cls.__name__ in _NEVER_SENT for cls in type(exc).__mro__)
    return (RequestTimeout if type(exc).__name__.endswith("Timeout") else TransportError)(text, sent=sent)


def _library_errors(client: HTTPClient) -> list[type[Exception]]:
    """Return the base classes of the errors of the client's library, which need not be httpx."""
    packages = {cls.__module__.partition(".")[0] for cls in type(client).__mro__}
    names = ("RequestError", "InvalidURL")
    errors: list[Any] = [getattr(sys.modules.get(package), name, None) for package in packages for name in names]
    return [error for error in errors if isinstance(error, type) and issubclass(error, Exception)]


def _reason(exc: BaseException | None) -> str | None:
    """Return the reason given by OpenSSL or the operating system, which holds no secret; None if there is none."""
    for _ in range(_MAX_CHAIN):  # bounded: `raise ... from` can create a cycle
        if exc is None:
            break
        if isinstance(exc, ssl.SSLError):  # its errno is OpenSSL's, not the system's
            return f"TLS: {getattr(exc, 'verify_message', None) or exc.reason or type(exc).__name__}"
        if isinstance(exc, OSError) and exc.errno:
            return os.strerror(exc.errno) if exc.errno > 0 else exc.strerror  # negative: from the resolver
        if isinstance(exc, BaseExceptionGroup):  # from trio, one for each address tried
            exc = cast("BaseExceptionGroup[BaseException]", exc).exceptions[0]
        else:
            exc = exc.__cause__ or exc.__context__
    return None
