"""The way of one call: middlewares, rate gate, transport, and once more after a 401.

Made and called by `rcex_ws.rest.client`. It decides which calls are RingCentral's, and so which bear the token.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import anyio

from rcex_ws.rest.auth import Auth
from rcex_ws.rest.errors import RestError
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.gate import RateGate
from rcex_ws.rest.https import HTTPEdge, StreamedResponse, bounded
from rcex_ws.rest.message import Request, Response, Send
from rcex_ws.rest.token import Token
from rcex_ws.rest.url import build_url, own_host

__all__ = ["Calls"]

Link: TypeAlias = Callable[[Request, Send], Awaitable[Response]]


class Calls:
    """Send calls.

    Args:
        server: the API's URL without trailing slash.
        user_agent: for User-Agent and X-User-Agent.
        auth: gives and renews the token.
        gate: holds calls back.
        https: the transport at the end of the chain.
        extensions: the client's, in order of installation; the list may change between calls.
    """

    def __init__(
        self,
        *,
        server: str,
        user_agent: str,
        auth: Auth,
        gate: RateGate,
        https: HTTPEdge,
        extensions: Sequence[Extension],
    ) -> None:
        self._server = server
        self._agent = {"User-Agent": user_agent, "X-User-Agent": user_agent}
        self._auth = auth
        self._gate = gate
        self._https = https
        self._extensions = extensions

    async def send(self, request: Request, transport: Send | None) -> Response:
        """Send a call the whole way; see `RingCentral.send`."""
        enabled = [extension for extension in self._extensions if extension.enabled]
        if transport is None:
            transport = _chain((extension.transport for extension in reversed(enabled)), self._send_by_https)
        final = transport

        async def perform(request: Request) -> Response:
            return await self._perform(request, final)

        return await _chain((extension.handle for extension in enabled), perform)(request)

    async def send_as_application(self, request: Request) -> Response:
        """Send an OAuth call: past the extensions, which need not see credentials, and without bearer."""

        async def transport(request: Request) -> Response:
            return await self._https.send(request, build_url(self._server, request.path), self._agent | request.headers)

        with bounded(request) as deadline:
            return await self._pass_gate(request, transport, deadline)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncGenerator[StreamedResponse]:
        """Send a call by HTTPS and give the answer before its body; see `RingCentral.stream`."""
        url = build_url(self._server, request.path, request.params)
        for last in (False, True):
            with bounded(request) as deadline:
                await self._wait_at_gate(request, deadline)
                headers = await self._headers(request)
            used = self._auth.token
            async with self._https.stream(request, url, headers) as answer:
                self._note(request, answer.status_code, answer.headers)
                if 200 <= answer.status_code < 300:
                    yield answer
                    return
                with bounded(request):
                    response = Response(answer.status_code, answer.headers, await answer.aread())
            if last or response.status_code != 401 or used is None or not self._may_repeat(request, used):
                raise RestError(response, method=request.method, path=request.path)
            await self._auth.renew(used)

    async def _perform(self, request: Request, transport: Send) -> Response:
        with bounded(request) as deadline:
            used = self._auth.token
            response = await self._pass_gate(request, transport, deadline)
            if response.status_code == 401 and used is not None and self._may_repeat(request, used):
                await self._auth.renew(used)
                response = await self._pass_gate(request, transport, deadline)
            if response.is_success:
                return response
        raise RestError(response, method=request.method, path=request.path)

    async def _pass_gate(self, request: Request, transport: Send, deadline: float) -> Response:
        await self._wait_at_gate(request, deadline)
        response = await transport(request)
        self._note(request, response.status_code, response.headers)
        return response

    async def _wait_at_gate(self, request: Request, deadline: float) -> None:
        if self._is_ours(request):
            await self._gate.wait(request.method, request.path, deadline=deadline)

    def _note(self, request: Request, status: int, headers: Mapping[str, str]) -> None:
        if self._is_ours(request):
            self._gate.note(request.method, request.path, status, headers, now=anyio.current_time())

    async def _send_by_https(self, request: Request) -> Response:
        url = build_url(self._server, request.path, request.params)
        return await self._https.send(request, url, await self._headers(request))

    async def _headers(self, request: Request) -> dict[str, str]:
        headers = self._agent | request.headers
        if self._bears_token(request):
            token = await self._auth.ensure()
            headers["Authorization"] = f"Bearer {token.access_token}"
        return headers

    def _is_ours(self, request: Request) -> bool:
        """Tell whether the call goes to RingCentral, whose limits and whose token it is under."""
        return request.path.startswith("/") or own_host(self._server, request.path)

    def _bears_token(self, request: Request) -> bool:
        return request.header("Authorization") is None and self._is_ours(request)

    def _may_repeat(self, request: Request, used: Token) -> bool:
        """Tell whether a new token can help a call that was answered 401."""
        return self._bears_token(request) and self._auth.renewable(used)


def _chain(links: Iterable[Link], end: Send) -> Send:
    """Put links before the end; the last of them is called first."""
    for link in links:
        end = _bind(link, end)
    return end


def _bind(link: Link, call_next: Send) -> Send:
    async def send(request: Request) -> Response:
        return await link(request, call_next)

    return send
