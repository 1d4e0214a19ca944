"""Writing to one socket: what the socket does not accept does not count as sent."""

from __future__ import annotations

from typing import Any

import anyio

from rcex_ws.connection import Pending
from rcex_ws.connection.outbox import Outbox
from rcex_ws.loop import Errands


class ClosedSocket:
    """A socket whose peer has begun to close it: nothing can be written any more."""

    def can_write(self) -> bool:
        return False

    def write(self, messages: Any) -> bool:
        return False

    async def send(self, messages: Any) -> bool:
        return False


async def test_what_a_closing_socket_does_not_take_is_not_sent() -> None:
    errands = Errands()
    outbox = Outbox(ClosedSocket(), errands, close_timeout=1.0)  # type: ignore[arg-type]
    pending: Pending[str] = Pending("1", b"x", 0.0)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(errands.run)
            outbox.start(group)
            outbox.put(pending)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    assert not pending.sent
