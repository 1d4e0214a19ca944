"""What users need to test their own code: a local RingCentral and Slack, a failing network, virtual time.

Used by test suites only. It may use every other folder; it imports each name when it is first used, since pytest loads
this package in every run (for the fixtures of `pytest_plugin.py`) and few tests need a web framework or trio.

* `fake_slack/`: a local Slack (`FakeSlack`).
* `proxy.py`, `forwarding.py`: a TCP proxy that fails on command (`FaultProxy`).
* `proxied.py`: the local gateway behind such a proxy (`proxied_gateway`).
* `memory.py`: the local gateway over in-memory streams, for hours of virtual time under trio (`MemoryGateway`).
* `websocket_client_stub.py`: a callback client without a socket, to test its handlers (`WebSocketClientStub`).
"""

from typing import TYPE_CHECKING

from rcex_ws.lazy import lazy_names

if TYPE_CHECKING:
    from .fake_slack import FakeSlack
    from .memory import MemoryGateway
    from .proxied import proxied_gateway
    from .proxy import FaultProxy
    from .websocket_client_stub import WebSocketClientStub
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "FakeSlack": ".fake_slack",
            "FaultProxy": ".proxy",
            "MemoryGateway": ".memory",
            "WebSocketClientStub": ".websocket_client_stub",
            "proxied_gateway": ".proxied",
        },
    )

__all__ = ["FakeSlack", "FaultProxy", "MemoryGateway", "WebSocketClientStub", "proxied_gateway"]
