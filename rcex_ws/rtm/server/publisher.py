"""Publishes events to users, and counts the connections that take them, over all servers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from rcex_ws.broker.interface import Appended, Broker, BrokerError
from rcex_ws.loop import Signal
from rcex_ws.readers import read_digits
from rcex_ws.rtm.server.publication import Publication, encode_publication

__all__ = ["Publisher"]


class _Counting:
    """A publication whose connections are being counted.

    Attributes:
        followers: how many servers have clients of the user; infinite until that is known.
        answers: how many of them have answered.
        connections: how many connections they have counted.
        error: why it could not be published.
        settled: set when all have answered, or with the error.
    """

    __slots__ = ("answers", "connections", "error", "followers", "settled", "written")

    def __init__(self) -> None:
        self.followers = math.inf
        self.answers = self.connections = 0
        self.error: BrokerError | None = None
        self.written, self.settled = Signal(), Signal()

    def settle_if_complete(self) -> None:
        if self.answers >= self.followers:
            self.settled.set()


class Publisher:
    """Publishes for one server.

    Args:
        broker: has the logs.
        clock: returns the time of the event loop, in seconds.
        publish_timeout: seconds until an event must be written.
        count_timeout: seconds to wait for the counts of other servers after that.
        report: called with the error of a publication for which nobody waits.
    """

    def __init__(
        self,
        broker: Broker,
        clock: Callable[[], float],
        *,
        publish_timeout: float,
        count_timeout: float,
        report: Callable[[Exception], None],
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._publish_timeout = publish_timeout
        self._count_timeout = count_timeout
        self._report = report
        self._counting: dict[int, _Counting] = {}
        self._numbers = count(1)
        self._unwritten = 0  # for which nobody waits
        self._all_written = Signal()

    async def flush(self) -> None:
        """Wait until what was published without waiting is written, or has failed."""
        while self._unwritten:
            self._all_written = Signal()
            await self._all_written.wait()

    def publish_soon(self, topic: str, event: str, data: tuple[Any, ...]) -> None:
        """Publish an event without waiting.

        Raises:
            BrokerFull: too much waits already.
        """
        entry = encode_publication(event, data)
        self._unwritten += 1
        try:
            self._broker.append(topic, entry, self._ended, within=self._publish_timeout)
        except BaseException:
            self._unwritten -= 1
            raise

    async def publish(self, topic: str, event: str, data: tuple[Any, ...]) -> int:
        """Publish an event; return how many connections have taken it.

        Raises:
            BrokerFull: too much waits already.
            BrokerUnavailable: it could not be published in time.
        """
        broker, number, counting = self._broker, next(self._numbers), _Counting()
        entry = encode_publication(event, data, broker.node, number)
        self._counting[number] = counting
        try:
            broker.append(topic, entry, partial(self._written, counting), within=self._publish_timeout)
            await counting.written.wait()
            if counting.error is not None:
                raise counting.error
            await counting.settled.wait(until=self._clock() + self._count_timeout)
        finally:
            del self._counting[number]
        return counting.connections

    def on_taken(self, publication: Publication, connections: int) -> None:
        """Tell the server that waits for it how many connections here have taken an event."""
        if not publication.node:
            return
        broker = self._broker
        if publication.node == broker.node:
            self._count(publication.number, connections)
        else:
            broker.signal(publication.node, b"%d %d" % (publication.number, connections))

    def on_signal(self, data: bytes) -> None:
        """Handle the count of another server."""
        number, _, connections = data.decode(errors="replace").partition(" ")
        which, how_many = read_digits(number), read_digits(connections)
        if which is not None and how_many is not None:
            self._count(which, how_many)

    def _count(self, number: int, connections: int) -> None:
        counting = self._counting.get(number)  # None if it came too late
        if counting is not None:
            counting.answers += 1
            counting.connections += connections
            counting.settle_if_complete()

    @staticmethod
    def _written(counting: _Counting, outcome: Appended | BrokerError) -> None:
        if isinstance(outcome, BrokerError):
            counting.error = outcome
        else:
            counting.followers = outcome.followers
            counting.settle_if_complete()
        counting.written.set()

    def _ended(self, outcome: Appended | BrokerError) -> None:
        self._unwritten -= 1
        if self._unwritten == 0:
            self._all_written.set()
        if isinstance(outcome, BrokerError):
            self._report(outcome)
