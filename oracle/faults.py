"""The plan: which faults strike, where and when, all of it drawn from one seed.

A kind is switched on or off by its name. A plan is asked at every step at which a kind could strike; it never looks at
a clock but the one that it is given. After `calm` it says no to everything. Each kind has dice of its own, so that one
that is added moves no other.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

__all__ = ["GROUPS", "KINDS", "PROCESS_KINDS", "WEATHER_KINDS", "Plan", "Refusal", "choose_kinds"]

KINDS: dict[str, str] = {
    "rst": "a connection is reset",
    "fin": "a connection ends without a close frame",
    "close": "a close frame with some code",
    "error": "an Error frame, then the end",
    "freeze": "half-open: nothing gets through, either way",
    "freeze-in": "half-open: the server hears nothing",
    "freeze-out": "half-open: the client hears nothing",
    "slow": "bytes trickle",
    "refuse-token": "the token endpoint says 429, 503, garbage, nothing, or resets",
    "refuse-wstoken": "the same at wstoken, and 401",
    "refuse-upgrade": "the same at the upgrade, and 401 and 403",
    "refuse-subscribe": "429, 403 or 503 instead of a subscription, a change or a deletion",
    "refuse-call": "429 or 503 for a call of the application",
    "refuse-again": "401 at wstoken to a token that is fresh, again and again for a while",
    "forbid": "wstoken says that the application has no permission: for good",
    "lost-answer": "a call is carried out, its answer is not sent",
    "late-answer": "an answer comes late, perhaps after the caller has given up",
    "doubled-answer": "an answer comes twice",
    "recovery-failed": "a recovery is refused: WSG-1003, WSG-1005",
    "bad-wsc": "a recovery token is malformed: WSG-400, then the end",
    "replay-cut": "the connection ends within the replay",
    "replay-doubled": "parts of a replay come twice",
    "replay-full": "the server keeps few notifications only",
    "details-late": "ConnectionDetails come late",
    "details-absent": "ConnectionDetails never come",
    "wsc-anywhere": "a new wsc in any frame",
    "restart": "the server restarts and forgets everything",
    "forgotten": "the server does not know the subscription any more when it is to be changed",
    "disabled": "some filters are not granted",
    "offset": "the server's clock and the client's differ",
    "step": "the client's wall clock steps",
    "short-window": "the server keeps a lost session for a few seconds only",
    "short-idle": "idle and absolute time-outs come soon",
    "event-paths": "events write themselves otherwise than the filter does: query, order, encoding, a slash at the end",
    "stamp-skew": "the server's parts that stamp events have clocks that differ by up to 4 s",
    "stamp-none": "events without a timestamp",
    "answer-cut": "the connection ends right after a call was carried out, before its answer",
    "change-cut": "a close or an Error frame may come between a change of the filters and its answer",
    "request-cut": "the connection ends when a call has come, before it is carried out",
    "forgotten-refused": "after `forgotten` or `vanish` new subscriptions are refused for a while: 403, 429, 500, 503",
    "vanish": "the server loses a subscription and says nothing",
    "replay-slow": "a replay takes its time, with live events in between",
    "replay-end": "the server closes by a close or an Error frame within a slow replay",
    "replay-brim": "what happens right after a loss fills the buffer to the brim, or just beyond",
    "replay-again": "the last that was written before a loss is kept for the replay, too",
    "accept-late": "connections are accepted late",
    "upgrade-late": "upgrades are answered late",
    "token-late": "token and wstoken are given late",
    "damage-session": "the session store is damaged between two lives",
    "damage-token": "the token store is damaged or gone between two lives",
    "burst": "much happens right after a fault, a request of the subscription's or a life's end",
    "account-wide": "the application asks for filters of the whole account, too",
    "with-query": "the application asks for filters that overlap, told apart by their queries",
    "one-filter": "filters come and go one at a time, also from one life to the next",
    "stop": "the application ends in order and begins anew, after a while",
    "kill": "the process is killed",
    "twice": "the client is closed twice at once",
    "raise": "handlers and the gap hook raise",
    "cancel": "calls and changes are cancelled at any step",
    "overlap": "changes of the filters overlap",
    "inside": "a handler closes the extension",
    "slow-handler": "handlers and the gap hook take long",
    "crowd": "several closes of different kinds come at once, from several tasks",
    "abort": "the application aborts the connection",
    "recover": "the application calls recover() at any moment",
    "by-hand": "auto_recover is off, the application recovers",
    "reconnect": "the application revokes the extension and connects anew",
    "deaf": "consumers take nothing for long, or until they are replaced",
    "cue": "an end comes right after a loss, in an attempt, a replay, a change or a close",
    "small-queue": "few notifications may wait for a slow handler",
    "slow-store": "the stores take long",
    "store-fails": "the session cannot be written: the disk is full for a while",
}

# Only a soak can do this to a process.
PROCESS_KINDS: dict[str, str] = {
    "suspend": "the client's process is suspended for a while, as by a laptop's lid",
}

GROUPS: dict[str, tuple[str, ...]] = {
    "none": (),
    # What the library holds against today; it is what CI runs. A kind moves in here when it holds.
    "all": tuple(kind for kind in (*KINDS, *PROCESS_KINDS) if kind != "forbid"),
    "network": ("rst", "fin", "close", "error", "freeze", "freeze-in", "freeze-out", "slow"),
    "refusals": ("refuse-token", "refuse-wstoken", "refuse-upgrade", "refuse-subscribe", "refuse-call"),
    "answers": (
        "burst",
        "lost-answer",
        "late-answer",
        "doubled-answer",
        "answer-cut",
        "change-cut",
        "request-cut",
        "forgotten",
        "forgotten-refused",
        "vanish",
    ),
    "recovery": (
        "burst",
        "recovery-failed",
        "bad-wsc",
        "replay-cut",
        "replay-doubled",
        "replay-full",
        "replay-slow",
        "replay-end",
        "replay-brim",
        "replay-again",
    ),
    "paths": ("burst", "event-paths", "account-wide", "with-query", "one-filter"),
    "stamps": ("stamp-skew", "stamp-none", "offset"),
    "phases": ("burst", "accept-late", "upgrade-late", "token-late", "details-late", "details-absent"),
    "stores": ("burst", "damage-session", "damage-token", "slow-store", "store-fails"),
    "processes": ("stop", "kill", "suspend", "restart"),
    "application": (
        *("stop", "kill", "cue", "twice", "crowd", "inside", "abort", "recover", "by-hand", "reconnect"),
        *("raise", "cancel", "overlap", "slow-handler", "small-queue", "deaf", "slow-store"),
    ),
}

# These strike at any time; the others where something of theirs is done.
WEATHER_KINDS = ("rst", "fin", "close", "error", "freeze", "freeze-in", "freeze-out", "slow", "restart", "vanish")
_REFUSALS: dict[str, tuple[str, ...]] = {
    "token": ("429", "503", "garbage", "hang", "rst"),
    "wstoken": ("401", "429", "503", "garbage", "hang", "rst"),
    "upgrade": ("401", "403", "429", "503", "garbage", "hang", "rst"),
    "subscribe": ("403", "429", "503"),
    "call": ("429", "503"),
}


def choose_kinds(text: str) -> frozenset[str]:
    """Read "all", "rst,fin", "all,-restart": names of kinds and groups, a minus takes away.

    Raises:
        ValueError: there is no such kind.
    """
    chosen: set[str] = set()
    for word in filter(None, text.split(",")):
        name = word.removeprefix("-")
        kinds = GROUPS.get(name, (name,))
        if unknown := [kind for kind in kinds if kind not in KINDS and kind not in PROCESS_KINDS]:
            raise ValueError(
                f"there is no fault {unknown[0]!r}; there are {', '.join([*GROUPS, *KINDS, *PROCESS_KINDS])}"
            )
        chosen = chosen.difference(kinds) if word.startswith("-") else chosen.union(kinds)
    return frozenset(chosen)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Instead of an answer: a status with or without Retry-After, "garbage", "hang" or "rst"."""

    what: str
    retry_after: int | None = None


@dataclass
class Plan:
    """Draw faults from a seed.

    Attributes:
        kinds: what is switched on.
        pace: by what all times are multiplied: 1 for those of a real service, less where a run has to be short.
        density: how much strikes in an hour, and how much else happens; 1 is a crowd of faults.
        calm: nothing strikes any more.
    """

    seed: int
    kinds: frozenset[str]
    pace: float = 1.0
    density: float = 1.0
    calm: bool = False
    _dice: dict[str, random.Random] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._said_401 = False
        # How rough this run is: some are nearly quiet, so that what needs a long peace is met, too.
        self._roughness = self.dice("roughness").choice((0.3, 1.0, 1.0, 3.0))
        self._odds = {kind: self.dice(f"odds of {kind}").choice((0.0, 0.05, 0.15, 0.4)) for kind in KINDS}
        self._means = {
            kind: self.dice(f"mean of {kind}").choice((0.0, 40.0, 300.0, 1500.0)) / self._roughness
            for kind in WEATHER_KINDS
        }
        if "offset" in self.kinds:
            dice = self.dice("offset")
            self.clock_offset = dice.choice((-1, 1)) * dice.choice((2.0, 20.0, 90.0, 3600.0))
        else:
            self.clock_offset = 0.0
        small = self.kinds & {"replay-full", "replay-brim"}
        self.buffer_size = self.dice("buffer").choice((2, 5, 10, 30)) if small else 100
        short = "short-window" in self.kinds and self._crowded("window")
        self.recovery_timeout = self.paced(self.dice("window").choice((5.0, 20.0, 40.0)) if short else 180.0)
        short = "short-idle" in self.kinds and self._crowded("idle")
        self.idle_timeout = self.paced(self.dice("idle").choice((40.0, 120.0)) if short else 1800.0)
        self.absolute_timeout = self.paced(self.dice("absolute").choice((300.0, 900.0)) if short else 86400.0)

    def paced(self, seconds: float) -> float:
        """Give a time at this run's pace."""
        return seconds * self.pace

    def _crowded(self, name: str) -> bool:
        """Say whether a limit of the server is short; the longer lives are to meet the real ones, too."""
        return self.density == 1.0 or self.dice(f"{name} of a long life").random() < 0.3

    def dice(self, name: str) -> random.Random:
        """Give the dice of a kind, or of some other part of the run."""
        if name not in self._dice:
            self._dice[name] = random.Random(f"{self.seed}/{name}")
        return self._dice[name]

    def strikes(self, kind: str) -> bool:
        """Say whether a kind strikes now, where it could."""
        if self.calm or kind not in self.kinds:
            return False
        # Where little happens each thing goes well more often, too: else each loss becomes an outage of half an hour.
        return self.dice(kind).random() < self._odds[kind] * min(self._roughness, 1.0) * math.sqrt(self.density)

    def refusal(self, where: str) -> Refusal | None:
        """Say whether, and how, a request at this place is refused."""
        if where == "wstoken" and self.strikes("forbid"):
            return Refusal("forbidden")
        if not self.strikes(f"refuse-{where}"):
            return None
        dice = self.dice(f"refuse-{where}")
        what = dice.choice(_REFUSALS[where])
        # A 401 to a token that is fresh is a fault of its own.
        if what == "401" and self._said_401 and "refuse-again" not in self.kinds:
            what = "503"
        self._said_401 = what == "401"
        retry_after = dice.choice((None, 1, 7, 40)) if what in {"429", "503"} else None
        if what == "429" and self.pace < 1:
            retry_after = retry_after or 1  # without it a client has to wait for 30 s, at whatever pace
        return Refusal(what, None if retry_after is None else max(1, round(self.paced(retry_after))))

    def until_next(self, kind: str) -> float | None:
        """Give the seconds until a kind of `WEATHER_KINDS` strikes next; None for never in this run."""
        mean = self._means[kind]
        if kind not in self.kinds or not mean:
            return None
        return self.paced(self.dice(kind).expovariate(1 / mean)) / self.density

    def delay(self, kind: str) -> float:
        """Give the seconds by which something is late, if that kind strikes."""
        if not self.strikes(kind):
            return 0.0
        return self.paced(self.dice(kind).choice((0.3, 1.0, 3.0, 6.0)))

    def disabled(self, filters: list[str]) -> list[str]:
        """Give those of the filters that are not granted."""
        if len(filters) < 2 or not self.strikes("disabled"):
            return []
        return [self.dice("disabled").choice(filters)]
