"""The faults, by where they strike."""

from __future__ import annotations

from oracle.dice import choose

OF_A_CONNECTION = (
    *("rst", "fin", "close", "freeze-in", "freeze-out", "freeze-both", "slow", "cut", "violate", "storm", "down"),
)
OF_AN_UPGRADE = ("refuse", "upgrade-rst", "upgrade-hang", "upgrade-garbage", "upgrade-cut", "early-close")
OTHERS = ("deaf-close", "suspend")
ALL = frozenset(OF_A_CONNECTION + OF_AN_UPGRADE + OTHERS)
# Under these the client keeps its word today.
HOLDING = ALL


def named(text: str) -> frozenset[str]:
    """Read the option `--faults`."""
    return choose(text, ALL, HOLDING)
