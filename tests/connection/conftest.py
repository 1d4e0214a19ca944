"""A WebSocket server with every bad habit, proxies to pass, and a supervisor that talks to it.

The servers run in threads of their own, so that one and the same serves clients on asyncio and on trio.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from rcex_ws.connection import Conversation, Endpoint, Link, Loss, Supervisor
from rcex_ws.errors import ConnectFailed, RcexError, UpgradeRefused
from rcex_ws.tasks import Child, RootTask

SECRET = "SECRET-in-the-url"
# The peer writes request lines, and with them the secret; what the tests read is the client's log.
quiet = logging.getLogger("peer")
quiet.disabled = True
RST_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER 0


class Peer:
    """Serve WebSockets that echo, and misbehave on command; the methods may be called from any thread.

    Attributes:
        refusals: (status, headers) answered to the next upgrades, in order.
        hang: leave upgrades without an answer.
        reset_upgrade: reset the connection instead of answering the upgrade.
        deaf: take messages and answer none.
        received: all messages.
        upgrades: the upgrade requests.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.hang = self.reset_upgrade = self.deaf = False
        self.received: list[str | bytes] = []
        self.upgrades: list[Request] = []
        self.open: set[ServerConnection] = set()
        self._tls = tls
        self._loop: asyncio.AbstractEventLoop
        self._ready = threading.Event()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="peer")

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://localhost:{self.port}/path?access_token={SECRET}"

    def send(self, *messages: str | bytes) -> None:
        """Send messages over every connection."""

        async def send() -> None:
            for connection in tuple(self.open):
                for message in messages:
                    await connection.send(message)

        self.run(send())

    def close(self, code: int, reason: str = "") -> None:
        """Close every connection with a close frame."""

        async def close() -> None:
            await asyncio.gather(*(connection.close(code, reason) for connection in tuple(self.open)))

        self.run(close())

    def end(self) -> None:
        """End every stream without a close frame."""
        self._call(lambda connection: connection.transport.close())

    def reset(self) -> None:
        """Reset every connection."""
        self._call(_reset)

    def freeze(self) -> None:
        """Read nothing any more, and keep the connections open."""
        self._call(lambda connection: connection.transport.pause_reading())

    def thaw(self) -> None:
        """Read again."""
        self._call(lambda connection: connection.transport.resume_reading())

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _call(self, act: Callable[[ServerConnection], None]) -> None:
        async def call() -> None:
            for connection in tuple(self.open):
                act(connection)

        self.run(call())

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        options: dict[str, Any] = {"open_timeout": None, "close_timeout": 1, "ping_interval": None}
        options |= {"ssl": self._tls, "logger": quiet}
        async with serve(self._serve, "127.0.0.1", 0, process_request=self._upgrade, **options) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stop.wait()
            for connection in tuple(self.open):
                connection.transport.abort()
        # What asyncio has just accepted is in a task that no server knows of, and may be making another. Left to the
        # end of the loop they would be found by a collector, during some other test.
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in left:
                task.cancel()
            await asyncio.wait(left)

    async def _upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        self.upgrades.append(request)
        if self.hang:
            await self._stop.wait()
        if self.reset_upgrade:
            _reset(connection)
            await connection.wait_closed()
        if self.refusals:
            status, headers = self.refusals.pop(0)
            response = connection.respond(status, "no\n")
            response.headers.update(headers)
            return response
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        self.open.add(connection)
        try:
            async for message in connection:
                self.received.append(message)
                if not self.deaf:
                    await connection.send(message)
        except ConnectionClosed:
            pass  # what the test wanted
        finally:
            self.open.discard(connection)

    def __enter__(self) -> Peer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()


def _reset(connection: ServerConnection) -> None:
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
    connection.transport.abort()


@pytest.fixture
def new_peer() -> type[Peer]:
    """Give the class, for tests that end a peer themselves."""
    return Peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_peer(authority: trustme.CA) -> Iterator[Peer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with Peer(context) as peer:
        yield peer


class Talk(Conversation):
    """A conversation that keeps what it hears; a test replaces its methods to make it misbehave."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.messages: list[bytes] = []
        self.pongs: list[bytes] = []
        self.suspensions: list[float] = []
        self.losses: list[Loss] = []

    def received(self, data: bytes, binary: bool) -> None:
        self.messages.append(data)

    def ponged(self, data: bytes) -> None:
        self.pongs.append(data)

    def heartbeat(self) -> bytes:
        return b"beat"

    def suspended(self, seconds: float) -> None:
        self.suspensions.append(seconds)

    def lost(self, loss: Loss) -> None:
        self.losses.append(loss)

    async def handshake(self) -> None:
        pass

    async def prepare(self) -> None:
        pass

    async def ready(self) -> None:
        pass


class Recorder:
    """A driver that keeps what it hears; 401 and 403 are fatal, and what can never succeed."""

    def __init__(self, endpoint: Endpoint, talk: type[Talk]) -> None:
        self.to = endpoint
        self.talks: list[Talk] = []
        self.failures: list[RcexError] = []
        self.fatal: list[Exception] = []
        self.asked: list[float] = []
        self._talk = talk

    async def endpoint(self) -> Endpoint:
        self.asked.append(anyio.current_time())
        return self.to

    def converse(self, link: Link) -> Talk:
        self.talks.append(self._talk(link))
        return self.talks[-1]

    async def again(self, ended: Loss | RcexError, delay: float) -> float | None:
        if isinstance(ended, RcexError):
            if isinstance(ended, UpgradeRefused) and ended.status in (401, 403):
                raise ended
            if isinstance(ended, ConnectFailed) and not ended.retryable:
                raise ended
            self.failures.append(ended)
        return delay

    def failed(self, error: Exception) -> None:
        self.fatal.append(error)


class Rig:
    """A supervisor in its root task, and the driver that heard it all."""

    def __init__(self, supervisor: Supervisor, driver: Recorder, child: Child, root: RootTask) -> None:
        self.supervisor, self.driver, self.child, self._root = supervisor, driver, child, root

    @property
    def talk(self) -> Talk:
        return self.driver.talks[-1]

    @property
    def link(self) -> Link:
        assert self.supervisor.link is not None
        return self.supervisor.link

    async def aclose(self) -> None:
        self.supervisor.close()
        await self._root.aclose()


@pytest.fixture
def talk_class() -> type[Talk]:
    """Give the class of conversations, to derive from."""
    return Talk


@pytest.fixture
def supervise() -> Callable[..., AbstractAsyncContextManager[Rig]]:
    """Run a supervisor; the delays are small unless the test gives others."""

    @asynccontextmanager
    async def supervise(endpoint: Endpoint | str, *, talk: type[Talk] = Talk, **options: Any) -> AsyncIterator[Rig]:
        driver = Recorder(Endpoint(endpoint) if isinstance(endpoint, str) else endpoint, talk)
        supervisor = Supervisor(driver, **{"reconnect_delays": lambda _: 0.01, **options})
        root = RootTask("test")
        await root.start()
        rig = Rig(supervisor, driver, root.spawn(supervisor.run, name="run", on_crash=supervisor.crashed), root)
        try:
            yield rig
        finally:
            with anyio.fail_after(10, shield=True):
                await rig.aclose()

    return supervise


@pytest.fixture
def until() -> Callable[..., Coroutine[Any, Any, None]]:
    """Wait until a condition holds, also one that another thread brings about."""

    async def until(condition: Callable[[], object], *, within: float = 10.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, "the condition never came"
            await anyio.sleep(0.002)

    return until


@pytest.fixture
def lost_link(until: Any) -> Callable[[Any], Coroutine[Any, Any, Loss]]:
    """Wait for the loss of the first connection."""

    async def lost_link(rig: Any) -> Loss:
        await until(lambda: rig.driver.talks and rig.driver.talks[0].losses)
        return rig.driver.talks[0].losses[0]

    return lost_link
