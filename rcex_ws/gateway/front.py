"""The single entry to the REST application, for requests over HTTP and over a WebSocket.

`http.py` calls it as an ASGI application, `websocket.py` calls `answer`. It does what every request needs before and
after its handler: scheduled faults, authentication, rate limits, the log.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any
from urllib.parse import parse_qsl

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rcex_ws.gateway import origin
from rcex_ws.gateway.call import Caller, RestAnswer, RestCall, error_answer
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.faults import AnswerFault, RefusalFault
from rcex_ws.gateway.limits import group_of
from rcex_ws.gateway.oauth import OAuthSession
from rcex_ws.gateway.origin import refusal_reason
from rcex_ws.gateway.problem import Problem

__all__ = ["Front", "needs_login"]

_logger = logging.getLogger(__name__)

_CONTROL = "/_gateway"
"""Prefix of the gateway's own paths. Faults, authentication, rate limits and log do not apply to them."""

_ABOUT = ("/", "/openapi.json")
"""Paths that describe the gateway, to which these do not apply either."""

_OPEN_PATHS = ("/restapi", "/restapi/v1.0", "/restapi/v1.0/status", "/.well-known/entry-points/initial")
"""Paths that need no login, besides /restapi/oauth/token, revoke and authorize."""


def needs_login(path: str) -> bool:
    """Return whether requests to a path need a login."""
    return path not in _OPEN_PATHS and (not path.startswith("/restapi/oauth/") or path.endswith("/wstoken"))


class Front:
    """The handler of every request.

    Args:
        application: the REST handlers.
        core: the rules and the state.
    """

    def __init__(self, application: ASGIApp, core: GatewayCore) -> None:
        self._application = application
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request (ASGI).

        Raises:
            ConnectionResetError: a fault requires the connection to be reset instead.
        """
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        is_page = scope["path"] == "/" and "text/html" in headers.get("accept", "")
        if scope["path"] in _ABOUT and not is_page:
            await self._application(scope, receive, send)
            return
        if is_page or scope["path"].startswith(_CONTROL):
            why = refusal_reason(headers, self._own_names())
            if why is None:
                await self._application(scope, receive, send)
            else:
                await _send(error_answer(Problem(403, "CMN-401", why)), send)
            return
        path = scope["path"].rstrip("/") or "/"
        server = origin.server_of(headers.get("host", "")) or self._core.server
        query = scope["query_string"].decode("latin-1")
        call = RestCall(scope["method"], path, query, headers, await _read(receive), server)
        answer = await self.answer(call)
        if answer is None:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await _send(answer, send)

    async def answer(self, call: RestCall) -> RestAnswer | None:
        """Answer one request, over HTTP or over a WebSocket.

        Returns:
            The answer, or None if a fault suppresses it.

        Raises:
            ConnectionResetError: a fault requires the connection to be reset instead.
        """
        place = f"{call.method} {call.path}"
        refusal = self._core.faults.take(RefusalFault, place)
        if refusal is None:
            answer = await self._perform(call)
        elif refusal.status == "rst":
            self._log(call, "rst")
            raise ConnectionResetError("reset on command")
        elif refusal.status == "hang":
            self._log(call, "hang")
            return None
        else:
            answer = error_answer(refusal.problem())
        if call.method not in ("GET", "HEAD"):
            self._core.changed()
        fault = self._core.faults.take(AnswerFault, place)
        self._log(call, answer.status)
        return answer if fault is None else await self._tamper_with(answer, fault)

    def _own_names(self) -> set[str]:
        """Return the host names of the gateway's own configured addresses."""
        uri = self._core.options.public_ws_uri or ""
        return {origin.host_name(address.partition("://")[2]) for address in (uri, self._core.server)} - {""}

    async def _tamper_with(self, answer: RestAnswer, fault: AnswerFault) -> RestAnswer | None:
        """Apply a fault to an answer; return None to send no answer."""
        if fault.notify is not None:
            self._core.publish_on_command(fault.notify["event"], fault.notify["body"], fault.notify.get("filter"))
        await anyio.sleep(fault.delay)
        if fault.drop:
            return None
        return RestAnswer(
            answer.status,
            {} if fault.strip == "headers" else answer.headers,
            b"" if fault.strip == "body" else answer.body,
        )

    async def _perform(self, call: RestCall) -> RestAnswer:
        """Check the login and the rate limit of a request, and answer it."""
        headers: dict[str, str] = {}
        try:
            login = self._authenticate(call)
            who = "" if login is None else f"{login.owner.id} {login.app.client_id}"
            verdict = self._core.limits.check(group_of(call.method, call.path), who, self._core.clock.now())
            headers = {name.lower(): value for name, value in verdict.headers().items()}
            verdict.enforce()
            answer = await self._run(call, Caller(login, call.socket, call.server or self._core.server))
        except Problem as problem:
            answer = error_answer(problem)
        request_id = {"rcrequestid": str(uuid.uuid4())}
        return RestAnswer(answer.status, answer.headers | headers | request_id, answer.body)

    def _authenticate(self, call: RestCall) -> OAuthSession | None:
        """Return the login of a request, None if it needs none."""
        if call.socket is not None:
            if call.path.startswith("/restapi/oauth/"):
                # RingCentral's SDK documents that these calls do not work over a WebSocket; the wording is ours.
                raise Problem(403, "CMN-408", "This resource is not available over a WebSocket")
            login = call.socket.session.oauth
            if not login.alive(self._core.clock.now()):
                raise Problem(401, "OAU-213", "Token not found or expired")
            return login
        if not needs_login(call.path):
            return None
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if not scheme:  # an <img> of a page cannot send it: SDKs write the token into its address (RFC 6750, 2.3)
            return self._core.oauth.bearer(dict(parse_qsl(call.query)).get("access_token"))
        return self._core.oauth.bearer(token if scheme.lower() == "bearer" else None)

    async def _run(self, call: RestCall, caller: Caller) -> RestAnswer:
        """Run the handler of a request and collect its response."""
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": call.method,
            "path": call.path,
            "query_string": call.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in call.headers.items()],
            "root_path": "",
            "state": {"caller": caller},
        }
        status = 500
        headers: dict[str, str] = {}
        chunks: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": call.body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            else:
                chunks.append(message.get("body", b""))

        try:
            await self._application(scope, receive, send)
        except Exception:  # the application has answered 500; a bug in one handler must not stop the gateway
            _logger.exception("%s %s failed", call.method, call.path)
        headers.pop("content-length", None)  # computed again when the answer is sent
        return RestAnswer(status, headers, b"".join(chunks))

    def _log(self, call: RestCall, status: int | str) -> None:
        facts: dict[str, Any] = {} if call.socket is None else {"connection": call.socket.id}
        if not call.path.startswith("/restapi/oauth/"):  # that query may contain a token
            facts["query"] = call.query
        self._core.journal.add("request", via=call.via, method=call.method, path=call.path, status=status, **facts)


async def _send(answer: RestAnswer, send: Send) -> None:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if answer.status != 204:
        raw.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(chunks)
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)
