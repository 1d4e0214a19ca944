"""The ceiling: the bare `websockets` client and msgspec, doing the same work on the wire and nothing else.

Same frames; answers are correlated by a dict; no time-outs, no rate gate, no errors, no recovery, no delivery queue. A
notification goes to a sync function, straight from the reader.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from itertools import count as count_from
from typing import Any, Protocol

import anyio
import anyio.abc
import httpx
import msgspec
import trio
import websockets.asyncio.client
import websockets.trio.client
from msgspec import Raw, Struct

from benchmarks.common.idling import at_rest, footprint
from benchmarks.common.process import COMPRESSION
from benchmarks.common.worker import keep_in_flight, measured, run, serve
from benchmarks.drain.answers import BURST, HANG

FILTERS = ["/restapi/v1.0/account/~/extension/~/telephony/sessions"]
INFO = "/restapi/v1.0/account/~/extension/~"
#: As long as ours, encoded once.
AGENT = Raw(b'{"X-User-Agent":"application/1.0 rcex_ws/0.1.0 python/3.11.0"}')
#: Those of websockets that cost least. Nothing is compressed unless the program says so: the server would not.
OPTIONS: dict[str, Any] = {
    "proxy": None,
    "max_queue": None,
    "ping_interval": None,
    "compression": os.environ.get(COMPRESSION),
}


class Meta(Struct, rename="camel", gc=False):
    """The first element of a frame."""

    type: str
    message_id: str
    status: int = 0
    headers: dict[str, str] = {}


class Frame(Struct, array_like=True, gc=False):
    """A frame."""

    meta: Meta
    body: Raw = Raw()


class Envelope(Struct, rename="camel", gc=False):
    """What wraps the body of a notification."""

    uuid: str
    event: str
    timestamp: str
    subscription_id: str
    body: Raw


encode = msgspec.json.encode
read_frame = msgspec.json.Decoder(Frame).decode
read_envelope = msgspec.json.Decoder(Envelope).decode


class Waiter(Protocol):
    """What an asyncio.Future can do, and trio has not."""

    def set_result(self, result: Frame) -> None:
        """Settle it."""
        ...

    def __await__(self) -> Generator[Any, Any, Frame]:
        """Wait for it."""
        ...


class TrioFuture:
    """The least that waits on trio."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._result: Any = None

    def set_result(self, result: Frame) -> None:
        """Wake the one who waits."""
        self._result = result
        self._event.set()

    def __await__(self) -> Generator[Any, Any, Frame]:
        """Wait for it."""
        yield from self._event.wait().__await__()
        result: Frame = self._result
        return result


class Ceiling:
    """Take orders.

    Args:
        server: the address.
        http: for the tokens.

    Attributes:
        on_notification: takes each.
        waiters: for answers, by the id of the message.
        websocket: the connection, once there is one.
    """

    def __init__(self, server: str, http: httpx.AsyncClient) -> None:
        self._server = server
        self._http = http
        self._connect: Any = websockets.asyncio.client.connect
        self._waiter: Callable[[], Waiter] = asyncio.Future
        if sys.argv[1] == "trio":
            self._connect, self._waiter = websockets.trio.client.connect, TrioFuture
        self.waiters: dict[str, Waiter] = {}
        self._ids = count_from(1)
        self.on_notification: Callable[[Envelope], None] = lambda _: None
        self.websocket: Any = None

    @asynccontextmanager
    async def connected(self, wsc: str = "") -> AsyncGenerator[str, None]:
        """Get a token, connect, take the first frame; give the recovery token."""
        async with self._connect(await self.address(wsc), **OPTIONS) as self.websocket:
            first = msgspec.json.decode(await self.websocket.recv(False))
            yield first[0]["wsc"]["token"]

    async def address(self, wsc: str) -> str:
        """Get a token, and with it where to connect."""
        answer = await self._http.post(f"{self._server}/restapi/oauth/wstoken")
        token = msgspec.json.decode(answer.content)
        return f"{token['uri']}?access_token={token['ws_access_token']}&wsc={wsc}"

    async def read(self) -> None:
        """Read until the connection ends."""
        recv, waiters = self.websocket.recv, self.waiters
        while True:
            frame = read_frame(await recv(False))
            waiter = waiters.pop(frame.meta.message_id, None)
            if waiter is not None:
                waiter.set_result(frame)
            elif frame.meta.type == "ServerNotification":
                self.on_notification(read_envelope(frame.body))

    async def receive(self) -> bytes:
        """Give the next message."""
        message: bytes = await self.websocket.recv(False)
        return message

    async def call(self, method: str, path: str, body: Any = None) -> Frame:
        """Send a call; wait for its answer."""
        key = str(next(self._ids))
        meta = {"type": "ClientRequest", "messageId": key, "method": method, "path": path, "headers": AGENT}
        frame = encode([meta] if body is None else [meta, body])
        self.waiters[key] = waiter = self._waiter()
        await self.websocket.send(frame, text=True)
        return await waiter

    async def rest(self, in_flight: int, seconds: float) -> dict[str, float]:
        """Send calls over the WebSocket."""
        return await keep_in_flight(lambda: self.call("GET", INFO), in_flight, seconds)

    async def notifications(self, kind: str, count: int, size: int, in_flight: int) -> dict[str, float]:
        """Take a burst, while so many requests wait; the kind is always a sync function."""
        done = anyio.Event()

        def callback(_: Envelope) -> None:
            sample.count += 1
            if sample.count == count:
                done.set()

        self.on_notification = callback
        async with anyio.create_task_group() as group:
            for _ in range(in_flight):
                group.start_soon(self.call, "GET", HANG)
            await self.call("GET", INFO)  # all of them are sent
            with measured() as sample:
                await self.call("POST", BURST, {"count": count, "size": size})
                await done.wait()
        return sample()

    async def install(self) -> dict[str, float]:
        """Open a connection with a client that has a token."""
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.post(f"{self._server}/restapi/oauth/token")
            with measured() as sample:
                async with Ceiling(self._server, http).connected():
                    sample.stop()
                    sample.count = 1
        return sample()

    async def recover(self) -> dict[str, float]:
        """Open a connection that recovers a session; give the seconds to its first frame and the first notification."""
        other = Ceiling(self._server, self._http)
        async with other.connected() as wsc:
            pass
        with measured() as sample:
            start = time.perf_counter()
            async with other.connected(wsc):
                recovered = time.perf_counter() - start
                sample.stop()
                sample.count = 1
                read_frame(await other.receive())
                replayed = time.perf_counter() - start
        return {**sample(), "recovered": recovered, "replayed": replayed}

    async def idle(self, connections: int, seconds: float, heartbeat: float, timeout: float) -> dict[str, float]:
        """Hold so many connections, each with a heartbeat every so many seconds; nobody checks its answer."""
        opened = anyio.Semaphore(0)

        async def hold(group: anyio.abc.TaskGroup) -> None:
            other = Ceiling(self._server, self._http)
            async with other.connected():
                opened.release()
                group.start_soon(other.read)
                while True:
                    await anyio.sleep(heartbeat)
                    await other.beat()

        async with anyio.create_task_group() as group:
            with footprint() as grown:
                for _ in range(connections):
                    group.start_soon(hold, group)
                    await opened.acquire()
            found = await at_rest(seconds)
            group.cancel_scope.cancel()
        return {**found, "count": connections, "beats": connections * seconds / heartbeat, "bytes": grown.bytes}

    async def beat(self) -> None:
        """Send a heartbeat."""
        await self.websocket.send(encode([{"type": "Heartbeat", "messageId": str(next(self._ids))}]), text=True)


async def main(server: str, make: Callable[[str, httpx.AsyncClient], Ceiling] = Ceiling) -> None:
    """Connect, subscribe, serve."""
    async with httpx.AsyncClient(trust_env=False, verify=ssl.create_default_context()) as http:
        ceiling = make(server, http)
        async with ceiling.connected(), anyio.create_task_group() as group:
            group.start_soon(ceiling.read)
            await ceiling.call("POST", "/restapi/v1.0/subscription", {"eventFilters": FILTERS})
            await serve(ceiling)
            group.cancel_scope.cancel()


if __name__ == "__main__":
    run(main, sys.argv[2])
