"""What is relied on of an HTTP library: the protocols that its client and answer fill, and its errors as ours.

The library is httpx, or what the user's own client is of (httpx2). Used by `rcex_ws.rest.https`.
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


class HTTPResponse(Protocol):
    """What is used of an `httpx.Response`."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, decompressed."""
        ...

    async def aclose(self) -> None:
        """Read no further, and close the connection."""
        ...


class HTTPClient(Protocol):
    """What is used of an `httpx.AsyncClient`."""

    def stream(self, *args: Any, **kwargs: Any) -> AbstractAsyncContextManager[HTTPResponse]:
        """Send a request and give the answer before its body."""
        ...


def failure_of(exc: Exception, client: HTTPClient, request: Request, url: str) -> TransportError | None:
    """Return our error for one of the HTTP library's, None for anything else.

    The library's text is left out: it may quote a header (h11 does, with the bearer) or the URL.
    """
    # A UnicodeError is that of a host, also of a redirection's that is not followed: httpx looks at it all the same.
    if isinstance(exc, TransportError) or not isinstance(exc, (OSError, UnicodeError, *_library_errors(client))):
        return None
    reason = _reason(exc) or type(exc).__name__
    if (sentence := getattr(exc, "sentence", None)) is None:
        sentence = f"no answer from {urlsplit(url).hostname}: {reason}"
    elif getattr(exc, "unreachable", False):  # a proxy's failure has words of its own, which name it
        sentence += f": {reason}"
    text = f"{request}: {sentence}"
    # ConnectTimeout, ReadTimeout, WriteTimeout, PoolTimeout: the names are the same in httpx and httpx2.
    return RequestTimeout(text) if type(exc).__name__.endswith("Timeout") else TransportError(text)


def _library_errors(client: HTTPClient) -> list[type[Exception]]:
    """Return the bases of the errors of the library that made the client; it need not be httpx."""
    packages = {cls.__module__.partition(".")[0] for cls in type(client).__mro__}
    names = ("RequestError", "InvalidURL")
    errors: list[Any] = [getattr(sys.modules.get(package), name, None) for package in packages for name in names]
    return [error for error in errors if isinstance(error, type) and issubclass(error, Exception)]


def _reason(exc: BaseException | None) -> str | None:
    """Return OpenSSL's or the operating system's words for the failure, which hold no secret."""
    for _ in range(_MAX_CHAIN):  # bounded: `raise ... from` can close a circle
        if exc is None:
            break
        if isinstance(exc, ssl.SSLError):  # its errno is OpenSSL's, not the system's
            return f"TLS: {getattr(exc, 'verify_message', None) or exc.reason or type(exc).__name__}"
        if isinstance(exc, OSError) and exc.errno:
            return os.strerror(exc.errno) if exc.errno > 0 else exc.strerror  # negative: of the name service
        if isinstance(exc, BaseExceptionGroup):  # trio's, one for each address it tried
            exc = cast("BaseExceptionGroup[BaseException]", exc).exceptions[0]
        else:
            exc = exc.__cause__ or exc.__context__
    return None
