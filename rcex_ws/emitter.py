"""Lifecycle events: a pyee emitter whose handlers run one at a time, in order, in a task of the client.

Emitting never runs user code and never waits. An exception in a handler is logged and emitted as `error`; the next
handler runs all the same. Other tasks can run between handlers, however many events are queued.

Notifications take another path, `connection.handlers.deliver`, whose queue is bounded and whose task always waits for
the next item. Here an idle client has neither a task nor a queue, nothing may be dropped, and stopping runs what is
left.
"""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from functools import cache, partial
from typing import Any, ClassVar, Generic, TypeVar, cast, overload

import anyio.lowlevel
import pyee

from rcex_ws.errors import ConfigurationError
from rcex_ws.handlers import finish
from rcex_ws.named_log import Log
from rcex_ws.options import Name, NamesOfJavaScript, check_handler, refusal, required_constraint
from rcex_ws.time_slice import TimeSlice

__all__ = ["EventEmitter", "HasEvents", "Unsubscriber"]

logger = logging.getLogger("rcex_ws.events")

H = TypeVar("H", bound=Callable[..., object])
A = TypeVar("A", bound=Callable[..., object])

_NAME = required_constraint(Name)
_NEW_LISTENER = "new_listener"  # pyee itself emits it when a handler is attached
Unsubscriber = Callable[[], None]


def no_handler(*_: Any) -> None:
    """Stand for an argument that was not passed, so that None is refused as a handler."""


class EventEmitter(NamesOfJavaScript, pyee.EventEmitter):
    """A pyee emitter that runs handlers in order; the methods of pyee work as documented there.

    Handlers are looked up when an event is dispatched, so one attached right after `emit` still gets the event.

    Args:
        events: the valid names; None for any.
        error_event: the event emitted when a handler raises; an exception of its own handlers is only logged.
        report: called with the exception of a handler, instead of emitting that event.
        log: gets these exceptions, too.
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
        self._names = None if events is None else _names(events)
        self._error_event = error_event
        self._report = report or self._emit_error
        self._once: set[tuple[str, Callable[..., object]]] = set()
        # By event, without empty entries: `listeners` of pyee makes a list each time, and most events have no handler.
        self._handlers: dict[str, tuple[Callable[..., object], ...]] = {}
        # A deque only while steps are queued, which is rare: an empty one takes 0.7 KiB.
        self._steps: deque[Callable[[], Awaitable[None]]] | tuple[()] = ()
        self._spawn: Callable[[Callable[[], Awaitable[None]]], object] | None = None
        self._running = False
        self._stop_within: float | None = None  # set by `stop`: seconds for the steps that are queued
        self._scope: anyio.CancelScope | None = None  # of the steps that run now

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """Queue an event for its handlers, and return whether it has any now."""
        if event == _NEW_LISTENER and not self.has_handlers(event):
            return False  # pyee emits it for every `on`
        self.enqueue(partial(self.dispatch, event, *args, **kwargs))
        return self.has_handlers(event)

    def add_listener(self, event: str, f: H) -> H:
        """Attach a handler.

        Raises:
            ConfigurationError: there is no such event, or the handler is not callable; likewise in the methods below.
        """
        self._check_name(event)
        check_handler(f, "handler")
        super().add_listener(event, f)
        self._refresh_handlers(event)
        return f

    def listens_to(self, event: str) -> Callable[[H], H]:
        """Return a decorator that attaches a handler."""
        self._check_name(event)
        return partial(self.add_listener, event)

    @overload
    def on(self, event: str) -> Callable[[H], H]: ...
    @overload
    def on(self, event: str, f: H) -> H: ...
    def on(self, event: str, f: Callable[..., Any] | None = no_handler) -> Callable[..., Any]:
        """Attach a handler; without one, return a decorator."""
        return self.listens_to(event) if f is no_handler else self.add_listener(event, cast("Callable[..., Any]", f))

    def once(self, event: str, f: Callable[..., Any] | None = no_handler) -> Callable[..., Any]:
        """Attach a handler for the next event only; without one, return a decorator.

        Not done by pyee, which would wrap the handler without a way for `listeners` to show it.
        """
        if f is no_handler:
            self._check_name(event)
            return partial(self.once, event)
        handler = self.add_listener(event, cast("Callable[..., Any]", f))
        self._once.add((event, handler))
        return handler

    def remove_listener(self, event: str, f: Callable[..., Any]) -> None:
        """Detach a handler."""
        self._once.discard((event, f))
        super().remove_listener(event, f)  # pyright: ignore[reportUnknownMemberType]
        self._refresh_handlers(event)

    def remove_all_listeners(self, event: str | None = None) -> None:
        """Detach all handlers of one event, or of all."""
        self._once = {(name, f) for name, f in self._once if event not in (None, name)}
        super().remove_all_listeners(event)
        for name in [*self._handlers] if event is None else [event]:
            self._refresh_handlers(name)

    def has_handlers(self, event: str) -> bool:
        """Return whether an event has a handler."""
        return event in self._handlers

    @property
    def pending(self) -> int:
        """The number of events and steps that are queued."""
        return len(self._steps)

    def enqueue(self, step: Callable[[], Awaitable[None]]) -> None:
        """Queue a step, which runs after the handlers of everything emitted so far."""
        if not self._steps:
            self._steps = deque()
        self._steps.append(step)
        self._run_soon()

    def start(self, spawn: Callable[[Callable[[], Awaitable[None]]], object]) -> None:
        """Begin to run handlers, in one task at a time.

        Args:
            spawn: starts a task; called only when a step is queued, so that no task is idle.
        """
        self._spawn, self._stop_within = spawn, None
        self._run_soon()

    def stop(self, *, within: float) -> None:
        """Start no more tasks; the running one still runs the steps that are queued.

        Args:
            within: seconds for these steps, after the current one.
        """
        self._spawn, self._stop_within = None, within

    def cut_short(self) -> None:
        """Cancel the current step; the ones queued behind it still run."""
        if self._scope is not None:
            self._scope.cancel()

    def _emit_error(self, error: Exception) -> None:
        """Emit an exception that has been logged; without a handler it is not logged once more."""

        async def emit_now() -> None:
            if self.has_handlers(self._error_event):
                await self.dispatch(self._error_event, error)

        self.enqueue(emit_now)

    def _check_name(self, event: object) -> None:
        if not isinstance(event, str) or not event:
            raise refusal("event", _NAME, event)
        if self._names is not None and event not in self._names:
            raise ConfigurationError(f"event: {event!r} is none of {', '.join(sorted(self._names - {_NEW_LISTENER}))}")

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
            with anyio.CancelScope() as self._scope:  # one scope for many steps, until one is cut short
                while self._steps and not (until_stopped and self._stop_within is not None):
                    await self._steps.popleft()()
                    if self._scope.cancel_called:
                        break
                    if self._steps and time_slice.expired():
                        await anyio.lowlevel.checkpoint()
            self._scope = None

    async def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Run the handlers of an event now, one after the other; for callers that keep the order themselves."""
        # `emit` of pyee takes a lock, and raises an `error` that has no handler.
        handlers = self._handlers.get(event, ())
        if not handlers and event == "error":
            self._log.error("no handler for the event 'error': %r", args[0] if args else None)
        for handler in handlers:
            if self._once and (event, handler) in self._once:
                self.remove_listener(event, handler)
            try:
                result = handler(*args, **kwargs)
                if result is not None and inspect.isawaitable(result):
                    await finish(result)
            except Exception as exc:  # noqa: BLE001 - logged and reported
                self._log.exception("a handler of the event %r raised", str(event))
                if event != self._error_event:
                    self._report(exc)


class HasEvents(Generic[A]):
    """The method `on` of a client with lifecycle events; the class argument is the type of their handlers.

    Attributes:
        _emitter: set by the client.
        _event_name: the constraint on names of events.
        _handler: the constraint on handlers.
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
            handler: called with the arguments described there; handlers run one at a time, in order.

        Returns:
            A function that detaches the handler again; the decorator returns the handler itself.

        Raises:
            ConfigurationError: there is no such event, or the handler is not callable as one.
        """
        if not self._event_name.admits(event):
            raise refusal("event", self._event_name, event)
        if not self._handler.admits(handler):
            raise refusal("handler", self._handler, handler)
        if handler is no_handler:
            return self._emitter.listens_to(event)
        self._emitter.add_listener(event, handler)

        def unsubscribe() -> None:
            with suppress(KeyError):  # it is detached already
                self._emitter.remove_listener(event, handler)

        return unsubscribe


@cache
def _names(events: type[StrEnum]) -> frozenset[str]:
    """Return the events that an emitter of these has: one set for all emitters, since each would take 0.7 KiB."""
    return frozenset((*events, _NEW_LISTENER))
