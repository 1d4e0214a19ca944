"""Slack's Web API over HTTPS, as far as an RTM client needs it.

Called by the driver for each connection, and by the clients for what cannot be done over the WebSocket. Requests and
failures are those of `rcex_ws.rest.https`; the token is sent in a header, never in a URL.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import anyio
import msgspec

from rcex_ws.address import address_from_server, check_server
from rcex_ws.errors import BadFrame, ConnectFailed, RateLimited, RcexError
from rcex_ws.options import Credential, Name, Seconds, ServerUrl, Wait, checked, trimmed
from rcex_ws.readers import read_retry_after
from rcex_ws.rest.http_library import HTTPClient
from rcex_ws.rest.https import HTTPEdge, within_deadline
from rcex_ws.rest.message import Request, Response
from rcex_ws.rest.user_agent import user_agent
from rcex_ws.secret import Secret, hide
from rcex_ws.slack.errors import SlackApiError, SlackHttpError
from rcex_ws.slack.frames import decode
from rcex_ws.websocket.proxies import ProxyChoice

__all__ = ["API_URL", "StartData", "StartMethod", "WebApi"]

API_URL = "https://slack.com/api/"
StartMethod = Literal["rtm.connect", "rtm.start"]

#: Maximum size of an answer; that to rtm.start is some 10 MB for a large team.
_MOST_BYTES = 256 * 2**20

_OK, _TOO_MANY_REQUESTS = 200, 429
#: Slack's error code for a 429; some servers send it with status 200.
_RATE_LIMITED = "ratelimited"
#: Seconds to wait after a 429 without Retry-After (as in `@slack/client` 3.16.0).
_DEFAULT_RETRY_AFTER = 60.0
#: Seconds to wait after a Retry-After of 0: without a schedule, retries must not run hot.
_LEAST_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class StartData:
    """The answer to rtm.connect or rtm.start.

    Attributes:
        url: URL of the WebSocket, a secret; single use, valid for about 30 seconds.
        self_id: the id of the user to whom the token belongs.
        team_id: the id of the team.
        data: the whole answer.
    """

    url: str = field(repr=False)
    self_id: str
    team_id: str
    data: Mapping[str, Any] = field(repr=False)


class WebApi:
    """A client of the Web API.

    Args:
        token: token of a bot or user; a secret.
        api_url: base URL, to which the names of methods are appended.
        proxy: URL of a proxy; None or True for the environment's, False for none.
        ssl_context: TLS context; None for the system's trust store.
        timeout: time-out of a call, in seconds.
        http: a configured `httpx.AsyncClient`, never closed by this one.
        on_rate_limited: called with the seconds to wait when `call` or `call_within` meets a rate limit.
    """

    @checked
    def __init__(
        self,
        token: Credential,
        *,
        api_url: ServerUrl = API_URL,
        proxy: ProxyChoice = None,
        ssl_context: ssl.SSLContext | None = None,
        timeout: Seconds = 30.0,
        http: HTTPClient | None = None,
        on_rate_limited: Callable[[float], None] | None = None,
    ) -> None:
        token, proxy = hide(trimmed("token", token) or ""), hide(proxy)
        self._server = check_server(api_url, name="api_url")
        self._headers = {"Authorization": Secret(f"Bearer {token}"), "User-Agent": user_agent("rcex_ws.slack", "1")}
        self._api_url = self._server + "/"
        self._timeout = timeout
        self._new_edge = partial(
            HTTPEdge,
            http,
            proxy=proxy,
            ssl_context=lambda: ssl_context or ssl.create_default_context(),
            max_response_bytes=_MOST_BYTES,
        )
        self._edge = self._new_edge()
        self._on_rate_limited = on_rate_limited
        self._limited_until: dict[str, float] = {}  # by method: Slack limits each one apart

    @checked
    async def connect(self, method: StartMethod = "rtm.connect", **options: Any) -> StartData:
        """Request a WebSocket URL; a rate limit is not waited out.

        Args:
            method: today Slack answers both in the same way.
            **options: Slack's options of the method.

        Raises:
            SlackApiError: Slack refused.
            SlackHttpError: the answer is not one of the Web API, or has no valid URL.
            RateLimited: too many calls; `retry_after` is the time to wait.
            TransportError: there was no answer.
        """
        data = await self._call(self._edge, method, options)
        match data:
            case {"url": str(url), "self": {"id": str(self_id)}, "team": {"id": str(team_id)}}:
                # A bad URL from Slack may be right the next time; one from the caller would be final.
                try:
                    address_from_server(hide(url), by=method, server=self._server)
                except ConnectFailed as exc:
                    raise SlackHttpError(method, _OK, str(exc)) from None
                return StartData(Secret(url), self_id, team_id, data)
            case _:
                raise SlackHttpError(method, _OK, "the answer lacks a WebSocket url, self.id or team.id")

    @checked
    async def call(self, method: Name, **fields: Any) -> dict[str, Any]:
        """Call a method; a rate limit is waited out if it ends within the time-out.

        Args:
            method: the name of the method, such as "chat.update".
            **fields: form fields; None is omitted, a list or dict is sent as JSON.

        Raises:
            SlackApiError: Slack refused.
            SlackHttpError: the answer is not one of the Web API.
            RateLimited: the rate limit lasts longer than the time-out.
            TransportError: there was no answer.
        """
        return await self.call_within(self._timeout, method, fields)

    @checked
    async def call_within(self, patience: Wait, method: Name, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Call a method like `call`, with a limit of its own for waiting.

        Args:
            patience: seconds for which a rate limit may be waited out; 0 for no wait.
            method: the name of the method; it is not called while its rate limit lasts.
            fields: form fields.
        """
        edge = self._edge  # of this period; a call that waits does not outlive it
        end = anyio.current_time() + patience
        while True:
            wait = self._limited_until.get(method, -math.inf) - anyio.current_time()
            if wait > 0:
                if anyio.current_time() + wait > end:
                    raise RateLimited(f"{method}: Slack asks to wait {wait:g} s", retry_after=wait)
                await edge.closed.wait(until=anyio.current_time() + wait)
            try:
                return await self._call(edge, method, fields)
            except (RateLimited, SlackApiError) as exc:
                if isinstance(exc, SlackApiError) and exc.code != _RATE_LIMITED:
                    raise
                if anyio.current_time() + self._note_limit(method, exc) > end:
                    raise

    def _note_limit(self, method: str, error: RcexError) -> float:
        """Record and report the rate limit of a method; return the seconds that it lasts."""
        if self._on_rate_limited is not None:
            self._on_rate_limited(error.retry_after or 0.0)
        wait = error.retry_after or _LEAST_WAIT
        self._limited_until[method] = anyio.current_time() + wait
        return wait

    async def aclose(self) -> None:
        """End all calls, also those that wait, and close the connections, but not a client that was passed in.

        New calls may follow.
        """
        edge, self._edge = self._edge, self._new_edge()
        await edge.aclose()

    async def _call(self, edge: HTTPEdge, method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        form = {name: _form_value(value) for name, value in fields.items() if value is not None}
        request = Request("POST", f"/{method}", data=form, timeout=self._timeout)
        request.start_clock()
        with within_deadline(request):
            response = await edge.send(request, self._api_url + method, self._headers)
        if response.status_code != _OK:
            raise _http_error(method, response)
        try:
            data = decode(response.content)
        except BadFrame as exc:
            raise SlackHttpError(method, _OK, f"the answer cannot be read: {exc}") from None
        if data.get("ok") is not True:
            code = str(data.get("error", "unknown_error"))
            raise SlackApiError(method, code, data, retry_after=_retry_after(response, otherwise=code == _RATE_LIMITED))
        return data


def _http_error(method: str, response: Response) -> RcexError:
    """Return the error for a status other than 200; a Retry-After counts with any of them."""
    limited = response.status_code == _TOO_MANY_REQUESTS
    seconds = _retry_after(response, otherwise=limited)
    if not limited or seconds is None:
        return SlackHttpError(method, response.status_code, f"HTTP {response.status_code}", retry_after=seconds)
    return RateLimited(f"{method}: Slack asks to wait {seconds:g} s", retry_after=seconds)


def _retry_after(response: Response, *, otherwise: bool) -> float | None:
    """Return the seconds of the Retry-After; without one the default after a rate limit, if `otherwise`, else None."""
    seconds = read_retry_after(response.headers.get("Retry-After"), now=time.time())
    return _DEFAULT_RETRY_AFTER if seconds is None and otherwise else seconds


def _form_value(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case _:
            return msgspec.json.encode(value).decode()
