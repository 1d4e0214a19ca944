"""The transport of the client that `https.py` makes: each request goes by the proxy that the WebSocket would take, too.

It is loaded when the first call needs it, as it brings in httpx. httpx itself would choose the same proxy; but it
refuses variables that it does not need, and no error of its names the proxy.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import httpx

from rcex_ws.readers import read_digits
from rcex_ws.secret import hide
from rcex_ws.websocket.proxies import Proxy, choose_proxy

__all__ = ["RoutedTransport"]

#: Servers whose way is remembered.
_MAX_SERVERS = 100


class _ProxyFailed(httpx.ProxyError):
    """Report that a proxy did not do its part.

    Attributes:
        sentence: what it did, with its name; holds no secret.
        unreachable: whether there is no connection to it, for a reason that the cause tells.
    """

    def __init__(self, sentence: str, *, request: httpx.Request, unreachable: bool = False) -> None:
        super().__init__(sentence, request=request)
        self.sentence = sentence
        self.unreachable = unreachable


class _WholeBody(httpx.AsyncByteStream):
    """Give a body whole, once.

    That of httpx is an async generator; one that a failed or cancelled write leaves unfinished makes trio warn.
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


class RoutedTransport(httpx.AsyncBaseTransport):
    """Send each request by the proxy that leads to its server.

    Args:
        proxy: None or True = the environment's, a URL = that one, False = none.
        ssl_context: for TLS to the servers.
    """

    def __init__(self, proxy: str | bool | None, ssl_context: ssl.SSLContext) -> None:
        self._proxy = hide(proxy)
        self._ssl_context = ssl_context
        self._chosen: dict[tuple[str, bytes, int | None], Proxy | None] = {}
        self._transports: dict[Proxy | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            ConfigurationError: the proxy of the environment is none.
            _ProxyFailed: the proxy cannot be reached, or did not connect.
            httpx.RequestError: no answer came for another reason.
        """
        if isinstance(request.stream, httpx.ByteStream):
            request.stream = _WholeBody(request.content)
        proxy = self._choose_proxy(request.url)
        if proxy is None:
            return await self._transport_for(None).handle_async_request(request)
        try:
            return await self._transport_for(proxy).handle_async_request(request)
        except httpx.ProxyError as exc:
            raise _ProxyFailed(_failure_text(proxy, str(exc)), request=request) from exc
        except httpx.ConnectError as exc:
            if _is_tls(exc):  # whose it was, nobody tells
                raise
            text = f"no connection to the proxy {proxy.name}"
            raise _ProxyFailed(text, request=request, unreachable=True) from exc
        except Exception as exc:
            if not type(exc).__module__.startswith("socksio"):  # which httpcore lets through
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
    """Describe a proxy to httpx; to an https one it is what the system trusts that counts, as for WebSockets."""
    login = None if proxy.username is None else (proxy.username, proxy.password or "")
    context = ssl.create_default_context() if proxy.scheme == "https" else None
    return httpx.Proxy(f"{proxy.scheme}://{proxy.name}", auth=login, ssl_context=context)


def _failure_text(proxy: Proxy, text: str) -> str:
    """Say why a proxy did not connect; the text is httpcore's: a status with what the proxy says of it, or of SOCKS."""
    if proxy.is_socks:
        return f"the proxy {proxy.name} did not connect: {text.rstrip('.')}"
    status = read_digits(text.partition(" ")[0])
    return f"the proxy {proxy.name} did not connect" if status is None else proxy.refusal(status)


def _is_tls(exc: BaseException | None) -> bool:
    while exc is not None and not isinstance(exc, ssl.SSLError):
        exc = exc.__cause__ or exc.__context__
    return exc is not None
