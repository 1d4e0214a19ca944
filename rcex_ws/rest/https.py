"""The HTTPS edge: with `transport.py` all that talks to httpx, which is imported when the first call needs it.

Made and closed by `rcex_ws.rest.client`, called by `rcex_ws.rest.calls`. A ready client of the user's may be an
`httpx.AsyncClient` or anything with the same method (httpx2), so only the protocols below are relied on.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any, Protocol, cast
from urllib.parse import urljoin
from weakref import WeakSet

import anyio

from rcex_ws.address import check_server, encode_path, may_have_token
from rcex_ws.errors import RequestTimeout, ResponseTooLarge, TransportError
from rcex_ws.home import close_in_children
from rcex_ws.rest.headers import Headers
from rcex_ws.rest.http_body import keyword_arguments
from rcex_ws.rest.http_library import HTTPClient, HTTPResponse, failure_of
from rcex_ws.rest.message import Request, Response
from rcex_ws.secret import hide
from rcex_ws.websocket.proxies import check_proxy

__all__ = ["HTTPEdge", "StreamedResponse", "within_deadline"]

_CLOSE_TIMEOUT = 5.0
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: What another server that a call is redirected to may see of it: what describes the answer, and nothing else.
_CROSS_ORIGIN_HEADERS = frozenset({"accept", "accept-language", "range", "user-agent"})


class _OwnClient(HTTPClient, Protocol):
    async def aclose(self) -> None: ...


@contextmanager
def within_deadline(request: Request) -> Generator[None]:
    """Bound everything in the block by the request's deadline.

    Raises:
        RequestTimeout: the time is over.
    """
    with anyio.CancelScope(deadline=request.deadline) as scope:
        yield
    if scope.cancelled_caught:
        raise RequestTimeout(f"{request}: no answer within {request.timeout:g} seconds")


class StreamedResponse:
    """Give an answer whose body is still on its way."""

    def __init__(
        self, answer: HTTPResponse, failure: Callable[[Exception], TransportError | None], max_bytes: int
    ) -> None:
        self._answer = answer
        self._failure = failure
        self._max_bytes = max_bytes
        self.status_code = answer.status_code
        self.headers = Headers(dict(answer.headers))

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, decompressed.

        Raises:
            TransportError: the connection was lost, or nothing came for the call's time-out.
        """
        try:
            async for chunk in self._answer.aiter_bytes():
                yield chunk
        except Exception as exc:
            if failure := self._failure(exc):
                raise failure from None
            raise

    async def aread(self) -> bytes:
        """Read the whole body.

        Raises:
            TransportError: the connection was lost, or nothing came for the call's time-out.
        """
        return b"".join([chunk async for chunk in self.aiter_bytes()])

    async def read_error_body(self) -> bytes:
        """Read the whole body of an answer that nobody asked to be streamed: bounded, as by `HTTPEdge.send`.

        Raises:
            TransportError: as above.
            ResponseTooLarge: it is larger than `max_response_bytes`.
        """
        try:
            return await _read_body(self._answer, self._max_bytes)
        except Exception as exc:
            if failure := self._failure(exc):
                raise failure from None
            raise


class HTTPEdge:
    """Send requests by HTTP.

    Args:
        given: the user's client, never closed here; None makes one when first needed.
        proxy: None or True = the environment's, an URL = that one, False = none.
        ssl_context: asked once, for the client made here.
        max_response_bytes: the largest body that `send` takes, decompressed.

    Raises:
        ConfigurationError: `proxy` is no proxy's URL.
    """

    def __init__(
        self,
        given: HTTPClient | None,
        *,
        proxy: str | bool | None,
        ssl_context: Callable[[], ssl.SSLContext],
        max_response_bytes: int,
    ) -> None:
        check_proxy(proxy)
        self._given = given
        self._proxy = hide(proxy)
        self._ssl_context = ssl_context
        self._max_response_bytes = max_response_bytes
        self._own: _OwnClient | None = None
        self._streams: WeakSet[Any] = WeakSet()  # of httpcore: the connections of our own client
        close_in_children(self)

    def descriptors(self) -> Iterable[int]:
        """Give the descriptors of the connections that our own client keeps."""
        sockets = [stream.get_extra_info("socket") for stream in self._streams]
        return [socket.fileno() for socket in sockets if socket is not None and socket.fileno() >= 0]

    @property
    def is_open(self) -> bool:
        """Whether a client made here waits to be closed."""
        return self._own is not None

    async def send(self, request: Request, url: str, headers: Mapping[str, str]) -> Response:
        """Send a request and read the whole answer; the caller bounds it in time.

        Args:
            request: method and body.
            url: the full URL.
            headers: all headers, the bearer included.

        Raises:
            TransportError: no answer came.
            ResponseTooLarge: its body is larger than `max_response_bytes`.
        """
        client = self._client()
        async with AsyncExitStack() as stack:
            try:
                answer = await self._open(stack, client, request, url, headers, timeout=None)
                content = await _read_body(answer, self._max_response_bytes)
            except Exception as exc:
                if failure := failure_of(exc, client, request, url):
                    raise failure from None
                raise
        return Response(answer.status_code, dict(answer.headers), content)

    @asynccontextmanager
    async def stream(self, request: Request, url: str, headers: Mapping[str, str]) -> AsyncGenerator[StreamedResponse]:
        """Send a request and give the answer as soon as its headers are there.

        `request.timeout` bounds the way to the headers, and then each read of the body.

        Raises:
            RequestTimeout: the headers did not come in time.
            TransportError: no answer came.
        """
        client = self._client()
        async with AsyncExitStack() as stack:
            try:
                request.start_clock()
                with within_deadline(request):
                    answer = await self._open(stack, client, request, url, headers, timeout=request.timeout)
            except Exception as exc:
                if failure := failure_of(exc, client, request, url):
                    raise failure from None
                raise
            yield StreamedResponse(answer, lambda exc: failure_of(exc, client, request, url), self._max_response_bytes)

    async def _open(
        self,
        stack: AsyncExitStack,
        client: HTTPClient,
        request: Request,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout: float | None,
    ) -> HTTPResponse:
        """Send a request, and follow where a GET is redirected; the stack closes the answer."""
        arguments = await keyword_arguments(request, headers)
        for _ in range(_MAX_REDIRECTS + 1):
            target = _parsed_url(url) if client is self._own else url
            answer = await stack.enter_async_context(
                client.stream(request.method, target, timeout=timeout, follow_redirects=False, **arguments)
            )
            if client is self._own and (stream := cast("Any", answer).extensions.get("network_stream")) is not None:
                self._streams.add(stream)
            location = answer.headers.get("Location")
            # A redirected POST would carry its body to another host.
            if answer.status_code not in _REDIRECTS or location is None or request.method not in {"GET", "HEAD"}:
                return answer
            await stack.aclose()
            url, previous_url = _redirect_target(url, location), url
            if not may_have_token(previous_url, url):
                arguments = _cross_origin_arguments(arguments["headers"])
        raise TransportError(f"{request}: redirected more than {_MAX_REDIRECTS} times")

    async def aclose(self) -> None:
        """Close the client made here; bounded, and also done when the caller is cancelled."""
        own, self._own = self._own, None
        if own is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                await own.aclose()

    def _client(self) -> HTTPClient:
        if self._given is not None:
            return self._given
        if self._own is None:
            from http.cookiejar import CookieJar, DefaultCookiePolicy

            import httpx

            from rcex_ws.rest.http_transport import RoutedTransport

            transport = RoutedTransport(self._proxy, self._ssl_context())
            # No jar: a cookie of one login would go on with the next.
            no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
            client = httpx.AsyncClient(transport=transport, trust_env=False, cookies=no_cookies)
            self._own = cast("_OwnClient", client)
        return self._own


def _cross_origin_arguments(headers: Mapping[str, str]) -> dict[str, Any]:
    """Give what goes along to another server, as httpx's keyword arguments: no body either."""
    return {"headers": {name: value for name, value in headers.items() if name.lower() in _CROSS_ORIGIN_HEADERS}}


async def _read_body(answer: HTTPResponse, max_bytes: int) -> bytes:
    """Read a body, bounded while it is decompressed."""
    chunks: list[bytes] = []
    left = max_bytes
    try:
        async for chunk in answer.aiter_bytes():
            left -= len(chunk)
            if left >= 0:
                chunks.append(chunk)
            else:
                # Reading from what is closed ends the library's generators in order; one that is left is collected
                # later, which trio complains about.
                await answer.aclose()
    except Exception:
        if left >= 0:
            raise
    if left < 0:
        raise ResponseTooLarge("the answer is larger than max_response_bytes; rc.stream() takes it piece by piece")
    return b"".join(chunks)


def _redirect_target(url: str, location: str) -> str:
    """Give where an answer redirects to."""
    try:
        # In ASCII, for the libraries do not agree which host one that is not stands for.
        target = encode_path(urljoin(url, location))
        check_server(target.partition("?")[0].partition("#")[0])
    except ValueError:  # of urljoin; a `ConfigurationError` is one, too
        raise TransportError("the server redirected to something that is no http(s) URL") from None
    return target.partition("#")[0]


@lru_cache(maxsize=64)
def _parsed_url(url: str) -> object:
    """Give httpx's URL: most calls are to a few, and to read one takes a sixth of a call."""
    import httpx

    return httpx.URL(url)
