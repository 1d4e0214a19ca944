"""A call of the application that outlives its caller.

It runs in a task of the runtime's, and the caller only waits for it: so a call that was sent gets its answer, and what
was begun is finished, even if the caller is cancelled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, cast

from rcex_ws.errors import NotConnected
from rcex_ws.loop import Lock, Signal
from rcex_ws.named_log import Log
from rcex_ws.tasks import BackgroundTask

__all__ = ["Operation", "Operations"]

T = TypeVar("T")

_Spawn = Callable[[Callable[[], Awaitable[None]], str], BackgroundTask]


class Operation(Generic[T]):
    """One call.

    Args:
        func: carries it out; called with this operation.
        name: shown in task listings.
        log: gets an error whose caller no longer waits.

    Attributes:
        withdrawn: whether its caller no longer waits.
        on_withdrawn: called when that happens.
    """

    def __init__(self, func: Callable[[Operation[T]], Awaitable[T]], *, name: str, log: Log) -> None:
        self.name = name
        self._log = log
        self.withdrawn = False
        self.on_withdrawn: Callable[[], object] | None = None
        self._func = func
        self._child: BackgroundTask | None = None
        self._busy = False
        self._done = Signal()
        self._error: Exception | None = NotConnected("the extension was closed")  # unless it finishes
        self._result: T | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._done.is_set()

    def start(self, spawn: _Spawn) -> None:
        """Start it in a task of its own."""
        self._child = spawn(self._run, self.name)

    async def result(self) -> T:
        """Wait for the result; if the caller is cancelled, withdraw the call."""
        try:
            await self._done.wait()
        except BaseException:
            self.withdraw()
            raise
        if self._error is not None:
            raise self._error
        return cast("T", self._result)

    @contextmanager
    def uninterrupted(self) -> Generator[None]:
        """Protect a step from being interrupted by a withdrawal; check `withdrawn` afterwards."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def withdraw(self) -> None:
        """Interrupt it, unless it is in an uninterrupted step: nobody wants its result any more."""
        if self.done:
            return
        self.withdrawn = True
        if self.on_withdrawn is not None:
            self.on_withdrawn()
        if self._child is not None and not self._busy:
            self._child.cancel()

    async def wait(self) -> None:
        """Wait until it has ended; return at once if called by the operation itself."""
        if self._child is not None:
            await self._child.wait()

    async def _run(self) -> None:
        try:
            result = await self._func(self)
            if not self.withdrawn:
                self._result, self._error = result, None
        except Exception as exc:  # noqa: BLE001 - raised to the caller
            if self.withdrawn:
                self._log.info("%s was not wanted any more, and ended: %s", self.name, exc or type(exc).__name__)
            else:
                self._error = exc
        finally:
            self._done.set()


class Operations:
    """The operations of one subscription.

    Args:
        spawn: starts a task of the runtime's.
        log: as for `Operation`.

    Attributes:
        one_at_a_time: held by an operation while it deals with the server.
    """

    def __init__(self, spawn: _Spawn, log: Log) -> None:
        self.one_at_a_time = Lock()
        self._spawn = spawn
        self._log = log
        self._operations: list[Operation[Any]] = []

    def start(self, func: Callable[[Operation[T]], Awaitable[T]], name: str) -> Operation[T]:
        """Start an operation in the background."""
        operation = Operation(func, name=name, log=self._log)
        self._operations = [*(one for one in self._operations if not one.done), operation]
        operation.start(self._spawn)
        return operation

    async def run(self, func: Callable[[Operation[T]], Awaitable[T]], name: str) -> T:
        """Run an operation and wait for its result; see `Operation.result`."""
        return await self.start(func, name).result()

    async def end_all(self) -> None:
        """Withdraw all operations and wait for their end; a call in flight gets its answer, so it can be undone."""
        operations = [one for one in self._operations if not one.done]
        for operation in operations:
            operation.withdraw()
        for operation in operations:
            await operation.wait()
