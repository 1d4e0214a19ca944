"""One life of a client, from `start` to `close`: its tasks, its supervisor, and the one closing that all wait for.

A protocol makes one for each life, gives `close` the steps that are its own, and throws it away whole::

    life = Life(root, supervisor, close_timeout=5.0)
    await life.start()
    life.spawn(deliver, "delivery", lasts=True)
    await life.wait_open(30.0)
    ...
    await life.close(farewell=delete_subscriptions, drain=deliver_the_rest, last=save_session)

From the first moment of `close` the supervisor's state is final: `wait_ready` raises, no attempt begins, a lost link is
not reopened; and what is spawned then is not run, unless it `lasts`. Only who tells the application needs `closing`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextvars import ContextVar
from functools import partial
from typing import Any

import anyio

from rcex_ws.connection.supervisor import Supervisor
from rcex_ws.errors import ConnectFailed
from rcex_ws.loop import Signal
from rcex_ws.tasks import Child, RootTask, to_the_end
from rcex_ws.trace import Step

__all__ = ["Life"]

logger = logging.getLogger("rcex_ws.connection")

#: The part of the time that a step has in any case: the machine may have slept through the deadlines.
_AT_LEAST = 0.05

_Step = Callable[[], Coroutine[Any, Any, None]]

# The lives a step of whose closing called the current code.
_being_closed: ContextVar[tuple[Life, ...]] = ContextVar("rcex_ws_being_closed", default=())


async def _nothing() -> None:
    """Be the step that a protocol does not have."""


class Life:
    """Own the tasks of one life, and close it.

    Args:
        root: runs the tasks; it may have others, and is not ended here.
        supervisor: keeps the connection up; hears of a task that raised, which makes its state FAILED.
        close_timeout: seconds for all of `close`.

    Attributes:
        closing: whether the application closes this life, or has closed it.
    """

    def __init__(self, root: RootTask, supervisor: Supervisor, *, close_timeout: float) -> None:
        self.closing = False
        self._root = root
        self._supervisor = supervisor
        self._close_timeout = close_timeout
        self._supervising: Child | None = None
        self._children: dict[Child, bool] = {}  # in the order in which they began; whether they last
        self._all_ended = False
        self._started = Signal()
        self._closed = Signal()

    async def start(self) -> None:
        """Start the supervisor, unless `close` was faster."""
        if not self.closing:
            await self._root.start()
        if not self.closing:
            self._supervising = self.spawn(self._supervisor.run, "supervisor", lasts=True)
            self._started.set()

    def spawn(
        self, func: Callable[[], Awaitable[None]], name: str, *, lasts: bool = False, for_caller: bool = False
    ) -> Child:
        """Run a task that belongs to this life.

        Args:
            func: called without arguments; not at all while closing, and the child that is given has ended then.
            name: shown in task listings.
            lasts: whether a step of closing needs it; all else is cancelled and joined before the farewell.
            for_caller: see `RootTask.spawn`.

        Raises:
            RuntimeError: the root task is not running.
        """
        if self._all_ended or (self.closing and not lasts):
            child = Child(name)
            child.end()
            return child
        child = self._root.spawn(func, name=name, on_crash=self._supervisor.give_up, for_caller=for_caller)
        self._children = {one: lasts for one, lasts in self._children.items() if not one.done} | {child: lasts}
        return child

    async def wait_open(self, within: float) -> None:
        """Wait until the connection is ready, through failed attempts.

        Raises:
            ConnectFailed: it took longer than so many seconds.
            RcexError: as `Supervisor.wait_ready`.
        """
        with anyio.move_on_after(within):
            await self._supervisor.wait_ready()
            return
        reason = str(self._supervisor.status.reason) or "no answer"
        raise ConnectFailed(f"no connection within {within:g} s; trying again can help (last: {reason})")

    async def wait_closed(self) -> None:
        """Wait until `close` is through; it may be called later."""
        await self._closed.wait()

    async def wait_ended(self) -> None:
        """Wait until the supervisor has ended, which was started or never will be: nothing connects any more."""
        await self._started.wait()
        if self._supervising is not None:
            await self._supervising.wait()

    async def close(
        self, *, farewell: _Step = _nothing, drain: _Step = _nothing, last: _Step = _nothing, quiet: bool = False
    ) -> None:
        """Close, once, within `close_timeout`, whatever cancels the caller; a second caller waits for the first.

        A task of this life that calls this (a handler) is left to finish. A step that takes too long is cancelled, and
        the next follows.

        Args:
            farewell: what the protocol says to its server. Nothing is on its way to connect then; a ready link is open.
            drain: delivers what has come; nothing more comes.
            last: what remains when all tasks have ended: storing, say.
            quiet: whether the log says nothing: what did not come to be is not closed.

        Raises:
            Exception: the first that a step raised; the steps after it were taken.
        """
        if self.closing:
            if self not in _being_closed.get():  # else a step of it does this
                with self._root.excuse_caller():
                    await to_the_end(self._closed.wait)
            return
        self.closing = True
        self._supervisor.close()
        steps = (  # and the parts of the time after which they are over
            (self._end_what_does_not_last, 0.2),
            (farewell, 0.4),
            (self._close_link, 0.5),
            (self._end_supervisor, 0.6),
            (drain, 0.8),
            (self._end_all, 0.9),
            (last, 1.0),
        )
        try:
            with self._supervisor.trace.begin(Step.CLOSE):
                await to_the_end(partial(self._take, steps))
        finally:
            if not quiet:
                self._supervisor.log.info("closed")

    async def _take(self, steps: tuple[tuple[_Step, float], ...]) -> None:
        token = _being_closed.set((*_being_closed.get(), self))
        begun, failures = anyio.current_time(), list[Exception]()
        try:
            for step, part in steps:
                deadline = begun + part * self._close_timeout
                at_least = anyio.current_time() + _AT_LEAST * self._close_timeout
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

    async def _end_what_does_not_last(self) -> None:
        passing = [child for child, lasts in self._children.items() if not lasts]
        for child in passing:
            child.cancel()
        if self._supervising is not None and not self._supervising.encloses_caller():
            await self._supervisor.cancel_attempt()
        await _end(passing)

    async def _close_link(self) -> None:
        if self._supervisor.link is not None:
            await self._supervisor.link.close(1000, "", within=self._close_timeout)  # or until the step is over

    async def _end_supervisor(self) -> None:
        await _end(() if self._supervising is None else (self._supervising,))

    async def _end_all(self) -> None:
        self._all_ended = True
        await _end(tuple(self._children))


async def _end(children: Collection[Child]) -> None:
    for child in children:
        child.cancel()
    for child in children:
        await child.wait()
