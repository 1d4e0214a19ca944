"""A gateway for all tests, started once to be cheap, and clients of it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator

import pytest

from rcex_ws.blocking import RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"


#: One for all clients: to make one takes 50 ms.
TLS = ssl.create_default_context()


@pytest.fixture(scope="session")
def server() -> Iterator[Gateway]:
    """A gateway."""
    with Gateway() as gateway:
        yield gateway


def make_client(server: Gateway) -> RingCentral:
    """Make a client that is not logged in."""
    return RingCentral(
        server=server.server, client_id=server.client_id, client_secret=server.client_secret, ssl_context=TLS
    )


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread brings about and nothing tells."""
    while not condition():
        time.sleep(0.001)


@pytest.fixture
def rc(server: Gateway) -> Iterator[RingCentral]:
    """A client that is logged in."""
    with make_client(server) as rc:
        rc.authorize(jwt=server.jwt)
        yield rc
        server.clear_faults()


@pytest.fixture
def installed(rc: RingCentral) -> Callable[..., WebSocketExtension]:
    """Install an extension with these options."""

    def install(**options: object) -> WebSocketExtension:
        ws_ext = WebSocketExtension(reconnect_delays=lambda n: 0.01, **options)  # type: ignore[arg-type]
        rc.install_extension(ws_ext)
        return ws_ext

    return install
