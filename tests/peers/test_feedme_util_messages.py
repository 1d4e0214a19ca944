"""What our client and our server send is valid by the written specification, as feedme-util 0.3.6 checks it.

npm has no client of the dialect "specification"; this stands for one.
"""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws.feedme import FeedmeClient, FeedmeServer, Refusal, Rejected, Terminated
from rcex_ws.feedme.server.memory import MemoryTransport
from tests.peers.feedme import Feedme
from tests.peers.feedme_changes import DATA, changes


class Recording:
    """A transport that keeps what goes both ways."""

    def __init__(self, inner: MemoryTransport) -> None:
        self.sent: list[str] = []
        self.received: list[str] = []
        self._inner = inner

    @property
    def state(self) -> Any:
        return self._inner.state

    async def connect(self) -> None:
        await self._inner.connect()

    def send(self, text: bytes) -> None:
        self.sent.append(text.decode())
        self._inner.send(text)

    async def receive(self) -> bytes | None:
        text = await self._inner.receive()
        if text is not None:
            self.received.append(text.decode())
        return text

    def disconnect(self) -> None:
        self._inner.disconnect()


async def test_every_kind_of_message_is_valid(feedme: Feedme) -> None:
    util = await feedme.util()
    async with FeedmeServer() as server:
        live = server.live_feed("Room", {"caf\u00e9": "\U0001f600", "": ""}, DATA)

        @server.action("echo")
        def echo(_: object, args: Any) -> Any:
            return args

        @server.action("refuse")
        def refuse(_: object, args: Any) -> Any:
            raise Refusal("", args)

        transport = Recording(server.memory_transport())
        async with FeedmeClient(transport=lambda: transport) as client:
            await client.action("echo", {"deep": [{"n": 1e21, "t": "\u2028"}]})
            with pytest.raises(Rejected):
                await client.action("refuse", {"why": None})
            async with client.feed("Room", live.args) as feed:
                stream = aiter(feed)
                for delta, data in changes(3, 140):
                    live.reveal("", {"any": "data"}, [delta])
                    assert (await anext(stream)).new_data == data
            again = client.feed("Room", live.args)
            again.desire_open()
            await again.wait_open()
            stream = aiter(again)
            live.terminate("OVER", {"why": 1})
            with pytest.raises(Terminated):
                await anext(stream)
            elsewhere = client.feed("Elsewhere", {})
            elsewhere.desire_open()
            with pytest.raises(Rejected):
                await elsewhere.wait_open()
            transport.send(b"no JSON")
            transport.send(b'{"MessageType": "FeedClose", "FeedName": "never", "FeedArgs": {}}')
            await client.action("echo", {})
    assert kinds(transport.sent[:-3]) == {"Handshake", "Action", "FeedOpen", "FeedClose"}
    assert kinds(transport.received) == {
        "HandshakeResponse",
        "ActionResponse",
        "FeedOpenResponse",
        "FeedCloseResponse",
        "FeedAction",
        "FeedTermination",
        "ViolationResponse",
    }
    assert set(await util.violations("client", transport.sent[:-3])) == {""}
    assert set(await util.violations("server", transport.received)) == {""}


def kinds(texts: list[str]) -> set[str]:
    return {text.partition('"MessageType":"')[2].partition('"')[0] for text in texts}
