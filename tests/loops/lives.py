"""Whole lives of each client: connect, send, receive, lose the connection in several ways, come back, close."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import anyio
import anyio.lowlevel

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"
ROUNDS = 3


class Inbox:
    """What came, for one task that takes it."""

    def __init__(self) -> None:
        self.items: list[str] = []

    def put(self, item: str) -> None:
        self.items.append(item)

    async def take(self) -> str:
        with anyio.fail_after(10):
            while not self.items:
                await anyio.sleep(0.001)
        return self.items.pop(0)


async def extension(gateway: Any) -> None:
    """Live as a RingCentral extension."""
    from rcex_ws import Events, RingCentral, WebSocketExtension

    got = Inbox()
    errors: list[object] = []
    async with RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
    ) as rc:
        await rc.authorize(jwt=gateway.jwt)
        ws_ext = WebSocketExtension(rest_over_websocket=True, reconnect_delays=lambda _: 0.01)
        ws_ext.on(Events.ERROR, errors.append)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe([MESSAGES], lambda notification: got.put(notification.body["text"]))

        def abort() -> None:
            ws_ext.ws.abort()

        for number in range(ROUNDS):
            for lose in (
                gateway.cut,
                lambda: gateway.cut(code=1001),
                lambda: gateway.error("WSG-903"),
                abort,
            ):
                assert (await rc.get("/restapi/v1.0/account/~/extension/~")).via == "websocket"
                gateway.notify(MESSAGES, {"text": f"before {number}"})
                assert await got.take() == f"before {number}"
                aborted = lose is abort
                told = Inbox()
                offs = [
                    ws_ext.on(Events.DISCONNECTED, lambda _, told=told: told.put("lost")),
                    ws_ext.on(Events.CONNECTION_READY, lambda _, told=told: told.put("ready")),
                ]
                lose()
                assert await told.take() == "lost"
                if not aborted:  # else the gateway may not have seen the loss yet, and so not buffer
                    gateway.notify(MESSAGES, {"text": f"meanwhile {number}"})
                assert await told.take() == "ready"
                if not aborted:
                    assert await got.take() == f"meanwhile {number}"
                for off in offs:
                    off()
        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(rc.get, "/restapi/v1.0/account/~/extension/~")
    assert not errors, errors
    assert not got.items
    if "trio" not in sys.modules or not sys.modules["trio"].lowlevel.in_trio_run():
        left = [task for task in asyncio.all_tasks() if "rcex" in repr(task)]
        assert not left, left


async def slack(server: Any) -> None:
    """Live as a Slack client."""
    from rcex_ws.slack import RTMClient

    told = Inbox()
    async with RTMClient(server.token, api_url=server.api_url, reconnect_delays=lambda _: 0.01) as rtm:
        rtm.on("open", lambda: told.put("open"))
        rtm.on("message", lambda event: told.put(event["text"]))
        for number in range(ROUNDS):
            for lose in (server.cut, server.close, lambda: server.goodbye(0.01)):
                assert (await rtm.send_message(f"hello {number}", "C0GENERAL")).outcome == "acknowledged"
                server.push({"type": "message", "channel": "C0GENERAL", "user": "U000ALICE", "text": f"text {number}"})
                assert await told.take() == f"text {number}"
                lose()
                assert await told.take() == "open"
    assert not told.items


async def callback(server: Any) -> None:
    """Live as a callback client; the server echoes what it gets and hangs up after every second message."""
    from rcex_ws.callback import Close, Ok, Reconnect, Reply, Text, WebSocketClient, WebSocketHandler

    class Talker(WebSocketHandler[list[str]]):
        def onconnect(self, ref: int, words: list[str]) -> Reply[list[str]]:
            return Reply(Text(words[0]), words)

        def websocket_handle(self, frame: object, ref: int, words: list[str]) -> Any:
            if not isinstance(frame, Text):
                return Ok(words)
            assert frame.data == words.pop(0)
            return Reply(Text(words[0]), words) if words else Close("all said", words)

        def ondisconnect(self, reason: object, words: list[str]) -> Any:
            return Reconnect(words, delay=0.01) if words else Close(reason, words)

    words = [str(number) for number in range(3 * ROUNDS)]
    assert await WebSocketClient.run(server.url, Talker(), words, keepalive=5) == "all said"


async def rtm(_: Any) -> None:
    """Live as an RTM client and its server, without `async with` for the client."""
    from rcex_ws.rtm import RtmClient
    from rcex_ws.rtm.server import RtmServer

    told = Inbox()
    async with RtmServer(authenticate=lambda _, token: token) as server:

        @server.register
        async def add(_: object, a: int, b: int) -> int:
            await anyio.lowlevel.checkpoint()
            return a + b

        client = RtmClient(server.url, authentication=lambda: "ann", reconnect_delays=lambda _: 0.01)
        client.on("open", lambda: told.put("open"))
        client.subscribe("news", lambda data: told.put(f"news {data[0]}"))

        def abort() -> None:
            link = client._runtime.supervisor.link  # type: ignore[union-attr]
            assert link is not None
            link.abort()

        await client.start()
        off = await client.subscribe_push("alert", ["a"], lambda data: told.put(f"alert {data[0]}"))
        for number in range(ROUNDS):
            for lose in (lambda: server.clients[0].disconnect(), abort):
                assert await told.take() == "open"
                client.call("add", number, 1)
                assert await client.call_wait("add", number, 1) == number + 1
                await server.publish("ann", "news", number)
                assert await told.take() == f"news {number}"
                lose()
        assert await told.take() == "open"
        assert await client.call_wait("add", 1, 1) == 2  # behind the push subscription
        server.push("alert", ["a"], 1)
        assert await told.take() == "alert 1"
        off()
        await client.aclose()
    assert not told.items
    if "trio" not in sys.modules or not sys.modules["trio"].lowlevel.in_trio_run():
        left = [task for task in asyncio.all_tasks() if "rcex" in repr(task)]
        assert not left, left


async def feedme(_: Any) -> None:
    """Live as a Feedme client and its server, without `async with` for the client."""
    from rcex_ws.feedme import FeedmeClient, FeedmeServer

    told = Inbox()
    async with FeedmeServer() as server:
        board = server.live_feed("Board", {}, {"n": 0})

        @server.action("add")
        async def add(_: object, args: Any) -> Any:
            await anyio.lowlevel.checkpoint()
            with board.change("added") as draft:
                draft["n"] += args["n"]
            return {"n": board.data["n"]}

        client = FeedmeClient(server.url, connect_retry=0.01, connect_retry_backoff=0)
        feed = client.feed("Board")
        feed.on("open", lambda data: told.put(f"open {data['n']}"))
        feed.on("action", lambda name, _, data, __: told.put(f"{name} {data['n']}"))
        feed.desire_open()
        client.connect()
        for number in range(ROUNDS):
            for lose in (lambda: server.clients[0].disconnect(), client.disconnect):
                n = board.data["n"]
                assert await told.take() == f"open {n}"
                answer = client.action("add", {"n": number + 1})
                assert await told.take() == f"added {n + number + 1}"
                assert await answer == board.data
                assert feed.synced
                lose()
                if client.state == "disconnected" and lose == client.disconnect:
                    client.connect()
        await told.take()
        await client.aclose()
    assert not told.items
    if "trio" not in sys.modules or not sys.modules["trio"].lowlevel.in_trio_run():
        left = [task for task in asyncio.all_tasks() if "rcex" in repr(task)]
        assert not left, left
