"""Which faults may strike, by name, and the dice that throw them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence


def choose(text: str, every: frozenset[str], holding: frozenset[str]) -> frozenset[str]:
    """Read an option: all, none, holding, or names with commas; a name with "-" before it is taken away.

    Args:
        text: as given by the user; one that begins with a "-" takes away from all.
        every: the names that there are.
        holding: those under which the client keeps its word today.

    Raises:
        ValueError: there is no such fault.
    """
    chosen: set[str] = set()
    for number, word in enumerate(text.split(",")):
        if word in {"all", "none", "holding"}:
            chosen |= {"all": every, "none": frozenset[str](), "holding": holding}[word]
        elif word.startswith("-") and word[1:] in every:
            chosen = (set(every) if number == 0 else chosen) - {word[1:]}
        elif word in every:
            chosen.add(word)
        else:
            raise ValueError(f"there is no fault {word!r}; there are {', '.join(sorted(every))}")
    return frozenset(chosen)


class Dice:
    """Decide by a seed which faults strike.

    Args:
        name: of the oracle, so that two do not throw the same.
        seed: of the run.
        faults: those that may strike.

    Attributes:
        calm: True to let nothing strike any more.
        random: for all else that is left to chance.
    """

    def __init__(self, name: str, seed: int, faults: Iterable[str]) -> None:
        self.random = random.Random(f"{name} {seed}")
        self.calm = False
        self._faults = frozenset(faults)

    def strikes(self, fault: str, chance: float) -> bool:
        """Throw for one fault."""
        thrown = self.random.random() < chance  # always thrown, so that leaving out a fault changes little else
        return thrown and fault in self._faults and not self.calm

    def first(self, faults: Iterable[str], chance: float) -> str:
        """Throw for several, each with this chance; give the first that strikes, or ""."""
        return next((fault for fault in faults if self.strikes(fault, chance)), "")

    def one_of(self, faults: Sequence[str]) -> str:
        """Choose what to do now; "" for nothing."""
        fault = self.random.choice(faults)
        return fault if fault in self._faults and not self.calm else ""
