"""Clients that are away: for how long, and how many. In virtual time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from rcex_ws.rtm.server import sessions as sessions_module
from tests.rtm.server.wire import running, settle


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.mark.parametrize("authenticate", [None, lambda client, name: name])
async def test_a_client_is_given_up_when_its_window_has_passed(authenticate: Any) -> None:
    """Also if nothing else is ever due: no other client, no pings."""
    async with running(authenticate=authenticate, resume_window=30.0, heartbeat_interval=1000.0) as node:
        wire = await node.connect(None if authenticate is None else "ann")
        await anyio.sleep(100)
        wire.drop()
        await anyio.sleep(29)
        assert len([*node.core.sessions]) == 1
        await anyio.sleep(3)
        assert await node.leftovers() == []
        back = await node.connect(None if authenticate is None else "ann", resume=wire.header())
        assert "resumed" not in back.session


async def test_each_loss_opens_the_window_anew() -> None:
    async with running(resume_window=30.0) as node:
        header = "new"
        for _ in range(5):
            wire = await node.connect("ann", resume=header)
            assert wire.session.get("resumed", False) is (header != "new")
            header = wire.header()
            wire.drop()
            await anyio.sleep(25)
        await anyio.sleep(10)
        assert await node.leftovers() == []


async def test_so_many_clients_may_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "_MOST_AWAY", 2)
    async with running() as node:
        wires = [await node.connect(name) for name in ("ann", "bob", "cid")]
        for wire in wires:
            wire.drop()
        assert [session.client.user_id for session in node.core.sessions] == ["bob", "cid"]
        back = [
            await node.connect(name, resume=wire.header()) for name, wire in zip(("ann", "bob"), wires, strict=False)
        ]
        assert [wire.session.get("resumed", False) for wire in back] == [False, True]


async def test_a_heartbeat_finds_the_lost_and_proves_what_has_arrived() -> None:
    async with running(heartbeat_interval=30.0, heartbeat_timeout=10.0) as node:
        alive, dead, old = await node.connect("ann"), await node.connect("bob"), await node.connect("cid", resume=None)
        node.server.emit("e", None, 1)
        dead.lost = True
        for _ in range(40):
            await anyio.sleep(3)
            alive.pong()
            old.pong()
        assert (dead.ended, dead.is_open) != (None, True)
        assert [client.user_id for client in node.server.clients] == ["ann", "cid"]
        await settle()
        assert str(node.events[-1][2]) == "the client gave no sign of life"
        assert "resumed" not in (await node.connect("ann", resume=alive.header(received=0))).session  # 1 has arrived


async def test_a_busy_client_is_asked_for_a_proof_after_what_it_was_sent() -> None:
    async with running(max_resume_events=8, heartbeat_interval=1000.0) as node:
        wire = await node.connect("ann")
        for number in range(20):
            node.server.emit("e", None, number)
            if wire.pings:
                assert int(wire.pings[-1]) <= len(wire.events)  # of what the client has got before the ping
            wire.pong()
        wire.drop()
        back = await node.connect("ann", resume=wire.header())
        assert back.session["resumed"]


async def test_nobody_may_stay_without_authenticating() -> None:
    seen: list[Any] = []

    def hook(client: Any) -> None:
        seen.append((client.request.headers["who"], client.user_id))
        raise ZeroDivisionError

    async with running(auth_timeout=10.0, on_auth_timeout=hook, authenticate=lambda *_: anyio.sleep(60)) as node:
        silent = await node.connect(who="silent")
        asking = node.wire(who="asking")
        await settle()
        asking.say({"id": "a", "type": "auth", "data": ["ann"]})
        await anyio.sleep(9)
        assert silent.is_open
        await anyio.sleep(2)
        assert (silent.code, silent.reason) == (4401, "not authenticated in time")
        assert asking.code == 4401
        assert sorted(seen) == [("asking", None), ("silent", None)]
        assert [type(error) for error in node.errors] == [ZeroDivisionError] * 2
        await anyio.sleep(60)
        assert await node.leftovers() == []


async def test_without_a_hook_as_well() -> None:
    async with running(auth_timeout=10.0) as node:
        wire = await node.connect()
        await anyio.sleep(11)
        assert (wire.code, node.events) == (4401, [])


async def test_who_is_let_in_has_no_deadline_any_more() -> None:
    async with running(auth_timeout=10.0, heartbeat_interval=1000.0) as node:
        wire = await node.connect("ann")
        await anyio.sleep(100)
        assert wire.is_open


async def test_a_mounted_server_leaves_pings_to_the_server_below() -> None:
    from tests.rtm.server.wire import Wire

    async with running(heartbeat_interval=1.0, auth_timeout=3.0) as node, anyio.create_task_group() as group:
        wires = [Wire({}, node.server._settings.peer_options) for _ in range(2)]
        for wire in wires:
            group.start_soon(node.server._runtime.serve_mounted, wire)
        await settle()
        wires[0].say({"id": "a", "type": "auth", "data": ["ann"]})
        await anyio.sleep(10)
        assert (wires[0].pings, wires[0].is_open, wires[1].code) == ([], True, 4401)
        wires[0].drop()
