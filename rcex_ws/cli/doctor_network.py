"""What `rcex-ws doctor` finds out before anybody logs in: the way to the server, TLS, and the server's clock.

It takes the route that the client takes, `RoutedTransport`, and times its steps by httpx's extension `trace`.
"""

from __future__ import annotations

import socket
import ssl
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import anyio
import httpx

from rcex_ws.cli.doctor_steps import Finding, StepVerdict
from rcex_ws.errors import TransportError
from rcex_ws.readers import read_date
from rcex_ws.rest import Request, Response
from rcex_ws.rest.http_transport import RoutedTransport
from rcex_ws.rest.https import HTTPEdge
from rcex_ws.websocket.proxies import choose_proxy

__all__ = ["ServerNetwork", "skew_of"]

#: A path that needs no login.
_PATH = "/restapi"
_PROXY_LOGIN = 407
_LARGEST_ANSWER = 2**20

#: Seconds by which our clock may differ: a token is renewed that long before it expires.
_TOLERANCE = 60.0


def skew_of(server: float, *, before: float, after: float) -> float:
    """Return by how many seconds our clock is ahead of the server's; negative if it is behind. Pure.

    Args:
        server: the server's time in an answer, cut off to seconds.
        before: our time when the question was sent.
        after: our time when the answer came.
    """
    # The server's time was between `server` and a second later, ours between `before` and `after`.
    if before <= server + 1 and server <= after:
        return 0.0
    return before - (server + 1) if before > server + 1 else after - server


class ServerNetwork:
    """The way to a server; asks it once, and closes under `async with`.

    Args:
        server: URL of the API.
        ssl_context: the TLS context, which trusts what the clients trust.
    """

    def __init__(self, server: str, ssl_context: ssl.SSLContext) -> None:
        parts = urlsplit(server)
        self._server = server
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._times: dict[str, float] = {}
        self._tls = ""
        self._answer: Response | None = None
        self._failure: TransportError | None = None
        self._asked_at = self._answered_at = 0.0
        self._client = httpx.AsyncClient(
            transport=RoutedTransport(None, ssl_context),
            event_hooks={"request": [self._trace_request]},
            trust_env=False,
        )
        self._https = HTTPEdge(
            self._client, proxy=None, ssl_context=lambda: ssl_context, max_response_bytes=_LARGEST_ANSWER
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def address(self) -> Finding:
        """Choose the proxy and resolve the name that has to be known here.

        Raises:
            ConfigurationError: the environment names an invalid proxy.
            TransportError: the name is not known.
        """
        proxy = choose_proxy(self._scheme, self._host, self._port)
        host, port = (self._host, self._port) if proxy is None else (proxy.host, proxy.port)
        try:
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as exc:
            raise TransportError(f"the name {host} cannot be resolved: {exc.strerror or exc}", sent=False) from exc
        addresses = ", ".join(dict.fromkeys(str(one[4][0]) for one in found))
        through = "no proxy" if proxy is None else f"through the proxy {proxy.name}"
        return Finding(f"{host} is {addresses}; {through}" if host != addresses else f"{host}; {through}")

    async def connection(self) -> Finding:
        """Connect, ask, and look at TCP and the tunnel through a proxy.

        Raises:
            TransportError: there was no connection.
        """
        await self._ask()
        secure = self._scheme == "https"
        if self._failure is not None and not (secure and "securing" in self._times):
            raise self._failure
        if self._answer is not None and self._answer.status_code == _PROXY_LOGIN:
            raise TransportError("the proxy wants a login (HTTP 407)", sent=False)
        return Finding(f"to port {self._port}", seconds=self._span("connecting", "securing" if secure else "connected"))

    async def tls(self) -> Finding:
        """Look at TLS.

        Raises:
            TransportError: it failed, or no answer came after it.
        """
        if self._scheme == "http":
            return Finding("the server is http://, which has none", verdict=StepVerdict.SKIPPED)
        if self._failure is not None:
            raise self._failure
        return Finding(f"{self._tls}, the certificate is trusted", seconds=self._span("securing", "secured"))

    async def clock(self) -> Finding:
        """Compare the clocks."""
        server = None if self._answer is None else read_date(self._answer.headers.get("Date"))
        if server is None:
            return Finding("the server does not send its time", verdict=StepVerdict.SKIPPED)
        ahead = skew_of(server, before=self._asked_at, after=self._answered_at)
        if ahead == 0:
            return Finding("it agrees with the server's")
        detail = f"this clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the server's"
        return Finding(detail, verdict=StepVerdict.FAILED if abs(ahead) > _TOLERANCE else StepVerdict.OK)

    async def _ask(self) -> None:
        request = Request("GET", _PATH)
        self._asked_at = time.time()
        try:
            self._answer = await self._https.send(request, self._server + _PATH, {"Accept": "application/json"})
        except TransportError as exc:
            self._failure = exc
        self._answered_at = time.time()

    async def _trace_request(self, request: httpx.Request) -> None:
        request.extensions["trace"] = self._trace

    async def _trace(self, name: str, info: dict[str, Any]) -> None:
        """Note when the steps begin and end; behind a proxy the last TLS is that with the server."""
        step, _, phase = name.rpartition(".")
        names = _NAMES.get((step.rpartition(".")[2], phase))
        if names is not None:
            self._times[names] = time.monotonic()
        if names == "secured":
            secured = info["return_value"].get_extra_info("ssl_object")
            self._tls = secured.version() or "TLS"

    def _span(self, first: str, last: str) -> float | None:
        return self._times[last] - self._times[first] if {first, last} <= self._times.keys() else None


_NAMES = {
    ("connect_tcp", "started"): "connecting",
    ("connect_tcp", "complete"): "connected",
    ("start_tls", "started"): "securing",
    ("start_tls", "complete"): "secured",
}
