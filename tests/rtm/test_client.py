"""A client and a server of the original kind, or of ours, over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws.connection import LossKind, State
from rcex_ws.errors import NotConnected
from rcex_ws.rtm import AuthenticationRefused, RemoteError
from tests.rtm.scripted import Scripted, rig, session


async def test_it_authenticates_then_opens_then_calls_and_hears_events() -> None:
    async with rig(authentication={"token": "x"}) as it:
        it.subscribe("alert")
        await it.client.start()
        assert (it.client.state, it.client.authenticated, it.client.connected) == (State.READY, True, True)
        assert await it.server.next() == {"id": "1", "type": "auth", "data": [{"token": "x"}]}
        it.server.event("alert", "Hello from server!", 2)
        assert await it.told.wait("alert") == ["Hello from server!", 2]
        assert await it.client.call_wait("add", 1, [2]) == [1, [2]]
        assert await it.server.next() == {"id": "2", "type": "invoke", "function": "add", "data": [1, [2]]}
        await it.client.aclose()
        assert it.told.names == ["authenticating", "open", "alert", "close"]
        assert it.client.state is State.CLOSED


async def test_without_authentication_it_is_open_once_its_ping_is_answered() -> None:
    async with rig() as it:
        await it.client.start()
        await it.settle()
        assert (it.told.names, it.client.authenticated) == (["open"], False)
        assert it.server.upgrades == ["new"]


async def test_after_a_loss_it_resumes_its_session() -> None:
    def prepare(server: Scripted) -> None:
        server.greets = lambda number: [session(resumed=number > 1)]

    async with rig(prepare) as it:
        it.subscribe("x")
        await it.client.start()
        it.server.event("x", 1)
        it.server.event("x", 2, position="p7")
        it.server.event("unheard")
        await it.settle()
        await it.lose()
        it.server.event("x", 3)
        await it.told.wait("x", 3)
        assert it.server.upgrades == ["new", "s1;3;p7"]
        assert it.told.of("x") == [[1], [2], [3]]
        assert it.told.gaps == []
        assert it.told.names == ["open", "x", "x", "close", "reconnecting", "open", "x"]
        assert it.told.losses[0].kind is LossKind.DROPPED
        assert it.told.of("reconnecting") == [1]


@pytest.mark.parametrize("reply", [None, False, "", 0, {"error": "who are you?"}, {"error": {}}])
async def test_a_refused_authentication_is_final(reply: Any) -> None:
    async with rig(lambda server: setattr(server, "accepts", reply), authentication="a") as it:
        with pytest.raises(AuthenticationRefused):
            await it.client.start()
        assert it.client.state is State.FAILED
        assert it.told.names == ["authenticating", "close", "error"]
        assert len(it.server.upgrades) == 1
        with pytest.raises(NotConnected):
            await it.client.call_wait("f")


async def test_an_error_reply_is_raised() -> None:
    async with rig(lambda server: setattr(server, "replies", False)) as it:
        await it.client.start()
        it.client.call("quick")
        frame = await it.server.next()
        it.server.say({"id": frame["id"], "data": {"error": "no"}})
        error = await it.told.wait("error")
        assert isinstance(error, RemoteError)
        assert error.error == "no"
