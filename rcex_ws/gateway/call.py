"""One request and its answer, whichever way they travel: over HTTP or in frames over a WebSocket.

Built by `front.py` (HTTP) and `websocket.py` (frames), answered by `front.py`, read by the REST handlers.
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
    """The WebSocket that a request came over, as far as answering it needs."""

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
    """Hold one request.

    Args:
        method: In capitals.
        path: Percent-decoded, without a trailing slash and without query.
        query: The encoded query.
        headers: Names in lower case.
        body: The raw body, empty for none.
        server: The address by which the client came, empty when that is not known.
        socket: The WebSocket it came over, None over HTTP.
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
        """The way it came: "websocket" or "https" (named like the client's way, although it is plain HTTP here)."""
        return "https" if self.socket is None else "websocket"

    @classmethod
    def from_frame(cls, meta: Mapping[str, Any], body: Sequence[Any], socket: CallSocket) -> RestCall:
        """Read a ClientRequest.

        Args:
            meta: The first element of the frame.
            body: The second element, if there is one.
            socket: The WebSocket it came over.
        """
        # Not urlsplit: a path of a client may be anything, and that one takes "//[" for a broken host name.
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
    """Hold one answer: status, headers in lower case, raw body."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


def error_answer(problem: Problem) -> RestAnswer:
    """Return the answer that tells a problem."""
    headers = {name.lower(): value for name, value in problem.headers().items()}
    return RestAnswer(
        problem.status, {"content-type": "application/json"} | headers, json.dumps(problem.body()).encode()
    )


@dataclass(frozen=True, slots=True)
class Caller:
    """Tell who calls: the login, the WebSocket if the call came over one, and by which address of the server."""

    login: OAuthSession | None
    socket: CallSocket | None
    server: str


def _caller_of(request: Request) -> Caller:
    caller = request.state.caller
    if not isinstance(caller, Caller):
        raise TypeError("the front sets the caller of every request")
    return caller


def login_of(request: Request) -> OAuthSession:
    """Return the login of a request; the front lets none without one reach a handler that asks."""
    login = _caller_of(request).login
    if login is None:
        raise Problem(401, "OAU-213", "Token not found or expired")
    return login


def socket_of(request: Request) -> CallSocket | None:
    """Return the WebSocket that a request came over."""
    return _caller_of(request).socket


def server_of(request: Request) -> str:
    """Return the address by which the client came, for the URIs in the answer."""
    return _caller_of(request).server


async def json_body(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body, empty for no body.

    Raises:
        Problem: 400 CMN-100 when it is something else, 413 when it is larger than a frame can be.
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
