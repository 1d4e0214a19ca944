"""A session store in memory, which tests share between extensions."""

from __future__ import annotations

import anyio
import anyio.to_thread

from rcex_ws.wsg.stored import StoredSession


class MemoryStore:
    """A store that outlives extensions."""

    def __init__(self):
        self.kept: StoredSession | None = None
        self.hang = False

    async def open(self):
        return self.kept

    async def save(self, session):
        if self.hang:
            await anyio.sleep_forever()
        self.kept = session

    async def clear(self):
        self.kept = None

    async def close(self):
        pass
