"""Generated from `rcex_ws.connection.link.Link` by `python -m tests.blocking.generate`."""

from __future__ import annotations

from datetime import datetime

import rcex_ws.connection
from rcex_ws.blocking.facade import Facade
from rcex_ws.blocking.loop_thread import run_sync
from rcex_ws.connection.loss import Loss

__all__ = ["Link"]


class Link(Facade[rcex_ws.connection.Link], of=rcex_ws.connection.Link):
    """One connection, from its opening to its loss; the next one is another object."""

    @property
    def id(self) -> int:
        """The number of this connection, counting all of this process."""
        return self._inner.id

    @property
    def opened_at(self) -> datetime:
        """When the connection was opened, by the wall clock."""
        return self._inner.opened_at

    @property
    def was_ready(self) -> bool:
        """Whether the state of the client was READY with this connection."""
        return self._inner.was_ready

    @property
    def loss(self) -> Loss | None:
        """How the connection was lost; None while it is open."""
        return self._inner.loss

    @property
    def round_trip(self) -> float | None:
        """Seconds from the last answered heartbeat to its answer; None before the first."""
        return self._inner.round_trip

    @property
    def closing(self) -> bool:
        """Whether this side has begun to close it."""
        return run_sync(lambda: self._inner.closing)

    @property
    def lived(self) -> float:
        """Seconds since the connection was opened."""
        return run_sync(lambda: self._inner.lived)

    @property
    def last_inbound_at(self) -> datetime:
        """When the last inbound frame came, by the wall clock; at first, when the connection was opened."""
        return run_sync(lambda: self._inner.last_inbound_at)

    def abort(self) -> None:
        """Drop the connection at once; the supervisor reconnects as after any other loss.

        Raises:
            WrongEventLoop: called in a forked process.
        """
        run_sync(lambda: self._inner.abort())
