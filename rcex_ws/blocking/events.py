"""`on`: lifecycle events of a blocking extension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar, overload

from rcex_ws import rest
from rcex_ws.blocking.callbacks import in_thread
from rcex_ws.blocking.facade import Facade
from rcex_ws.blocking.loop_thread import run_sync
from rcex_ws.emitter import Unsubscriber, no_handler
from rcex_ws.options import Name, checked
from rcex_ws.rest.extensions.events import RestEventName

__all__ = ["BlockingEvents", "EventsExtension"]

H = TypeVar("H", bound=Callable[..., object])


class BlockingEvents(Facade[Any]):
    """The method `on` of a blocking extension."""

    @overload
    def on(self, event: str) -> Callable[[H], H]: ...
    @overload
    def on(self, event: str, handler: Callable[[Any], object]) -> Unsubscriber: ...
    def on(self, event: Name, handler: Callable[..., object] = no_handler) -> Unsubscriber | Callable[[H], H]:
        """Attach a handler, a plain function; without one, return a decorator.

        Args:
            event: the name, see `Events`.
            handler: called with the arguments described there; handlers run one at a time, in order.

        Returns:
            A function that detaches the handler again; the decorator returns the handler itself.

        Raises:
            ConfigurationError: there is no such event, or the handler is not callable as one.
        """
        if handler is no_handler:
            attach = run_sync(lambda: self._inner.on(event))

            def decorate(function: H) -> H:
                adapted = in_thread("handler", function, self._executor)
                run_sync(lambda: attach(adapted))
                return function

            return decorate
        detach = run_sync(lambda: self._inner.on(event, in_thread("handler", handler, self._executor)))
        return lambda: run_sync(detach)


class EventsExtension(BlockingEvents):
    """Emits the events of `RestEvents`: of all calls that pass extensions, and of the session of the client.

    Handlers are plain functions, and run as those of the blocking `WebSocketExtension` do.

    Args:
        enabled_events: the events that are emitted; all by default.
        executor: runs the handlers; None for a thread of the client.

    Raises:
        ConfigurationError: there is no such event.
    """

    @checked
    def __init__(
        self, *, enabled_events: Sequence[RestEventName] | None = None, executor: Executor | None = None
    ) -> None:
        self._executor = executor
        super().__init__(rest.EventsExtension(enabled_events=enabled_events))

    @property
    def enabled(self) -> bool:
        """Whether the events of calls are emitted."""
        enabled: bool = self._inner.enabled
        return enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._inner.enabled = enabled
