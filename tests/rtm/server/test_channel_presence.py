"""Who counts as connected, while clients of one user come and go."""

from __future__ import annotations

import pytest

from rcex_ws.broker import MemoryBroker
from tests.rtm.server.wire import service, settle

pytestmark = pytest.mark.anyio


async def test_a_client_that_is_lost_while_it_is_let_in_was_never_present() -> None:
    async with service() as one:
        node = await one.node(broker=MemoryBroker(one.hub, command_timeout=0.2))
        first = await node.connect("ann")
        mark = first.session["session"].partition("-")[0]
        one.hub.cut(node.server.id)  # so that what it has missed cannot be read at once
        second = node.wire(f"{mark}-unknown;0;{first.session['position']}")
        await settle()
        second.say({"id": "a", "type": "auth", "data": ["ann"]})
        await settle()
        first.leave()
        await settle()
        second.drop()
        await settle()
        one.hub.restore(node.server.id)
        assert await node.server.presence("ann") == {}
        await second.until(lambda: node.core.dispatcher.unfinished == 0)
        assert await node.server.presence("ann") == {}
