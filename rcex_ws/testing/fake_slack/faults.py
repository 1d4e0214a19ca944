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
    """Answer a Web API method or an upgrade with an error, or not at all."""

    status: int | Literal["hang", "rst"]
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Rejection(_SlackFault):
    """Reject a message."""

    code: int
    msg: str


@dataclass(slots=True, kw_only=True)
class SwallowedAck(_SlackFault):
    """Accept a message without answering it."""


@dataclass(slots=True, kw_only=True)
class NoHello(_SlackFault):
    """Open a WebSocket without sending hello."""


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
