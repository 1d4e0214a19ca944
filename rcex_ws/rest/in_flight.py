"""The calls that are on their way by HTTPS. None outlives its client.

Owned by `https.py`. HTTP libraries do not see to it: httpx, closed while a connection is being opened, goes on and
sends the request.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import anyio

from rcex_ws.errors import NotConnected, TransportError
from rcex_ws.loop import Signal
from rcex_ws.rest.message import Request

__all__ = ["InFlight"]


class InFlight:
    """The calls of one client, until it is closed for good.

    Attributes:
        closed: set when the client is closed.
    """

    def __init__(self) -> None:
        self.closed = Signal()
        self._calls: dict[anyio.CancelScope, Signal] = {}

    @contextmanager
    def until_closed(self, request: Request) -> Generator[None]:
        """Cancel the block when the client is closed.

        Raises:
            NotConnected: it is closed already.
            TransportError: it was closed meanwhile.
        """
        if self.closed.is_set():
            refused = NotConnected(f"{request}: the client is closed; the call was not sent")
            refused.retryable = False
            raise refused
        ended = Signal()
        with anyio.CancelScope() as scope:
            self._calls[scope] = ended
            try:
                yield
            finally:
                del self._calls[scope]
                ended.set()
        if scope.cancelled_caught:
            cut = TransportError(f"{request}: the client was closed before the answer came", sent=True)
            cut.retryable = False
            raise cut

    async def end(self) -> None:
        """Refuse further calls, cancel those that are under way, and wait for them."""
        self.closed.set()
        calls = dict(self._calls)
        for scope in calls:
            scope.cancel()
        for ended in calls.values():
            await ended.wait()
