"""The events of the RTM benchmark, and how bare clients get them: what they ask for, and what they find on the wire."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.common.feeds import compact

__all__ = ["EVENT", "RTM", "SOCKET_IO", "Dialect", "arguments", "payload"]

EVENT = "news"
#: What stands before the time of an event, and how many digits that has.
MARK, DIGITS = b'"@', 19
#: Bytes of an event of RTM without its filling.
_HEAD = len('{"event":"news","data":["@",""]}') + DIGITS


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a client says, and what it gets.

    Attributes:
        path: of its upgrade request.
        event: what the text of each event begins with.
        hello: text by which it says who it is, with `%s` for the user; "" if it need not.
        before: how many texts come before it may say that.
        ping: text that the client has to answer; none is expected if it is empty.
        pong: the answer.
    """

    path: str
    event: bytes
    hello: str
    before: int = 0
    ping: bytes = b""
    pong: bytes = b""


RTM = Dialect("/", b'{"event":"news"', '{"id":"1","type":"auth","data":["%s"]}')
SOCKET_IO = Dialect(
    "/socket.io/?EIO=4&transport=websocket", b'42["news"', '40{"user":"%s"}', before=1, ping=b"2", pong=b"3"
)


def arguments(size: int) -> tuple[str, str]:
    """Return the arguments of an event that is made now; as one of RTM it has `size` bytes."""
    return f"@{time.perf_counter_ns():0{DIGITS}}", "x" * (size - _HEAD)


def payload(size: int) -> bytes:
    """Return such an event of RTM."""
    return compact({"event": EVENT, "data": arguments(size)})
