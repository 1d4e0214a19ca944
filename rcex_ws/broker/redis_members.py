"""What a node counts in groups, and Redis kept up to date: changes are sent together, and everything after a loss."""

from __future__ import annotations

import math
from collections.abc import Collection

from rcex_ws.broker.redis_session import RedisSession, Settings
from rcex_ws.broker.scripts import SET_MEMBERS
from rcex_ws.loop import Signal, now

__all__ = ["Memberships"]

#: How many groups are set in one go.
_GROUPS_AT_ONCE = 500

#: Seconds until Redis forgets a group that nobody sets again; each node does so in a quarter of that.
_EXPIRY = 86_400


class Memberships:
    """What this node counts.

    Args:
        settings: of the broker.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._values: dict[str, int] = {}  # 0 until Redis knows that the group was left
        self._changed: dict[str, None] = {}
        self._more = Signal()
        self._set_at = -math.inf  # may be made before there is an event loop, which has the clock

    @property
    def groups(self) -> Collection[str]:
        """The groups that Redis may have this node in."""
        return self._values.keys()

    def set(self, group: str, value: int) -> None:
        """Set what the node counts in a group, 0 to leave it."""
        if value or group in self._values:
            self._values[group] = value
            self._changed[group] = None
            self._more.set()

    def set_all_again(self) -> None:
        """Set everything again: Redis may have lost it."""
        self._set_at = now()
        self._changed = dict.fromkeys(self._values)
        self._more.set()

    async def run(self, session: RedisSession) -> None:
        """Keep Redis up to date.

        Raises:
            BrokerUnavailable: the connection is lost; what was on its way is set again by `set_all_again`.
        """
        while True:
            if not self._changed:
                self._more = Signal()
                await self._more.wait()
            groups = [group for group, _ in zip(self._changed, range(_GROUPS_AT_ONCE), strict=False)]
            for group in groups:
                del self._changed[group]
            values = [self._values[group] for group in groups]
            keys = [self._settings.names.key("group", group) for group in groups]
            await session.commands.run_script(SET_MEMBERS, keys, self._settings.node, _EXPIRY * 1000, *values)
            for group, value in zip(groups, values, strict=True):
                if not value and self._values.get(group) == 0:
                    del self._values[group]
                    self._changed.pop(group, None)

    async def show_life(self, session: RedisSession) -> None:
        """Show, again and again, that the node lives.

        Raises:
            BrokerUnavailable: the connection is lost.
        """
        while True:
            await Signal().wait(until=now() + self._settings.time_to_live / 3)
            if not await session.heartbeat() or now() - self._set_at > _EXPIRY / 4:
                self.set_all_again()
