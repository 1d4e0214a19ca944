"""The published Feedme programs of JavaScript, each a process of its own, as tests on both event loops use them.

`Feedme` (the fixture `feedme`) runs them. Names and data are those of the original: an error's code is the first word
of its `message`, data and arguments are plain JSON.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

from anyio.abc import Process

from tests.peers.driven import Driven

PEERS = Path(__file__).parent
Json = dict[str, Any]
Dialect = Literal["a", "b", "c"]
Kind = Literal["handshake", "action", "feedOpen", "feedClose"]


class FeedmeServer(Driven):
    """feedme-server-core 0.0.4 at a port of its own, started.

    Events: starting, start, stopping, stop, connect(clientId), disconnect(clientId, error), badClientMessage(clientId,
    error), transportError(error), and the requests handshake, action, feedOpen and feedClose(request), which are
    answered by what `policy` says: by default an action with its own arguments, a feed with the data it was given by
    `hold` (or else NO_SUCH_FEED), everything else with success.
    """

    url: str

    async def start(self) -> None:
        """Listen, at first at a free port, later at the same."""
        await self.call("start")
        self.url = f"ws://127.0.0.1:{await self.call('port')}"

    async def stop(self) -> None:
        """Close every connection and listen no more."""
        await self.call("stop")

    async def hold(self, name: str, args: Json, data: Json) -> None:
        """Keep the data of a feed, from now on or from now anew."""
        await self.call("hold", feedName=name, feedArgs=args, feedData=data)

    async def held(self, name: str, args: Json) -> Any:
        """Give the data it keeps of a feed."""
        return await self.call("held", feedName=name, feedArgs=args)

    async def reveal(self, name: str, args: Json, deltas: list[Json], **options: Any) -> None:
        """Reveal an action to whoever has the feed open.

        A feed that is held is changed, and its hash goes along unless `hash=False`. With `feedData` (what the hash is
        made of) or `feedMd5`, and for a feed that is not held, everything goes as it is given, wrong or right.
        """
        action: Json = {"actionName": "change", "actionData": {}}
        await self.call("reveal", feedName=name, feedArgs=args, feedDeltas=deltas, **{**action, **options})

    async def terminate(self, code: str = "OVER", data: Json | None = None, **whose: Any) -> None:
        """Terminate feeds: of a clientId, of a feedName and its feedArgs, or of all three."""
        await self.call("terminate", errorCode=code, errorData=data or {}, **whose)

    async def disconnect(self, client_id: str) -> None:
        """Close a connection in good order."""
        await self.call("disconnect", clientId=client_id)

    async def drop(self, client_id: str) -> None:
        """Destroy a connection without a word."""
        await self.call("drop", clientId=client_id)

    async def raw(self, client_id: str, text: str) -> None:
        """Send a text as it is."""
        await self.call("raw", clientId=client_id, text=text)

    async def policy(self, kind: Kind, answer: Literal["hold"] | Json | None, *, name: str | None = None) -> None:
        """Say how requests of a kind, and of an action or feed of this name, are answered from now on.

        Args:
            kind: what is asked for.
            answer: `{"success": data}`, `{"failure": {"code": ..., "data": ...}}`, None for the default, or "hold":
                the event's request has a `number`, and nothing happens until `answer` takes it.
            name: the action or feed, where it is to have a policy of its own.
        """
        await self.call("policy", kind=kind, name=name, answer=answer)

    async def answer(self, number: int, answer: Json | None = None) -> None:
        """Answer a request that was held, with the default where none is given."""
        await self.call("answer", number=number, answer=answer)


class FeedmeFeed:
    """A feed of such a client; its events are opening, open, close(error), and action(name, data, new, old)."""

    def __init__(self, client: FeedmeClient, key: str) -> None:
        self._client = client
        self._key = key

    async def desire_open(self) -> None:
        await self._client.call("desireOpen", feed=self._key)

    async def desire_closed(self) -> None:
        await self._client.call("desireClosed", feed=self._key)

    async def destroy(self) -> None:
        await self._client.call("destroy", feed=self._key)

    async def data(self) -> Any:
        return await self._client.call("data", feed=self._key)

    async def state(self) -> dict[str, str]:
        """Give the `desired` and the `actual` state."""
        return dict(await self._client.call("feedState", feed=self._key))

    async def event(self, name: str, count: int = 1) -> list[Any]:
        """Wait for an event for the n-th time; give its arguments."""
        return await self._client.event(name, count, of=self._key)

    def names(self) -> list[str | None]:
        """Give the names of its events so far."""
        return self._client.names(of=self._key)


class FeedmeClient(Driven):
    """feedme-client 0.0.35; its events are those of the original, those of its feeds are at these."""

    def __init__(self, process: Process, name: str) -> None:
        super().__init__(process, name)
        self._feeds = 0

    async def connect(self, *, wait: bool = True) -> None:
        """Connect, and wait until that is done."""
        count = len(self.all("connect")) + 1
        await self.call("connect")
        if wait:
            await self.event("connect", count)

    async def disconnect(self) -> None:
        await self.call("disconnect")

    async def state(self) -> str:
        return str(await self.call("state"))

    async def action(self, name: str, args: Json | None = None) -> Any:
        """Perform an action and give its data; `Rejected` says what the client says."""
        return await self.call("action", actionName=name, actionArgs=args or {})

    async def feed(self, name: str, args: Json | None = None) -> FeedmeFeed:
        """Create a feed object."""
        self._feeds += 1
        key = f"{name} {self._feeds}"
        await self.call("create", feed=key, feedName=name, feedArgs=args or {})
        return FeedmeFeed(self, key)


class FeedmeUtil(Driven):
    """feedme-util 0.3.6, which says what the written specification says."""

    async def violations(self, sender: Literal["client", "server"], texts: Iterable[str]) -> list[str]:
        """Say of each message why it is none; "" where nothing is wrong with it.

        Names from JavaScript's Object prototype as MessageType it lets pass, or throws: that is a defect of its own.
        """
        return list(await self.call("validate", sender=sender, texts=list(texts)))

    async def apply(self, cases: Iterable[tuple[str, str]]) -> list[Json]:
        """Apply deltas to data, both as JSON text, so that numbers are what the caller writes (1e400, -0).

        Returns:
            One dict per case: `canonical` and `md5` of the result, or `index` and `reason` of the delta that cannot be
            applied, or the `violation` that makes them no deltas at all.
        """
        return list(await self.call("apply", cases=[{"data": data, "deltas": deltas} for data, deltas in cases]))

    async def digest(self, texts: Iterable[str]) -> list[Json]:
        """Give `canonical` and `md5` of each document, which is JSON text."""
        return list(await self.call("digest", texts=list(texts)))

    async def serial(self, feeds: Iterable[tuple[str, dict[str, str]]]) -> list[str]:
        """Give the text by which the JavaScript libraries know each feed."""
        asked = [{"name": name, "args": json.dumps(args)} for name, args in feeds]
        return list(await self.call("serial", feeds=asked))


class Feedme:
    """What runs these programs; they end with the stack."""

    def __init__(self, stack: AsyncExitStack, need: Callable[[bool, str], None]) -> None:
        self._stack = stack
        self._need = need

    async def server(self, dialect: Dialect = "a", **options: Any) -> FeedmeServer:
        """Run the published server, behind an adapter where it is to speak another dialect than its own, A.

        Args:
            dialect: what it speaks.
            **options: those of the original, and in `transport` a dict of those of its transport.
        """
        command = self._command("feedme_a", "feedme-server-core", "server.mjs")
        server = await self._stack.enter_async_context(FeedmeServer.run([*command, dialect, json.dumps(options)]))
        await server.start()
        return server

    async def client(self, url: str, dialect: Literal["a", "b"] = "a", **options: Any) -> FeedmeClient:
        """Run a published client, which does nothing before it is told to.

        Args:
            url: where it connects.
            dialect: what it speaks.
            **options: those of the original, and in `transport` a dict of those of its transport.
        """
        command = self._command(f"feedme_{dialect}", "feedme-client", "client.mjs")
        return await self._stack.enter_async_context(FeedmeClient.run([*command, url, json.dumps(options)]))

    async def util(self) -> FeedmeUtil:
        """Run the published utilities."""
        command = self._command("feedme_util", "feedme-util", "oracle.mjs")
        return await self._stack.enter_async_context(FeedmeUtil.run(command))

    def _command(self, folder: str, package: str, program: str) -> list[str]:
        node = shutil.which("node")
        self._need(node is not None, "node")
        self._need((PEERS / folder / "node_modules" / package).is_dir(), f"the npm package {package} in {folder}")
        return [str(node), str(PEERS / folder / program)]
