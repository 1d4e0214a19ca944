"""Whose turn it is: contenders alternate within one run, so that whatever disturbs the machine disturbs them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.common.options import Options
from benchmarks.common.process import Field, Sample

__all__ = ["Samples", "Turn", "alternate", "once", "sized"]

#: To warm up, and to find out how many fit into a turn.
_FIRST = 500


@dataclass(frozen=True, slots=True)
class Turn:
    """One order for one contender.

    Attributes:
        case: what is compared; contenders with the same case take turns.
        label: the contender in the report.
        contender: its name.
        do: the order.
        options: of the order.
    """

    case: str
    label: str
    contender: str
    do: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


#: What each contender gave in each case, one sample per round.
Samples = dict[tuple[str, str], list[Sample]]


def once(run: Field, turns: Iterable[Turn]) -> Samples:
    """Let each have one turn."""
    samples: Samples = {}
    for turn in turns:
        if turn.contender in run.contenders:
            sample = run.contenders[turn.contender].do(turn.do, **turn.options)
            samples[turn.case, turn.label] = [sample]
    return samples


def alternate(run: Field, turns: Sequence[Turn], rounds: int) -> Samples:
    """Let each have one turn per round, in an order that rotates within its case; absent ones have none."""
    samples: Samples = {}
    cases = list(dict.fromkeys(turn.case for turn in turns))
    for number in range(rounds):
        for case in cases:
            of_case = [turn for turn in turns if turn.case == case]
            first = number % len(of_case)
            for key, sample in once(run, of_case[first:] + of_case[:first]).items():
                samples.setdefault(key, []).extend(sample)
    return samples


def sized(run: Field, turns: Sequence[Turn], options: Options) -> list[Turn]:
    """Give each turn, an order that takes a `count`, as many as fit into the time of a turn."""
    first = once(run, [replace(turn, options={**turn.options, "count": _FIRST}) for turn in turns])
    given: list[Turn] = []
    for turn in turns:
        for sample in first.get((turn.case, turn.label), []):
            count = max(
                _FIRST if not options.quick else 1, round(options.seconds * sample["count"] / sample["seconds"])
            )
            given.append(replace(turn, options={**turn.options, "count": count}))
    return given
