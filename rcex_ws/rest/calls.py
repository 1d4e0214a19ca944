"""The path of one call: middlewares, rate gate, transport, and a second attempt after a 401.

Made by `rcex_ws.rest.client`, called by `rcex_ws.rest.methods`. Decides which calls carry the token: those to
RingCentral.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from rcex_ws.address import may_have_token
from rcex_ws.errors import RequestLost, TransportError
from rcex_ws.home import Home
from rcex_ws.loop import loop_clock
from rcex_ws.rest.errors import RestError
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.gate import RateGate
from rcex_ws.rest.https import HTTPEdge, StreamedResponse, within_deadline
from rcex_ws.rest.lifecycle import Lifecycle
from rcex_ws.rest.message import Request, Response, Send
from rcex_ws.rest.stats import CallCounter
from rcex_ws.rest.token import Token
from rcex_ws.rest.token_owner import AnySession
from rcex_ws.rest.url import build_url
from rcex_ws.secret import Secret

__all__ = ["Calls"]


class Calls:
    """Sender of calls.

    Args:
        server: URL of the API without trailing slash.
        user_agent: value of User-Agent and X-User-Agent.
        auth: provides and renews the token.
        gate: holds calls back at a rate limit.
        https: the last transport of the chain.
        lifecycle: has the installed extensions, which may change between calls.
        home: refuses calls from another event loop, thread or process.

    Attributes:
        https_calls: number of calls sent by HTTPS; a repeated call counts again.
        counter: counts calls, those of OAuth included.
    """

    def __init__(
        self,
        *,
        server: str,
        user_agent: str,
        auth: AnySession,
        gate: RateGate,
        https: HTTPEdge,
        lifecycle: Lifecycle,
        home: Home,
    ) -> None:
        self._server = server
        self._agent = {"User-Agent": user_agent, "X-User-Agent": user_agent}
        self._auth = auth
        self._gate = gate
        self._https = https
        self._lifecycle = lifecycle
        self._home = home
        self._clock: Callable[[], float] | None = None  # of the one event loop that `home` allows
        self.https_calls = 0
        self.counter = CallCounter()

    def send(self, request: Request, transport: Send | None = None) -> Coroutine[Any, Any, Response]:
        """Send a call through middlewares, gate and transports; see `ClientMethods.send`."""
        final = self._send_by_transports if transport is None else partial(_send_in_time, transport)
        middlewares = self._lifecycle.middlewares
        if not middlewares:
            return self._perform(final, request)
        return self._send_through_middlewares(middlewares, partial(self._perform_checked, final), request)

    async def _send_through_middlewares(
        self, middlewares: Iterable[Extension], call_next: Send, request: Request
    ) -> Response:
        self._home.check()
        for middleware in middlewares:
            if middleware.enabled:
                call_next = partial(_handle, middleware, call_next)
        return await call_next(request)

    async def send_as_application(self, request: Request) -> Response:
        """Send an OAuth call, without bearer token and around the extensions, which need not see credentials."""

        async def transport(request: Request) -> Response:
            return await self._https.send(request, build_url(self._server, request.path), self._agent | request.headers)

        request.start_clock()
        with within_deadline(request):
            return await self._send_through_gate(request, transport)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncGenerator[StreamedResponse]:
        """Send a call by HTTPS and yield the answer before its body is read; see `ClientMethods.stream`."""
        self._home.check()
        url = build_url(self._server, request.path, request.params)
        for last in (False, True):
            request.start_clock()
            with within_deadline(request):
                await self._wait_at_gate(request)
                headers = await self._headers(request)
            used = self._auth.token
            self.https_calls += 1
            answered = False
            try:
                async with self._https.stream(request, url, headers) as answer:
                    answered = True
                    self._note(request, answer)
                    if 200 <= answer.status_code < 300:
                        yield answer
                        return
                    request.start_clock()
                    with within_deadline(request):
                        response = Response(answer.status_code, answer.headers, await answer.read_error_body())
            except TransportError as exc:
                if not answered:
                    self._count_unanswered(request)
                _judge(request, exc)
                raise
            if last or response.status_code != 401 or used is None or not self._can_repeat(request, used):
                raise self._error(request, response)
            await self._auth.renew(used)
            self.counter.retried()

    async def _perform_checked(self, transport: Send, request: Request) -> Response:
        request.check()  # a middleware may have changed anything
        request.times_sent += 1
        if request.times_sent > 1:
            self.counter.retried()
        return await self._perform(transport, request)

    async def _perform(self, transport: Send, request: Request) -> Response:
        self._home.check()
        clock = self._clock
        if clock is None:
            clock = self._clock = loop_clock()
        request.deadline = clock() + request.timeout
        used = self._auth.token
        # `_send_through_gate` inlined: the gate is hardly ever closed, and every call is spared a coroutine.
        if self._gate.may_be_closed:
            await self._wait_at_gate(request)
        try:
            response = await transport(request)
        except (TransportError, RequestLost) as exc:
            self._count_unanswered(request)
            _judge(request, exc)
            raise
        self._note(request, response, clock)
        if response.status_code == 401 and (used := used or self._auth.token) and self._can_repeat(request, used):
            with within_deadline(request):
                await self._auth.renew(used)
            self.counter.retried()
            response = await self._send_through_gate(request, transport)
        if response.is_success:
            return response
        raise self._error(request, response)

    def _send_by_transports(self, request: Request, *, start: int = 0) -> Awaitable[Response]:
        """Send by the first extension from index `start` on that takes the call, else by HTTPS."""
        extensions = self._lifecycle.extensions
        for index in range(start, len(extensions)):
            extension = extensions[index]
            if extension.enabled and extension.takes(request):
                call_next = partial(self._send_by_transports, start=index + 1)
                if extension.keeps_deadline:
                    return extension.transport(request, call_next)
                return _send_in_time(partial(extension.transport, call_next=call_next), request)
        return _send_in_time(self._send_by_https, request)

    async def _send_through_gate(self, request: Request, transport: Send) -> Response:
        await self._wait_at_gate(request)
        try:
            response = await transport(request)
        except (TransportError, RequestLost) as exc:
            self._count_unanswered(request)
            _judge(request, exc)
            raise
        self._note(request, response)
        return response

    async def _wait_at_gate(self, request: Request) -> None:
        if self._goes_to_server(request):
            await self._gate.wait(request.method, request.path, deadline=request.deadline)

    def _note(
        self, request: Request, response: Response | StreamedResponse, clock: Callable[[], float] | None = None
    ) -> None:
        if self._goes_to_server(request):
            now = (clock or loop_clock())()
            self._gate.note(request.method, request.path, response.status_code, response.headers, now=now)
            self.counter.answered(response.status_code, response.via, now=now)

    def _count_unanswered(self, request: Request) -> None:
        if self._goes_to_server(request):
            self.counter.unanswered()

    async def _send_by_https(self, request: Request) -> Response:
        url = build_url(self._server, request.path, request.params)
        self.https_calls += 1
        return await self._https.send(request, url, await self._headers(request))

    async def _headers(self, request: Request) -> dict[str, str]:
        headers = self._agent | request.headers
        if self._bears_token(request):
            try:
                token = await self._auth.ensure_token()
            except TransportError as exc:
                exc.sent = False  # the call to renew the token may have been, but not this one
                raise
            headers["Authorization"] = Secret(f"Bearer {token.access_token}")
        return headers

    def _goes_to_server(self, request: Request) -> bool:
        """Return whether the call goes to RingCentral, so that its rate limits and its token apply."""
        return request.path.startswith("/") or may_have_token(self._server, request.path)

    def _bears_token(self, request: Request) -> bool:
        return request.header("Authorization") is None and self._goes_to_server(request)

    def _error(self, request: Request, response: Response) -> RestError:
        if response.status_code == 401 and self._bears_token(request):
            return self._auth.rejected(response, method=request.method, path=request.path)
        return RestError(response, method=request.method, path=request.path)

    def _can_repeat(self, request: Request, used: Token) -> bool:
        """Return whether a new token can help a call that was answered with a 401."""
        return self._bears_token(request) and self._auth.can_renew(used)


def _judge(request: Request, error: TransportError | RequestLost) -> None:
    """Make an error not retryable if the call may have been executed, and must not be twice."""
    if error.sent and not request.harmless_twice:
        error.retryable = False


async def _handle(middleware: Extension, call_next: Send, request: Request) -> Response:
    return await middleware.handle(request, call_next)


async def _send_in_time(transport: Send, request: Request) -> Response:
    with within_deadline(request):
        return await transport(request)
