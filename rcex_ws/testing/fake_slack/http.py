"""The smallest HTTP server that serves any client: one request after the other on a kept-alive connection.

`server.py` starts it for each TCP connection. It is written on h11 and the gateway's TCP stream, not on a web
framework: a fake must be able to say nothing, or to cut the connection by RST, in the middle of a request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import h11

from rcex_ws.gateway.tcp import TcpStream

__all__ = ["Answer", "Request", "serve_http"]

_ENDINGS = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, h11.RemoteProtocolError)
"""The ordinary ways for a connection to end; who speaks no HTTP is not answered."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its header names in lower case."""

    verb: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; "hang" and "rst" instead of a status send none."""

    status: int | str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])


async def serve_http(stream: TcpStream, answer: Callable[[Request], Answer]) -> None:
    """Answer the requests of one connection until it ends, and close the stream."""
    connection = h11.Connection(h11.SERVER)
    try:
        while True:
            request = await _read_request(stream, connection)
            result = answer(request)
            if result.status == "rst":
                stream.reset()
                return
            if not isinstance(result.status, int):
                while True:
                    await stream.receive()  # until the client gives up
            await stream.send(_encode(connection, request, result.status, result))
            if connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()
    except _ENDINGS:
        return
    finally:
        await anyio.aclose_forcefully(stream)


async def _read_request(stream: TcpStream, connection: h11.Connection) -> Request:
    head: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await stream.send(connection.send(go_on) or b"")
            connection.receive_data(await stream.receive())
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
            return Request(head.method.decode("latin-1"), head.target.decode("latin-1"), headers, body)
        else:
            raise anyio.EndOfStream


def _encode(connection: h11.Connection, request: Request, status: int, answer: Answer) -> bytes:
    has_body = bool(answer.body) and request.verb != "HEAD" and status not in (204, 304)
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    parts = [
        connection.send(h11.Response(status_code=status, headers=list(headers.items()))),
        connection.send(h11.Data(data=answer.body)) if has_body else b"",
        connection.send(h11.EndOfMessage()),
    ]
    return b"".join(part or b"" for part in parts)
