"""One life of a client, from `start` to `close`: its tasks, its supervisor, and the one closing that all wait for.

A protocol makes one for each life, passes its own steps to `close`, and throws it away whole::

    life = Life(supervisor, close_timeout=5.0)
    await life.start()
    life.spawn(deliver, "delivery", needed_to_close=True)
    await life.wait_open(30.0)
    ...
    await life.close(farewell=delete_subscriptions, drain=deliver_the_rest, last=save_session)

As soon as `close` is called the state is CLOSED, which is final: `wait_ready` raises, no attempt begins, a lost link is
not reopened, and what is spawned from then on is not run, unless it is `needed_to_close`.
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

#: The part of `close_timeout` that a step has in any case: the machine may have been suspended beyond the deadlines.
_MINIMUM_PART = 0.05

_ClosingStep = Callable[[], Coroutine[Any, Any, None]]

# The lives that the current code is closing: it was called by a step of their `close`.
_being_closed: ContextVar[tuple[Life, ...]] = ContextVar("rcex_ws_being_closed", default=())


async def _nothing() -> None:
    """Stand for a step that the protocol does not have."""


class Life:
    """Own the tasks of one life, and close it.

    Args:
        supervisor: keeps the connection up; an exception out of a task makes its state FAILED.
        close_timeout: seconds for all of `close`.
        root: runs the tasks beside those of others, and is not ended by `close`; None for a root task of its own.

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
        self._closed = Signal()

    async def start(self) -> None:
        """Start the supervisor, unless `close` has been called."""
        if not self.closing:
            await self._root.start()
        if not self.closing:
            self._supervising = self.spawn(self._supervisor.run, "supervisor", needed_to_close=True)
            self._started.set()

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
            func: called without arguments; not at all while closing: the child that is returned has ended then.
            name: shown in task listings.
            needed_to_close: whether a step of closing needs it; all others are cancelled and joined before that.
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
        """Let the requests of a table time out, also while closing; the `watch` of a `RequestTable`."""
        if self._root.running:
            self.spawn(table.watch_deadlines, "request deadlines", needed_to_close=True)

    async def wait_open(self, within: float) -> None:
        """Wait until the connection is ready, through failed attempts.

        Raises:
            ConnectFailed: it took longer than `within` seconds.
            RcexError: as `Supervisor.wait_ready`.
        """
        with anyio.move_on_after(within):
            await self._supervisor.wait_ready()
            return
        reason = str(self._supervisor.status.reason) or "no answer"
        raise ConnectFailed(f"no connection within {within:g} s; trying again can help (last: {reason})")

    async def wait_closed(self) -> None:
        """Wait until `close` has returned, whoever calls it and whenever."""
        await self._closed.wait()

    async def wait_ended(self) -> None:
        """Wait until the supervisor has ended, or `close` has come before `start`: nothing connects any more."""
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
        """Close, once, within `close_timeout`, even if the caller is cancelled; a second caller waits for the first.

        A task of this life that calls this, a handler say, is left to finish. A step that takes too long is cancelled,
        and the next one follows.

        Args:
            farewell: sends what the protocol has to say to its server. No attempt is under way; a ready link is open.
            drain: delivers what has come; nothing more comes.
            last: does what remains when all tasks have ended: storing, say.
            quiet: whether to log nothing, because `start` has failed.

        Raises:
            Exception: the first one that a step raised; the other steps were taken all the same.
        """
        if self.closing:
            if self not in _being_closed.get():  # else this is called by a step of the closing
                with self._root.let_caller_finish():
                    await run_to_completion(self._closed.wait)
            return
        self.closing = True
        self._supervisor.close()
        steps = (  # and the part of `close_timeout` after which each has to be done
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
                    except Exception as exc:  # noqa: BLE001 - raised when all is closed
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
            await self._supervisor.link.close(1000, "", within=self._close_timeout)  # or until the step is over

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
