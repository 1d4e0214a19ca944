"""REST over the WebSocket: which calls may go that way, and how a call becomes a frame and an answer a response.

Facts: what the gateway refuses (binary content, multipart bodies, everything under /restapi/oauth/) stands in the
README of @rc-ex/ws; frames in the developer guide.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

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

#: Paths whose answers are no JSON: every method of @rc-ex/core 0.4.2 to 1.8.6, which are generated from RingCentral's
#: OpenAPI, that asks for bytes, and the one that gives CSV. `content` ends no path of JSON.
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
    """Tell whether the gateway can take this call.

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
    """Send REST calls over whatever connection the request table has now.

    Args:
        table: correlates answers.
        server: the client's server.
        telemetry: counts the calls, and hears of each if anybody listens.

    Attributes:
        server: as given.
    """

    def __init__(self, table: RequestTable[WsgFrame], server: str, telemetry: Telemetry | None = None) -> None:
        self._table = table
        self._telemetry = telemetry or Telemetry()
        self.server = server

    async def send(self, request: Request, *, traced: bool = False) -> Response:
        """Send a call and wait for its answer, whatever its status.

        Args:
            request: the call.
            traced: whether who listens hears of it already.

        Raises:
            NotConnected: there is no connection; nothing was sent.
            RequestLost: the connection went; `.sent` tells whether the server may have seen the call.
            RequestTimeout: no answer in time.
        """
        telemetry = self._telemetry
        if telemetry.trace_of_calls is not None and not traced:  # else a call would pay for a coroutine more
            return await self._send_traced(request, telemetry.trace_of_calls)
        if not self._table.connected:
            raise NotConnected("the WebSocket is not connected")
        key = next_id("r")
        frame = encode_request(
            key,
            request.method,
            _local_path(request.path, self.server) or request.path,
            query=_query(request),
            headers=request.headers
            and {as_builtin(name): as_builtin(value) for name, value in request.headers.items()},
            body=None if request.json is UNSET else encode_json(request.json),
        )
        telemetry.calls += 1
        pending = self._table.submit(key, frame, deadline=request.deadline)
        try:  # `table.call` spelled out: a coroutine less for every call
            answer = await pending.wait()
        finally:
            self._table.abandon(pending)
        return Response(answer.meta.status, answer.meta.headers or {}, bytes(answer.body), "websocket")

    async def _send_traced(self, request: Request, trace: Tracer) -> Response:
        with trace.begin(Step.CALL, f"{request.method} {request.path.partition('?')[0]}") as span:
            response = await self.send(request, traced=True)
            span.detail = f"{span.detail} {response.status_code}"
        return response

    @staticmethod
    def lost_error(pending: Any) -> RequestLost:
        """Make the error of a request whose connection went."""
        return RequestLost("the connection was lost before the answer came", sent=pending.sent)


@lru_cache(maxsize=1024)
def _socket_path(path: str, server: str) -> str | None:
    """Give the path without the server; None for one that the gateway does not take."""
    local = _local_path(path, server)
    if local is None or local.startswith(("/restapi/oauth/", "/restapi/v1.0/subscription")):
        return None
    return None if _BINARY.search(local.partition("?")[0]) else local


def _local_path(path: str, server: str) -> str | None:
    """Give the path without the server; None for another host."""
    if path.startswith("/"):
        return path
    if not same_origin(server, path):
        return None
    url = urlsplit(path)
    return url.path + (f"?{url.query}" if url.query else "")


def _query(request: Request) -> dict[str, Any] | None:
    """Give the query as the gateway takes it: an object; sequences as arrays, None left out."""
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
