"""The HTTP step: methods of Slack's Web API, as far as an RTM client needs them.

Called by the driver for each connection, and by the clients for what has no way over the socket. Requests and failures
are those of `rcex_ws.rest.https`; the token goes in a header, never in a URL.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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

#: The largest answer taken; rtm.start of a large team is some 10 MB.
_MOST_BYTES = 256 * 2**20

_OK, _TOO_MANY_REQUESTS = 200, 429
#: Slack's word for a 429; some servers say it with 200.
_RATE_LIMITED = "ratelimited"
#: Seconds to wait when a 429 does not say how long (`@slack/client` 3.16.0).
_DEFAULT_RETRY_AFTER = 60.0
#: Seconds to wait when it says 0: where no schedule decides, a call must not run hot.
_LEAST_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class StartData:
    """The answer of rtm.connect or rtm.start.

    Attributes:
        url: where to open the WebSocket; single use, good for about 30 seconds; a secret.
        self_id: the id of the user whose token it is.
        team_id: the id of the team.
        data: the whole answer.
    """

    url: str = field(repr=False)
    self_id: str
    team_id: str
    data: Mapping[str, Any] = field(repr=False)


class WebApi:
    """Call methods of the Web API.

    Args:
        token: of a bot or user; a secret.
        api_url: what the names of methods are appended to.
        proxy: None or True = the environment's, an URL = that one, False = none.
        ssl_context: for https; None for the system's trust store.
        timeout: seconds for a call.
        http: a ready `httpx.AsyncClient`, never closed here.
        on_rate_limited: hears the seconds that Slack asks to wait, when `call` does so.
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
        self._edge = HTTPEdge(
            http,
            proxy=proxy,
            ssl_context=lambda: ssl_context or ssl.create_default_context(),
            max_response_bytes=_MOST_BYTES,
        )
        self._on_rate_limited = on_rate_limited
        self._limited_until: dict[str, float] = {}  # by method: Slack's limits are each method's own

    @checked
    async def connect(self, method: StartMethod = "rtm.connect", **options: Any) -> StartData:
        """Ask for a WebSocket address; does not wait out a rate limit.

        Args:
            method: Slack answers both in the same way today.
            **options: Slack's options of the method.

        Raises:
            SlackApiError: Slack refused, or its answer lacks a field.
            SlackHttpError: no answer of the Web API, or none with an address that can be used.
            RateLimited: too many calls; `retry_after` says how long to wait.
            TransportError: no answer at all.
        """
        data = await self._call(method, options)
        match data:
            case {"url": str(url), "self": {"id": str(self_id)}, "team": {"id": str(team_id)}}:
                # What Slack tells wrong may be right the next time, where a bad address of the caller's is final.
                try:
                    address_from_server(hide(url), by=method, server=self._server)
                except ConnectFailed as exc:
                    raise SlackHttpError(method, _OK, str(exc)) from None
                return StartData(Secret(url), self_id, team_id, data)
            case _:
                raise SlackHttpError(method, _OK, "the answer lacks a WebSocket url, self.id or team.id")

    @checked
    async def call(self, method: Name, **fields: Any) -> dict[str, Any]:
        """Call a method; a rate limit is waited out as far as the time-out allows.

        Args:
            method: as in "chat.update".
            **fields: form fields; None is left out, a list or dict is sent as JSON.

        Raises:
            SlackApiError: Slack refused.
            SlackHttpError: no answer of the Web API.
            RateLimited: the time-out is over before Slack wants to be asked again.
            TransportError: no answer at all.
        """
        return await self.call_within(self._timeout, method, fields)

    @checked
    async def call_within(self, patience: Wait, method: Name, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Call a method, as `call` does.

        Args:
            patience: seconds for which a rate limit may be waited out; 0 for no wait at all.
            method: as in "chat.update"; while its rate limit lasts it is not called.
            fields: form fields.
        """
        end = anyio.current_time() + patience
        while True:
            wait = self._limited_until.get(method, -math.inf) - anyio.current_time()
            if wait > 0:
                if anyio.current_time() + wait > end:
                    raise RateLimited(f"{method}: Slack asks to wait {wait:g} s", retry_after=wait)
                await anyio.sleep(wait)
            try:
                return await self._call(method, fields)
            except (RateLimited, SlackApiError) as exc:
                if isinstance(exc, SlackApiError) and exc.code != _RATE_LIMITED:
                    raise
                if anyio.current_time() + self._note_limit(method, exc) > end:
                    raise

    def _note_limit(self, method: str, error: RcexError) -> float:
        """Keep a method closed for as long as its rate limit lasts; give the seconds."""
        if self._on_rate_limited is not None:
            self._on_rate_limited(error.retry_after or 0.0)
        wait = error.retry_after or _LEAST_WAIT
        self._limited_until[method] = anyio.current_time() + wait
        return wait

    async def aclose(self) -> None:
        """Close the connections made here."""
        await self._edge.aclose()

    async def _call(self, method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        form = {name: _form_value(value) for name, value in fields.items() if value is not None}
        request = Request("POST", f"/{method}", data=form, timeout=self._timeout)
        request.start_clock()
        with within_deadline(request):
            response = await self._edge.send(request, self._api_url + method, self._headers)
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
    """Make the error for an answer other than 200; whatever its status, a Retry-After counts."""
    limited = response.status_code == _TOO_MANY_REQUESTS
    seconds = _retry_after(response, otherwise=limited)
    if not limited or seconds is None:
        return SlackHttpError(method, response.status_code, f"HTTP {response.status_code}", retry_after=seconds)
    return RateLimited(f"{method}: Slack asks to wait {seconds:g} s", retry_after=seconds)


def _retry_after(response: Response, *, otherwise: bool) -> float | None:
    """Give the seconds of a Retry-After; without one None, or otherwise what is waited after a rate limit."""
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
