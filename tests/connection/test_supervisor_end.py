"""What ends a client while something else is going on: the first end counts, and nothing wrong is said of it."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from rcex_ws.connection import Reason, State
from rcex_ws.errors import RcexError


async def test_a_close_while_a_replacement_is_opened_warns_of_nothing(
    peer: Any, supervise: Any, talk_class: Any, caplog: pytest.LogCaptureFixture
) -> None:
    second_opens = anyio.Event()

    class Slow(talk_class):
        async def handshake(self) -> None:
            if rig.supervisor.is_ready:
                second_opens.set()
                await anyio.sleep_forever()

    async with supervise(peer.url, talk=Slow) as rig:
        await rig.supervisor.wait_ready()
        with caplog.at_level(logging.INFO):
            rig.supervisor.replace(at_once=True)
            with anyio.fail_after(5):
                await second_opens.wait()
            rig.supervisor.begin_close()
            await rig.supervisor.cancel_attempt()
            with anyio.fail_after(5):
                await rig.link.close(1000, "", within=1.0)
                await rig.child.wait()
    assert rig.supervisor.status.reason.code is Reason.CLOSED
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_bug_while_the_driver_decides_on_a_failed_attempt_is_the_failure(supervise: Any) -> None:
    deciding, decided = anyio.Event(), anyio.Event()

    async def next_delay(_: Any, delay: float) -> float:
        deciding.set()
        await decided.wait()
        return delay

    async with supervise("ws://127.0.0.1:1/") as rig:
        rig.driver.next_delay = next_delay
        with anyio.fail_after(5):
            await deciding.wait()
            first, second = KeyError("a bug"), RcexError("only a consequence")
            rig.supervisor.give_up(first)
            decided.set()
            await rig.child.wait()
            rig.supervisor.give_up(second)
        assert rig.supervisor.status.state is State.FAILED
        assert rig.supervisor.status.failure is first
        assert rig.driver.fatal == [first]
