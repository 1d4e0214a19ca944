"""What connecting to a WebSocket server has in common on both event loops: the route, and the errors of its steps.

`dial_asyncio.py` and `dial_trio.py` take that route: TCP with happy eyeballs, a proxy, TLS. They are loaded when the
first connection is opened. The caller owns what they return; a failure or a cancellation leaves no socket open.
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
    """How to reach a server.

    Attributes:
        address: the server.
        proxy: the proxy in between, or None.
        tls: the context for TLS with the server; None without TLS.
    """

    address: Address
    proxy: Proxy | None
    tls: ssl.SSLContext | None

    @property
    def server(self) -> str:
        """The server, as messages call it."""
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        return f"the server {host}:{self.address.port}"

    @property
    def next_stop(self) -> str:
        """The host that TCP connects to, as messages call it."""
        return self.server if self.proxy is None else f"the proxy {self.proxy.name}"


def plan_route(endpoint: Endpoint) -> Route:
    """Return the route to an endpoint.

    Raises:
        ConnectFailed: the endpoint's URL is not a WebSocket address.
        ConfigurationError: the proxy of the endpoint or the environment is invalid.
    """
    address = parse_address(endpoint.url)
    proxy = choose_proxy(address.scheme, address.host, address.port, endpoint.proxy)
    # By the parsed scheme, so that a pinned context also applies to `WSS://`.
    tls = (endpoint.ssl_context or ssl.create_default_context()) if address.secure else None
    return Route(address, proxy, tls)


def proxy_tls(proxy: Proxy) -> ssl.SSLContext | None:
    """Return the context for TLS with a proxy; None without TLS.

    It trusts the system's certificates. As in httpx, an endpoint's own context is for the server alone: it may pin a
    certificate that the proxy does not have.
    """
    return ssl.create_default_context() if proxy.scheme == "https" else None


def refuse_early_bytes(route: Route, early: bytes) -> None:
    """Refuse data that a tunnel delivers before TLS has started in it: in TLS the client speaks first.

    Raises:
        ConnectFailed: there is such data.
    """
    if early and route.tls is not None and route.proxy is not None:
        raise ConnectFailed(f"the proxy {route.proxy.name} sent {len(early)} bytes before TLS with {route.server}")


def step_failed(step: str, exc: BaseException) -> ConnectFailed:
    """Return the error for a failed step; the server has received no request yet, so a retry is safe.

    Args:
        step: what failed and where, as in "no connection to the proxy 127.0.0.1:3128".
        exc: the reason.
    """
    return ConnectFailed(f"{step}: {_reason(exc)}")


def _reason(exc: BaseException) -> str:
    """Describe a failure in the words of OpenSSL or the operating system; for several addresses, each distinct one."""
    cause: BaseException | None = exc
    for _ in range(_LONGEST_CHAIN):  # bounded: `raise ... from` can form a cycle
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
