"""What the model server knows: events, sessions and their subscriptions."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from oracle.login import Login
from oracle.topics import resolve

__all__ = ["Event", "Session", "Subscription", "problem", "stamp"]


def stamp(seconds: float) -> str:
    """Write a time as RingCentral does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in the world."""

    n: int
    topic: str
    uuid: str
    made_at: float
    body: dict[str, Any]


@dataclass
class Subscription:
    """The one subscription of a session."""

    id: str
    asked: list[str]
    disabled: list[str]
    made_at: float

    @property
    def filters(self) -> list[str]:
        """What is granted, in resolved form."""
        return [resolve(one) for one in self.asked if one not in self.disabled]


@dataclass
class Session:
    """What a wsc stands for. `conn` is its connection as far as the server knows, else it was lost at `lost_at`.

    What was written live last is `recent`; what waits for a recovery is in `buffer`.
    """

    number: int
    login: Login
    subscription: Subscription | None = None
    conn: int | None = None
    lost_at: float = 0.0
    sequence: int = 0
    token: str = ""
    buffer: deque[Event] = field(default_factory=deque)
    recent: deque[Event] = field(default_factory=lambda: deque(maxlen=20))


def problem(status: int, code: str, message: str) -> tuple[int, dict[str, Any]]:
    """Build an answer that is an error."""
    return status, {"errorCode": code, "message": message, "errors": [{"errorCode": code, "message": message}]}
