"""rcex_ws with many of something: extensions, filters, queued events."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from benchmarks.common.idling import at_rest, footprint
from benchmarks.common.worker import measured, run
from benchmarks.contenders.ours import FILTERS, Ours, main
from rcex_ws import WebSocketExtension
from rcex_ws.connection import DeliveryQueue
from rcex_ws.wsg.filters import FilterIndex

#: How many items go through a queue whose cost is measured.
THROUGH = 20_000
#: How many times two questions are asked whose cost is measured.
QUESTIONS = 20_000


@dataclass(slots=True)
class _Item:
    number: int


class Many(Ours):
    """Take more orders."""

    async def idle(self, connections: int, seconds: float, heartbeat: float, timeout: float) -> dict[str, float]:
        """Hold so many extensions, with a heartbeat every so many seconds, whose answer must come in time."""
        with footprint() as grown:
            for _ in range(connections):
                extension = WebSocketExtension(heartbeat_interval=heartbeat, heartbeat_timeout=timeout)
                await self.rc.install_extension(extension)
        found = await at_rest(seconds)
        return {**found, "count": connections, "beats": connections * seconds / heartbeat, "bytes": grown.bytes}

    async def extensions(self, add: int) -> dict[str, float]:
        """Install so many more extensions."""
        with measured() as sample:
            for _ in range(add):
                await self.rc.install_extension(WebSocketExtension())
                sample.count += 1
        return sample()

    async def subscribe(self, number: int) -> dict[str, float]:
        """Subscribe to so many filters, also for the next notifications."""
        base = "/restapi/v1.0/account/~/extension"
        others = [f"{base}/{extension}/telephony/sessions" for extension in range(number - len(FILTERS))]
        self.filters = [*FILTERS, *others]
        with measured() as sample:
            await self.ws_ext.subscribe(self.filters, lambda _: None)
            sample.count = number
        return sample()

    async def questions(self, number: int) -> dict[str, float]:
        """Ask what so many filters can have caused, for one event that they have and one that they have not."""
        base = "/restapi/v1.0/account/~/extension"
        index = FilterIndex([f"{base}/{extension}/telephony/sessions" for extension in range(number)])
        events = [f"/restapi/v1.0/account/1/extension/{extension}/telephony/sessions" for extension in (1, number)]
        with measured() as sample:
            for event in events * QUESTIONS:
                index.can_cause(event)
                sample.count += 1
        return sample()

    async def queue(self, depth: int) -> dict[str, float]:
        """Put items into a queue in which so many wait already, and take them."""

        def overflowed(_: object, __: bool) -> None:
            raise RuntimeError("the queue has room for all of them")

        queue = DeliveryQueue[_Item](max_items=depth + 1, max_bytes=sys.maxsize, on_overflow=overflowed)
        for number in range(depth):
            queue.put(_Item(number), 300)
        items = aiter(queue)
        with measured() as sample:
            for number in range(THROUGH):
                queue.put(_Item(number), 300)
                await anext(items)
                sample.count += 1
        return sample()


if __name__ == "__main__":
    run(main, sys.argv[2], Many)
