"""A local RingCentral server: OAuth, part of the REST API, the WebSocket gateway, and faults on command.

Used by tests and demos of any RingCentral client; needs the extra `pip install 'rcex_ws[gateway]'`. It may use the
WebSocket layer and all below it, but no client: a bug in a client must not be hidden by the same bug in its server.
"""

from typing import TYPE_CHECKING

from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.lazy import lazy_names

if TYPE_CHECKING:
    from rcex_ws.gateway.app import GatewayApp
    from rcex_ws.gateway.server import Gateway
else:
    __getattr__ = lazy_names(
        __name__,
        {"Gateway": ".server", "GatewayApp": ".app"},
        extra={"starlette"},
        advice="the local gateway needs an extra: pip install 'rcex_ws[gateway]'",
    )

__all__ = ["Gateway", "GatewayApp", "GatewayOptions"]
