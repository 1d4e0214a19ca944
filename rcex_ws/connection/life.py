"""One life of a client, from `start` to `close`: its tasks, its supervisor, and how all of it is closed.

A protocol makes one for each life, passes its own steps to `close`, and discards it afterwards::

    life = Life(supervisor, close_timeout=5.0)
    await life.start()
    life.spawn(deliver, "delivery", needed_to_close=True)
    await life.wait_open(30.0)
    ...
    await life.close(farewell=delete_subscriptions, drain=deliver_the_rest, last=save_session)

As soon as `close` is called the state is CLOSED, which is final: `wait_ready` raises, no attempt begins, a lost
connection is not reopened, and a new task is not run, unless it is `needed_to_close`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextvars import ContextVar
from functools import partial
from typing import Any

import anyio

from rcex_ws.connection.requests import RequestTable
from rcex_ws.connection.supervisor import Supervisor
from rcex_ws.errors import ConnectFailed
from rcex_ws.loop import Signal
from rcex_ws.tasks import BackgroundTask, RootTask, run_to_completion
from rcex_ws.trace import Step

__all__ = ["Life"]

logger = logging.getLogger("rcex_ws.connection")

#: The part of `close_timeout` that each step gets even if its deadline has passed: the machine may have been suspended.
_MINIMUM_PART = 0.05

_ClosingStep = Callable[[], Coroutine[Any, Any, None]]

# The lives whose `close` has called the current code as one of its steps.
_being_closed: ContextVar[tuple[Life, ...]] = ContextVar("rcex_ws_being_closed", default=())


async def _nothing() -> None:
    """Do nothing; the default of a step."""


class Life:
    """The tasks of one life of a client, and its closing.

    Args:
        supervisor: keeps the client connected; an exception that ends a task makes its state FAILED.
        close_timeout: seconds for all of `close`.
        root: a root task to share, which `close` does not end; None to make one.

    Attributes:
        closing: whether `close` has been called.
    """

    def __init__(self, supervisor: Supervisor, *, close_timeout: float, root: RootTask | None = None) -> None:
        self.closing = False
        self._root = root or RootTask("rcex_ws client")
        self._owns_root = root is None
        self._supervisor = supervisor
        self._close_timeout = close_timeout
        self._supervising: BackgroundTask | None = None
        self._children: dict[BackgroundTask, bool] = {}  # in order of their start; True if needed to close
        self._all_ended = False
        self._started = Signal()
        self._tables: list[RequestTable[Any]] = []  # with requests from before the start
        self._closed = Signal()

    async def start(self) -> None:
        """Start the supervisor, unless `close` has been called."""
        if not self.closing:
            await self._root.start()
        self.begin()

    def begin(self) -> None:
        """Start the supervisor without waiting, unless `close` has been called."""
        if not self.closing:
            self._root.begin()
            self._supervising = self.spawn(self._supervisor.run, "supervisor", needed_to_close=True)
            self._started.set()
            for table in self._tables:
                self.watch_deadlines(table)

    def spawn(
        self,
        func: Callable[[], Awaitable[None]],
        name: str,
        *,
        needed_to_close: bool = False,
        caller_waits: bool = False,
    ) -> BackgroundTask:
        """Run a task that belongs to this life.

        Args:
            func: the task; not called while closing: then the `BackgroundTask` that is returned has ended.
            name: shown in task listings.
            needed_to_close: whether the steps of closing need it; any other task is cancelled and awaited before them.
            caller_waits: see `RootTask.spawn`.

        Raises:
            RuntimeError: the root task is not running.
        """
        if self._all_ended or (self.closing and not needed_to_close):
            child = BackgroundTask(name)
            child.end()
            return child
        child = self._root.spawn(func, name=name, on_crash=self._supervisor.give_up, caller_waits=caller_waits)
        self._children = {one: needed for one, needed in self._children.items() if not one.done}
        self._children[child] = needed_to_close
        return child

    def watch_deadlines(self, table: RequestTable[Any]) -> None:
        """Let the requests of a table time out, from `start` until all tasks end; for `start_watcher` of the table.

        `close` settles no requests: the protocol does, in its `drain`, say.
        """
        if not self._started.is_set():
            self._tables.append(table)
        else:
            self.spawn(table.watch_deadlines, "request deadlines", needed_to_close=True)

    async def wait_open(self, within: float) -> None:
        """Wait until the connection is ready, through any failed attempts.

        Raises:
            ConnectFailed: it took longer than `within` seconds.
            RcexError: as for `Supervisor.wait_ready`.
        """
        with anyio.move_on_after(within):
            await self._supervisor.wait_ready()
            return
        reason = str(self._supervisor.status.reason) or "no answer"
        raise ConnectFailed(f"no connection within {within:g} s; trying again can help (last: {reason})")

    async def wait_closed(self) -> None:
        """Wait until a call of `close` has finished."""
        await self._closed.wait()

    async def wait_ended(self) -> None:
        """Wait until nothing connects any more: the supervisor has ended, or `close` was called before `start`."""
        await self._started.wait()
        if self._supervising is not None:
            await self._supervising.wait()

    async def close(
        self,
        *,
        farewell: _ClosingStep = _nothing,
        drain: _ClosingStep = _nothing,
        last: _ClosingStep = _nothing,
        quiet: bool = False,
    ) -> None:
        """Close once, within `close_timeout`, even if the caller is cancelled; a second call waits for the first.

        A task of this life that calls this, for example a handler, is left to finish. A step that takes too long is
        cancelled, and the next one follows.

        Args:
            farewell: sends the protocol's last messages. No attempt is under way; a ready connection is still open.
            drain: delivers what was received; nothing more is received.
            last: runs when all tasks have ended, for example to store the session.
            quiet: whether to log nothing, because `start` has failed.

        Raises:
            Exception: the first one that a step raised; the other steps were run all the same.
        """
        if self.closing:
            if self not in _being_closed.get():  # else a step of this closing calls it
                with self._root.let_caller_finish():
                    await run_to_completion(self._closed.wait)
            return
        self.closing = True
        self._supervisor.begin_close()
        steps = (  # each with the part of `close_timeout` after which it must be done
            (self._end_unneeded, 0.2),
            (farewell, 0.4),
            (self._close_link, 0.5),
            (self._end_supervisor, 0.6),
            (drain, 0.8),
            (self._end_all, 0.9),
            (last, 1.0),
            (self._end_root, 1.0),
        )
        try:
            with self._supervisor.trace.begin(Step.CLOSE):
                await run_to_completion(partial(self._run_steps, steps))
        finally:
            if not quiet:
                self._supervisor.log.info("closed")

    async def _run_steps(self, steps: tuple[tuple[_ClosingStep, float], ...]) -> None:
        token = _being_closed.set((*_being_closed.get(), self))
        begun, failures = anyio.current_time(), list[Exception]()
        try:
            for step, part in steps:
                deadline = begun + part * self._close_timeout
                at_least = anyio.current_time() + _MINIMUM_PART * self._close_timeout
                with anyio.CancelScope(deadline=max(deadline, at_least)):
                    try:
                        await step()
                    except Exception as exc:  # noqa: BLE001 - raised after the last step
                        failures.append(exc)
        finally:
            _being_closed.reset(token)
            self._started.set()
            self._closed.set()
        for failure in failures[1:]:
            logger.error("a step of closing raised, too", exc_info=failure)
        if failures:
            raise failures[0]

    async def _end_unneeded(self) -> None:
        unneeded = [child for child, needed in self._children.items() if not needed]
        for child in unneeded:
            child.cancel()
        if self._supervising is not None and not self._supervising.runs_caller():
            await self._supervisor.cancel_attempt()
        await _end(unneeded)

    async def _close_link(self) -> None:
        if self._supervisor.link is not None:
            await self._supervisor.link.close(1000, "", within=self._close_timeout)  # or this step's deadline

    async def _end_supervisor(self) -> None:
        await _end(() if self._supervising is None else (self._supervising,))

    async def _end_all(self) -> None:
        self._all_ended = True
        await _end(tuple(self._children))

    async def _end_root(self) -> None:
        if self._owns_root:
            await self._root.aclose(within=0.1 * self._close_timeout)


async def _end(children: Collection[BackgroundTask]) -> None:
    for child in children:
        child.cancel()
    for child in children:
        await child.wait()
