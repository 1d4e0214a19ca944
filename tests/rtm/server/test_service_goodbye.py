"""A client that closes its connection in order does not come back, and is kept by nobody."""

from __future__ import annotations

import anyio

from rcex_ws.rtm import RtmClient
from rcex_ws.rtm.server import ClientGone, RemoteClient, RtmServer


async def test_a_client_that_says_goodbye_is_forgotten() -> None:
    asked: list[RemoteClient] = []
    gone = anyio.Event()
    async with RtmServer(authenticate=lambda client, user: user) as server:

        @server.on("disconnect")
        def on_disconnect(client: RemoteClient, reason: ClientGone) -> None:
            assert reason.code == 1000
            gone.set()

        async with RtmClient(server.url, authentication="ann"):
            assert server.emit("n", lambda client: not asked.append(client)) == 1
        await gone.wait()
        assert server.emit("n", lambda client: not asked.append(client)) == 0
        assert len(asked) == 1
