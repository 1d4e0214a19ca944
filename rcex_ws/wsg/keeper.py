"""Keep the store up to date: at most one write a second, and one at the end.

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
    """

    def __init__(self, store: SessionStore, snapshot: Callable[[], StoredSession | None]) -> None:
        self._store = store
        self._snapshot = snapshot
        self._dirty = anyio.Event()

    def touch(self) -> None:
        """Say that something changed."""
        self._dirty.set()

    async def run(self) -> None:
        """Write whenever something changed; for ever, owned by the client's root task."""
        while True:
            await self._dirty.wait()
            self._dirty = anyio.Event()
            await self.write()
            await anyio.sleep(_PAUSE)

    async def write(self) -> None:
        """Write now. A store that cannot be written is reported and tried again with the next change."""
        session = self._snapshot()
        if session is None:
            return
        try:
            with anyio.CancelScope(shield=True):  # a thread cannot be cancelled; two must not write at once
                await self._store.save(session)
        except OSError as exc:
            logger.error("the session was not stored: %s", exc)  # noqa: TRY400 - the reason is enough
