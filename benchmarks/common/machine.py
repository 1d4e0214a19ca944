"""What the numbers were measured on, and what else ran there."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import shutil
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

__all__ = ["Others", "describe"]

_PACKAGES = (
    *("rcex_ws", "websockets", "msgspec", "anyio", "httpx", "uvloop", "trio", "picows"),
    *("coredis", "python-socketio", "redis", "uvicorn"),
)


class Others:
    """What other programs do from now on."""

    def __init__(self) -> None:
        self._busy, self._start = _busy(), time.monotonic()

    def share(self) -> float:
        """Return the share of all CPUs that they have used, once our own processes have ended."""
        return max(0.0, (_busy() - self._busy) / (time.monotonic() - self._start) / (os.cpu_count() or 1))


def describe() -> dict[str, object]:
    """Describe the machine and the versions of what was measured."""
    packages: dict[str, str] = {}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            packages[name] = version(name)
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "node": _node_version(),
        "packages": packages,
    }


def _busy() -> float:
    """Return the CPU seconds of everyone but this process and those of its children that have ended."""
    times = psutil.cpu_times()
    own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    everyone = times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "steal", 0.0)
    return float(everyone - sum(used.ru_utime + used.ru_stime for used in own))


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _node_version() -> str | None:
    node = shutil.which("node")
    if node is None:
        return None
    return subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
