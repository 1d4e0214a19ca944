"""The HTTPS edge: sends requests through an HTTP library, follows redirects, reads bodies within limits.

Made by `rcex_ws.rest.client`, called by `rcex_ws.rest.calls`, also used by `rcex_ws.slack`. The user may pass in an
`httpx.AsyncClient` or another client with the same method (httpx2), so only the protocols of `http_library` are relied
on; httpx itself is imported when the first call needs it.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import lru_cache
from typing import Any, Final, Protocol, cast
from urllib.parse import urljoin
from weakref import WeakSet

import anyio

from rcex_ws.address import check_server, encode_path, may_have_token
from rcex_ws.errors import RequestTimeout, ResponseTooLarge, TransportError
from rcex_ws.home import close_in_forks
from rcex_ws.loop import Signal
from rcex_ws.rest.headers import Headers
from rcex_ws.rest.http_body import keyword_arguments
from rcex_ws.rest.http_library import HTTPClient, HTTPResponse, failure_of
from rcex_ws.rest.in_flight import InFlight
from rcex_ws.rest.message import Request, Response
from rcex_ws.rest.upload import BODY, MultipartBody
from rcex_ws.secret import hide
from rcex_ws.websocket.proxies import check_proxy

__all__ = ["HTTPEdge", "StreamedResponse", "within_deadline"]

_CLOSE_TIMEOUT = 5.0
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Headers that a redirect takes along to another server: those that describe the wanted answer.
_CROSS_ORIGIN_HEADERS = frozenset({"accept", "accept-language", "range", "user-agent"})


class _OwnClient(HTTPClient, Protocol):
    async def aclose(self) -> None: ...


@contextmanager
def within_deadline(request: Request) -> Generator[None]:
    """Cancel the block at the deadline of the request.

    Raises:
        RequestTimeout: the deadline has passed.
    """
    with anyio.CancelScope(deadline=request.deadline) as scope:
        yield
    if scope.cancelled_caught:
        raise RequestTimeout(f"{request}: no answer within {request.timeout:g} seconds") from None


class StreamedResponse:
    """Answer whose body has not been read yet."""

    via: Final = "https"

    def __init__(
        self, answer: HTTPResponse, failure: Callable[[Exception], TransportError | None], max_bytes: int
    ) -> None:
        self._answer = answer
        self._failure = failure
        self._max_bytes = max_bytes
        self.status_code: int = answer.status_code
        self.headers: Headers = Headers(dict(answer.headers))

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, decompressed.

        Raises:
            TransportError: the connection was lost, or nothing came within the time-out of the call.
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
            TransportError: as in `aiter_bytes`.
        """
        return b"".join([chunk async for chunk in self.aiter_bytes()])

    async def abandon(self, chunks: AsyncIterator[bytes]) -> None:
        """Close the connection and end an iteration over `aiter_bytes` that will not go on."""
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            await self._answer.aclose()
            # Reading on ends the library's generators in order; see `_read_body`.
            with suppress(Exception):
                async for _ in chunks:
                    pass

    async def read_error_body(self) -> bytes:
        """Read the whole body of an error answer, with the size limit of `HTTPEdge.send`.

        Raises:
            TransportError: as in `aiter_bytes`.
            ResponseTooLarge: the body is larger than `max_response_bytes`.
        """
        try:
            return await _read_body(self._answer, self._max_bytes)
        except Exception as exc:
            if failure := self._failure(exc):
                raise failure from None
            raise


class HTTPEdge:
    """Sender of requests by HTTP.

    Args:
        http: the user's HTTP client, never closed here; None creates one on first use.
        proxy: None or True reads the environment, a URL names a proxy, False uses none.
        ssl_context: called once, for the client created here.
        max_response_bytes: largest body that `send` accepts, in bytes after decompression.

    Raises:
        ConfigurationError: `proxy` is not the URL of a proxy.
    """

    def __init__(
        self,
        http: HTTPClient | None,
        *,
        proxy: str | bool | None,
        ssl_context: Callable[[], ssl.SSLContext],
        max_response_bytes: int,
    ) -> None:
        check_proxy(proxy)
        self._users_client = http
        self._proxy = hide(proxy)
        self._ssl_context = ssl_context
        self._max_response_bytes = max_response_bytes
        self._own: _OwnClient | None = None
        self._in_flight = InFlight()
        self._streams: WeakSet[Any] = WeakSet()  # httpcore's, for the connections of our own client
        close_in_forks(self)

    def descriptors(self) -> Iterable[int]:
        """Return the file descriptors of the connections of our own client."""
        sockets = [stream.get_extra_info("socket") for stream in self._streams]
        return [socket.fileno() for socket in sockets if socket is not None and socket.fileno() >= 0]

    @property
    def is_open(self) -> bool:
        """Whether a client created here has to be closed."""
        return self._own is not None

    @property
    def closed(self) -> Signal:
        """What is set when this is closed, for what waits before a call."""
        return self._in_flight.closed

    async def send(self, request: Request, url: str, headers: Mapping[str, str]) -> Response:
        """Send a request and read the whole answer; the time-out is up to the caller.

        Args:
            request: provides method and body.
            url: the full URL.
            headers: all headers, including Authorization.

        Raises:
            TransportError: no answer came.
            ResponseTooLarge: the body is larger than `max_response_bytes`.
            NotConnected: this is closed.
        """
        with self._in_flight.until_closed(request):
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
        """Send a request and yield the answer as soon as its headers have come.

        `request.timeout` applies until then, and after that to each read of the body.

        Raises:
            RequestTimeout: the headers did not come in time.
            TransportError: no answer came.
            NotConnected: this is closed.
        """
        async with AsyncExitStack() as stack:
            with self._in_flight.until_closed(request):
                client = self._client()
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
        """Send a request and follow the redirects of a GET or HEAD; the stack closes the answer."""
        arguments = await keyword_arguments(request, headers)
        if client is self._own and isinstance(arguments.get("content"), MultipartBody):
            arguments["extensions"] = {BODY: arguments["content"]}
        for _ in range(_MAX_REDIRECTS + 1):
            target = _parsed_url(url) if client is self._own else url
            answer = await stack.enter_async_context(
                client.stream(request.method, target, timeout=timeout, follow_redirects=False, **arguments)
            )
            if client is self._own and (stream := cast("Any", answer).extensions.get("network_stream")) is not None:
                self._streams.add(stream)
            location = answer.headers.get("Location")
            # A redirected POST would send its body to another host.
            if answer.status_code not in _REDIRECTS or location is None or request.method not in {"GET", "HEAD"}:
                return answer
            await stack.aclose()
            url, previous_url = _redirect_target(url, location), url
            if not may_have_token(previous_url, url):
                arguments = _cross_origin_arguments(arguments["headers"])
        raise TransportError(f"{request}: redirected more than {_MAX_REDIRECTS} times")

    async def aclose(self) -> None:
        """End all calls and close the client created here, within a time limit, even if the caller is cancelled.

        It is for good. What reads the body of a stream gets a `TransportError`, if the client was created here.
        """
        own, self._own = self._own, None
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            await self._in_flight.end()
        if own is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                await own.aclose()

    def _client(self) -> HTTPClient:
        if self._users_client is not None:
            return self._users_client
        if self._own is None:
            from http.cookiejar import CookieJar, DefaultCookiePolicy

            import httpx

            from rcex_ws.rest.http_transport import RoutedTransport

            transport = RoutedTransport(self._proxy, self._ssl_context())
            # No cookies: those of one login would be sent with the next.
            no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
            client = httpx.AsyncClient(transport=transport, trust_env=False, cookies=no_cookies)
            self._own = cast("_OwnClient", client)
        return self._own


def _cross_origin_arguments(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments for a redirect to another server: few headers, no body."""
    return {"headers": {name: value for name, value in headers.items() if name.lower() in _CROSS_ORIGIN_HEADERS}}


async def _read_body(answer: HTTPResponse, max_bytes: int) -> bytes:
    """Read a body; stop at `max_bytes` while decompressing."""
    chunks: list[bytes] = []
    left = max_bytes
    try:
        async for chunk in answer.aiter_bytes():
            left -= len(chunk)
            if left >= 0:
                chunks.append(chunk)
            else:
                # Reading on after the close ends the library's generators in order; trio warns about a generator that
                # is left to the garbage collector.
                await answer.aclose()
    except Exception:
        if left >= 0:
            raise
    if left < 0:
        raise ResponseTooLarge("the answer is larger than max_response_bytes; rc.stream() reads it in chunks")
    return b"".join(chunks)


def _redirect_target(url: str, location: str) -> str:
    """Return the URL that an answer redirects to."""
    try:
        # In ASCII, since libraries disagree on which host a non-ASCII name means.
        target = encode_path(urljoin(url, location))
        check_server(target.partition("?")[0].partition("#")[0])
    except ValueError:  # from urljoin; a ConfigurationError is one, too
        raise TransportError("the server redirected to something that is not an http(s) URL") from None
    return target.partition("#")[0]


@lru_cache(maxsize=64)
def _parsed_url(url: str) -> object:
    """Return httpx's URL; cached, since parsing takes a sixth of a call and most calls share a few URLs."""
    import httpx

    return httpx.URL(url)
