"""How one life of the random application goes: its options, its habits and its end, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PLACES", "LifePlan", "draw_life"]

# Where a close may be called from, inside of the extension: lifecycle handlers are told by the event's name.
PLACES = (
    "handler",
    "hook",
    "autoRecoverSuccess",
    "autoRecoverFailed",
    "autoRecoverError",
    *("disconnected",) * 4,
    "connectionReady",
    "newWebSocketObject",
    "newWsc",
    "notificationGap",
    "error",
)
_KINDS = frozenset(
    {
        *("raise", "cancel", "overlap", "inside", "slow-handler", "crowd", "abort", "recover", "by-hand", "reconnect"),
        *("deaf", "account-wide", "with-query", "one-filter"),
    }
)


@dataclass(frozen=True, slots=True)
class LifePlan:
    """One life.

    Attributes:
        number: counts the lives of a run, from 1.
        seed: of all that is chance in it.
        kinds: those of `oracle.faults.KINDS` that are the application's.
        end: how it ends in order: detach, revoke, aclose, twice (two at once), crowd (several different ones).
        inside: where it is closed from: "" or one of `PLACES`.
        inside_after: so many times it goes on there.
        inside_task: a task that is begun there closes.
        background: `install_extension` does not wait.
        hook: it has an `on_gap`.
        busy: mean seconds between two calls.
        restless: mean seconds between two changes of the filters.
        options: of the extension.
        pace: by what all times are multiplied.
        density: how much it does in an hour.
    """

    number: int
    seed: str
    kinds: frozenset[str]
    end: str = "aclose"
    inside: str = ""
    inside_after: int = 0
    inside_task: bool = False
    background: bool = False
    hook: bool = False
    busy: float = 20.0
    restless: float = 120.0
    options: dict[str, Any] = field(default_factory=dict)
    pace: float = 1.0
    density: float = 1.0

    def paced(self, seconds: float) -> float:
        """Give a time at this run's pace."""
        return seconds * self.pace

    def between(self, seconds: float) -> float:
        """Give a time that lies between two things of a kind: there are fewer where the density is low."""
        return seconds * self.pace / self.density


def draw_life(
    seed: int, number: int, kinds: frozenset[str], *, last: bool, pace: float = 1.0, density: float = 1.0
) -> LifePlan:
    """Draw one life.

    Args:
        seed: of the run.
        number: of the life.
        kinds: faults that are switched on.
        last: it is judged at its end, so it does not close itself.
        pace: by what all times are multiplied.
        density: how much it does in an hour, and how much strikes it.
    """
    rng = random.Random(f"life {seed} {number}")
    more = random.Random(f"more of life {seed} {number}")
    options: dict[str, Any] = {
        "rest_over_websocket": rng.random() < 0.7,
        "heartbeat_interval": rng.choice((10.0, 30.0, 30.0, 60.0)),
        "heartbeat_timeout": rng.choice((5.0, 10.0)),
        "request_timeout": rng.choice((10.0, 60.0)),
        "attempt_timeout": rng.choice((5.0, 10.0)),
        "close_timeout": rng.choice((0.5, 5.0, 5.0, 20.0)),
        "gap_timeout": rng.choice((5.0, 30.0)),
        "repeat_lost": rng.random() < 0.8,
    }
    options |= {name: value * pace for name, value in options.items() if type(value) is float}
    if "small-queue" in kinds:
        options["max_pending"] = rng.choice((3, 20))
    if "by-hand" in kinds and more.random() < 0.5:
        options["auto_recover"] = False
    ends = ["detach", "revoke", "aclose", "aclose", *(kind for kind in ("twice", "crowd") if kind in kinds)]
    return LifePlan(
        number=number,
        seed=f"{seed} {number}",
        kinds=kinds & _KINDS,
        end=rng.choice(ends),
        inside=more.choice(PLACES) if "inside" in kinds and not last and more.random() < 0.7 else "",
        inside_after=more.choice((0, 0, 0, 1)),
        inside_task=more.random() < 0.3,
        background=rng.random() < 0.3,
        hook=rng.random() < 0.5,
        busy=pace / density * rng.choice((3.0, 20.0, 100.0)),
        restless=pace / density * rng.choice((10.0, 120.0, 1000.0)),
        options=options,
        pace=pace,
        density=density,
    )
