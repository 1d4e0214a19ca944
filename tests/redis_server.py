"""A Redis of our own, on a free port, that can be paused, killed and started again; no other Redis is ever touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

__all__ = ["RedisServer", "redis_is_installed"]


def redis_is_installed() -> bool:
    """Return whether there is a redis-server on the PATH."""
    return shutil.which("redis-server") is not None


class RedisServer:
    """A server, from `with` to the end of the block; it keeps its port when it is started again.

    Args:
        options: of redis-server, as on its command line, without the dashes: ("appendonly", "yes").
    """

    def __init__(self, *options: tuple[str, str], host: str = "127.0.0.1") -> None:
        self.host = host
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = self.free_port()

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="rcex-redis-"))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def url(self) -> str:
        """Its URL."""
        return f"redis://{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self._directory / "log").read_text()

    def free_port(self) -> int:
        """Return a port on which nothing listens."""
        with socket.create_server((self.host, 0)) as free:
            return int(free.getsockname()[1])

    def restart_with(self, *options: tuple[str, str]) -> None:
        """Start it again, with more options."""
        self.kill()
        self._options += options
        self.start()

    def start(self, *, keep_data: bool = True) -> None:
        """Start it, with the data that it had written (`appendonly`) or none, and wait until it answers."""
        if not keep_data:
            for path in self._directory.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        options = {"port": str(self.port), "bind": self.host, "logfile": "log", "dir": str(self._directory)}
        options["appendfsync"] = "always"
        words = [word for pair in (*options.items(), *self._options) for word in (f"--{pair[0]}", *pair[1].split(" "))]
        self._process = subprocess.Popen(
            ["redis-server", "--save", "", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"redis-server does not start: {self.log}")
            time.sleep(0.01)

    def answers(self) -> bool:
        """Return whether it accepts connections and is ready."""
        with contextlib.suppress(OSError):
            return self.command("PING", errors=True) in ("PONG", "NOAUTH")
        return False

    def kill(self) -> None:
        """End it at once, by SIGKILL; what it had not written is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it, like a machine that hangs: connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run again."""
        self._signal(signal.SIGCONT)

    def command(self, *words: str | int | bytes, errors: bool = False) -> Any:
        """Run a command over a connection of its own and return the answer."""
        with socket.create_connection((self.host, self.port), timeout=20) as sock:
            encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            sock.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in encoded))
            with sock.makefile("rb") as stream:
                return _read_answer(stream, errors)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


def _read_answer(stream: Any, errors: bool) -> Any:
    line = stream.readline()
    if not line:
        raise ConnectionError
    kind, text = line[:1], line[1:-2].decode()
    if kind == b"-":
        if errors:
            return text.partition(" ")[0]
        raise AssertionError(text)
    if kind == b"+":
        return text
    if kind == b":":
        return int(text)
    if kind == b"$":
        return None if text == "-1" else stream.read(int(text) + 2)[:-2]
    return [_read_answer(stream, errors) for _ in range(int(text))]
