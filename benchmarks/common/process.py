"""The server and the contenders, as processes: started, pinned to CPUs of their own, given orders, ended."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

__all__ = [
    "BLOCKING",
    "BROADCASTERS",
    "COMPRESSION",
    "FEEDME_CLIENT",
    "FEEDME_SERVER",
    "LOOPS",
    "NPM",
    "PICOWS",
    "ROOT",
    "RTM_API",
    "RTM_AUDIENCE",
    "RTM_BARE",
    "RTM_NODES",
    "SDK",
    "SOCKET_IO",
    "Contender",
    "Field",
    "Sample",
    "field",
    "move_aside",
]

ROOT = Path(__file__).parents[2]
_PEERS = ROOT / "tests/peers"
_CONTENDERS = ROOT / "benchmarks/contenders"
_NODE = ("node", "--no-warnings")
#: Seconds after which an order counts as hanging.
_PATIENCE = 120.0

#: Of the environment: the compression that the ceiling offers; none without it.
COMPRESSION = "BENCHMARK_COMPRESSION"

Sample = dict[str, Any]

LOOPS = ("asyncio", "uvloop", "trio")
#: Servers; each brings its clients along.
_SERVERS = {"rcex_ws server": "ours", "websockets.broadcast": "websockets"}
BROADCASTERS = tuple(f"{name} {loop}" for loop in ("asyncio", "uvloop") for name in _SERVERS)
#: It does not run on trio.
PICOWS = ("picows asyncio", "picows uvloop")
NPM, SDK, RTM_API = "npm @rc-ex/ws", "ringcentral SDK", "npm @slack/rtm-api"
FEEDME_SERVER, FEEDME_CLIENT = "npm feedme-server-core", "npm feedme-client"
RTM_BARE, RTM_AUDIENCE = "RTM server websockets", "RTM audience"
#: Two servers of one service.
RTM_NODES = ("RTM server rcex_ws", "RTM second server rcex_ws")
BLOCKING = "rcex_ws.blocking"
SOCKET_IO = ("RTM server python-socketio", "RTM second server python-socketio")
_MODULES = {
    "rcex_ws": "ours",
    "many rcex_ws": "many",
    "ceiling": "ceiling",
    "picows": "limit",
    "Slack rcex_ws": "slack_ours",
    "Slack ceiling": "slack_ceiling",
    "Feedme server rcex_ws": "feedme_server_ours",
    "Feedme client rcex_ws": "feedme_client_ours",
    "RTM server rcex_ws": "rtm_ours",
    "RTM second server rcex_ws": "rtm_ours",
    RTM_BARE: "rtm_bare",
}

_COMMANDS: dict[str, list[str]] = (
    {
        f"{name} {loop}": [sys.executable, "-m", f"benchmarks.contenders.{module}", loop]
        for name, module in _MODULES.items()
        for loop in LOOPS
    }
    | {
        f"{name} {loop}": [sys.executable, "-m", "benchmarks.contenders.broadcaster", loop, kind]
        for name, kind in _SERVERS.items()
        for loop in ("asyncio", "uvloop")
    }
    | {
        f"{name} {loop}": [sys.executable, "-m", "benchmarks.contenders.rtm_socketio", loop]
        for name in SOCKET_IO
        for loop in ("asyncio", "uvloop")
    }
    | {
        BLOCKING: [sys.executable, "-m", "benchmarks.contenders.blocking"],
        RTM_AUDIENCE: [sys.executable, "-m", "benchmarks.contenders.rtm_audience"],
        NPM: [*_NODE, str(_CONTENDERS / "npm.mjs")],
        RTM_API: [*_NODE, str(_CONTENDERS / "slack_npm.mjs")],
        FEEDME_SERVER: [*_NODE, "--expose-gc", str(_CONTENDERS / "feedme_server_npm.mjs"), sys.executable],
        FEEDME_CLIENT: [*_NODE, "--expose-gc", str(_CONTENDERS / "feedme_client_npm.mjs")],
        SDK: [str(_PEERS / "python/.venv/bin/python"), str(_CONTENDERS / "sdk.py")],
    }
)
#: What must be there for a contender that is not our own; tests/peers/setup.sh installs it.
_NEEDS = {
    NPM: _PEERS / "node/node_modules/.installed",
    RTM_API: _PEERS / "node/node_modules/.installed",
    SDK: _PEERS / "python/.venv/.installed",
    FEEDME_SERVER: _PEERS / "feedme_a/node_modules/.installed",
    FEEDME_CLIENT: _PEERS / "feedme_a/node_modules/.installed",
}


class Contender:
    """One process that takes orders.

    Args:
        name: as in the report.
        command: runs it; the server's address is appended.
        server: the process of the server, whose CPU is counted with each order.
        address: the server's.
        environment: besides what it inherits.
    """

    def __init__(
        self, name: str, command: list[str], server: psutil.Process, address: str, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._server = server
        self._process = _start([*command, address], cpu=1, environment=environment)

    def wait_ready(self) -> None:
        """Wait until it takes orders."""
        self._read()

    def tell(self, what: str, **options: Any) -> None:
        """Give an order, whose answer `hear` returns."""
        print(json.dumps({"do": what, **options}), file=self._process.stdin, flush=True)

    def hear(self) -> Sample:
        """Return the answer to an order.

        Raises:
            RuntimeError: it has died, or hangs.
        """
        return self._read()

    def do(self, what: str, **options: Any) -> Sample:
        """Give an order; return its answer, with the CPU share of the server meanwhile.

        Raises:
            RuntimeError: it has died, or hangs.
        """
        before, start = _cpu(self._server), time.perf_counter()
        self.tell(what, **options)
        answer = self.hear()
        seconds = time.perf_counter() - start
        return {**answer, "server_cpu": (_cpu(self._server) - before) / seconds}

    def close(self) -> None:
        """End it."""
        _end(self._process)

    def _read(self) -> Sample:
        stdout = self._process.stdout
        if stdout is None or not select.select([stdout], [], [], _PATIENCE)[0]:
            raise RuntimeError(f"{self.name} does not answer")
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has died")
        answer: Sample = json.loads(line)
        return answer


class Field:
    """All contenders of one run, and their server.

    Args:
        server: arguments of the server.
        environment: of the contenders, besides what they inherit.

    Attributes:
        contenders: by name, in the order of the report.
        absent: those that are not installed.
    """

    def __init__(self, server: Sequence[str], environment: Mapping[str, str]) -> None:
        self.contenders: dict[str, Contender] = {}
        self.absent: list[str] = []
        self._environment = environment
        self._server = _start([sys.executable, "-m", "benchmarks.drain", *server], cpu=0)
        self._psutil = psutil.Process(self._server.pid)
        self._address = "" if self._server.stdout is None else self._server.stdout.readline().strip()

    def add(self, name: str) -> None:
        """Start a contender, if it is installed."""
        if is_present(name):
            command = _COMMANDS[name]
            self.contenders[name] = Contender(name, command, self._psutil, self._address, self._environment)
        else:
            self.absent.append(name)

    def close(self) -> None:
        """End all processes."""
        for contender in self.contenders.values():
            contender.close()
        _end(self._server)


@contextlib.contextmanager
def field(*names: str, server: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Generator[Field]:
    """Start the server and these contenders, with what `Field` takes; end them on leaving."""
    started = Field(server, environment or {})
    try:
        for name in names:
            started.add(name)  # they start side by side
        for contender in started.contenders.values():
            contender.wait_ready()
        yield started
    finally:
        started.close()


def is_present(name: str) -> bool:
    """Tell whether a contender can run here."""
    if name.startswith(SOCKET_IO) and not all(
        importlib.util.find_spec(one) for one in ("socketio", "redis", "uvicorn")
    ):
        return False
    if name in PICOWS and importlib.util.find_spec("picows") is None:
        return False
    needed = _NEEDS.get(name)
    return shutil.which(_COMMANDS[name][0]) is not None and (needed is None or needed.is_file())


def move_aside() -> None:
    """Leave the CPU, which is inherited, to the one who is measured."""
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        others = set(range(os.cpu_count() or 1)) - os.sched_getaffinity(0)
        with contextlib.suppress(OSError):  # there are none for us
            os.sched_setaffinity(0, others)


def _start(command: list[str], *, cpu: int, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    inherited = {**os.environ, **(environment or {})}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=inherited
    )
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) > 1:  # the server gets a CPU of its own
            os.sched_setaffinity(process.pid, {cpus[cpu]})
    return process


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.close()  # which ends all of ours
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
