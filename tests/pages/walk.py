"""Walk through a page as its reader does: its blocks in their order, a shell, and programs whose output is read."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

ROOT = Path(__file__).parents[2]
TIME_LIMIT = 30.0


class Block(NamedTuple):
    """A fenced block of a page, with the heading it stands under."""

    heading: str
    language: str
    code: str


def blocks(page: str) -> list[Block]:
    """Return the blocks of docs/<page>.md in their order."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    found, heading = [], ""
    for part in re.finditer(r"^#+ ([^\n]+)$|^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if part[1]:
            heading = part[1]
        else:
            found.append(Block(heading, part[2], part[3]))
    return found


def shown(expected: str, output: str) -> bool:
    """Whether an output has the lines that a page shows, but for their numbers, their order and lines in between."""
    return all(_pattern(line).search(output) for line in expected.strip().splitlines())


def _pattern(line: str) -> re.Pattern[str]:
    """Match another moment and another duration; one digit alone counts something, and has to be right."""
    parts = re.split(r"\d[\d.:-]*\d", line)
    return re.compile("^" + r"[\d.:-]+".join(map(re.escape, parts)) + "$", re.MULTILINE)


def until(condition: Callable[[], object], what: Callable[[], str], within: float = TIME_LIMIT) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)


class Program:
    """A running program, whose output is kept; killed at the end of `with` if it still runs.

    Args:
        folder: where it runs.
        command: what is run.
        environment: its variables, besides those of the tests.
    """

    def __init__(self, folder: Path, *command: str, environment: Mapping[str, str] | None = None) -> None:
        self._file = folder / f"output-{time.monotonic_ns()}"
        with self._file.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that the end of a pipeline is the end of all of it
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGKILL)

    @property
    def output(self) -> str:
        """What it has printed, on both ways."""
        return self._file.read_text()

    def wait_for(self, expected: str) -> None:
        """Wait until it has printed what a page shows."""

        def printed() -> bool:
            found = shown(expected, self.output)
            assert found or self.process.poll() is None, f"ended by {self.process.returncode}:\n{self.output}"
            return found

        until(printed, lambda: f"expected\n{expected}\ngot\n{self.output}")

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal to it and all that it has started, and return its exit code."""
        os.killpg(self.process.pid, number)
        return self.process.wait(TIME_LIMIT)


def a_clone(folder: Path) -> Path:
    """Make a folder like a fresh clone after `make demo`."""
    (folder / ".venv/bin").mkdir(parents=True)
    python = folder / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    for name in ("demo", "Makefile"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "pyproject.toml").touch()
    (folder / ".venv/installed-gateway").touch()
    return folder


def take(left: Iterator[Block], language: str) -> str:
    """Return the code of the next block, which has to be of this language."""
    block = next(left)
    assert block.language == language, block
    return block.code
