"""The limits of a client that is served by an ASGI server, which has others of its own."""

from __future__ import annotations

import pytest

from tests.rtm.server.wire import running, settle

pytestmark = pytest.mark.anyio


async def test_a_message_that_another_server_has_let_through_may_be_too_large_all_the_same() -> None:
    async with running(authenticate=None, max_size=100) as node:
        node.server.register(lambda client, text: len(text), name="size")
        wire = await node.connect()
        assert await wire.call("size", "x" * 20) == 20
        wire.say(b" " * 101)
        assert (wire.code, wire.reason) == (1009, "the message is too large")
        await settle()
        (reason,) = [event[2] for event in node.events if event[0] == "disconnect"]
        assert (reason.code, reason.by_server) == (1009, True)
