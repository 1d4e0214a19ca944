"""A client comes to a server that cannot read what was published: it is told, and gets nothing twice later."""

from __future__ import annotations

import anyio
import pytest

from rcex_ws.broker import MemoryBroker
from tests.rtm.server.wire import service, settle

pytestmark = pytest.mark.anyio


async def test_what_it_has_from_another_server_does_not_come_again() -> None:
    async with service() as one:
        near, far = await one.node(), await one.node(broker=MemoryBroker(one.hub, command_timeout=0.05))
        await far.connect("ann")  # so that it follows the log, and will catch up with it
        first = await near.connect("ann")
        one.hub.cut(far.server.id)
        for number in (1, 2):
            await near.server.publish("ann", "n", number)
        second = far.wire(first.header())
        first.drop()
        await settle()
        second.say({"id": "a", "type": "auth", "data": ["ann"]})
        with anyio.fail_after(5):
            while not second.replies("a"):
                await anyio.sleep(0.01)
        assert [gap.get("certain", False) for gap in second.gaps] == [False]
        await near.server.publish("ann", "n", 3)
        one.hub.restore(far.server.id)
        await second.until(lambda: 3 in second.data)
        assert second.data == [3]
