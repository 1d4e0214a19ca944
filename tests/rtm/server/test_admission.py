"""Who a client is, and where it goes on: at the same server or at another, with the right claims or the wrong ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.broker import MemoryBroker
from rcex_ws.errors import ConfigurationError
from rcex_ws.rtm.server import RemoteClient
from rcex_ws.rtm.server.admission import default_user_id
from tests.rtm.server.wire import Wire, running, service, settle

pytestmark = pytest.mark.anyio


# -- the user ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authentication", "user_id"),
    [
        ("ann", "ann"),
        (7, 7),
        (True, None),
        (1.5, None),
        ({"email": "e", "id": "i", "sub": "s"}, "i"),
        ({"id": None, "uid": 0}, 0),
        ({"name": "ann"}, None),
        (SimpleNamespace(sub="s"), "s"),
        (object(), None),
    ],
)
def test_the_id_of_a_user_by_default(authentication: object, user_id: object) -> None:
    assert default_user_id(authentication) == user_id


@pytest.mark.parametrize("nobody", [True, {"id": ""}, {"id": True}, ["x"]])
async def test_a_client_that_is_welcome_may_be_nobody(nobody: Any) -> None:
    """Clients without a user have no connections in common."""
    async with running(authenticate=lambda client, name: nobody, max_connections=1) as node:
        one, other = await node.connect("x"), await node.connect("y")
        assert one.is_open
        assert other.is_open
        assert [client.user_id for client in node.server.clients] == [None, None]
        assert await node.server.publish("True", "e") == 0
        assert node.server.emit("e", None, 1) == 2


async def test_an_id_that_is_no_text_becomes_one() -> None:
    async with running(user_id=lambda authentication: authentication["n"]) as node:
        await node.connect({"n": 7})
        assert await node.server.publish("7", "e") == 1


async def test_an_id_that_cannot_be_encoded_lets_nobody_in() -> None:
    async with running(user_id=lambda _: "\ud800") as node:
        client = await node.connect("x")
        assert (client.code, client.received) == (1011, [])
        await settle()
        (error,) = node.errors
        assert isinstance(error, ConfigurationError)
        assert str(error).startswith("user_id: ")
        assert await node.leftovers() == []


# -- the same server ---------------------------------------------------------------------------------------------------


async def test_a_client_that_comes_back_gets_what_it_missed_once_and_in_order() -> None:
    async with running() as node:
        first = await node.connect("ann")
        assert [frame.get("event") for frame in first.received] == ["rtm:session", None]
        (client,) = node.server.clients
        client.state["n"] = 1
        assert await node.server.publish("ann", "e", 1) == 1
        assert node.server.emit("e", None, 2) == 1
        first.drop()
        assert (node.server.clients, client.connected) == ((), False)
        assert node.server.emit("e", None, 3) == 0
        assert await node.server.publish("ann", "e", 4) == 0
        assert not client.emit("e", 5)
        second = await node.connect("ann", resume=first.header())
        assert second.session == {"session": first.session["session"], "resumed": True, "window": 60.0, "missed": 3}
        assert [frame.get("event") for frame in second.received] == ["rtm:session", None, "e", "e", "e"]
        assert (second.data, second.gaps) == ([3, 4, 5], [])
        assert node.server.clients == (client,)
        assert client.connected
        assert client.request is second.request
        await settle()
        assert node.names == ["connect", "disconnect", "resume"]
        assert await node.server.publish("ann", "e", 6) == 1
        assert second.data[-1] == 6


async def test_the_client_that_was_checked_is_none_once_it_has_come_back_as_another() -> None:
    checked: list[RemoteClient] = []

    def check(client: RemoteClient, user_id: str) -> str:
        checked.append(client)
        return user_id

    async with running(authenticate=check) as node:
        first = await node.connect("ann")
        first.drop()
        await node.connect("ann", resume=first.header())
        before, after = checked
        assert (before.connected, after.connected) == (True, False)
        assert node.server.clients == (before,)


async def test_a_client_whose_loss_was_not_noticed_takes_its_session_over() -> None:
    async with running() as node:
        first = await node.connect("ann")
        first.lost = True
        assert node.server.emit("e", None, 1) == 1  # into the void
        second = await node.connect("ann", resume=first.header())
        assert second.data == [1]
        assert first.ended is None
        assert not first.is_open
        assert len(node.server.clients) == 1
        assert await node.server.presence("ann") == {node.server.id: 1}
        first.lost = False
        first.answer(b"1")  # what is proven by the connection before is no business of this one
        first.drop()
        await settle()
        assert node.names == ["connect", "resume"]
        assert node.server.emit("e", None, 2) == 1
        second.drop()
        third = await node.connect("ann", resume=first.header(received=0))
        assert third.data == [1, 2]


async def test_the_session_of_another_user_cannot_be_resumed() -> None:
    async with running() as node:
        ann = await node.connect("ann")
        ann.drop()
        await node.server.publish("ann", "secret", 1)
        bob = await node.connect("bob", resume=ann.header())
        assert "resumed" not in bob.session
        assert bob.session["session"] != ann.session["session"]
        assert (bob.events, bob.gaps) == ([], [])
        again = await node.connect("ann", resume=ann.header())
        assert again.session["resumed"]
        assert again.data == [1]


@pytest.mark.parametrize("received", [3, 10**17, 0])
async def test_a_wrong_number_of_events_begins_a_new_session_with_a_gap(received: int) -> None:
    async with running(max_resume_events=1) as node:
        first = await node.connect("ann")
        for number in (1, 2):
            node.server.emit("e", None, number)
        second = await node.connect("ann", resume=first.header(received=received))
        assert second.session["session"] != first.session["session"]
        assert second.events == []
        (gap,) = second.gaps
        assert (gap["published"], gap.get("certain", False)) == (False, received == 0)
        assert (first.code, second.is_open) == (4409, True)
        await settle()
        assert len(node.server.clients) == 1
        assert await node.server.presence("ann") == {node.server.id: 1}
        assert sorted(node.names) == ["connect", "connect", "disconnect"]
        second.leave()
        third = await node.connect("ann", resume=first.header())
        assert "resumed" not in third.session


async def test_what_no_longer_fits_is_read_from_the_log_as_far_as_it_was_published() -> None:
    async with running(max_resume_events=2) as node:
        first = await node.connect("ann")
        await node.server.publish("ann", "e", 1)
        first.drop()
        for number in range(2, 7):
            await node.server.publish("ann", "e", number)
        second = await node.connect("ann", resume=first.header())
        assert second.data == [2, 3, 4, 5, 6]
        (gap,) = second.gaps
        assert gap == {"reason": "more was sent than this server keeps", "published": False}


@pytest.mark.parametrize("header", ["new", "", ";", "x", "x;;", "x;-1;", "x;1", "x;1;y", "a" * 5000, "x;²;"])
async def test_any_header_gets_a_session(header: str) -> None:
    async with running() as node:
        client = await node.connect("ann", resume=header)
        assert client.session["session"]
        assert client.is_open


async def test_without_a_window_nothing_is_resumed() -> None:
    async with running(resume_window=0) as node:
        client = await node.connect("ann")
        assert client.received == [{"id": "a", "data": "ann"}]
        await node.server.publish("ann", "e")
        client.drop()
        assert await node.leftovers() == []


async def test_an_original_client_is_told_nothing_of_sessions() -> None:
    async with running() as node:
        client = await node.connect({"id": "ann", "name": "Ann"}, resume=None)
        assert client.received == [{"id": "a", "data": {"id": "ann", "name": "Ann"}}]
        await node.server.publish("ann", "e", 1, None, [2])
        assert client.received[1]["data"] == [1, None, [2]]
        client.drop()
        assert await node.leftovers() == []


async def test_a_server_without_users_resumes_as_well() -> None:
    async with running(authenticate=None) as node:
        first = await node.connect()
        assert first.session["window"] == 60
        assert "position" not in first.session
        first.drop()
        assert node.server.emit("e", None, 1) == 0
        second = await node.connect(resume=first.header())
        assert second.session["resumed"]
        assert second.data == [1]
        assert await node.server.count() == 1


# -- a client that goes while it is let in -----------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("named", [False, True])
async def test_a_client_that_leaves_while_it_is_checked_leaves_nothing(known: bool, named: bool) -> None:
    go = anyio.Event()

    async def check(client: Any, name: Any) -> Any:
        if client.request.headers.get("slow"):
            await go.wait()
        return {"id": name} if named else ["someone"]

    async with running(authenticate=check) as node:
        former = await node.connect("ann")
        wire = node.wire(former.header() if known else "new", slow="1")
        await wire.until(lambda: wire.accepted)
        await settle()
        wire.say({"id": "a", "type": "auth", "data": ["ann"]})
        await settle()
        wire.drop()
        await settle()
        go.set()
        await settle()
        assert former.is_open  # who is gone takes nothing over
        assert len(node.server.clients) == 1
        former.leave()
        node.core.sessions.poll(anyio.current_time() + 61)
        assert await node.leftovers() == []
        assert node.names.count("connect") == 1


async def test_a_client_that_leaves_while_its_log_is_read_leaves_nothing() -> None:
    async with service() as servers:
        node = await servers.node(broker=MemoryBroker(servers.hub, command_timeout=5.0))
        first = await node.connect("ann")
        first.drop()
        node.core.sessions.poll(anyio.current_time() + 61)
        servers.hub.cut(node.server.id)
        wires = [node.wire(header) for header in (first.header(), "new")]
        await settle()
        for wire in wires:
            wire.say({"id": "a", "type": "auth", "data": ["ann"]})
        await settle()
        wires[0].drop()
        servers.hub.restore(node.server.id)
        await wires[1].until(lambda: wires[1].received)
        assert await node.server.publish("ann", "e", 1) == 1
        wires[1].drop()
        node.core.sessions.poll(anyio.current_time() + 61)
        assert await node.leftovers() == []


# -- too many ----------------------------------------------------------------------------------------------------------


async def test_a_user_has_so_many_connections_and_no_more() -> None:
    async with running(max_connections=2) as node:
        one, two = await node.connect("ann"), await node.connect("ann")
        three = await node.connect("ann")
        assert (three.code, three.reason, three.received) == (4429, "too many connections", [])
        assert (await node.connect("bob")).is_open
        assert one.is_open
        two.drop()
        four = await node.connect("ann")  # in the place of the one that is away
        assert four.is_open
        assert "resumed" not in (await node.connect("bob", resume=two.header())).session
        assert await node.server.publish("ann", "e") == 2
        await settle()
        assert len(node.server.clients) == 4


async def test_a_place_is_free_as_soon_as_its_client_is_sent_away() -> None:
    async with running(max_connections=1) as node:
        first = await node.connect("ann", resume=None)
        first.deaf = True
        (client,) = node.server.clients
        client.disconnect("over")
        assert (first.ended, node.server.clients) == (None, ())
        assert (await node.connect("ann")).is_open
        first.drop()


async def test_clients_that_are_being_let_in_count() -> None:
    async with service() as servers:
        node = await servers.node(max_connections=1)
        servers.hub.cut(node.server.id)
        one, two = node.wire("new"), node.wire("new")
        await settle()
        one.say({"id": "a", "type": "auth", "data": ["ann"]})
        await settle()
        two.say({"id": "a", "type": "auth", "data": ["ann"]})
        await two.until(lambda: not two.is_open)
        assert two.code == 4429
        one.drop()
        await settle()
        three = node.wire("new")  # in the place of the one that has left
        await settle()
        three.say({"id": "a", "type": "auth", "data": ["ann"]})
        await settle()
        servers.hub.restore(node.server.id)
        await three.until(lambda: three.received)
        assert await node.server.publish("ann", "e", 1) == 1
        assert three.data == [1]


async def test_a_refused_client_does_not_know_whether_others_are_there(anyio_backend_name: str) -> None:
    async with running(max_connections=1) as node:
        await node.connect("ann")
        other: Wire = await node.connect("ann", resume=None)
        assert (other.code, other.received) == (4429, [])
        await settle()
        assert node.errors == []
