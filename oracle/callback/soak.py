"""Run the server and the program against each other for a while, and judge.

    python -m oracle.callback.soak --seed 1 --seconds 20 --loop asyncio --faults all,-storm

Ends with 1 when the client broke its word, with 2 when the run itself failed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import trio

from oracle.callback import faults
from oracle.callback.judge import judge
from oracle.callback.records import PROGRAM, Attempt, Called, Calm, Opened, Returned, Struck
from oracle.callback.server import Server
from oracle.dice import Dice
from oracle.lines import Line, Pen, read_lines
from oracle.plain import LOOPS
from oracle.verdict import Violation, report
from oracle.victim import run_bounded, suspensions

# Beyond the calm: the probe, a close, what is left over.
END_WITHIN = 25.0


def main() -> None:
    """Run, print the verdict, and exit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--seconds", type=float, default=20.0, help="how long faults go on")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--faults", type=faults.named, default=faults.ALL, help="all, none, holding, names, -names")
    parser.add_argument("--journals", type=Path, help="a folder to keep the journals in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.journals or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        server, bot, ended = trio.run(_run, options, folder)
    found = judge(server, bot) if bot else [Violation("did not begin", "see client.log", began)]
    if not ended:
        found.append(Violation("did not end", f"killed {END_WITHIN:.0f} s after the calm; see client.log", began))
    name = f"callback seed={options.seed} loop={options.loop} seconds={options.seconds:g}"
    print(f"{name}: {'FAILED' if found else 'ok'}; {_figures(server, bot)}")
    for line in report(found, began):
        print(line)
    sys.exit(1 if found else 0)


async def _run(options: argparse.Namespace, folder: Path) -> tuple[list[Line], list[Line], bool]:
    pen = Pen(folder / "server.jsonl", echo=True)
    server = Server(pen, Dice("callback", options.seed, options.faults))
    calm_in = options.seconds
    async with trio.open_nursery() as nursery:
        port = await nursery.start(server.serve, trio.current_time() + calm_in)
        command = [sys.executable, "-X", "faulthandler", "-m", "oracle.callback.client"]
        command += ["--url", f"ws://127.0.0.1:{port}/ws", "--loop", options.loop, "--seed", str(options.seed)]
        command += ["--journal", str(folder / "program.jsonl"), "--calm-at", str(time.monotonic() + calm_in)]
        with (folder / "client.log").open("wb") as log:
            suspend = _suspensions(pen, options) if "suspend" in options.faults else None
            ended = await run_bounded(command, log.fileno(), calm_in + END_WITHIN, suspend)
        nursery.cancel_scope.cancel()
    pen.close()
    bot = folder / "program.jsonl"
    return pen.lines, read_lines(bot, PROGRAM) if bot.exists() else [], ended


def _suspensions(pen: Pen, options: argparse.Namespace) -> Iterator[tuple[float, float]]:
    for pause in suspensions(options.seed, options.seconds):
        yield pause
        pen.put(Struck(fault="suspend"))


def _figures(server: list[Line], program: list[Line]) -> str:
    struck = Counter(line.fault for line in server if isinstance(line, Struck))
    struck += Counter(line.how for line in server if isinstance(line, Attempt) and line.how != "ok")
    opened = sum(isinstance(line, Opened) for line in server)
    lives = Counter(line.how for line in program if isinstance(line, Returned))
    calls = sum(isinstance(line, Called) for line in program)
    calm = any(isinstance(line, Calm) for line in server)
    return (
        f"{opened} connections, faults {dict(struck)}, lives {dict(lives)}, {calls} calls{'' if calm else ', no calm'}"
    )


if __name__ == "__main__":
    main()
