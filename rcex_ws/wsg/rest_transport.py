"""REST over the WebSocket: which calls may take it, how a call becomes a frame, and an answer a response.

Facts: what the gateway refuses (binary content, multipart bodies, everything under /restapi/oauth/) is listed in the
README of @rc-ex/ws; frames in the developer guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from rcex_ws.address import same_origin
from rcex_ws.connection import RequestTable
from rcex_ws.errors import NotConnected, RequestLost
from rcex_ws.rest import UNSET, Request, Response
from rcex_ws.rest.outgoing import encode_json
from rcex_ws.rest.url import as_builtin
from rcex_ws.trace import Step, Tracer
from rcex_ws.wsg.frames import WsgFrame, encode_request, next_id
from rcex_ws.wsg.telemetry import Telemetry

__all__ = ["RestTransport", "eligible"]

#: Paths whose answers are not JSON: every method of @rc-ex/core 0.4.2 to 1.8.6 (generated from RingCentral's OpenAPI)
#: that requests bytes, and the one that returns CSV. No path with a JSON answer ends in `content`.
_BINARY = re.compile(
    r"/(?:content(?:/[^/]+)?"  # attachments, recordings, greetings, prompts
    r"|profile-image(?:/[^/]+)?"
    r"|message-store-report/[^/]+/archive/[^/]+"
    r"|data-export/[^/]+/(?:archive|datasets)/[^/]+"
    r"|sms/consents/export"
    r")/?$"
)
_ACCEPTABLE = ("application/json", "multipart/mixed", "*/*")


def eligible(request: Request, server: str) -> bool:
    """Return whether the gateway accepts this call.

    Args:
        request: the call.
        server: the client's server; calls to other hosts never go over its socket.
    """
    if _socket_path(request.path, server) is None:
        return False
    if request.files is not None or request.data is not None or request.content is not None:
        return False
    if not request.headers:
        return True
    content_type = request.header("Content-Type")
    if content_type is not None and not content_type.lower().startswith("application/json"):
        return False
    accepted = [part.partition(";")[0].strip().lower() for part in request.accept.split(",")]
    return all(kind in _ACCEPTABLE for kind in accepted)


class RestTransport:
    """Sends REST calls over the current connection of the request table.

    Args:
        table: matches answers to requests.
        server: the client's server.
        user_agent: value of X-User-Agent in every frame, as @rc-ex/ws has it.
        telemetry: counts the calls, and traces them if anybody listens.

    Attributes:
        server: as given.
    """

    def __init__(
        self, table: RequestTable[WsgFrame], server: str, user_agent: str, telemetry: Telemetry | None = None
    ) -> None:
        self._table = table
        self._telemetry = telemetry or Telemetry()
        self.server = server
        self._agent = {"X-User-Agent": user_agent}
        self._encoded_agent = Raw(msgspec.json.encode(self._agent))  # most calls have no headers of their own

    async def send(self, request: Request, *, traced: bool = False) -> Response:
        """Send a call and return its answer, whatever its status. The table ends it at `request.deadline`.

        Args:
            request: the call.
            traced: whether the call is being traced already.

        Raises:
            NotConnected: there is no connection; nothing was sent.
            RequestLost: the connection was lost; `.sent` is whether the server may have seen the call.
            RequestTimeout: there was no answer in time.
        """
        telemetry = self._telemetry
        if telemetry.trace_of_calls is not None and not traced:  # otherwise each call would cost another coroutine
            return await self._send_traced(request, telemetry.trace_of_calls)
        if not self._table.connected:
            raise NotConnected("the WebSocket is not connected")
        key = next_id("r")
        frame = encode_request(
            key,
            request.method,
            _local_path(request.path, self.server) or request.path,
            query=_query(request),
            headers=self._headers(request.headers) if request.headers else self._encoded_agent,
            body=None if request.json is UNSET else encode_json(request.json),
        )
        telemetry.calls += 1
        pending = self._table.submit(key, frame, deadline=request.deadline)
        try:  # `table.call` inlined, which saves each call a coroutine
            answer = await pending.wait()
        finally:
            self._table.abandon(pending)
        return Response(answer.meta.status, answer.meta.headers or {}, bytes(answer.body), "websocket")

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        mine = {as_builtin(name): as_builtin(value) for name, value in headers.items()}
        return mine if any(name.lower() == "x-user-agent" for name in mine) else self._agent | mine

    async def _send_traced(self, request: Request, trace: Tracer) -> Response:
        with trace.begin(Step.CALL, f"{request.method} {request.path.partition('?')[0]}") as span:
            response = await self.send(request, traced=True)
            span.detail = f"{span.detail} {response.status_code}"
        return response

    @staticmethod
    def lost_error(pending: Any) -> RequestLost:
        """Return the error of a request whose connection was lost."""
        return RequestLost("the connection was lost before the answer came", sent=pending.sent)


@lru_cache(maxsize=1024)
def _socket_path(path: str, server: str) -> str | None:
    """Return the path without the server; None for one that the gateway does not accept."""
    local = _local_path(path, server)
    if local is None or local.startswith(("/restapi/oauth/", "/restapi/v1.0/subscription")):
        return None
    return None if _BINARY.search(local.partition("?")[0]) else local


def _local_path(path: str, server: str) -> str | None:
    """Return the path without the server; None for another host."""
    if path.startswith("/"):
        return path
    if not same_origin(server, path):
        return None
    url = urlsplit(path)
    return url.path + (f"?{url.query}" if url.query else "")


def _query(request: Request) -> dict[str, Any] | None:
    """Return the query as the gateway expects it: an object with sequences as arrays, without None."""
    if not request.params:
        return None
    query: dict[str, Any] = {}
    for name, value in request.params.items():
        if isinstance(value, (list, tuple)):
            if many := [as_builtin(one) for one in value if one is not None]:
                query[as_builtin(name)] = many
        elif value is not None:
            query[as_builtin(name)] = as_builtin(value)
    return query
