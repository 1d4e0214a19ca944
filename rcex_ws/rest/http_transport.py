"""The transport of the httpx client that `https` creates: requests use the same proxy as the WebSocket.

Imported when the first call needs it, since it imports httpx. httpx can read proxies from the environment, too; but it
rejects invalid variables that do not matter to the request, and its errors do not name the proxy.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import httpx

from rcex_ws.readers import read_digits
from rcex_ws.rest.upload import BODY, MultipartBody
from rcex_ws.secret import hide
from rcex_ws.websocket.proxies import Proxy, choose_proxy

__all__ = ["RoutedTransport"]

#: Servers whose proxy is remembered.
_MAX_SERVERS = 100


class _ProxyFailed(httpx.ProxyError):
    """Failure of a proxy.

    Attributes:
        sentence: description with the name of the proxy; holds no secret.
        unreachable: whether no connection could be made to the proxy; the cause has the reason.
    """

    def __init__(self, sentence: str, *, request: httpx.Request, unreachable: bool = False) -> None:
        super().__init__(sentence, request=request)
        self.sentence = sentence
        self.unreachable = unreachable


class _WholeBody(httpx.AsyncByteStream):
    """Request body that is yielded whole, once.

    httpx has an async generator instead, and trio warns about one that a failed or cancelled write leaves unfinished.
    """

    def __init__(self, content: bytes) -> None:
        self._left: bytes | None = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        content, self._left = self._left, None
        if content is None:
            raise StopAsyncIteration
        return content


class _StreamedBody(httpx.AsyncByteStream):
    """Request body that is read while it is sent, without an async generator of httpx's."""

    def __init__(self, body: MultipartBody) -> None:
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._body)


class RoutedTransport(httpx.AsyncBaseTransport):
    """Transport that sends each request through the proxy for its server.

    Args:
        proxy: None or True reads the environment, a URL names a proxy, False uses none.
        ssl_context: TLS context for connections to servers.
    """

    def __init__(self, proxy: str | bool | None, ssl_context: ssl.SSLContext) -> None:
        self._proxy = hide(proxy)
        self._ssl_context = ssl_context
        self._chosen: dict[tuple[str, bytes, int | None], Proxy | None] = {}
        self._transports: dict[Proxy | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            ConfigurationError: the environment names an invalid proxy.
            _ProxyFailed: the proxy could not be reached, or did not connect to the server.
            httpx.RequestError: no answer came, for another reason.
        """
        if isinstance(request.stream, httpx.ByteStream):
            request.stream = _WholeBody(request.content)
        elif isinstance(body := request.extensions.get(BODY), MultipartBody):
            request.stream = _StreamedBody(body)
        proxy = self._choose_proxy(request.url)
        if proxy is None:
            return await self._transport_for(None).handle_async_request(request)
        try:
            return await self._transport_for(proxy).handle_async_request(request)
        except httpx.ProxyError as exc:
            raise _ProxyFailed(_failure_text(proxy, str(exc)), request=request) from exc
        except httpx.ConnectError as exc:
            if _is_tls(exc):  # of the proxy or the server, which cannot be told apart
                raise
            text = f"no connection to the proxy {proxy.name}"
            raise _ProxyFailed(text, request=request, unreachable=True) from exc
        except Exception as exc:
            if not type(exc).__module__.startswith("socksio"):  # httpcore lets SOCKS errors through
                raise
            raise _ProxyFailed(f"the proxy {proxy.name} does not speak SOCKS", request=request) from exc

    async def aclose(self) -> None:
        """Close all connections."""
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            await transport.aclose()

    def _choose_proxy(self, url: httpx.URL) -> Proxy | None:
        server = (url.scheme, url.raw_host, url.port)
        if server not in self._chosen:
            if len(self._chosen) >= _MAX_SERVERS:
                self._chosen.clear()
            port = url.port or (443 if url.scheme == "https" else 80)
            self._chosen[server] = choose_proxy(url.scheme, url.raw_host.decode("ascii").lower(), port, self._proxy)
        return self._chosen[server]

    def _transport_for(self, proxy: Proxy | None) -> httpx.AsyncHTTPTransport:
        if proxy not in self._transports:
            self._transports[proxy] = httpx.AsyncHTTPTransport(
                verify=self._ssl_context, trust_env=False, proxy=None if proxy is None else _httpx_proxy(proxy)
            )
        return self._transports[proxy]


def _httpx_proxy(proxy: Proxy) -> httpx.Proxy:
    """Return httpx's form of a proxy; TLS to a proxy trusts what the system trusts, as for WebSockets."""
    login = None if proxy.username is None else (proxy.username, proxy.password or "")
    context = ssl.create_default_context() if proxy.scheme == "https" else None
    return httpx.Proxy(f"{proxy.scheme}://{proxy.name}", auth=login, ssl_context=context)


def _failure_text(proxy: Proxy, text: str) -> str:
    """Return why a proxy did not connect, from httpcore's text: a status with the proxy's reason, or a SOCKS error."""
    if proxy.is_socks:
        return f"the proxy {proxy.name} did not connect: {text.rstrip('.')}"
    status = read_digits(text.partition(" ")[0])
    return f"the proxy {proxy.name} did not connect" if status is None else proxy.refusal(status)


def _is_tls(exc: BaseException | None) -> bool:
    while exc is not None and not isinstance(exc, ssl.SSLError):
        exc = exc.__cause__ or exc.__context__
    return exc is not None
