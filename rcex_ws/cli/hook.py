"""`listen --exec`: run a command for each notification, several at a time, and report those that fail."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from rcex_ws.cli.output import compact, say
from rcex_ws.cli.records import Record
from rcex_ws.errors import ConfigurationError
from rcex_ws.readers import printable

__all__ = ["Hook"]


class Hook:
    """Runs a command for each notification; leaving it with `async with` waits for those that run.

    A command gets the notification as JSON on stdin, and writes to stdout and stderr of this program.

    Args:
        command: the command with its arguments, split as a shell would do.
        shell: let a shell run it, with pipes and variables.
        jobs: how many may run at the same time; the next notification waits.

    Raises:
        ConfigurationError: there is no such command.

    Attributes:
        failures: how many have failed.
    """

    def __init__(self, command: str, *, shell: bool, jobs: int) -> None:
        self._command: str | Sequence[str] = command if shell else _split(command)
        self._room = anyio.Semaphore(jobs, max_value=jobs)
        self._running: TaskGroup = anyio.create_task_group()
        self.failures = 0

    async def __aenter__(self) -> Self:
        """Be ready to run commands."""
        await self._running.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Wait for the commands that run, or kill them if the block is cancelled."""
        return await self._running.__aexit__(kind, error, trace)

    async def take(self, record: Record) -> None:
        """Start the command for a notification, once there is room."""
        if record["kind"] == "notification":
            await self._room.acquire()
            self._running.start_soon(self._run, record)

    async def _run(self, record: Record) -> None:
        try:
            async with await anyio.open_process(self._command, stdout=None, stderr=None) as process:
                if process.stdin is not None:
                    with suppress(anyio.BrokenResourceError, OSError):  # it need not read
                        await process.stdin.send(compact(record).encode() + b"\n")
                        await process.stdin.aclose()
                status = await process.wait()
        except OSError as error:
            self._failed(record, str(error.strerror))
        else:
            if status:
                self._failed(record, _how(status))
        finally:
            self._room.release()

    def _failed(self, record: Record, how: str) -> None:
        self.failures += 1
        say(f"exec: {how}, for the notification {printable(record['uuid'])}")


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigurationError(f"--exec: {error}") from None
    if not words or shutil.which(words[0]) is None:
        raise ConfigurationError(
            f"--exec: there is no command {words[0] if words else ''!r}; with --shell a shell runs it"
        )
    return words


def _how(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"
