"""The way to a WebSocket server, as far as both event loops share it: what leads there, and what a failure is called.

`dial_asyncio.py` and `dial_trio.py` go that way: TCP with happy eyeballs, a proxy, TLS. They are loaded when the first
connection is opened. What they open is the caller's; whatever fails or is cancelled on the way leaves no socket open.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Final, cast

from msgspec import Struct

from rcex_ws.address import Address, parse_address
from rcex_ws.errors import ConnectFailed
from rcex_ws.websocket.proxies import Proxy, choose_proxy

if TYPE_CHECKING:
    from rcex_ws.websocket.endpoint import Endpoint

__all__ = ["Route", "plan_route", "proxy_tls", "refuse_early_bytes", "step_failed"]

_LONGEST_CHAIN: Final = 10


class Route(Struct, frozen=True):
    """Say how to get to a server.

    Attributes:
        address: the server.
        proxy: what leads there; None for nothing.
        tls: the context of the server's TLS; None without TLS.
    """

    address: Address
    proxy: Proxy | None
    tls: ssl.SSLContext | None

    @property
    def server(self) -> str:
        """Return the server, for messages."""
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        return f"the server {host}:{self.address.port}"

    @property
    def next_stop(self) -> str:
        """Return whom TCP connects to, for messages."""
        return self.server if self.proxy is None else f"the proxy {self.proxy.name}"


def plan_route(endpoint: Endpoint) -> Route:
    """Find out how to get to an endpoint.

    Raises:
        ConnectFailed: the endpoint's URL is no WebSocket address.
        ConfigurationError: the proxy of the endpoint or the environment is none.
    """
    address = parse_address(endpoint.url)
    proxy = choose_proxy(address.scheme, address.host, address.port, endpoint.proxy)
    # By the scheme as it was parsed: a pinned context counts for `WSS://` as well.
    tls = (endpoint.ssl_context or ssl.create_default_context()) if address.secure else None
    return Route(address, proxy, tls)


def proxy_tls(proxy: Proxy) -> ssl.SSLContext | None:
    """Make the context of the TLS to a proxy; None without TLS.

    It trusts what the system trusts. As in httpx, an endpoint's own context is for the server alone: it may pin a
    certificate that the proxy does not have.
    """
    return ssl.create_default_context() if proxy.scheme == "https" else None


def refuse_early_bytes(route: Route, early: bytes) -> None:
    """Refuse what came out of a tunnel before TLS has begun in it: in TLS the client speaks first.

    Raises:
        ConnectFailed: something came.
    """
    if early and route.tls is not None and route.proxy is not None:
        raise ConnectFailed(f"the proxy {route.proxy.name} sent {len(early)} bytes before TLS with {route.server}")


def step_failed(step: str, exc: BaseException) -> ConnectFailed:
    """Make the error of a step that failed; the server has not been asked for anything, so it can be tried again.

    Args:
        step: what failed, and at whom: "no connection to the proxy 127.0.0.1:3128".
        exc: why.
    """
    return ConnectFailed(f"{step}: {_reason(exc)}")


def _reason(exc: BaseException) -> str:
    """Return OpenSSL's or the operating system's words for a failure; of several addresses, each that differs."""
    cause: BaseException | None = exc
    for _ in range(_LONGEST_CHAIN):  # bounded: `raise ... from` can close a circle
        if isinstance(cause, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", cause)
            return "; ".join(dict.fromkeys(map(_reason, group.exceptions)))
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"TLS: certificate verify failed: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):  # its errno is OpenSSL's, not the system's
            return f"TLS: {(cause.reason or type(cause).__name__).lower().replace('_', ' ')}"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)  # negative: the name service's
        if cause is None:
            break
        cause = cause.__cause__
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
