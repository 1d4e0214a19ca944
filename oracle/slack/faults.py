"""The faults, by where they strike."""

from __future__ import annotations

from oracle.dice import choose

# Of one connection; struck by the driver at random moments.
OF_A_CONNECTION = (
    *("rst", "fin", "close", "goodbye", "migrate", "freeze-in", "freeze-out", "freeze-both"),
    *("slow", "cut", "garbage", "storm", "down"),
)
# Thrown for each call of rtm.connect, each upgrade, each message.
OF_A_CALL = ("rtm-429", "rtm-5xx", "rtm-garbage", "rtm-error", "rtm-rst", "rtm-cut", "rtm-hang")
# Thrown for each call of chat.update.
OF_AN_UPDATE = ("update-429", "update-5xx", "update-rst", "update-hang", "update-error")
OF_AN_UPGRADE = ("refuse", "upgrade-rst", "upgrade-hang", "no-hello", "early-close")
OF_A_MESSAGE = ("reject", "ack-drop", "ack-late", "ack-twice", "ack-other")
OTHERS = ("replay", "deaf-close", "suspend", "rtm-final")
# Not a fault of Slack: the bot asks for another connection by `reconnect`.
OF_THE_PROGRAM = ("by-hand",)
ALL = frozenset(OF_A_CONNECTION + OF_A_CALL + OF_AN_UPDATE + OF_AN_UPGRADE + OF_A_MESSAGE + OTHERS + OF_THE_PROGRAM)

# Under these the client keeps its word today. The others bring to light:
# deaf-close, and freezes: Slack leaves the client's close frame unanswered while events still come by that connection;
#   when a third connection comes, events are delivered twice.
# replay: the repeated answer to a message of one connection is taken for news of those of the connection before it:
#   what was lost there is assumed to be delivered.
HOLDING = ALL - {"deaf-close", "freeze-in", "freeze-both", "replay"}


def named(text: str) -> frozenset[str]:
    """Read the option `--faults`."""
    return choose(text, ALL, HOLDING)
