"""The faults, by where they strike."""

from __future__ import annotations

from oracle.dice import choose

OF_A_CONNECTION = (
    *("rst", "fin", "close", "freeze-in", "freeze-out", "freeze-both", "slow", "cut", "violate", "storm", "down"),
)
OF_AN_UPGRADE = ("refuse", "upgrade-rst", "upgrade-hang", "upgrade-garbage", "upgrade-cut", "early-close")
OTHERS = ("deaf-close", "suspend")
# Not a fault of the server: the handler gives `Close` in `websocket_info` while it is not connected.
OF_THE_PROGRAM = ("close-offline",)
ALL = frozenset(OF_A_CONNECTION + OF_AN_UPGRADE + OTHERS + OF_THE_PROGRAM)
# Under these the client keeps its word today.
# close-offline: the attempt that was due goes on as planned, whatever delay `ondisconnect` then asks for.
HOLDING = ALL - {"close-offline"}


def named(text: str) -> frozenset[str]:
    """Read the option `--faults`."""
    return choose(text, ALL, HOLDING)
