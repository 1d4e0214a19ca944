"""The faults, and when each strikes: seeded, pure."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from oracle.dice import choose

__all__ = ["ALL", "CONNECTIONS", "HOLDING", "SERVERS", "Act", "make_schedule", "named"]

SERVERS = ("A", "B")
#: The connections that are always there: their users, and the servers they begin at. cat is connected to both.
CONNECTIONS = {"ann-a": ("ann", "A"), "bob-b": ("bob", "B"), "cat-a": ("cat", "A"), "cat-b": ("cat", "B")}
#: One that comes and goes.
VISITOR = "bob-v"
USERS = ("ann", "bob", "cat")

#: Each fault: how often it strikes beside the others, and how long it lasts, in seconds.
OF_A_CONNECTION = {
    "rst": (3.0, (0.0, 0.0)),
    "fin": (2.0, (0.0, 0.0)),
    "cut-midway": (2.0, (1.0, 3.0)),
    "half-open": (3.0, (2.0, 8.0)),
    "stall": (3.0, (0.2, 5.0)),
    "stall-down": (2.0, (0.2, 4.0)),
    "stall-up": (2.0, (0.2, 4.0)),
    "delay": (1.0, (1.0, 3.0)),
    "refuse": (2.0, (0.3, 9.0)),
    "move": (3.0, (0.0, 0.0)),
    "slow-handler": (2.0, (1.0, 4.0)),
}
#: What lasts for all of a run, of the clients' own making.
OF_THE_CLIENTS = ("small-queue",)
OF_A_SERVER = {
    "kill": (4.0, (0.1, 7.0)),
    "stop": (1.5, (0.1, 3.0)),
    "drain": (2.5, (0.5, 2.0)),
    "suspend": (1.5, (0.2, 3.0)),
}
OF_A_LINK = {
    "link-rst": (2.0, (0.0, 0.0)),
    "link-freeze": (2.5, (0.3, 5.0)),
    "link-freeze-down": (1.5, (0.3, 5.0)),
    "link-freeze-up": (1.5, (0.3, 5.0)),
    "link-cut": (2.5, (0.3, 5.0)),
    "link-delay": (1.0, (1.0, 3.0)),
}
OF_REDIS = {
    "redis-pause": (2.5, (0.2, 5.0)),
    "redis-restart": (2.0, (0.1, 3.0)),
    "redis-forget": (2.0, (0.1, 3.0)),
}
GROUPS = {"connections": OF_A_CONNECTION, "servers": OF_A_SERVER, "links": OF_A_LINK, "redis": OF_REDIS}
ALL = frozenset((*OF_THE_CLIENTS, *(name for group in GROUPS.values() for name in group)))
#: Under these the library keeps its word today. The other one brings to light:
#: small-queue: when a server that was cut off from Redis catches up, the first event that comes counts as proof for the
#:   time in which it came; what is dropped right after it, as handlers are too slow, may be older, and lie in no gap.
HOLDING = ALL - {"small-queue"}
#: These need a Redis.
OF_THE_SERVICE = frozenset((*OF_A_LINK, *OF_REDIS))

#: The first fault waits for all to be connected and some events to have come.
_WARM_UP = 1.5


@dataclass(frozen=True, slots=True)
class Act:
    """One fault.

    Attributes:
        at: seconds from the start.
        fault: its name.
        target: a connection, a server, or redis.
        length: seconds until it is over.
        chance: between 0 and 1, for what is left to chance in it.
    """

    at: float
    fault: str
    target: str
    length: float
    chance: float


def named(text: str) -> frozenset[str]:
    """Read the option `--faults`; groups count as their members."""
    words: list[str] = []
    for word in text.split(","):
        sign, name = ("-", word[1:]) if word.startswith("-") else ("", word)
        words += [sign + member for member in sorted(GROUPS[name])] if name in GROUPS else [word]
    return choose(",".join(words), ALL, HOLDING)


def make_schedule(seed: int, seconds: float, faults: Collection[str], *, pace: float = 1.2) -> list[Act]:
    """Plan the faults of one soak; all of them are over when the time is.

    Several may be under way at once, but only one of those that strike the same target.

    Args:
        seed: decides about all.
        seconds: the time.
        faults: those that may strike.
        pace: seconds between two of them, on the average.
    """
    rng = random.Random(f"rtm schedule {seed}")
    kinds = {
        (fault, target): (weight / len(targets), span)
        for group, targets in (
            (OF_A_CONNECTION, tuple(CONNECTIONS)),
            (OF_A_SERVER, SERVERS),
            (OF_A_LINK, SERVERS),
            (OF_REDIS, ("redis",)),
        )
        for fault, (weight, span) in group.items()
        for target in targets
        if fault in faults
    }
    acts: list[Act] = []
    busy: dict[str, float] = {}
    at = _WARM_UP
    while kinds and (at := at + rng.expovariate(1 / pace)) < seconds:
        fault, target = rng.choices(list(kinds), [weight for weight, _ in kinds.values()])[0]
        low, high = kinds[fault, target][1]
        # Short ones are the more frequent; a quarter is of any length.
        length = low + (high - low) * rng.random() ** rng.choice((1, 2, 2, 3))
        chance = rng.random()
        place = f"link {target}" if fault in OF_A_LINK else target
        if busy.get(place, 0.0) < at and at + length < seconds:
            busy[place] = at + length + 0.3
            acts.append(Act(at, fault, target, length, chance))
    return acts
