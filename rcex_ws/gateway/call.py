"""One REST call and its answer, whether over HTTP or in frames over a WebSocket.

Made by `front.py` (HTTP) and `websocket.py` (frames), answered by `front.py`, read by the REST handlers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urlencode

from starlette.requests import Request

from rcex_ws.gateway.oauth import OAuthSession
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.sessions import ServerSession
from rcex_ws.gateway.shapes import as_object, decode

__all__ = [
    "CallSocket",
    "Caller",
    "RestAnswer",
    "RestCall",
    "error_answer",
    "json_body",
    "login_of",
    "server_of",
    "socket_of",
]

_LONGEST_JSON = 2**24


class CallSocket(Protocol):
    """The WebSocket that a call came over, as far as the handlers need it."""

    @property
    def id(self) -> int:
        """The number of the connection."""
        ...

    @property
    def session(self) -> ServerSession:
        """The session of the connection."""
        ...


@dataclass(frozen=True, slots=True)
class RestCall:
    """A request to the REST application.

    Args:
        method: the HTTP method in capitals.
        path: the path, percent-decoded, without a trailing slash and without the query.
        query: the encoded query.
        headers: the headers, names in lower case.
        body: the raw body, empty for none.
        server: the base URL that the client has used, empty if unknown.
        socket: the WebSocket it came over, None over HTTP.
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    server: str = ""
    socket: CallSocket | None = None

    @property
    def via(self) -> str:
        """The transport: "websocket" or "https" (the client's name for it, although it is plain HTTP here)."""
        return "https" if self.socket is None else "websocket"

    @classmethod
    def from_frame(cls, meta: Mapping[str, Any], body: Sequence[Any], socket: CallSocket) -> RestCall:
        """Return the call in a ClientRequest frame.

        Args:
            meta: the first element of the frame.
            body: the elements after it, at most one of which is read.
            socket: the WebSocket it came over.
        """
        # Not urlsplit: a client may send any path, and urlsplit rejects "//[" as a broken host name.
        path, _, own_query = str(meta.get("path", "")).partition("?")
        query = "&".join(filter(None, (own_query, urlencode(as_object(meta.get("query")) or {}, doseq=True))))
        headers = {name.lower(): str(value) for name, value in (as_object(meta.get("headers")) or {}).items()}
        # RingCentral.Net sends "" for "no body" and that works.
        content = b"" if not body or body[0] == "" else json.dumps(body[0]).encode()
        json_type = {"content-type": "application/json"}
        return cls(
            str(meta.get("method", "GET")).upper(),
            unquote(path).rstrip("/") or "/",
            query,
            headers | json_type,
            content,
            socket.session.oauth.server,
            socket,
        )


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """An answer of the REST application: status, headers in lower case, raw body."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


def error_answer(problem: Problem) -> RestAnswer:
    """Return the answer for a problem."""
    headers = {name.lower(): value for name, value in problem.headers().items()}
    return RestAnswer(
        problem.status, {"content-type": "application/json"} | headers, json.dumps(problem.body()).encode()
    )


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made a call: the login, the WebSocket if it came over one, and the base URL that the client has used."""

    login: OAuthSession | None
    socket: CallSocket | None
    server: str


def _caller_of(request: Request) -> Caller:
    caller = request.state.caller
    if not isinstance(caller, Caller):
        raise TypeError("the request did not pass through Front, which sets its caller")
    return caller


def login_of(request: Request) -> OAuthSession:
    """Return the login of a request; `Front` lets no request without one reach a handler that needs it."""
    login = _caller_of(request).login
    if login is None:
        raise Problem(401, "OAU-213", "Token not found or expired")
    return login


def socket_of(request: Request) -> CallSocket | None:
    """Return the WebSocket that a request came over."""
    return _caller_of(request).socket


def server_of(request: Request) -> str:
    """Return the base URL that the client has used, for the URIs in the answer."""
    return _caller_of(request).server


async def json_body(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body, empty if there is no body.

    Raises:
        Problem: 400 CMN-100 if it is not a JSON object, 413 if it is larger than a frame can be.
    """
    content = await request.body()
    if not content:
        return {}
    if len(content) > _LONGEST_JSON:
        raise Problem(413, "CMN-100", "The request body is too large")
    try:
        body = as_object(decode(content))
    except ValueError as error:
        raise Problem(400, "CMN-100", "The request body is not valid JSON") from error
    if body is None:
        raise Problem(400, "CMN-100", "The request body must be a JSON object")
    return body
