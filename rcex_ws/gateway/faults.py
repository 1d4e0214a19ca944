"""The faults ordered in advance: refusals, failed recoveries, dropped or delayed answers. Pure bookkeeping.

Orders come from `Gateway` and `/_gateway/...`; the REST application and the WebSocket take them when their
moment comes. Faults that strike at once (cut, freeze, error, raw frames) need no bookkeeping and live in `app.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal, TypeVar

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.problem import Problem

__all__ = ["AnswerFault", "Faults", "RecoveryFault", "Refusal"]

_SHORT_NAMES = {
    "token": "POST /restapi/oauth/token",
    "wstoken": "POST /restapi/oauth/wstoken",
    "subscription": "* /restapi/v1.0/subscription*",
}
"""Short names of the requests that are refused most often."""

_REQUEST = re.compile(r"(\*|[A-Z]+) (\*|/|/[^?\s]*[^?\s/])")
"""A method and a path without query and trailing slash, as `Front` names the place of a request."""

_TEXTS = {
    401: ("OAU-213", "Token not found"),
    403: ("CMN-401", "In order to call this API endpoint, user needs to have [WebSocket] permission"),
    404: ("CMN-102", "Resource is not found"),
    429: ("CMN-301", "Request rate exceeded"),
    503: ("CMN-211", "Service is temporarily unavailable"),
}


@dataclass(slots=True, kw_only=True)
class _Order:
    STEPS: ClassVar[tuple[str, ...]]
    """The places besides those of requests at which such an order can strike."""

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
class Refusal(_Order):
    """Refuse what matches `where`, `times` times (None: until cleared)."""

    STEPS = ("upgrade", "details")

    status: int | Literal["hang", "rst"]
    retry_after: float | None
    error_code: str | None
    message: str | None

    def problem(self) -> Problem:
        """Return the error to answer with, for a refusal that answers."""
        if not isinstance(self.status, int):
            raise TypeError(f"a refusal by {self.status} has no answer")
        code, message = _TEXTS.get(self.status, ("CMN-000", "Refused on command"))
        return Problem(self.status, self.error_code or code, self.message or message, retry_after=self.retry_after)


@dataclass(slots=True, kw_only=True)
class AnswerFault(_Order):
    """Drop, delay or strip an answer, or write a notification before it."""

    STEPS = ("details",)

    drop: bool
    strip: Literal["headers", "body"] | None
    delay: float
    notify: dict[str, Any] | None


@dataclass(slots=True, kw_only=True)
class RecoveryFault(_Order):
    """Fail a recovery with this code."""

    STEPS = ("recovery",)

    code: str


_O = TypeVar("_O", bound=_Order)


class Faults:
    """Hold what was ordered until it is used up."""

    def __init__(self) -> None:
        self._orders: list[_Order] = []

    def add(self, order: _Order) -> None:
        """Take an order."""
        self._orders.append(order)

    def take(self, kind: type[_O], place: str) -> _O | None:
        """Use up one order of a kind for a place, the oldest first.

        Args:
            kind: The class of order.
            place: "upgrade", "details", "recovery", or the method and path of a request.

        Returns:
            The order, or None when nothing was ordered for this place.
        """
        for order in self._orders:
            if isinstance(order, kind) and fnmatchcase(place, order.where):
                if order.times is not None:
                    order.times -= 1
                    if order.times <= 0:
                        self._orders.remove(order)
                return order
        return None

    def clear(self) -> None:
        """Forget every order."""
        self._orders.clear()
