"""What users need to test their own code: a local RingCentral and a local Slack, a network that fails, virtual time.

`FaultProxy` stands between any client and any TCP server; `proxied_gateway` runs the local gateway behind one.
`MemoryGateway` runs it over in-memory streams, so that hours pass in milliseconds under trio's MockClock.
`WebSocketClientStub` runs a handler of the callback client without a socket. The pytest fixtures come with the package
and need no import. Names are imported when first used: pytest loads this package in every run, and only some tests need
a web framework or trio.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fake_slack import FakeSlack
    from .memory import MemoryGateway
    from .proxied import proxied_gateway
    from .proxy import FaultProxy
    from .websocket_client_stub import WebSocketClientStub

__all__ = ["FakeSlack", "FaultProxy", "MemoryGateway", "WebSocketClientStub", "proxied_gateway"]

_HOMES = {
    "FakeSlack": ".fake_slack",
    "FaultProxy": ".proxy",
    "MemoryGateway": ".memory",
    "WebSocketClientStub": ".websocket_client_stub",
    "proxied_gateway": ".proxied",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
