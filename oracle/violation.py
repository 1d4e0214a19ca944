"""One promise that was broken."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Violation"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise that was broken.

    Attributes:
        rule: its name.
        at: when, in the journals' time.
        text: what happened, for people.
        events: the numbers of the events that it is about.
        call: the call that it is about.
    """

    rule: str
    at: float
    text: str
    events: tuple[int, ...] = ()
    call: str = ""
