"""An RTM server that does what a test says, over real sockets or streams in memory. Written from the reference."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel

from rcex_ws.connection import Endpoint, Loss, open_websocket
from rcex_ws.rtm import RtmClient, RtmEvents, RtmGap
from rcex_ws.websocket.frames import Sendable
from rcex_ws.websocket.listen import bind, serve
from rcex_ws.websocket.peer import PeerOptions
from rcex_ws.websocket.server_peer import ServerPeer
from rcex_ws.websocket.socket import Socket
from tests.conftest import TIME_FACTOR

__all__ = ["PATIENCE", "Frame", "InMemory", "Rig", "Scripted", "Told", "rig", "session"]

Frame = dict[str, Any]

PATIENCE = 10 * TIME_FACTOR  # seconds; those of a clock that a test turns pass at once


def session(name: str = "s1", **fields: Any) -> Frame:
    """Return the first event of a server of ours."""
    return {"event": "rtm:session", "data": [{"session": name, "window": 60.0, **fields}]}


class Scripted:
    """The server.

    Attributes:
        upgrades: the value of the header `Rtm-Session` of each request; None without one.
        headers: all headers of each request.
        peers: the connections.
        received: all frames, decoded, of all connections.
        greets: returns the frames that a connection begins with, by its number from 1; before the reply to an
            authentication if there is one.
        accepts: the data of the reply to an authentication; ... for no reply.
        replies: whether calls and push subscriptions get replies: `true` for a subscription, the arguments for a call.
        refusal: the HTTP status for the next upgrades; None to accept.
        deaf: whether it reads nothing, not even pings.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.upgrades: list[str | None] = []
        self.headers: list[dict[str, str]] = []
        self.peers: list[ServerPeer] = []
        self.received: list[Frame] = []
        self.greets: Callable[[int], list[Frame]] = lambda number: []
        self.accepts: Any = True
        self.replies = True
        self.refusal: int | None = None
        self.deaf = False
        self._taken: deque[Frame] = deque()
        self._changed = anyio.Event()

    # -- for tests -----------------------------------------------------------------------------------------------------

    @property
    def peer(self) -> ServerPeer:
        """The newest connection."""
        return self.peers[-1]

    def say(self, *frames: Frame | bytes | Sendable) -> None:
        """Send frames over the newest connection."""
        self.peer.send([json.dumps(frame).encode() if isinstance(frame, dict) else frame for frame in frames])

    def event(self, name: str, *data: Any, position: str | None = None) -> None:
        """Send an event."""
        self.say({"event": name, "data": list(data)} | ({} if position is None else {"id": position}))

    async def next(self) -> Frame:
        """Wait for the next frame of the client."""
        await self.until(lambda: self._taken)
        return self._taken.popleft()

    @property
    def unseen(self) -> list[Frame]:
        """The frames that `next` has not returned yet."""
        return [*self._taken]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition that can only change when something is received, or a client connects."""
        with anyio.fail_after(PATIENCE):
            while not condition():
                await self._changed.wait()

    # -- serving -------------------------------------------------------------------------------------------------------

    async def serve(self, peer: ServerPeer) -> None:
        """Serve one client."""
        self.headers.append(dict(peer.request.headers))
        self.upgrades.append(peer.request.headers.get("rtm-session"))
        if self.refusal is not None:
            self._wake()
            await peer.refuse(self.refusal)
            return
        await peer.accept()
        self.peers.append(peer)
        self.say(*self.greets(len(self.peers)))
        self._wake()
        if self.deaf:
            await anyio.sleep_forever()
        await peer.read(lambda data, binary: self._on_message(peer, data, binary))
        self._wake()

    def _on_message(self, peer: ServerPeer, data: bytes, binary: bool) -> None:
        assert not binary
        frame = json.loads(data)
        self.received.append(frame)
        self._taken.append(frame)
        match frame:
            case {"type": "auth", "id": str(key)}:
                if self.accepts is not ...:
                    self._reply(peer, key, self.accepts)
            case {"type": "invoke" | "subscribe", "id": str(key)} if self.replies:
                self._reply(peer, key, frame.get("data", True))
        self._wake()

    @staticmethod
    def _reply(peer: ServerPeer, key: str, data: Any) -> None:
        peer.send([json.dumps({"id": key, "data": data}).encode()])

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class Told:
    """What the application was told, in order: (event, arguments); an event of the server is ("x", data)."""

    def __init__(self) -> None:
        self.items: list[tuple[str, Any]] = []
        self._changed = anyio.Event()

    def add(self, name: str, argument: Any = None) -> None:
        self.items.append((name, argument))
        self._changed.set()
        self._changed = anyio.Event()

    def listen(self, client: RtmClient) -> None:
        """Note all lifecycle events but `message`."""
        for event in RtmEvents:
            if event is not RtmEvents.MESSAGE:
                client.on(event, lambda *args, event=event: self.add(str(event), *args))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.items]

    def of(self, name: str) -> list[Any]:
        return [argument for found, argument in self.items if found == name]

    @property
    def gaps(self) -> list[RtmGap]:
        return self.of("gap")

    @property
    def losses(self) -> list[Loss]:
        return self.of("close")

    def clear(self) -> None:
        self.items.clear()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition that can only change when something is told."""
        with anyio.move_on_after(PATIENCE):
            while not condition():
                await self._changed.wait()
            return
        raise AssertionError(f"told only {self.items}")

    async def wait(self, name: str, count: int = 1) -> Any:
        """Wait for an event for the n-th time; give its argument."""
        await self.until(lambda: len(self.of(name)) >= count)
        return self.of(name)[count - 1]


class Rig:
    """A client, the server that it talks to, and what it tells."""

    def __init__(self, server: Scripted, **options: Any) -> None:
        self.server, self.told = server, Told()
        self.client = RtmClient(server.url, **{"reconnect_delays": lambda _: 0.01, "close_timeout": 2.0, **options})
        self.told.listen(self.client)

    def subscribe(self, *events: str) -> None:
        """Note these events of the server, each with its data."""
        for event in events:
            self.client.subscribe(event, lambda data, event=event: self.told.add(event, data))

    async def settle(self) -> None:
        """Wait until all that was sent so far, in both directions, has been received and told."""
        result = await self.client.call_wait("settle")
        assert result == []
        arrived = anyio.Event()
        self.client._runtime.inbox._queue.put(arrived.set)  # type: ignore[union-attr, arg-type]
        with anyio.fail_after(PATIENCE):
            await arrived.wait()

    async def lose(self) -> None:
        """Have the server drop the connection, and wait until the client has the next one."""
        opened = self.client.stats.connections
        self.server.peer.abort()
        await self.told.wait("open", opened + 1)


class InMemory:
    """Opens streams in memory to a `Scripted`, on trio only: a clock that a test turns does not move real sockets."""

    def __init__(self, server: Scripted, group: anyio.abc.TaskGroup) -> None:
        self._server, self._group = server, group
        self.opened: list[float] = []

    def __call__(self, endpoint: Endpoint) -> AbstractAsyncContextManager[Socket]:
        from trio.testing import memory_stream_pair

        from rcex_ws.websocket.listen_trio import serve_stream

        self.opened.append(anyio.current_time())
        near, far = memory_stream_pair()
        self._group.start_soon(serve_stream, far, self._server.serve, PeerOptions())
        return open_websocket(endpoint, stream=near)


@asynccontextmanager
async def rig(prepare: Callable[[Scripted], None] = lambda _: None, **options: Any) -> AsyncGenerator[Rig]:
    """Give a client that is not started, and a server on a free port of this machine."""
    with bind() as listener:
        server = Scripted("ws://{}:{}/rtm".format(*listener.getsockname()))
        prepare(server)
        async with anyio.create_task_group() as group:
            group.start_soon(serve, listener, server.serve)
            made = Rig(server, **options)
            try:
                yield made
            finally:
                with anyio.fail_after(PATIENCE, shield=True):
                    await made.client.aclose()
                group.cancel_scope.cancel()
