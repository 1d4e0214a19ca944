"""High-volume text messages (A2P SMS): batches, and the messages in them. No I/O."""

from __future__ import annotations

from itertools import count
from typing import Any, Literal

import msgspec
from msgspec import Struct

from rcex_ws.gateway.account.shelf import Shelf
from rcex_ws.gateway.clock import Clock, iso

__all__ = ["A2PBatch", "A2PMessage", "A2PStore"]

_MOST_BATCHES = 1_000
_MOST_MESSAGES = 10_000
"""In all batches together; the oldest batches are dropped first."""
_FIRST_ID = 5001


class A2PMessage(Struct, rename="camel"):
    """One text to one number; its members are those of RingCentral's JSON."""

    id: str
    batch_id: str
    sender: str = msgspec.field(name="from")
    to: list[str]
    text: str
    creation_time: str
    last_modified_time: str
    message_status: Literal["Queued", "Sent", "Delivered"] = "Sent"
    segment_count: int = 1
    cost: float = 0.007
    direction: Literal["Inbound", "Outbound"] = "Outbound"

    def body(self) -> dict[str, Any]:
        """Return the JSON form."""
        facts: dict[str, Any] = msgspec.to_builtins(self)
        return facts


class A2PBatch(Struct, rename="camel"):
    """Texts that are sent together."""

    id: str
    sender: str = msgspec.field(name="from")
    batch_size: int
    processed_count: int
    creation_time: str
    last_modified_time: str
    status: Literal["Processing", "Completed"]
    rejected: list[dict[str, Any]]
    cost: float = 0.0
    messages: list[A2PMessage] = []

    def body(self) -> dict[str, Any]:
        """Return the JSON form, without the messages."""
        facts: dict[str, Any] = msgspec.to_builtins(self)
        del facts["messages"]
        return facts


class A2PStore:
    """The batches of the account.

    Args:
        clock: the source of their dates.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = count(_FIRST_ID)
        self._shelf = Shelf[A2PBatch](_MOST_BATCHES, _MOST_MESSAGES, lambda batch: len(batch.messages))

    def batch(self, batch_id: str) -> A2PBatch | None:
        """Return the batch with this id."""
        return self._shelf.get(batch_id)

    def batches(self) -> list[A2PBatch]:
        """Return all batches, newest first."""
        return list(self._shelf.newest_first())

    def messages(self) -> list[A2PMessage]:
        """Return the messages of all batches, newest first."""
        return [message for batch in self.batches() for message in reversed(batch.messages)]

    def add(self, sender: str, texts: list[tuple[str, str]], rejected: list[dict[str, Any]]) -> A2PBatch:
        """Store a batch that is not sent yet.

        Args:
            sender: the number of the sender.
            texts: number and text of each message.
            rejected: what the batch says of numbers that are none.
        """
        moment, batch_id = iso(self._clock.wall()), str(next(self._ids))
        batch = A2PBatch(batch_id, sender, len(texts), 0, moment, moment, "Processing", rejected)
        batch.messages = [
            A2PMessage(str(next(self._ids)), batch_id, sender, [to], text, moment, moment) for to, text in texts
        ]
        self._shelf.put(batch)
        return batch

    def complete(self, batch: A2PBatch) -> None:
        """Record that all messages of a batch are sent."""
        batch.processed_count, batch.status = batch.batch_size, "Completed"
        batch.cost = round(sum(message.cost for message in batch.messages), 6)
        batch.last_modified_time = iso(self._clock.wall())

    def dump(self) -> list[Any]:
        """Return all batches, JSON-ready."""
        return [msgspec.to_builtins(batch) for batch in self._shelf]

    def load(self, saved: list[Any]) -> None:
        """Take the place of all batches.

        Args:
            saved: what `dump` has returned.

        Raises:
            msgspec.ValidationError: it is something else.
        """
        batches = msgspec.convert(saved, list[A2PBatch])
        self._shelf.fill(batches)
        used = [int(one) for batch in batches for one in (batch.id, *(message.id for message in batch.messages))]
        self._ids = count(max(used, default=_FIRST_ID - 1) + 1)
