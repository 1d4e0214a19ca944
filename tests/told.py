"""A record of what an application is told, to wait for what comes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import anyio

from rcex_ws import Events, Gap, Notification, WebSocketExtension

__all__ = ["Told"]


class Told:
    """What the application was told, in order: ("event name", argument) and ("notification", it).

    Args:
        patience: seconds that it waits for what is to be told, where a test does not say how long.
    """

    def __init__(self, patience: float = 4) -> None:
        self.items: list[tuple[str, Any]] = []
        self._patience = patience
        self._changed = anyio.Event()

    def add(self, name: str, value: Any = None) -> None:
        self.items.append((name, value))
        self._changed.set()
        self._changed = anyio.Event()

    def listen(self, ext: WebSocketExtension) -> None:
        for event in Events:
            ext.on(event, partial(self.add, str(event)))

    def on_notification(self, notification: Notification) -> None:
        self.add("notification", notification)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.items]

    def of(self, name: str) -> list[Any]:
        return [value for found, value in self.items if found == name]

    @property
    def numbers(self) -> list[int]:
        """The `i` of each notification, in the order of delivery."""
        return [notification.body["i"] for notification in self.of("notification")]

    @property
    def gaps(self) -> list[Gap]:
        return self.of(Events.NOTIFICATION_GAP)

    async def until(self, condition: Callable[[], object], within: float | None = None) -> None:
        """Wait for a condition that can only change when something is told."""
        with anyio.fail_after(self._patience if within is None else within):
            while not condition():
                await self._changed.wait()

    async def wait(self, name: str, count: int = 1, within: float | None = None) -> Any:
        """Wait for an event for the n-th time; give its argument."""
        await self.until(lambda: len(self.of(name)) >= count, within)
        return self.of(name)[count - 1]

    async def number(self, number: int, within: float | None = None) -> None:
        """Wait for a notification; what led to it was told before."""
        await self.until(lambda: number in self.numbers, within)
