"""Keep the store up to date: at most one write a second, one after each subscribe, and one at the end.

It reads the state when it writes, so marking that something changed costs the reader next to nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio

from rcex_ws.wsg.store import SessionStore, StoredSession

__all__ = ["Keeper"]

logger = logging.getLogger("rcex_ws.wsg")

#: Seconds between two writes.
_PAUSE = 1.0


class Keeper:
    """Write a session to its store.

    Args:
        store: where to.
        snapshot: gives what is to be kept now, None while there is nothing.
        failed: hears of a write that failed.
    """

    def __init__(
        self,
        store: SessionStore,
        snapshot: Callable[[], StoredSession | None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._failed = failed
        self._dirty = anyio.Event()
        self._one_at_a_time = anyio.Lock()

    def touch(self) -> None:
        """Say that something changed."""
        self._dirty.set()

    async def run(self) -> None:
        """Write whenever something changed; for ever, owned by the client's root task."""
        while True:
            await self._dirty.wait()
            await self.write()
            await anyio.sleep(_PAUSE)

    async def write(self) -> None:
        """Write now. A failure is reported, and the next change tries again: it must not cost the connection."""
        with anyio.CancelScope(shield=True):  # a thread cannot be cancelled; two must not write at once
            async with self._one_at_a_time:
                self._dirty = anyio.Event()
                session = self._snapshot()
                if session is None:
                    return
                try:
                    await self._store.save(session)
                except Exception as exc:
                    logger.exception("the session was not stored")
                    self._failed(exc)
