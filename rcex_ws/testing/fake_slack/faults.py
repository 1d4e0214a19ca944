"""The faults of the fake Slack that are scheduled in advance, for the next few times or for all. Pure bookkeeping."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeVar

from rcex_ws.errors import ConfigurationError

__all__ = ["Failure", "NoHello", "Rejection", "SlackFaults", "SwallowedAck"]


@dataclass(slots=True, kw_only=True)
class _SlackFault:
    times: int | None
    where: str = "*"

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ConfigurationError(f"times must be 1 or more, or None for no end, not {self.times}")


@dataclass(slots=True, kw_only=True)
class Failure(_SlackFault):
    """A Web API method or an upgrade that fails, or is not answered."""

    status: int | Literal["hang", "rst"]
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Rejection(_SlackFault):
    """A message that is rejected."""

    code: int
    msg: str


@dataclass(slots=True, kw_only=True)
class SwallowedAck(_SlackFault):
    """A message that is accepted but not answered."""


@dataclass(slots=True, kw_only=True)
class NoHello(_SlackFault):
    """A WebSocket that gets no hello."""


_F = TypeVar("_F", bound=_SlackFault)


class SlackFaults:
    """The pending faults."""

    def __init__(self) -> None:
        self._faults: list[_SlackFault] = []

    def add(self, fault: _SlackFault) -> None:
        """Add a fault."""
        self._faults.append(fault)

    def take(self, kind: type[_F], place: str = "") -> _F | None:
        """Use up one fault of a kind for a place, the oldest first, and return it; None if there is none."""
        for fault in self._faults:
            if isinstance(fault, kind) and fnmatchcase(place, fault.where):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Cancel all faults."""
        self._faults.clear()
