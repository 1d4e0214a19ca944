"""`RtmClient` against a server that follows the original's documentation, in Node."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.errors import RequestLost, RequestTimeout
from rcex_ws.rtm import AuthenticationRefused, RemoteError, RtmClient, RtmEvents, RtmGap
from tests.peers.rtm_peers import Need, NodeServer, run_server

JSON: list[Any] = [1, -2.5, "é\u2028😀", True, None, [], {}, {"a": [{"b": None}]}, "", 0]
AUTH = [{"value": "token of ann", "result": {"id": "ann"}}, {"value": "token of bob", "result": {"id": "bob"}}]


class Heard:
    """What callbacks got."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._changed = anyio.Event()

    def __call__(self, data: Any) -> None:
        self.all.append(data)
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, count: int) -> list[Any]:
        with anyio.fail_after(10):
            while len(self.all) < count:
                await self._changed.wait()
        return self.all


def client_of(server: NodeServer, **options: Any) -> RtmClient:
    return RtmClient(server.url, reconnect_delays=lambda _: 0.02, **{"authentication": "token of ann", **options})


async def test_calls(need: Need) -> None:
    async with run_server(need, auth=AUTH) as server, client_of(server) as client:
        for name, behaviour in {"echo": "echo", "sum": "sum", "throw": "throw", "none": "none"}.items():
            await server.call("register", name=name, behaviour=behaviour)
        assert client.authenticated
        assert await client.call_wait("echo", *JSON) == JSON
        assert await client.call_wait("sum", 1, 2) == 3
        assert await client.call_wait("none") is None
        with pytest.raises(RemoteError) as refused:
            await client.call_wait("throw")
        assert refused.value.error == "thrown"
        with pytest.raises(RemoteError, match="not registered"):
            await client.call_wait("nobody")
        with pytest.raises(RemoteError):  # only a server of ours can
            await client.publish("bob", "news", 1)
        client.call("echo", "without waiting")
        await client.call_wait("none")
        await server.until(lambda: ["echo", ["without waiting"]] in [one["args"][1:] for one in server.all("called")])


async def test_its_frames_are_those_of_the_original(need: Need) -> None:
    async with run_server(need, auth=AUTH) as server, client_of(server) as client:
        await server.call("register", name="echo", behaviour="echo")
        await client.call_wait("echo", 1)
        await client.subscribe_push("alert", ["a"], print)
        await server.event("subscribed")
        assert not server.all("invalid")
        assert not server.all("refused")
        assert server.all("opened")[0]["args"][1]["protocol"] is None
        assert server.all("subscribed")[0]["args"][1:] == ["alert", ["a"]]


async def test_events(need: Need) -> None:
    async with run_server(need, auth=AUTH) as server, client_of(server) as client:
        listed, spread, pushed = Heard(), list[Any](), Heard()
        client.subscribe("news", listed)
        client.subscribe("news", lambda *data: spread.append(data), spread=True)
        await client.subscribe_push("alert", ["a"], pushed)
        assert await server.call("emit", event="news", data=["hi"]) == 1
        assert await server.call("publish", user="ann", event="news", data=JSON) == 1
        assert await server.call("push", event="alert", tags=["a"], data=[1]) == 1
        assert await listed.until(2) == [["hi"], JSON]
        assert spread == [("hi",), tuple(JSON)]
        assert await pushed.until(1) == [[1]]


async def test_a_wrong_token_ends_it(need: Need) -> None:
    async with run_server(need, auth=AUTH) as server:
        client = client_of(server, authentication="wrong")
        with pytest.raises(AuthenticationRefused):
            await client.start()
        await client.aclose()


async def test_it_comes_back_and_says_what_may_be_missing(need: Need) -> None:
    """The original resumes nothing: that is told as a gap. A waiter whose connection is lost settles."""
    gaps, heard, opened = list[RtmGap](), Heard(), Heard()
    async with run_server(need, auth=AUTH) as server, client_of(server) as client:
        await server.call("register", name="never", behaviour="never")
        client.on(RtmEvents.GAP, gaps.append)
        client.on(RtmEvents.OPEN, lambda: opened(None))
        client.subscribe("news", heard)
        await client.subscribe_push("alert", ["a"], heard)
        async with anyio.create_task_group() as group:

            async def wait_for_ever() -> None:
                with pytest.raises(RequestLost) as lost:
                    await client.call_wait("never")
                assert lost.value.sent

            group.start_soon(wait_for_ever)
            await server.event("called")
            await server.call("dropAll")
        await opened.until(1)
        await client.wait_ready()
        await server.event("subscribed", 2)
        assert await server.call("push", event="alert", tags=["a"], data=["again"]) == 1
        assert await heard.until(1) == [["again"]]
        assert [(gap.published, gap.certain) for gap in gaps] == [(True, False)]


async def test_it_survives_what_is_no_frame(need: Need) -> None:
    errors, heard = Heard(), Heard()
    async with run_server(need, auth=AUTH) as server, client_of(server) as client:
        client.on(RtmEvents.ERROR, errors)
        client.subscribe("news", heard)
        for text in ("no JSON", "[]", '{"event":"news","data":"no list"}', '{"id":"nobody","data":1}', '{"event":0}'):
            await server.call("raw", text=text)
        await server.call("emit", event="news", data=["still here"])
        assert await heard.until(1) == [["still here"]]
        assert len(errors.all) >= 2
        assert client.connected


async def test_a_server_that_never_answers_costs_its_time_out_alone(need: Need, ms: float) -> None:
    async with run_server(need, auth=AUTH) as server, client_of(server) as client:
        await server.call("register", name="never", behaviour="never")
        with pytest.raises(RequestTimeout):
            await client.call_wait("never", timeout=50 * ms)
        assert client.connected
