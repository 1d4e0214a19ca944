"""Plain iterators over async ones."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

from rcex_ws.blocking.loop_thread import run

__all__ = ["Iteration"]

T = TypeVar("T")


class Iteration(Iterator[T]):
    """An iterator each of whose steps is taken in the loop.

    Args:
        steps: the async iterator.
        had: items it has yielded but nobody has taken yet, because a KeyboardInterrupt came in between.
    """

    def __init__(self, steps: AsyncIterator[T], had: deque[T] | None = None) -> None:
        self._steps = steps
        self._had: deque[T] = deque() if had is None else had

    def __next__(self) -> T:
        while not self._had:
            if not run(self.step):
                raise StopIteration
        return self._had.popleft()

    async def step(self) -> bool:
        """Fetch the next item, in the loop; return False if there is none."""
        try:
            self._had.append(await anext(self._steps))
        except StopAsyncIteration:
            return False
        return True
