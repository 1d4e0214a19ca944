"""The callbacks of the application, by event: which there are, and how they are called."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from rcex_ws.connection import Unsubscriber
from rcex_ws.handlers import finish

__all__ = ["EventCallbacks"]

C = TypeVar("C", bound=Callable[..., object])


class _Callback:
    """One callback of one event."""

    __slots__ = ("active", "function", "spread")

    def __init__(self, function: Callable[..., object], spread: bool) -> None:
        self.function = function
        self.spread = spread
        self.active = True

    def call(self, data: list[Any]) -> object:
        return self.function(*data) if self.spread else self.function(data)


class EventCallbacks:
    """The callbacks of one client, which outlive its connections.

    Args:
        on_error: called with the name of the event and the exception that a callback raised; async.
    """

    def __init__(self, on_error: Callable[[str, Exception], Awaitable[None]]) -> None:
        self._on_error = on_error
        self._callbacks: dict[str, tuple[_Callback, ...]] = {}

    def add(self, event: str, function: Callable[..., object], *, spread: bool) -> Unsubscriber:
        """Add a callback behind the others of an event; return a function that removes it."""
        callback = _Callback(function, spread)
        self._callbacks[event] = (*self._callbacks.get(event, ()), callback)

        def unsubscribe() -> None:
            callback.active = False
            left = tuple(one for one in self._callbacks.get(event, ()) if one is not callback)
            if left:
                self._callbacks[event] = left
            else:
                self._callbacks.pop(event, None)

        return unsubscribe

    def call(self, event: str, data: list[Any]) -> Awaitable[None] | None:
        """Call the callbacks of an event, each with its own list; return what remains to be awaited, if anything."""
        callbacks = self._callbacks.get(event)
        if callbacks is None:
            return None
        for number, callback in enumerate(callbacks, 1):
            if not callback.active:
                continue
            try:
                result = callback.call([*data])
            except Exception as exc:  # noqa: BLE001 - reported
                return self._continue(event, data, callbacks[number:], exc)
            if result is not None and inspect.isawaitable(result):
                return self._continue(event, data, callbacks[number:], result)
        return None

    async def _continue(
        self, event: str, data: list[Any], callbacks: tuple[_Callback, ...], last: Exception | Awaitable[object]
    ) -> None:
        """Finish a callback that is async, or that has raised, and call the others."""
        await self._finish(event, last)
        for callback in callbacks:
            if callback.active:
                try:
                    result = callback.call([*data])
                except Exception as exc:  # noqa: BLE001 - reported
                    await self._finish(event, exc)
                else:
                    if result is not None and inspect.isawaitable(result):
                        await self._finish(event, result)

    async def _finish(self, event: str, last: Exception | Awaitable[object]) -> None:
        if not isinstance(last, Exception):
            try:
                await finish(last)
            except Exception as exc:  # noqa: BLE001 - reported
                last = exc
            else:
                return
        await self._on_error(event, last)
