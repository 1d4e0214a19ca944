"""The client's process: an application under the loop it would be run by, and what escapes it and is left of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import anyio

from oracle import resources
from oracle.lines import Escaped, Finished, LeftOver, Pen
from oracle.plain import LOOPS, left_over, measure_lag, run_plainly, watch_for_escapes


class Application(Protocol):
    """What uses the library."""

    async def run(self) -> None:
        """Use it, until some seconds after the calm."""


def run_program(make: Callable[[str, Pen, int, float, frozenset[str]], Application]) -> None:
    """Run an application as the command line says.

    Args:
        make: gets the server's URL, the pen, the seed, when faults end, on the monotonic clock, and the faults.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calm-at", type=float, required=True)
    parser.add_argument("--faults", required=True)
    options = parser.parse_args()
    pen = Pen(options.journal)
    faults = frozenset(options.faults.split(","))

    async def program() -> None:
        watch_for_escapes(pen)
        before = resources.sample()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(measure_lag, pen)
                await make(options.url, pen, options.seed, options.calm_at, faults).run()
                tasks.cancel_scope.cancel()
        except Exception as error:
            pen.put(Escaped(where="program", error=repr(error)))
            raise
        what = await left_over(before)
        if what:
            pen.put(LeftOver(life=0, what=what))

    run_plainly(options.loop, program)
    pen.put(Finished())
