"""The faults ordered in advance for the fake Slack: what goes wrong the next few times. Pure bookkeeping."""

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
    """Answer a Web API method, or the upgrade, with something else than it wants."""

    status: int | Literal["hang", "rst"]
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Rejection(_SlackFault):
    """Refuse a message."""

    code: int
    msg: str


@dataclass(slots=True, kw_only=True)
class SwallowedAck(_SlackFault):
    """Take a message without saying so."""


@dataclass(slots=True, kw_only=True)
class NoHello(_SlackFault):
    """Open a WebSocket and say nothing."""


_F = TypeVar("_F", bound=_SlackFault)


class SlackFaults:
    """Hold what was ordered until it is used up."""

    def __init__(self) -> None:
        self._faults: list[_SlackFault] = []

    def add(self, fault: _SlackFault) -> None:
        """Add a fault."""
        self._faults.append(fault)

    def take(self, kind: type[_F], place: str = "") -> _F | None:
        """Use up one fault of a kind for a place, the oldest first; None when there is none."""
        for fault in self._faults:
            if isinstance(fault, kind) and fnmatchcase(place, fault.where):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Forget every fault."""
        self._faults.clear()
