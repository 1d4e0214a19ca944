"""`WebSocketExtension`, as `rcex_ws.blocking.RingCentral` installs it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from rcex_ws import wsg
from rcex_ws.blocking.callbacks import in_thread
from rcex_ws.blocking.events import BlockingEvents
from rcex_ws.blocking.extension_methods import BlockingExtensionMethods
from rcex_ws.blocking.loop_thread import run_sync
from rcex_ws.options import EventFilter, checked, options_of
from rcex_ws.wsg import Gap, Notification
from rcex_ws.wsg.settings import WsgSettings

__all__ = ["WebSocketExtension"]

_EventHandler = TypeVar("_EventHandler", bound=Callable[[Notification], object])


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockingSettings(WsgSettings):
    """Keyword options of the blocking `WebSocketExtension`: those of the async one, and the executor of functions."""

    on_gap: Callable[[Gap], None] | None = None
    executor: Executor | None = None


class WebSocketExtension(BlockingEvents, BlockingExtensionMethods):
    """An extension that gives a blocking `RingCentral` client a WebSocket which survives everything.

    Callbacks, handlers, `on_gap` and predicates are plain functions. They run in threads of the client, each kind one
    at a time and in order, and may block and call this client; what one raises is logged and emitted as `error`.
    `trace` and `reconnect_delays` run in the loop: they must return at once, and must not call the client.

    Args:
        executor: runs these functions instead, such as a `ThreadPoolExecutor`; it is never shut down here. With a
            single thread, a callback that waits for another function, such as a predicate, waits for ever.
        **options: those of `rcex_ws.WebSocketExtension`.
    """

    @options_of(BlockingSettings)
    def __init__(self, settings: BlockingSettings) -> None:
        self._executor = settings.executor
        self._on_gap = settings.on_gap
        options: dict[str, Any] = {one.name: getattr(settings, one.name) for one in fields(WsgSettings)}
        options["on_gap"] = in_thread("on_gap", settings.on_gap, settings.executor)
        super().__init__(wsg.WebSocketExtension(**options))

    @property
    def on_gap(self) -> Callable[[Gap], None] | None:
        """The hook for gaps, or None; can be set at any time, also before `install`."""
        return self._on_gap

    @on_gap.setter
    @checked
    def on_gap(self, on_gap: Callable[[Gap], None] | None) -> None:
        function: Any = in_thread("on_gap", on_gap, self._executor)
        run_sync(lambda: setattr(self._inner, "on_gap", function))
        self._on_gap = on_gap

    @checked
    def on_event(
        self, event_filter: EventFilter, **query: str | bool | list[str]
    ) -> Callable[[_EventHandler], _EventHandler]:
        """Decorate a handler of the events of one filter; `ws_ext.subscribe()` then subscribes to all of them.

            @ws_ext.on_event("/restapi/v1.0/account/~/extension/~/message-store/instant", type="SMS")
            def on_text(notification): ...

        Args:
            event_filter: a path, perhaps with a query.
            **query: more parameters of the query; a list repeats the name.

        Raises:
            ConfigurationError: an argument is invalid.
        """
        register = run_sync(lambda: self._inner.on_event(event_filter, **query))

        def register_in_thread(handler: _EventHandler) -> _EventHandler:
            function: Any = in_thread("handler", handler, self._executor)
            run_sync(lambda: register(function))
            return handler

        return register_in_thread
