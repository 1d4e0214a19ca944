"""Faults scheduled in advance: refusals, failed recoveries, dropped or delayed answers. Pure bookkeeping.

Scheduled through `Gateway` and `/_gateway/...`; taken by the REST application and the WebSockets when a request
matches. Faults that act immediately (cut, freeze, error, raw frames) need no bookkeeping and live in `app.py`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal, TypeVar

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.problem import Problem

__all__ = ["AnswerFault", "Faults", "RecoveryFault", "RefusalFault"]

_SHORT_NAMES = {
    "token": "POST /restapi/oauth/token",
    "wstoken": "POST /restapi/oauth/wstoken",
    "subscription": "* /restapi/v1.0/subscription*",
}
"""Short names for the requests that are refused most often."""

_REQUEST = re.compile(r"(\*|[A-Z]+) (\*|/|/[^?\s]*[^?\s/])")
"""A method and a path without query and trailing slash, as `Front` names a request."""

_TEXTS = {
    401: ("OAU-213", "Token not found"),
    403: ("CMN-401", "In order to call this API endpoint, user needs to have [WebSocket] permission"),
    404: ("CMN-102", "Resource is not found"),
    429: ("CMN-301", "Request rate exceeded"),
    503: ("CMN-211", "Service is temporarily unavailable"),
}


@dataclass(slots=True, kw_only=True)
class _OrderedFault:
    STEPS: ClassVar[tuple[str, ...]]
    """The places, besides requests, where such a fault can act."""
    ORDER: ClassVar[str]
    """The command that orders it."""

    where: str
    times: int | None

    def __post_init__(self) -> None:
        self.where = _SHORT_NAMES.get(self.where, self.where)
        if self.where not in self.STEPS and not _REQUEST.fullmatch(self.where):
            choices = ", ".join(f'"{name}"' for name in (*self.STEPS, *_SHORT_NAMES))
            raise ConfigurationError(
                f'where must be one of {choices}, or "METHOD /path" without a query, not {self.where!r}'
            )
        if self.times is not None and self.times < 1:
            raise ConfigurationError(f"times must be 1 or more, or None for no end, not {self.times}")


@dataclass(slots=True, kw_only=True)
class RefusalFault(_OrderedFault):
    """A refusal of what matches `where`, `times` times (None means until cleared)."""

    STEPS = ("upgrade", "details")
    ORDER = "refuse"

    status: int | Literal["hang", "rst"]
    retry_after: float | None
    error_code: str | None
    message: str | None

    def problem(self) -> Problem:
        """Return the error to answer with, for a refusal by an HTTP status."""
        if not isinstance(self.status, int):
            raise TypeError(f"a refusal by {self.status} has no answer")
        code, message = _TEXTS.get(self.status, ("CMN-000", "Refused on command"))
        return Problem(self.status, self.error_code or code, self.message or message, retry_after=self.retry_after)


@dataclass(slots=True, kw_only=True)
class AnswerFault(_OrderedFault):
    """An answer that is dropped, delayed or stripped, or preceded by a notification."""

    STEPS = ("details",)
    ORDER = "answer_fault"

    drop: bool
    strip: Literal["headers", "body"] | None
    delay: float
    notify: dict[str, Any] | None


@dataclass(slots=True, kw_only=True)
class RecoveryFault(_OrderedFault):
    """A recovery that fails with this code."""

    STEPS = ("recovery",)
    ORDER = "fail_recovery"

    code: str


_F = TypeVar("_F", bound=_OrderedFault)


class Faults:
    """The pending faults."""

    def __init__(self) -> None:
        self._faults: list[_OrderedFault] = []

    def add(self, fault: _OrderedFault) -> None:
        """Add a fault."""
        self._faults.append(fault)

    def take(self, kind: type[_F], place: str) -> _F | None:
        """Use up one fault of a kind for a place, the oldest first.

        Args:
            kind: the class of fault.
            place: "upgrade", "details", "recovery", or the method and path of a request.

        Returns:
            The fault, or None if there is none for this place.
        """
        for fault in self._faults:
            if isinstance(fault, kind) and fnmatchcase(place, fault.where):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None

    def pending(self) -> list[dict[str, Any]]:
        """Return what each pending fault is, oldest first: its kind, and its members as they were ordered."""
        return [{"kind": fault.ORDER, **asdict(fault)} for fault in self._faults]

    def clear(self) -> None:
        """Cancel all faults."""
        self._faults.clear()
