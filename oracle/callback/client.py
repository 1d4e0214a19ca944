"""The program as a process of its own, under the loop an application would run it by."""

from __future__ import annotations

import argparse
from pathlib import Path

import anyio

from oracle import resources
from oracle.callback.application import Application
from oracle.lines import Escaped, Finished, LeftOver, Pen
from oracle.plain import LOOPS, left_over, measure_lag, run_plainly, watch_for_escapes


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calm-at", type=float, required=True, help="on the monotonic clock")
    options = parser.parse_args()
    pen = Pen(options.journal)

    async def program() -> None:
        watch_for_escapes(pen)
        before = resources.sample()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(measure_lag, pen)
                await Application(options.url, pen, options.seed, options.calm_at).run()
                tasks.cancel_scope.cancel()
        except Exception as error:
            pen.put(Escaped(where="program", error=repr(error)))
            raise
        what = await left_over(before)
        if what:
            pen.put(LeftOver(life=0, what=what))

    run_plainly(options.loop, program)
    pen.put(Finished())


if __name__ == "__main__":
    main()
