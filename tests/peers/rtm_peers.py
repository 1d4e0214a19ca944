"""A client and a server of RTM in Node, written from the description of the original alone, with its habits.

`open_client` runs rtm/client.mjs, `run_server` rtm/server.mjs; rtm/orders.mjs says how they are told what to do. Names
of events and orders are theirs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.peers.driven import Driven

FOLDER = Path(__file__).with_name("rtm")
Need = Callable[[bool, str], None]


def check_installed(need: Need) -> str:
    """Skip unless Node and the package `ws` are there; return Node's path."""
    node = shutil.which("node")
    need(node is not None and (FOLDER / "node_modules" / "ws").is_dir(), "the package ws for Node")
    return node or ""


class NodeClient(Driven):
    """The client; events are onOpen, onClose, onError, onMessage and so on, and `callback`."""

    async def open(self, url: str, **options: Any) -> None:
        """Connect: `authenticationData`, `reconnectDelayMs`."""
        await self.call("open", url=url, options=options)

    async def subscribe(self, event: str, tag: str = "") -> str:
        """Subscribe to an event; return what `heard` calls the subscription."""
        await self.do("subscribe", tag or event, event=event)
        await self.outcome(tag or event)
        return tag or event

    def heard(self, subscription: str) -> list[list[Any]]:
        """Give the arguments of each call of a callback."""
        return [step["args"] for step in self.all("callback") if step["as"] == subscription]

    async def until_heard(self, subscription: str, count: int) -> list[list[Any]]:
        """Wait for so many calls of a callback."""
        await self.until(lambda: len(self.heard(subscription)) >= count)
        return self.heard(subscription)


class NodeServer(Driven):
    """The server; events are opened, authenticated, refused, called, subscribed, closed and so on."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"ws://127.0.0.1:{self.all('listening')[-1]['args'][0]}/"


@asynccontextmanager
async def open_client(need: Need) -> AsyncGenerator[NodeClient]:
    """Run the client."""
    async with NodeClient.run([check_installed(need), str(FOLDER / "client.mjs")]) as client:
        yield client


@asynccontextmanager
async def run_server(need: Need, **options: Any) -> AsyncGenerator[NodeServer]:
    """Run the server: `auth`, a list of `value` and `result`; `authDelayMs`, `authTimeoutMs`."""
    orders = json.dumps({"port": 0, "options": options})
    async with NodeServer.run([check_installed(need), str(FOLDER / "server.mjs"), orders]) as server:
        yield server
