"""What the application raises is told, whatever it is, and ends nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rtm.server.wire import running, settle

pytestmark = pytest.mark.anyio


class Unspeakable(Exception):
    """An exception that cannot be made a text."""

    def __str__(self) -> str:
        raise ValueError

    __repr__ = __str__


async def test_an_exception_that_has_no_text_ends_nothing() -> None:
    async with running(authenticate=None) as node:

        @node.server.register
        def fail(client: Any) -> None:
            raise Unspeakable

        @node.server.register
        async def fail_late(client: Any) -> None:
            raise Unspeakable

        node.server.register(lambda client: "here", name="ask")
        wire = await node.connect()
        assert await wire.call("fail", id_=1) == {"error": "internal error"}
        assert await wire.call("fail_late", id_=2) == {"error": "internal error"}
        assert await wire.call("ask", id_=3) == "here"
        await settle()
        assert [type(error) for error in node.errors] == [Unspeakable, Unspeakable]
