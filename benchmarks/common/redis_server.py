"""A Redis of its own for a run, without persistence, beside the CPU of the servers; and what it has used."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator

__all__ = ["RedisServer", "redis_server"]

#: Seconds until it must have started.
_PATIENCE = 10.0


class RedisServer:
    """A running one.

    Args:
        port: where it listens.

    Attributes:
        url: its address.
    """

    def __init__(self, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}"
        self._port = port

    def used(self) -> dict[str, float]:
        """Tell the CPU that it has used so far, in seconds, and the memory that it uses, in bytes."""
        with socket.create_connection(("127.0.0.1", self._port)) as sock, sock.makefile("rb") as answers:
            sock.sendall(b"INFO\r\n")
            info = answers.read(int(answers.readline()[1:])).decode()
        found = {name: float(value) for name, value in re.findall(r"^(used_\w+):([\d.]+)\r$", info, re.MULTILINE)}
        return {"cpu": found["used_cpu_user"] + found["used_cpu_sys"], "bytes": found["used_memory"]}


@contextlib.contextmanager
def redis_server() -> Generator[RedisServer | None]:
    """Start it, and end it on leaving; None if there is none on this machine."""
    command = shutil.which("redis-server")
    if command is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([command, *options], stdout=subprocess.DEVNULL)
        try:
            server, until = RedisServer(port), time.monotonic() + _PATIENCE
            while True:
                try:
                    server.used()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > until:
                        raise
                    time.sleep(0.05)
            yield server
        finally:
            process.terminate()
            process.wait()
