"""Run a server full of faults and a client's process against each other for a while, and judge.

A run ends with 1 when the client broke its word. `--journals FOLDER` keeps what both sides wrote down.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import trio

from oracle.dice import Dice
from oracle.lines import Line, Pen, read_lines
from oracle.plain import LOOPS
from oracle.verdict import Violation, report

# Beyond the calm: the probe, a close, what is left over.
END_WITHIN = 25.0


class Server(Protocol):
    """What plays the other side."""

    async def serve(self, calm_at: float, task_status: trio.TaskStatus[int]) -> None:
        """Listen, tell the port, and let no fault strike after `calm_at`, on trio's clock."""


@dataclass(frozen=True)
class Oracle:
    """What differs between the oracles.

    Attributes:
        name: its package is `oracle.<name>`, its client `oracle.<name>.client`.
        server: makes the other side.
        url: given to the client, with the port filled in.
        faults: reads the option of this name.
        records: what the client writes.
        suspended: makes a record that says that the client was suspended.
        judge: gives what was broken, from the server's journal and the client's.
        figures: puts a run into a few words.
    """

    name: str
    server: Callable[[Pen, Dice], Server]
    url: str
    faults: Callable[[str], frozenset[str]]
    records: Sequence[type[Line]]
    suspended: Callable[[], Line]
    judge: Callable[[Sequence[Line], Sequence[Line]], list[Violation]]
    figures: Callable[[Sequence[Line], Sequence[Line]], str]


def soak(oracle: Oracle) -> None:
    """Run once as the command line says, print the verdict, and exit."""
    parser = argparse.ArgumentParser(prog=f"oracle.{oracle.name}.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--seconds", type=float, default=20.0, help="how long faults go on")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--faults", type=oracle.faults, default="all", help="all, none, holding, names, -names")
    parser.add_argument("--journals", type=Path, help="a folder to keep the journals in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.journals or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        server, client, ended = trio.run(_run, oracle, options, folder)
    found = oracle.judge(server, client) if client else [Violation("did not begin", "see client.log", began)]
    if not ended:
        found.append(Violation("did not end", f"killed {END_WITHIN:.0f} s after the calm; see client.log", began))
    name = f"{oracle.name} seed={options.seed} loop={options.loop} seconds={options.seconds:g}"
    print(f"{name}: {'FAILED' if found else 'ok'}; {oracle.figures(server, client)}")
    for line in report(found, began):
        print(line)
    sys.exit(1 if found else 0)


async def _run(oracle: Oracle, options: argparse.Namespace, folder: Path) -> tuple[list[Line], list[Line], bool]:
    pen = Pen(folder / "server.jsonl", echo=True)
    server = oracle.server(pen, Dice(oracle.name, options.seed, options.faults))
    journal = folder / "client.jsonl"
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(server.serve, trio.current_time() + options.seconds)
        command = [sys.executable, "-X", "faulthandler", "-m", f"oracle.{oracle.name}.client"]
        command += ["--url", oracle.url.format(port=port), "--loop", options.loop, "--seed", str(options.seed)]
        command += ["--journal", str(journal), "--calm-at", str(time.monotonic() + options.seconds)]
        command += ["--faults", ",".join(sorted(options.faults)) or "none"]
        with (folder / "client.log").open("wb") as log:
            process = await trio.lowlevel.open_process(command, stdout=log, stderr=log)
            if "suspend" in options.faults:
                nursery.start_soon(_suspend, process, options, lambda: pen.put(oracle.suspended()))
            ended = await _wait(process, options.seconds + END_WITHIN)
        nursery.cancel_scope.cancel()
    pen.close()
    return pen.lines, read_lines(journal, oracle.records) if journal.exists() else [], ended


async def _wait(process: trio.Process, seconds: float) -> bool:
    """Wait for its end; have it write its stacks and die when that takes longer. Return whether it ended by itself."""
    with trio.move_on_after(seconds):
        await process.wait()
        return True
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGABRT)
    await process.wait()
    return False


async def _suspend(process: trio.Process, options: argparse.Namespace, tell: Callable[[], None]) -> None:
    """Stop the process in its tracks now and then, as a laptop that is shut does."""
    for after, length in _suspensions(options.seed, options.seconds):
        await trio.sleep(after)
        process.send_signal(signal.SIGSTOP)
        await trio.sleep(length)
        process.send_signal(signal.SIGCONT)
        tell()


def _suspensions(seed: int, seconds: float) -> Iterator[tuple[float, float]]:
    rng = random.Random(f"suspend {seed}")
    while (after := rng.uniform(3, 12)) < seconds - 3:
        length = rng.uniform(0.2, 2.5)
        seconds -= after + length
        yield after, length
