"""Server processes on one Redis, and clients that keep what they are told."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from rcex_ws.rtm import RtmClient, RtmGap
from tests.peers.driven import Driven
from tests.redis_server import redis_is_installed

PATIENCE = 20.0
Need = Callable[[bool, str], None]


class ServerProcess(Driven):
    """A server; orders are those of server_program.py."""

    @property
    def url(self) -> str:
        return str(self.all("listening")[0]["args"][0])

    @property
    def id(self) -> str:
        return str(self.all("listening")[0]["args"][1])

    async def order(self, order: str, *args: Any) -> Any:
        return await self.call(order, args=args)

    def kill(self) -> None:
        """End it at once, by SIGKILL."""
        self._process.kill()


@asynccontextmanager
async def run_server(redis: str, port: int = 0) -> AsyncGenerator[ServerProcess]:
    command = [sys.executable, "-m", "tests.rtm.server_program", redis, str(port)]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), **os.environ}
    async with ServerProcess.run(command, environment=environment) as server:
        yield server


class Listener:
    """A client of a user: the numbers it has heard, and the gaps it was told, in order."""

    def __init__(self, url: str | Callable[[], str], user: str) -> None:
        self.told: list[int | RtmGap] = []
        self._changed = anyio.Event()
        token = {"user": user, "secret": f"secret of {user}"}
        self.client = RtmClient(str(url), authentication=token, reconnect_delays=lambda _: 0.05)
        self.client.subscribe("n", lambda data: self._tell(data[0]))
        self.client.on("gap", self._tell)

    def _tell(self, what: int | RtmGap) -> None:
        self.told.append(what)
        self._changed.set()
        self._changed = anyio.Event()

    @property
    def numbers(self) -> list[int]:
        return [one for one in self.told if isinstance(one, int)]

    @property
    def gaps(self) -> list[RtmGap]:
        return [one for one in self.told if isinstance(one, RtmGap)]

    @property
    def published_gaps(self) -> list[RtmGap]:
        """Those in which published events may be missing."""
        return [gap for gap in self.gaps if gap.published]

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.move_on_after(PATIENCE):
            while not condition():
                await self._changed.wait()
        assert condition(), f"heard {self.told[-20:]}"

    async def heard(self, number: int) -> None:
        await self.until(lambda: number in self.numbers)


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait until an async condition holds."""
    with anyio.fail_after(PATIENCE):
        while not await condition():
            await anyio.sleep(0.05)


def check_installed(need: Need) -> None:
    need(redis_is_installed(), "redis-server")
