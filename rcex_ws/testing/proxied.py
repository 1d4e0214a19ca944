"""A local gateway and a fault proxy before its WebSocket, wired to each other.

Used by the fixture `proxied_gateway` and by tests that start a gateway themselves. Each of the two must know the
other's port, which is why this is more than two `with` statements.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from rcex_ws.gateway import Gateway
from rcex_ws.testing.proxy import FaultProxy

__all__ = ["proxied_gateway"]


@contextmanager
def proxied_gateway(**options: Any) -> Generator[tuple[Gateway, FaultProxy]]:
    """Run a gateway that tells its clients to open their WebSockets through a `FaultProxy`.

    REST goes to the gateway directly, so that a test can tell the two apart.

    Args:
        options: those of `Gateway`.

    Yields:
        The gateway and the proxy, both running.
    """
    with FaultProxy("127.0.0.1", 0) as proxy, Gateway(public_ws_uri=proxy.url("ws://gateway/ws"), **options) as gateway:
        proxy.retarget(gateway.ws_uri)
        yield gateway, proxy
