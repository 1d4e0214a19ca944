"""A local gateway with a fault proxy in front of its WebSocket.

Used by the fixture `proxied_gateway` and by tests that start a gateway themselves. Each of the two must know the
other's port, so two `with` statements are not enough.
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
    """Run a gateway whose clients open their WebSockets through a `FaultProxy`.

    REST requests go to the gateway directly, so that faults affect only WebSockets.

    Args:
        options: the options of `Gateway`.

    Yields:
        The gateway and the proxy, both running.
    """
    with FaultProxy("127.0.0.1", 0) as proxy, Gateway(public_ws_uri=proxy.url("ws://gateway/ws"), **options) as gateway:
        proxy.retarget(gateway.ws_uri)
        yield gateway, proxy
