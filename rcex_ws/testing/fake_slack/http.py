"""HTTP requests and answers of the Web API; the adapter between the gateway's HTTP server and `methods.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rcex_ws.gateway.http import Application, Receive, Scope, Send

__all__ = ["HTTPAnswer", "HTTPRequest", "application"]


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """An HTTP request, its header names in lower case."""

    verb: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HTTPAnswer:
    """An HTTP answer; with "hang" or "rst" instead of a status none is sent."""

    status: int | str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])


def application(answer: Callable[[HTTPRequest], HTTPAnswer]) -> Application:
    """Return an ASGI application for `rcex_ws.gateway.http.serve_http` that answers requests by this function."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        target = f"{scope['path']}?{query}"
        result = answer(HTTPRequest(scope["method"], target, headers, (await receive())["body"]))
        if result.status == "rst":
            raise ConnectionResetError
        if result.status == "hang":
            await receive()  # until the client disconnects
            return
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in result.headers.items()]
        await send({"type": "http.response.start", "status": result.status, "headers": raw})
        await send({"type": "http.response.body", "body": result.body})

    return call
