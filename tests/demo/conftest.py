"""How the demos are run: as processes of their own, on real sockets, in an empty folder."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rcex_ws.gateway import Gateway

DEMO = Path(__file__).parents[2] / "demo"
TIME_LIMIT = 30.0


def account_of(gateway: Gateway) -> dict[str, str]:
    return {
        "RINGCENTRAL_SERVER_URL": gateway.server,
        "RINGCENTRAL_CLIENT_ID": gateway.client_id,
        "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
        "RINGCENTRAL_JWT": gateway.jwt,
    }


class Program:
    """A running demo whose output is read line by line.

    Args:
        command: its file, and its arguments.
        folder: where it runs.
        gateway: the account that it is given; None for one of its own.
        more: added to its environment.
    """

    def __init__(self, command: tuple[str, ...], folder: Path, gateway: Gateway | None, more: dict[str, str]) -> None:
        account = {} if gateway is None else account_of(gateway)
        name, *arguments = command
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-W", "error", str(DEMO / name), *arguments],
            cwd=folder,
            env={**os.environ, **account, "FORCE_COLOR": "1", **more},  # or rich prints no live table
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._read: list[str] = []
        self._pumping = threading.Thread(target=self._pump)
        self._pumping.start()

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait for the next line that has the pattern in it."""
        while True:
            try:
                line = self._lines.get(timeout=TIME_LIMIT)
            except queue.Empty:
                line = None
            assert line is not None, f"{pattern!r} has not come:\n{''.join(self._read)}"
            self._read.append(line)
            if found := re.search(pattern, line):
                return found

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send it a signal, as Ctrl-C does; give its exit code when it has ended."""
        self.process.send_signal(number)
        return self.process.wait(TIME_LIMIT)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(TIME_LIMIT)
        self._pumping.join(TIME_LIMIT)

    def _pump(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)


Start = Callable[..., Program]


@pytest.fixture
def start_alone(tmp_path: Path) -> Iterator[Start]:
    """Start a demo as a newcomer does, without an account; it ends with the test."""
    with ExitStack() as stack:

        def start(*command: str, gateway: Gateway | None = None, **more: str) -> Program:
            program = Program(command, tmp_path, gateway, more)
            stack.callback(program.end)
            return program

        yield start


@pytest.fixture
def start(gateway: Gateway, start_alone: Start) -> Start:
    """Start a demo with the account of the gateway."""
    return lambda *command, **more: start_alone(*command, gateway=gateway, **more)
