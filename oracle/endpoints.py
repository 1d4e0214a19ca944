"""What the server answers over HTTP: login, wstoken, the upgrade, and REST."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import trio

from oracle import journal as j
from oracle.calls import SUBSCRIPTION, Answer
from oracle.faults import Refusal
from oracle.login import Login
from oracle.model import problem
from oracle.talk import Talk, refused
from oracle.wire import FaultyStream, HTTPConnection, Request

if TYPE_CHECKING:
    from oracle.server import Server

__all__ = ["Endpoints"]

HANG = 200.0
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Endpoints:
    """Answer one request after the other.

    Args:
        server: whose model, plan and journal are used.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    async def upgrade(self, http: HTTPConnection, request: Request) -> None:
        """Open a WebSocket and serve it to its end, or refuse."""
        talk = self._server.new_talk(stream_of(http))
        try:
            await self._upgrade(http, request, talk)
        finally:
            self._server.talks.pop(talk.number, None)

    async def _upgrade(self, http: HTTPConnection, request: Request, talk: Talk) -> None:
        server, query = self._server, request.query
        server.put(j.Heard("upgrade with wsc" if "wsc" in query else "upgrade", talk.number, "websocket"))
        await trio.sleep(server.latency + server.late("upgrade-late"))
        if (refusal := server.plan.refusal("upgrade")) is not None:
            await self._refuse(http, "upgrade", refusal)
            return
        login = server.model.logins.take_wstoken(query.get("access_token", ""), trio.current_time())
        if login is None:
            await respond(http, (*problem(401, "OAU-213", "Token not found"), {}))
            return
        await talk.run(http, request, query.get("wsc"), login)

    async def answer(self, http: HTTPConnection, request: Request) -> bool:
        """Answer a request; False when the connection is over."""
        server = self._server
        await trio.sleep(server.latency)
        where = {"/restapi/oauth/token": "token", "/restapi/oauth/wstoken": "wstoken"}.get(request.path)
        if where is None:
            own = request.path.startswith(SUBSCRIPTION)
            where = "subscribe" if own and request.method != "GET" else "call"
        if where in {"token", "wstoken"}:
            await trio.sleep(server.late("token-late"))
        body = self._json(request)
        call = request.query.get("call") or (str(body.get("call", "")) if isinstance(body, dict) else "")
        server.put(j.Heard(f"{request.method} {request.path}", via="https", call=call))
        if (refusal := server.plan.refusal(where)) is not None:
            return await self._refuse(http, where, refusal)
        answer = self._decide(request, body)
        if where == "call":
            if server.plan.strikes("lost-answer"):
                server.put(j.Struck("lost-answer", "https"))
                stream_of(http).reset()
                return False
            if server.plan.strikes("late-answer"):
                server.put(j.Struck("late-answer", "https"))
                await trio.sleep(server.plan.paced(server.plan.dice("late-answer").choice((3.0, 20.0, 100.0))))
        await respond(http, answer)
        return True

    def _decide(self, request: Request, body: object) -> Answer:
        server, now = self._server, trio.current_time()
        logins = server.model.logins
        if request.path == "/restapi/oauth/token":
            return self._token(request, now)
        if request.path == "/restapi/oauth/revoke":
            logins.revoke(request.form.get("token", ""))
            return 200, {}, {}
        login = self._who(request, now)
        if login is None:
            return (*problem(401, "OAU-213", "Token not found"), {})
        if request.path == "/restapi/oauth/wstoken":
            return 200, {**logins.give_wstoken(login, now), "uri": f"ws://{server.url}/ws"}, {}
        if request.path.startswith(SUBSCRIPTION):
            return server.calls.subscription(server.model, None, request.method, request.path, body, now)
        return server.calls.application(request.method, request.path, request.query, body, "https")

    def _token(self, request: Request, now: float) -> Answer:
        form, logins = request.form, self._server.model.logins
        answer = None
        if form.get("grant_type") == JWT_GRANT and form.get("assertion") == self._server.jwt:
            answer = logins.log_in(now)
        elif form.get("grant_type") == "refresh_token":
            answer = logins.refresh(form.get("refresh_token", ""), now)
        if answer is None:
            return 400, {"error": "invalid_grant", "errorCode": "OAU-213", "message": "Token is invalid"}, {}
        return 200, answer, {}

    def _who(self, request: Request, now: float) -> Login | None:
        return self._server.model.logins.who(request.header("authorization").removeprefix("Bearer "), now)

    async def _refuse(self, http: HTTPConnection, where: str, refusal: Refusal) -> bool:
        self._server.put(j.Struck(f"refuse-{where}", where, detail=refusal.what))
        if refusal.what == "hang":
            with trio.move_on_after(self._server.plan.paced(HANG)):
                await self._server.calmed.wait()
            stream_of(http).reset()
            return False
        if refusal.what == "rst":
            stream_of(http).reset()
            return False
        if refusal.what == "garbage":
            await http.send(b"\x16\x03\x01 what?\r\n\r\n")
            return False
        if refusal.what == "forbidden":
            await respond(http, (*problem(403, "CMN-401", "In order to call this API endpoint..."), {}))
            return True
        await respond(http, refused(refusal))
        return True

    @staticmethod
    def _json(request: Request) -> object:
        try:
            return json.loads(request.body) if request.body else None
        except ValueError:
            return None


def stream_of(http: HTTPConnection) -> FaultyStream:
    """Give the stream under a connection, to spoil it."""
    if not isinstance(http.stream, FaultyStream):
        raise TypeError("the server wraps all its streams")
    return http.stream


async def respond(http: HTTPConnection, answer: Answer) -> None:
    """Send an answer as JSON."""
    status, body, headers = answer
    data = b"" if body is None else json.dumps(body).encode()
    await http.respond(status, data, [("Content-Type", "application/json"), *headers.items()])
