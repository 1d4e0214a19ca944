"""When the client's process is stopped, killed or frozen, and when the server's is restarted: seeded, pure."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["ACT_KINDS", "Act", "Kind", "make_schedule"]

Kind = Literal["stop", "kill", "suspend", "restart"]
#: What can be done to the processes; to be named among the faults.
ACT_KINDS: tuple[Kind, ...] = get_args(Kind)
#: How often each comes, when all are wanted. A server that forgets everything is the rarest in real life too.
_WEIGHTS: dict[Kind, float] = {"stop": 3.0, "kill": 4.0, "suspend": 3.0, "restart": 1.0}
#: The first act waits for the client to have subscribed; else most kills would hit a process that has nothing yet.
_WARM_UP = 2.0
#: Between two acts lie about so many seconds: enough for some faults of the server and a recovery or two.
_BETWEEN = 5.0


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that is done to a process.

    Attributes:
        at: seconds from the start.
        kind: stop the client by SIGTERM; kill it by SIGKILL; suspend it by SIGSTOP, as a laptop's lid or a blocked
            loop does; restart the server, which then knows nothing any more.
        away: seconds until it is started again, or goes on.
    """

    at: float
    kind: Kind
    away: float


def make_schedule(seed: int, seconds: float, kinds: Collection[Kind], *, recovery_timeout: float) -> list[Act]:
    """Plan the acts of one soak, none of them in its last tenth.

    Most absences end within the recovery window, so that something can be lost that need not be; some do not.
    """
    rng = random.Random(f"schedule {seed}")
    wanted = [kind for kind in ACT_KINDS if kind in kinds]
    acts: list[Act] = []
    at = _WARM_UP + rng.expovariate(1 / _BETWEEN)
    while wanted and at < seconds * 0.9:
        kind = rng.choices(wanted, [_WEIGHTS[kind] for kind in wanted])[0]
        away = _away(rng, recovery_timeout)
        acts.append(Act(at, kind, away))
        at += away + 1.0 + rng.expovariate(1 / _BETWEEN)
    return acts


def _away(rng: random.Random, recovery_timeout: float) -> float:
    """Choose how long: at once, within the recovery window, about its end, or longer."""
    low, high = rng.choices(((0.0, 0.05), (0.1, 0.6), (0.85, 1.1), (1.2, 1.5)), (3, 4, 1, 1))[0]
    return rng.uniform(low, high) * recovery_timeout
