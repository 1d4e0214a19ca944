"""The faults ordered in advance for the fake Slack: what goes wrong the next few times. Pure bookkeeping."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeVar

from rcex_ws.errors import ConfigurationError

__all__ = ["Failure", "NoHello", "Orders", "Rejection", "SwallowedAck"]


@dataclass(slots=True, kw_only=True)
class _Order:
    times: int | None
    where: str = "*"

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ConfigurationError(f"times must be 1 or more, or None for no end, not {self.times}")


@dataclass(slots=True, kw_only=True)
class Failure(_Order):
    """Answer a Web API method, or the upgrade, with something else than it wants."""

    status: int | Literal["hang", "rst"]
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Rejection(_Order):
    """Refuse a message."""

    code: int
    msg: str


@dataclass(slots=True, kw_only=True)
class SwallowedAck(_Order):
    """Take a message without saying so."""


@dataclass(slots=True, kw_only=True)
class NoHello(_Order):
    """Open a WebSocket and say nothing."""


_O = TypeVar("_O", bound=_Order)


class Orders:
    """Hold what was ordered until it is used up."""

    def __init__(self) -> None:
        self._orders: list[_Order] = []

    def add(self, order: _Order) -> None:
        """Take an order."""
        self._orders.append(order)

    def take(self, kind: type[_O], place: str = "") -> _O | None:
        """Use up one order of a kind for a place, the oldest first; None when there is none."""
        for order in self._orders:
            if isinstance(order, kind) and fnmatchcase(place, order.where):
                if order.times is not None:
                    order.times -= 1
                    if not order.times:
                        self._orders.remove(order)
                return order
        return None

    def clear(self) -> None:
        """Forget every order."""
        self._orders.clear()
