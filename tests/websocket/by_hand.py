"""A loop and a transport under the control of a test, to call a loop's callbacks while no task is current."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Timer:
    def __init__(self, callback: Callable[[], Any]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """A scheduler whose iterations a test runs one by one."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], Any]] = []
        self.timers: list[Timer] = []

    def call_soon(self, callback: Callable[[], Any]) -> None:
        self.soon.append(callback)

    def call_later(self, delay: float, callback: Callable[[], Any]) -> Timer:
        self.timers.append(Timer(callback))
        return self.timers[-1]

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.kept: list[bytes] = []  # the objects passed, not copies
        self.closing = self.aborted = self.eof = self.paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        assert not self.closing
        self.writes.append(bytes(data))
        self.kept.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def outside(callback: Callable[..., Any], *args: Any) -> Any:
    """Call a function from the loop, while no task is current."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def call() -> None:
        assert asyncio.current_task() is None
        try:
            future.set_result(callback(*args))
        except Exception as exc:  # noqa: BLE001 - passed to the caller
            future.set_exception(exc)

    loop.call_soon(call)
    return await future
