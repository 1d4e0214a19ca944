"""Lifecycle events: a pyee emitter whose handlers run one at a time, in order, in one task of the client's.

Emitting never runs user code and never waits. An exception in a handler is logged and emitted as `error`; the next
handler runs all the same. However many events wait, other tasks get their turn. Notifications do not pass here: they
have the delivery queue.
"""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar, cast, overload

import anyio.lowlevel
import pyee

from rcex_ws.connection.handlers import await_result
from rcex_ws.errors import ConfigurationError
from rcex_ws.named_log import Log
from rcex_ws.options import Name, check_handler, refusal, required_constraint
from rcex_ws.time_slice import TimeSlice

__all__ = ["EventEmitter", "HasEvents", "Unsubscriber"]

logger = logging.getLogger("rcex_ws.events")

H = TypeVar("H", bound=Callable[..., object])
A = TypeVar("A", bound=Callable[..., object])

_NAME = required_constraint(Name)
Unsubscriber = Callable[[], None]


def no_handler(*_: Any) -> None:
    """Stand for no handler, where None is a mistake: whoever passes none wants a decorator."""


class EventEmitter(pyee.EventEmitter):
    """Emit lifecycle events in order; the methods of pyee's emitter work as its documentation says.

    Handlers are looked up when the event's turn comes, so one attached a moment after the event still gets it.

    Args:
        events: the names there are, where others are refused; None for any.
        error_event: what a handler raised is emitted as; handlers of this event are only logged when they raise.
        report: hears what a handler raised instead.
        log: where it says so, too.
    """

    def __init__(
        self,
        *,
        events: type[StrEnum] | None = None,
        error_event: str = "error",
        report: Callable[[Exception], None] | None = None,
        log: Log = logger,
    ) -> None:
        super().__init__()
        self._log = log
        # pyee emits `new_listener` by itself, for who wants to hear of that.
        self._names = None if events is None else frozenset((*events, "new_listener"))
        self._error_event = error_event
        self._report = report or self._emit_error
        self._once: set[tuple[str, Callable[..., object]]] = set()
        # By event, never empty; pyee's `listeners` makes a list each time, and most are asked for to find none.
        self._handlers: dict[str, tuple[Callable[..., object], ...]] = {}
        # A deque while something waits: an empty one takes 0.7 KiB, and mostly nothing does.
        self._steps: deque[Callable[[], Awaitable[None]]] | tuple[()] = ()
        self._spawn: Callable[[Callable[[], Awaitable[None]]], object] | None = None
        self._running = False
        self._stop_within: float | None = None  # seconds for what is left when stopped
        self._scope: anyio.CancelScope | None = None  # of the steps that run now

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """Queue an event for its handlers; tell whether it has any now."""
        if event == "new_listener" and not self.has_handlers(event):
            return False  # pyee emits it for every `on`
        self.enqueue(partial(self.dispatch, event, *args, **kwargs))
        return self.has_handlers(event)

    def add_listener(self, event: str, f: H) -> H:
        """Attach a handler.

        Raises:
            ConfigurationError: there is no such event, or the handler is no function; so for all that attach one.
        """
        self._check_name(event)
        check_handler(f, "handler")
        super().add_listener(event, f)
        self._refresh_handlers(event)
        return f

    def listens_to(self, event: str) -> Callable[[H], H]:
        """Give a decorator that attaches a handler."""
        self._check_name(event)
        return partial(self.add_listener, event)

    @overload
    def on(self, event: str) -> Callable[[H], H]: ...
    @overload
    def on(self, event: str, f: H) -> H: ...
    def on(self, event: str, f: Callable[..., Any] | None = no_handler) -> Callable[..., Any]:
        """Attach a handler; without one, be a decorator."""
        return self.listens_to(event) if f is no_handler else self.add_listener(event, cast("Callable[..., Any]", f))

    def once(self, event: str, f: Callable[..., Any] | None = no_handler) -> Callable[..., Any]:
        """Attach a handler for the next time only; without one, be a decorator.

        pyee would wrap the handler, and its `listeners` do not tell of that.
        """
        if f is no_handler:
            self._check_name(event)
            return partial(self.once, event)
        handler = self.add_listener(event, cast("Callable[..., Any]", f))
        self._once.add((event, handler))
        return handler

    def remove_listener(self, event: str, f: Callable[..., Any]) -> None:
        """Take a handler off."""
        self._once.discard((event, f))
        super().remove_listener(event, f)  # pyright: ignore[reportUnknownMemberType]
        self._refresh_handlers(event)

    def remove_all_listeners(self, event: str | None = None) -> None:
        """Take all handlers off, those of one event or of all."""
        self._once = {(name, f) for name, f in self._once if event not in (None, name)}
        super().remove_all_listeners(event)
        for name in [*self._handlers] if event is None else [event]:
            self._refresh_handlers(name)

    def has_handlers(self, event: str) -> bool:
        """Tell whether an event has a handler."""
        return event in self._handlers

    def enqueue(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run `step` after the handlers of everything emitted so far."""
        if not self._steps:
            self._steps = deque()
        self._steps.append(step)
        self._run_soon()

    def start(self, spawn: Callable[[Callable[[], Awaitable[None]]], object]) -> None:
        """Run handlers from now on, in one task at a time.

        Args:
            spawn: starts a task; called when there is something to run, so that nothing idles in between.
        """
        self._spawn, self._stop_within = spawn, None
        self._run_soon()

    def stop(self, *, within: float) -> None:
        """Start no more tasks; the one that runs goes on with what was emitted until then.

        Args:
            within: seconds for that, after the handler that runs now.
        """
        self._spawn, self._stop_within = None, within

    def cut_short(self) -> None:
        """Cancel the handler that runs now: those that wait behind it have a word to hear, too."""
        if self._scope is not None:
            self._scope.cancel()

    def _emit_error(self, error: Exception) -> None:
        """Emit in its turn what is in the log already: nobody needs to hear of it twice there."""

        async def tell() -> None:
            if self.has_handlers(self._error_event):
                await self.dispatch(self._error_event, error)

        self.enqueue(tell)

    def _check_name(self, event: object) -> None:
        if not isinstance(event, str) or not event:
            raise refusal("event", _NAME, event)
        if self._names is not None and event not in self._names:
            raise ConfigurationError(f"event: {event!r} is none of {', '.join(sorted(self._names))}")

    def _refresh_handlers(self, event: str) -> None:
        handlers = cast("list[Callable[..., object]]", self.listeners(event))  # pyright: ignore[reportUnknownMemberType]
        if handlers:
            self._handlers[event] = tuple(handlers)
        else:
            self._handlers.pop(event, None)

    def _run_soon(self) -> None:
        if self._steps and not self._running and self._spawn is not None:
            self._running = True
            self._spawn(self._run)

    async def _run(self) -> None:
        try:
            await self._run_steps(until_stopped=True)
            if self._stop_within is not None:
                with anyio.move_on_after(self._stop_within):
                    await self._run_steps()
        finally:
            self._running = False
            if not self._steps:
                self._steps = ()
            self._run_soon()

    async def _run_steps(self, *, until_stopped: bool = False) -> None:
        time_slice = TimeSlice()
        while self._steps and not (until_stopped and self._stop_within is not None):
            with anyio.CancelScope() as self._scope:  # one for many, until one is cut short
                while self._steps and not (until_stopped and self._stop_within is not None):
                    await self._steps.popleft()()
                    if self._scope.cancel_called:
                        break
                    if self._steps and time_slice.expired():
                        await anyio.lowlevel.checkpoint()
            self._scope = None

    async def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Run the handlers of an event now, one after the other; for a caller that keeps the order itself."""
        # pyee's own emit takes a lock and would raise an `error` that nobody hears.
        handlers = self._handlers.get(event, ())
        if not handlers and event == "error":
            self._log.error("no handler for the event 'error': %r", args[0] if args else None)
        for handler in handlers:
            if self._once and (event, handler) in self._once:
                self.remove_listener(event, handler)
            try:
                result = handler(*args, **kwargs)
                if result is not None and inspect.isawaitable(result):
                    await await_result(result)
            except Exception as exc:  # noqa: BLE001 - logged and reported
                self._log.exception("a handler of the event %r raised", str(event))
                if event != self._error_event:
                    self._report(exc)


class HasEvents(Generic[A]):
    """A client with lifecycle events; its class argument is the type of their handlers.

    Attributes:
        _emitter: set by the client.
        _event_name: what the client takes as the name of an event.
        _handler: what it takes as a handler.
    """

    _emitter: EventEmitter
    _event_name: ClassVar = _NAME
    _handler: ClassVar = required_constraint(Callable[..., object])

    @overload
    def on(self, event: str) -> Callable[[H], H]: ...
    @overload
    def on(self, event: str, handler: A) -> Unsubscriber: ...
    def on(self, event: Name, handler: Callable[..., object] = no_handler) -> Unsubscriber | Callable[[H], H]:
        """Attach a handler, sync or async; without one, return a decorator.

        Args:
            event: the name, see the `Events` of this client.
            handler: called with what is said there, one handler at a time, in order.

        Returns:
            A function that detaches the handler again; the decorator returns the handler itself.

        Raises:
            ConfigurationError: there is no such event, or the handler cannot be one.
        """
        if not self._event_name.admits(event):
            raise refusal("event", self._event_name, event)
        if not self._handler.admits(handler):
            raise refusal("handler", self._handler, handler)
        if handler is no_handler:
            return self._emitter.listens_to(event)
        self._emitter.add_listener(event, handler)

        def unsubscribe() -> None:
            with suppress(KeyError):  # it is off already
                self._emitter.remove_listener(event, handler)

        return unsubscribe
