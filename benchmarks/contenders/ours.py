"""rcex_ws as a contender, used as an application uses it."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Awaitable, Callable

import anyio

from benchmarks.common.worker import Sample, keep_in_flight, measured, run, serve
from benchmarks.drain.answers import BURST, HANG, REPLAY
from rcex_ws import Events, Notification, RingCentral, WebSocketExtension

FILTERS = ["/restapi/v1.0/account/~/extension/~/telephony/sessions"]
INFO = "/restapi/v1.0/account/~/extension/~"


def client(server: str) -> RingCentral:
    """Make a client."""
    return RingCentral(server=server, client_id="benchmarks", client_secret="a secret", proxy=False)


class Ours:
    """Take orders.

    Args:
        rc: logged in.
        ws_ext: installed in it.
    """

    def __init__(self, rc: RingCentral, ws_ext: WebSocketExtension) -> None:
        self.rc = rc
        self.ws_ext = ws_ext
        self.filters = FILTERS

    async def rest(self, in_flight: int, seconds: float) -> dict[str, float]:
        """Send calls over the WebSocket."""
        return await keep_in_flight(lambda: self.rc.get(INFO), in_flight, seconds)

    async def https(self, in_flight: int, seconds: float) -> dict[str, float]:
        """Send the same calls by HTTP."""
        self.ws_ext.disable()
        try:
            return await keep_in_flight(lambda: self.rc.get(INFO), in_flight, seconds)
        finally:
            self.ws_ext.enable()

    async def notifications(self, kind: str, count: int, size: int, in_flight: int) -> dict[str, float]:
        """Take a burst; by a callback ("sync", "async") or an iterator, while so many requests wait."""

        async def burst() -> None:
            await self.rc.post(BURST, json={"count": count, "size": size})

        async with anyio.create_task_group() as group:
            for _ in range(in_flight):
                group.start_soon(self.rc.get, HANG)
            await self.rc.get(INFO)  # all of them are sent
            if kind == "iterator":
                sample = await self._iterate(count, burst)
            else:
                sample = await self._call_back(count, burst, wait=kind == "async")
        return sample()

    async def _call_back(self, count: int, burst: Callable[[], Awaitable[None]], *, wait: bool) -> Sample:
        done = anyio.Event()

        def callback(_: Notification) -> None:
            sample.count += 1
            if sample.count == count:
                done.set()

        async def async_callback(notification: Notification) -> None:
            callback(notification)

        await self.ws_ext.subscribe(self.filters, async_callback if wait else callback)
        with measured() as sample:
            await burst()
            await done.wait()
        return sample

    async def _iterate(self, count: int, burst: Callable[[], Awaitable[None]]) -> Sample:
        subscription = await self.ws_ext.subscribe(self.filters)
        with measured() as sample:
            await burst()
            async for _ in subscription:
                sample.count += 1
                if sample.count == count:
                    break
        return sample

    async def recover(self) -> dict[str, float]:
        """Lose the connection; give the seconds to `autoRecoverSuccess` and to the first replayed notification."""
        recovered, replayed = Instant(), Instant()
        await self.ws_ext.subscribe(self.filters, lambda _: replayed.now())
        off = self.ws_ext.on(Events.AUTO_RECOVER_SUCCESS, lambda _: recovered.now())
        link = self.ws_ext.ws
        if link is None:
            raise RuntimeError("not connected")
        with measured() as sample:
            start = time.perf_counter()
            link.abort()
            at = await recovered.wait()
            sample.stop()
            sample.count = 1
            times = {"recovered": at - start, "replayed": await replayed.wait() - start}
        off()
        return {**sample(), **times}

    async def replay(self, delay: float) -> dict[str, float]:
        """Have the server replay so many seconds after ConnectionDetails."""
        await self.rc.post(REPLAY, json={"count": 10, "delay": delay})
        return {}

    async def install(self) -> dict[str, float]:
        """Install an extension in a new client that is logged in."""
        async with client(self.rc.server) as rc:
            await rc.authorize(jwt="a JWT")
            with measured() as sample:
                await rc.install_extension(WebSocketExtension())
                sample.count = 1
        return sample()


class Instant:
    """Remember when something happened first."""

    def __init__(self) -> None:
        self._at = 0.0
        self._event = anyio.Event()

    def now(self) -> None:
        """It happens."""
        if not self._event.is_set():
            self._at = time.perf_counter()
            self._event.set()

    async def wait(self) -> float:
        """Wait for it; give the time."""
        await self._event.wait()
        return self._at


async def main(server: str, make: Callable[[RingCentral, WebSocketExtension], object]) -> None:
    """Log in, install, subscribe, serve."""
    logging.getLogger("rcex_ws").setLevel(logging.ERROR)  # connections are lost on purpose
    async with client(server) as rc:
        await rc.authorize(jwt="a JWT")
        # Reconnecting at once is what happens to a connection that has lived 30 s; here none lives so long. The queue
        # has room for a whole burst: what it costs to drop is not asked.
        ws_ext = WebSocketExtension(rest_over_websocket=True, reconnect_delays=lambda _: 0.0, max_pending=1_000_000)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe(FILTERS, lambda _: None)
        await serve(make(rc, ws_ext))


if __name__ == "__main__":
    run(main, sys.argv[2], Ours)
