"""Over real sockets: what the network does to a client, and what a client does to the network."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rcex_ws.rtm.server import ClientGone, RtmServer
from tests.rtm.server.raw_client import connected
from tests.rtm.server.wire import user
from tests.websocket.serving import Raw, masked

pytestmark = pytest.mark.anyio

AUTH = {"id": "a", "type": "auth", "data": ["ann"]}


def port_of(server: RtmServer) -> int:
    return int(server.url.rstrip("/").rpartition(":")[2])


async def test_a_message_that_is_too_large_ends_the_connection() -> None:
    reasons: list[Any] = []
    async with RtmServer(authenticate=user, max_size=1000) as server:
        server.on("disconnect", lambda client, reason: reasons.append(reason))
        async with connected(server.url) as client, connected(server.url) as other:
            for one in (client, other):
                assert (await one.ask(AUTH))["data"] == "ann"
            await client.send({**AUTH, "data": ["x" * 1000]})
            assert await client.receive() is None
            assert client.ending is not None
            assert client.ending.code == 1009
            assert (await other.ask(AUTH))["data"] == {"error": "authenticated already"}
    assert [str(reason) for reason in reasons][:1] == ["1009: the client sent what cannot be read"]


async def test_thousands_of_frames_in_one_write_are_all_answered() -> None:
    async with RtmServer(authenticate=user, max_calls=5000, max_rate=5000) as server:
        server.register(lambda client, number: number, name="echo")
        async with connected(server.url) as client:
            calls = [{"id": n, "type": "invoke", "function": "echo", "data": [n]} for n in range(3000)]
            await client.send(AUTH, *calls)
            assert (await client.receive())["id"] == "a"
            for number in range(3000):
                assert await client.receive() == {"id": number, "data": number}


async def test_a_client_that_does_not_read_is_sent_away_and_the_others_get_everything(
    until: Callable[..., Any],
) -> None:
    reasons: list[ClientGone] = []
    async with RtmServer(authenticate=user, max_buffer=100_000, close_timeout=1.0) as server:
        server.on("disconnect", lambda client, reason: reasons.append(reason))
        async with connected(server.url) as other:
            await other.ask(AUTH)
            with Raw(port_of(server), small=True) as slow:
                await slow.open()
                await slow.send(masked(0x81, json.dumps(AUTH).encode()))
                await slow.until(b"ann")
                sent = 0
                while not reasons and sent < 2000:
                    assert await server.publish("ann", "e", sent, "x" * 10_000) in (1, 2)
                    assert (await other.receive())["data"][0] == sent
                    sent += 1
                    if len(server.clients) == 1:
                        break
            await until(lambda: reasons)
            assert len(server.clients) == 1
    assert reasons[0].code == 1013


async def test_a_client_that_resets_its_connection_resumes() -> None:
    async with RtmServer(authenticate=user) as server:
        async with connected(server.url, resume="new") as client:
            await client.send(AUTH)
            (start,) = (await client.receive())["data"]
            await client.receive()
            await client.drop()
        with anyio.fail_after(10):
            while server.clients:
                await anyio.sleep(0.001)
        await server.publish("ann", "e", 1)
        async with connected(server.url, resume=f"{start['session']};0;{start['position']}") as client:
            await client.send(AUTH)
            assert (await client.receive())["data"][0]["resumed"]
            assert (await client.receive())["data"] == "ann"
            assert (await client.receive())["data"] == [1]


async def test_pings_go_out_and_the_silent_are_lost(ms: float, until: Callable[..., Any]) -> None:
    reasons: list[Any] = []
    async with RtmServer(authenticate=None, heartbeat_interval=100 * ms, heartbeat_timeout=100 * ms) as server:
        server.on("disconnect", lambda client, reason: reasons.append(str(reason)))
        async with connected(server.url) as alive:
            with Raw(port_of(server)) as silent:
                await silent.open()
                await until(lambda: reasons)
            assert (await alive.ask({"id": 1, "type": "auth"}))["data"] is True
            assert len(server.clients) == 1
    assert reasons[0] == "the client gave no sign of life"


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_program_ends_quietly_without_aclose(loop: str) -> None:
    program = f"""
    import {loop}
    from rcex_ws.rtm import RtmClient
    from rcex_ws.rtm.server import RtmServer

    async def main():
        server = RtmServer(authenticate=lambda client, name: name)
        await server.start()
        async with RtmClient(server.url, authentication="ann"):
            print("done")

    {loop}.run({"main()" if loop == "asyncio" else "main"})
    """
    result = subprocess.run(
        [sys.executable, "-W", "default", "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("done\n", "")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there is no fork")
def test_another_loop_and_a_fork_are_refused() -> None:
    program = """
    import asyncio, os
    from rcex_ws.errors import WrongEventLoop
    from rcex_ws.rtm.server import RtmServer

    async def refused(server):
        for call in (server.aclose, server.drain, lambda: server.publish("ann", "e"), server.count):
            try:
                await call()
            except WrongEventLoop as exc:
                print(str(exc)[:40])
        try:
            server.emit("e", None)
        except WrongEventLoop as exc:
            print(str(exc)[:40])

    async def main():
        global server
        server = RtmServer(authenticate=lambda client, name: name)
        async with server:
            if os.fork() == 0:
                await refused(server)
                os._exit(0)
            os.wait()

    asyncio.run(main())
    asyncio.run(refused(server))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert sorted(set(result.stdout.splitlines())) == [
        "this server belongs to another event loo",
        "this server belongs to another process, ",
    ]
    assert len(result.stdout.splitlines()) == 10
