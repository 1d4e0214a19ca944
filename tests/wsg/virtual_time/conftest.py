"""Hours of the protocol in virtual time: the same extension and the same gateway over in-memory streams."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from rcex_ws import RingCentral, WebSocketExtension
from rcex_ws.testing import MemoryGateway


@pytest.fixture
def anyio_backend():
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
async def memory():
    async with MemoryGateway() as memory:
        yield memory


@pytest.fixture
async def rc(memory):
    async with RingCentral(
        server=memory.server, client_id=memory.client_id, client_secret=memory.client_secret, http=memory.http
    ) as rc:
        await rc.authorize(jwt=memory.jwt)
        yield rc


@pytest.fixture
def make_ext(memory, told):
    """Make an extension whose events are recorded; it has the default schedule."""

    def make(**options):
        ext = WebSocketExtension(**options)
        ext.open_socket = memory.open_websocket
        told.listen(ext)
        return ext

    return make
