"""Run the fake Slack and the bot: python -m oracle.slack.soak --seed 1 --loop trio --faults holding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from oracle.lines import Line
from oracle.slack import faults
from oracle.slack.judge import judge
from oracle.slack.records import BOT, Called, Opened, Settled, Struck
from oracle.slack.server import Slack
from oracle.soaking import Oracle, soak


def figures(server: Sequence[Line], bot: Sequence[Line]) -> str:
    """Count connections, faults, and what became of messages."""
    outcomes = Counter(line.how for line in bot if isinstance(line, Settled))
    struck = Counter(line.fault for line in server if isinstance(line, Struck))
    struck += Counter(line.how for line in server if isinstance(line, Called) and line.how != "ok")
    opened = sum(isinstance(line, Opened) for line in server)
    return f"{opened} connections, faults {dict(struck)}, outcomes {dict(outcomes)}"


ORACLE = Oracle(
    name="slack",
    server=Slack,
    url="http://127.0.0.1:{port}/api/",
    faults=faults.named,
    records=BOT,
    suspended=lambda: Struck(fault="suspend"),
    judge=judge,
    figures=figures,
)

if __name__ == "__main__":
    soak(ORACLE)
