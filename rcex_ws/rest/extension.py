"""The base class of everything that is installed into a `RingCentral`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rcex_ws.rest.message import Request, Response, Send

if TYPE_CHECKING:
    from rcex_ws.rest.client import RingCentral

__all__ = ["Extension"]


class Extension:
    """Add to a client as a middleware, as a transport, or as both.

    Middlewares wrap the transports whatever the order of installation; among middlewares the last installed is
    outermost, among transports the first installed is asked first. A call may pass several times (a middleware may
    repeat it), also at the same time as others.

    Attributes:
        client: the one it is installed in; set by the client.
        enabled: while False, calls go around both roles.
        keeps_deadline: whether `transport` itself ends at `request.deadline`; else it is cancelled then.
    """

    client: RingCentral | None = None
    enabled: bool = True
    keeps_deadline: bool = False

    async def install(self, rc: RingCentral) -> None:
        """Get ready; an exception is raised by `RingCentral.install_extension` and leaves nothing installed."""

    async def handle(self, request: Request, call_next: Send) -> Response:
        """Handle one call as a middleware.

        Args:
            request: may be changed.
            call_next: the rest of the way; raises `RestError` for an answer other than 2xx.
        """
        return await call_next(request)

    def takes(self, request: Request) -> bool:
        """Tell whether `transport` is to be asked. Runs for every call, so it should be cheap."""
        return type(self).transport is not Extension.transport

    async def transport(self, request: Request, call_next: Send) -> Response:
        """Take one call or pass it on.

        Args:
            request: not to be changed: it may be sent again.
            call_next: the next transport, at last HTTPS; returns any answer, whatever its status.
        """
        return await call_next(request)

    async def aclose(self) -> None:
        """Stop what `install` started; called once, by `RingCentral.aclose`."""
