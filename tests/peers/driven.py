"""A program in another process that takes orders as JSON lines and says what happens in JSON lines; see driver.mjs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

TIME_LIMIT = 15.0
LONGEST_LINE = 1 << 26
Step = dict[str, Any]


class Rejected(Exception):
    """An order failed over there; `error` is what was thrown, its first word as `code`."""

    def __init__(self, error: Any) -> None:
        super().__init__(error["message"])
        self.error = error
        self.code = error["message"].partition(":")[0]


class Driven:
    """A program in another process.

    It does what it is told by `do` or `call`, and `steps` has everything it has said, in order.
    """

    def __init__(self, process: Process, name: str) -> None:
        self.steps: list[Step] = []
        self._name = name
        self._process = process
        self._outcomes: dict[str, Step] = {}
        self._calls = 0
        self._changed = anyio.Event()
        self._ended = False

    @classmethod
    @asynccontextmanager
    async def run(
        cls, command: list[str], *arguments: Any, environment: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Self]:
        """Run the program as long as the context lasts; what it writes to its standard error shows in the report."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), **(environment or {})}
        async with (
            anyio.create_task_group() as group,
            await anyio.open_process(command, env=environment, stderr=sys.stderr) as process,
        ):
            driven = cls(process, Path(command[1]).name, *arguments)
            group.start_soon(driven._listen)
            try:
                await driven.until(lambda: bool(driven.steps))
                yield driven
            finally:
                with suppress(ProcessLookupError):  # it has been killed
                    process.kill()

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        lines = BufferedByteReceiveStream(self._process.stdout)
        try:
            while True:
                step = json.loads(await lines.receive_until(b"\n", LONGEST_LINE))
                self.steps.append(step)
                if "as" in step:
                    self._outcomes[step["as"]] = step
                self._wake()
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.ClosedResourceError):
            self._ended = True  # or the test has
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def do(self, order: str, tag: str = "", **arguments: Any) -> None:
        """Give an order; its outcome is noted under the tag."""
        assert self._process.stdin is not None
        line = json.dumps({"do": order, "as": tag or order, **arguments})
        await self._process.stdin.send(line.encode() + b"\n")

    async def outcome(self, tag: str) -> Step:
        """Wait for the outcome of an order."""
        await self.until(lambda: tag in self._outcomes)
        return self._outcomes[tag]

    async def call(self, order: str, **arguments: Any) -> Any:
        """Give an order and wait for its value; raise `Rejected` where it failed."""
        self._calls += 1
        tag = f"call {self._calls}"
        await self.do(order, tag, **arguments)
        outcome = await self.outcome(tag)
        if outcome["step"] == "rejected":
            raise Rejected(outcome["error"])
        return outcome.get("value")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it has said enough."""
        with anyio.move_on_after(TIME_LIMIT):
            while not condition() and not self._ended:
                await self._changed.wait()
        if not condition():
            said = "\n".join(str(step)[:400] for step in self.steps[-40:])
            state = "has ended" if self._ended else "still runs"
            pytest.fail(f"{self._name} {state}; its last words:\n{said}")

    def all(self, name: str, *, of: str | None = None) -> list[Step]:
        """Give every event of a name, of one of its parts where it has several."""
        return [step for step in self.events(of=of) if step["name"] == name]

    def events(self, *, of: str | None = None) -> list[Step]:
        """Give every event of one of its parts, in order."""
        return [step for step in self.steps if step["step"] == "event" and step.get("of") == of]

    def names(self, without: tuple[str | None, ...] = (), *, of: str | None = None) -> list[str | None]:
        """Give the names of all these events."""
        return [step["name"] for step in self.events(of=of) if step["name"] not in without]

    async def event(self, name: str, count: int = 1, *, of: str | None = None) -> list[Any]:
        """Wait for an event for the n-th time; give its arguments."""
        await self.until(lambda: len(self.all(name, of=of)) >= count)
        return list(self.all(name, of=of)[count - 1]["args"])
