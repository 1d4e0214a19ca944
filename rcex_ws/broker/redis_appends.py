"""Appends to logs in Redis: one batch at a time, and the same one again when its answer was lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from rcex_ws.broker.interface import Appended, BrokerError, BrokerUnavailable
from rcex_ws.broker.queue import Append, AppendQueue
from rcex_ws.broker.redis_session import RedisSession, Settings
from rcex_ws.broker.scripts import APPEND
from rcex_ws.loop import Signal
from rcex_ws.readers import printable

__all__ = ["AppendWriter"]


class AppendWriter:
    """Sends what waits in a queue.

    Args:
        queue: what waits.
        settings: of the broker.
    """

    def __init__(self, queue: AppendQueue, settings: Settings) -> None:
        self._queue = queue
        self._settings = settings
        self._more = Signal()

    def wake(self) -> None:
        """Note that something waits."""
        self._more.set()

    async def run(self, session: RedisSession) -> None:
        """Send batch after batch.

        Raises:
            BrokerUnavailable: the connection is lost; whether the last batch arrived is found out by the next session.
        """
        while True:
            self._more = Signal()
            batch = self._queue.next_batch()
            if not batch:
                await self._more.wait()
                continue
            keys, args = self._arguments(batch)
            answer = await session.commands.run_script(APPEND, keys, *session.identity, *args)
            epoch, outcomes = cast("tuple[bytes, list[bytes | int]]", answer)
            self._queue.settle(_outcomes(epoch.decode(), outcomes))

    def _arguments(self, batch: Sequence[Append]) -> tuple[list[str], list[str | bytes | int]]:
        """Return the keys and arguments of the script: runs of entries of one topic, in the order of the calls."""
        names = self._settings.names
        keys = [names.key("epoch"), names.key("sent", self._settings.node)]
        args: list[str | bytes | int] = [self._settings.max_entries, round(self._settings.max_age * 1000)]
        places: dict[str, int] = {}
        topic, count_at = None, 0
        for append in batch:
            if append.topic != topic:
                topic = append.topic
                if topic not in places:
                    keys.append(names.key("log", topic))
                    places[topic] = len(keys)
                args += places[topic], names.channel("topic", topic), 0
                count_at = len(args) - 1
            args[count_at] = cast("int", args[count_at]) + 1
            args += append.number, append.data
        return keys, args


def _outcomes(epoch: str, answer: Sequence[bytes | int]) -> list[Appended | BrokerError]:
    """Return the outcome of each entry: an id and a number, or an empty text and the reason."""
    outcomes: list[Appended | BrokerError] = []
    for id_, detail in zip(answer[::2], answer[1::2], strict=True):
        if id_:
            outcomes.append(Appended(f"{epoch}-{cast('bytes', id_).decode()}", cast("int", detail)))
        else:
            reason = printable(cast("bytes", detail).decode(errors="replace"))
            outcomes.append(BrokerUnavailable(f"Redis refused the entry: {reason}"))
    return outcomes
