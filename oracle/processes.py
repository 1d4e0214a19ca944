"""The server and the client as processes of their own: started, stopped, killed, suspended, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

__all__ = ["DidNotEnd", "Program"]

_ROOT = Path(__file__).parents[1]


class DidNotEnd(Exception):
    """A process that was asked to end did not; it was killed."""


class Program:
    """One program, run as one process after the other.

    Args:
        module: what `python -m` runs.
        log: takes what it writes to stderr.
    """

    def __init__(self, module: str, log: Path) -> None:
        self.module = module
        self.log = log
        self._process: subprocess.Popen[str] | None = None
        self._suspended = False

    @property
    def running(self) -> bool:
        """Whether there is a process that has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """How the last process ended."""
        return None if self._process is None else self._process.poll()

    def start(self, arguments: Sequence[str]) -> None:
        """Start a process; its first words are waited for by `first_line`."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, *arguments],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            )
        self._suspended = False

    def first_line(self) -> str:
        """Wait for what it prints first.

        Raises:
            RuntimeError: it died before.
        """
        line = self._stdout.readline()
        if not line:
            raise RuntimeError(f"{self.module} did not start; see {self.log}")
        return line.strip()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; do nothing when it has ended."""
        if self.running:
            self._alive.send_signal(number)

    def suspend(self, suspended: bool) -> None:
        """Stop it in its tracks, or let it go on."""
        self._suspended = suspended
        self.signal(signal.SIGSTOP if suspended else signal.SIGCONT)

    def kill(self) -> float:
        """Kill it and wait until it is dead; return when, on the monotonic clock."""
        if self._process is not None:
            self._alive.kill()
            self._alive.wait()
            self._stdout.close()
        return time.monotonic()

    def stop(self, within: float) -> float:
        """Ask it to end in order; return the seconds it took.

        Raises:
            DidNotEnd: it took longer than `within`. It wrote all stacks to its log and was killed.
        """
        began = time.monotonic()
        if self._suspended:
            self.suspend(False)
        self.signal(signal.SIGTERM)
        try:
            self._alive.wait(within)
        except subprocess.TimeoutExpired:
            self._alive.send_signal(signal.SIGABRT)  # faulthandler writes where every thread stands
            try:
                self._alive.wait(2)
            except subprocess.TimeoutExpired:
                self._alive.kill()
                self._alive.wait()
            raise DidNotEnd(f"{self.module} was asked to end and did not within {within:.0f} s") from None
        finally:
            self._stdout.close()
        return time.monotonic() - began

    @property
    def _alive(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError(f"{self.module} was never started")
        return self._process

    @property
    def _stdout(self) -> IO[str]:
        if self._alive.stdout is None:
            raise RuntimeError("stdout is a pipe")
        return self._alive.stdout
