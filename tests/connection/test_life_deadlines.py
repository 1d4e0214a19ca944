"""Requests that are made before a life has started."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.connection import Life, RequestTable, Supervisor
from rcex_ws.errors import RequestTimeout
from rcex_ws.loop import now
from tests.connection.echo import EchoClient


async def test_a_request_from_before_the_start_times_out(peer: Any) -> None:
    supervisor = Supervisor(EchoClient(peer.url))
    life = Life(supervisor, close_timeout=1.0)
    table: RequestTable[str] = RequestTable(lambda: life.watch_deadlines(table))
    request = table.submit("1", b"never sent", deadline=now() + 0.1)
    try:
        await life.start()
        with anyio.fail_after(5), pytest.raises(RequestTimeout):
            await request.wait()
    finally:
        await life.close()
