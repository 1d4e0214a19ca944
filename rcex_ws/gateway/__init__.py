"""A local RingCentral for tests and demos: OAuth, a part of the REST API, the WebSocket gateway, and faults on command.

Needs the extra: `pip install rcex_ws[gateway]`. It imports nothing of the client and shares no code with it, so that a
mistake in one is not hidden by the same mistake in the other.
"""

from rcex_ws.gateway.app import GatewayApp
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.server import Gateway

__all__ = ["Gateway", "GatewayApp", "GatewayOptions"]
