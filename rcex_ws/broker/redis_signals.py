"""Signals to nodes over Redis: packed by node, one round trip at a time, and dropped when Redis is away."""

from __future__ import annotations

from collections.abc import Sequence

from rcex_ws.broker.redis_link import RedisLink
from rcex_ws.broker.scripts import Names
from rcex_ws.loop import Signal
from rcex_ws.readers import read_digits

__all__ = ["Signals", "pack", "unpack"]

#: How many bytes may wait for a round trip; what comes on top is dropped.
_MOST_BYTES = 8_000_000


class Signals:
    """The signals that wait.

    Args:
        names: of the channels.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._waiting: dict[str, list[bytes]] = {}
        self._bytes = 0
        self._more = Signal()
        self._open = False

    def put(self, node: str, data: bytes) -> None:
        """Send a signal, or drop it if there is no session or too much waits."""
        if self._open and self._bytes < _MOST_BYTES:
            self._waiting.setdefault(node, []).append(data)
            self._bytes += len(data)
            self._more.set()

    def begin(self) -> None:
        """Begin a session."""
        self._open = True

    def end(self) -> None:
        """End the session: drop what waits."""
        self._open = False
        self._waiting, self._bytes = {}, 0

    async def run(self, link: RedisLink) -> None:
        """Send what comes.

        Raises:
            BrokerUnavailable: the connection is lost.
        """
        while True:
            await self._more.wait()
            self._more = Signal()
            waiting, self._waiting, self._bytes = self._waiting, {}, 0
            requests = [
                link.send(b"PUBLISH", self._names.channel("node", node), pack(signals))
                for node, signals in waiting.items()
            ]
            for request in requests:
                await link.wait(request)


def pack(signals: Sequence[bytes]) -> bytes:
    """Return one message of several signals."""
    return b"%s\n%s" % (b" ".join(b"%d" % len(signal) for signal in signals), b"".join(signals))


def unpack(message: bytes) -> list[bytes]:
    """Return the signals of a message."""
    head, _, data = message.partition(b"\n")
    signals: list[bytes] = []
    start = 0
    for size in head.decode().split(" "):
        end = start + (read_digits(size) or 0)
        signals.append(data[start:end])
        start = end
    return signals
