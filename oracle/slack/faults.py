"""The faults by name, and the dice that throw them."""

from __future__ import annotations

import random
from collections.abc import Iterable

# Of one connection; struck by the driver at random moments.
OF_A_CONNECTION = (
    *("rst", "fin", "close", "goodbye", "migrate", "freeze-in", "freeze-out", "freeze-both"),
    *("slow", "cut", "garbage", "storm", "down"),
)
# Thrown for each call of rtm.connect, each upgrade, each message.
OF_A_CALL = ("rtm-429", "rtm-5xx", "rtm-garbage", "rtm-error", "rtm-rst", "rtm-cut", "rtm-hang")
OF_AN_UPGRADE = ("refuse", "upgrade-rst", "upgrade-hang", "no-hello", "early-close")
OF_A_MESSAGE = ("reject", "ack-drop", "ack-late", "ack-twice", "ack-other")
OTHERS = ("replay", "deaf-close", "suspend")
ALL = frozenset(OF_A_CONNECTION + OF_A_CALL + OF_AN_UPGRADE + OF_A_MESSAGE + OTHERS)

# Under these the client keeps its word today. When one left the server's close frame unanswered for a while and went on
# sending events, events were delivered twice once a third connection came.
HOLDING = ALL - {"deaf-close"}


def named(text: str) -> frozenset[str]:
    """Read the option: all, none, holding, or names with commas; a name with "-" before it is taken away.

    Raises:
        ValueError: there is no such fault.
    """
    chosen: set[str] = set()
    for number, word in enumerate(text.split(",")):
        if word in {"all", "none", "holding"}:
            chosen |= {"all": ALL, "none": frozenset(), "holding": HOLDING}[word]
        elif word.startswith("-") and word[1:] in ALL:
            chosen = (set(ALL) if number == 0 else chosen) - {word[1:]}
        elif word in ALL:
            chosen.add(word)
        else:
            raise ValueError(f"there is no fault {word!r}; there are {', '.join(sorted(ALL))}")
    return frozenset(chosen)


class Dice:
    """Decide by a seed which faults strike.

    Args:
        seed: of the run.
        faults: those that may strike.

    Attributes:
        calm: True to let nothing strike any more.
        random: for all else that is left to chance.
    """

    def __init__(self, seed: int, faults: Iterable[str]) -> None:
        self.random = random.Random(f"slack {seed}")
        self.calm = False
        self._faults = frozenset(faults)

    def strikes(self, fault: str, chance: float) -> bool:
        """Throw for one fault."""
        thrown = self.random.random() < chance  # always thrown, so that leaving out a fault changes little else
        return thrown and fault in self._faults and not self.calm

    def first(self, faults: Iterable[str], chance: float) -> str:
        """Throw for several, each with this chance; give the first that strikes, or ""."""
        return next((fault for fault in faults if self.strikes(fault, chance)), "")

    def next_of_a_connection(self) -> str:
        """Choose what to do to a connection now; "" for nothing."""
        fault = self.random.choice(OF_A_CONNECTION)
        return fault if fault in self._faults and not self.calm else ""
