"""The base class of extensions, which are installed into a `RingCentral`.

Subclassed by users and by `rcex_ws.wsg`; `rcex_ws.rest.lifecycle` installs and closes them, `rcex_ws.rest.calls` sends
each call through them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rcex_ws.rest.message import Request, Response, Send

if TYPE_CHECKING:
    from rcex_ws.rest.client import RingCentral

__all__ = ["Extension"]


class Extension:
    """Base class of extensions: middleware, transport, or both.

    Middlewares wrap the transports whatever the order of installation; among middlewares the last installed is
    outermost, among transports the first installed is asked first. Calls run concurrently, and a middleware may send
    the same call several times.

    Attributes:
        client: the client it is installed in, or None; set by the client.
        enabled: whether calls use it; while False they skip both roles.
        keeps_deadline: whether `transport` itself ends at `request.deadline`; otherwise it is cancelled then.
    """

    client: RingCentral | None = None
    enabled: bool = True
    keeps_deadline: bool = False

    async def install(self, rc: RingCentral) -> None:
        """Start the extension; if this raises, so does `RingCentral.install_extension`, and nothing is installed."""

    async def handle(self, request: Request, call_next: Send) -> Response:
        """Handle one call as a middleware.

        Args:
            request: the call; may be modified.
            call_next: passes the call on; raises `RestError` for an answer other than 2xx.
        """
        return await call_next(request)

    def takes(self, request: Request) -> bool:
        """Return whether `transport` should get this call. Runs for every call, so it should be cheap."""
        return type(self).transport is not Extension.transport

    async def transport(self, request: Request, call_next: Send) -> Response:
        """Send one call or pass it on.

        Args:
            request: the call; must not be modified, for it may be sent again.
            call_next: the next transport, HTTPS being the last; returns any answer, whatever its status.
        """
        return await call_next(request)

    async def aclose(self) -> None:
        """Stop what `install` started; called once, by `RingCentral.aclose`."""
