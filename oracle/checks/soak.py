"""Soak for some seconds on each loop, at once, with the faults that hold; in about twenty seconds.

python -m oracle.checks.soak
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from oracle.plain import LOOPS

_ROOT = Path(__file__).parents[2]
_SECONDS, _SETTLE = 8, 4


def main() -> None:
    """Run them; exit with 1 when one has failed."""
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "oracle.soak", "--loop", loop, "--faults", "holding"),
                *("--seconds", str(_SECONDS), "--settle", str(_SETTLE)),
            ],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for loop in LOOPS
    ]
    for soak in running:
        print(soak.communicate()[0], end="")
    sys.exit(any(soak.returncode for soak in running))


if __name__ == "__main__":
    main()
