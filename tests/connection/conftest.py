"""A supervisor that talks to the peer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest

from rcex_ws.connection import Conversation, Endpoint, Link, Loss, Supervisor
from rcex_ws.errors import ConnectFailed, RcexError, UpgradeRefused
from rcex_ws.tasks import BackgroundTask, RootTask


class Talk(Conversation):
    """A conversation that keeps what it hears; a test replaces its methods to make it misbehave."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.messages: list[bytes] = []
        self.pongs: list[bytes] = []
        self.suspensions: list[float] = []
        self.losses: list[Loss] = []

    def on_message(self, data: bytes, binary: bool) -> None:
        self.messages.append(data)

    def on_pong(self, data: bytes) -> None:
        self.pongs.append(data)

    def heartbeat(self) -> bytes:
        return b"beat"

    def on_suspended(self, seconds: float) -> None:
        self.suspensions.append(seconds)

    def on_lost(self, loss: Loss) -> None:
        self.losses.append(loss)

    async def handshake(self) -> None:
        pass

    async def prepare(self) -> None:
        pass

    async def after_ready(self) -> None:
        pass


class Recorder:
    """A driver that keeps what it hears; 401 and 403 are fatal, and what can never succeed."""

    def __init__(self, endpoint: Endpoint, talk: type[Talk]) -> None:
        self.to = endpoint
        self.talks: list[Talk] = []
        self.failures: list[RcexError] = []
        self.fatal: list[Exception] = []
        self.complaints: list[Exception] = []
        self.asked: list[float] = []
        self._talk = talk

    async def endpoint(self) -> Endpoint:
        self.asked.append(anyio.current_time())
        return self.to

    def conversation(self, link: Link) -> Talk:
        self.talks.append(self._talk(link))
        return self.talks[-1]

    async def next_delay(self, ended: Loss | RcexError, delay: float) -> float | None:
        if isinstance(ended, RcexError):
            if isinstance(ended, UpgradeRefused) and ended.status in (401, 403):
                raise ended
            if isinstance(ended, ConnectFailed) and not ended.retryable:
                raise ended
            self.failures.append(ended)
        return delay

    def on_misconfigured(self, error: Exception) -> None:
        self.complaints.append(error)

    def on_failed(self, error: Exception) -> None:
        self.fatal.append(error)


class Rig:
    """A supervisor in its root task, and the driver that heard it all."""

    def __init__(self, supervisor: Supervisor, driver: Recorder, child: BackgroundTask, root: RootTask) -> None:
        self.supervisor, self.driver, self.child, self._root = supervisor, driver, child, root

    @property
    def talk(self) -> Talk:
        return self.driver.talks[-1]

    @property
    def link(self) -> Link:
        assert self.supervisor.link is not None
        return self.supervisor.link

    async def aclose(self) -> None:
        self.supervisor.begin_close()
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
        rig = Rig(supervisor, driver, root.spawn(supervisor.run, name="run", on_crash=supervisor.give_up), root)
        try:
            yield rig
        finally:
            with anyio.fail_after(10, shield=True):
                await rig.aclose()

    return supervise


@pytest.fixture
def lost_link(until: Any) -> Callable[[Any], Coroutine[Any, Any, Loss]]:
    """Wait for the loss of the first connection."""

    async def lost_link(rig: Any) -> Loss:
        await until(lambda: rig.driver.talks and rig.driver.talks[0].losses)
        return rig.driver.talks[0].losses[0]

    return lost_link
