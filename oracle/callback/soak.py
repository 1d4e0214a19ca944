"""Run the server and the program: python -m oracle.callback.soak --seed 1 --loop trio --faults holding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from oracle.callback import faults
from oracle.callback.judge import judge
from oracle.callback.records import PROGRAM, Attempt, Called, Opened, Returned, Struck
from oracle.callback.server import Server
from oracle.lines import Line
from oracle.soaking import Oracle, soak


def figures(server: Sequence[Line], program: Sequence[Line]) -> str:
    """Count connections, faults, lives and calls."""
    struck = Counter(line.fault for line in server if isinstance(line, Struck))
    struck += Counter(line.how for line in server if isinstance(line, Attempt) and line.how != "ok")
    opened = sum(isinstance(line, Opened) for line in server)
    lives = Counter(line.how for line in program if isinstance(line, Returned))
    calls = sum(isinstance(line, Called) for line in program)
    return f"{opened} connections, faults {dict(struck)}, lives {dict(lives)}, {calls} calls"


ORACLE = Oracle(
    name="callback",
    server=Server,
    url="ws://127.0.0.1:{port}/ws",
    faults=faults.named,
    records=PROGRAM,
    suspended=lambda: Struck(fault="suspend"),
    judge=judge,
    figures=figures,
)

if __name__ == "__main__":
    soak(ORACLE)
