"""The cost of one message, counted, not timed: no task and no timer for each."""

from __future__ import annotations

import asyncio
from collections import Counter
from threading import get_ident
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

MESSAGES = 2000


@pytest.fixture
def anyio_backend() -> str:
    """Count on asyncio, whose loop can be watched."""
    return "asyncio"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what this thread asks of its event loop; the peer has a thread of its own."""
    counts: Counter[str] = Counter()
    thread = get_ident()

    def count(name: str) -> None:
        original = getattr(asyncio.BaseEventLoop, name)

        def counting(*args: Any, **kwargs: Any) -> Any:
            counts[name] += get_ident() == thread
            return original(*args, **kwargs)

        monkeypatch.setattr(asyncio.BaseEventLoop, name, counting)

    count("call_at")
    count("create_task")
    return counts


@pytest.fixture
def counting_talk(talk_class: Any) -> Any:
    """Give a conversation that says when it has heard all messages."""

    class Counting(talk_class):
        def __init__(self, link: Any) -> None:
            super().__init__(link)
            self.heard_all = anyio.Event()

        def on_message(self, data: bytes, binary: bool) -> None:
            super().on_message(data, binary)
            if len(self.messages) == MESSAGES:
                self.heard_all.set()

    return Counting


async def test_reading_makes_no_task_and_no_timer_per_message(
    peer: Any, supervise: Any, until: Any, counted: Counter[str], counting_talk: Any
) -> None:
    async with supervise(peer.url, talk=counting_talk) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        counted.clear()
        sending = asyncio.ensure_future(anyio.to_thread.run_sync(peer.send, *["x"] * MESSAGES))
        with anyio.fail_after(20):
            await rig.talk.heard_all.wait()
            await sending
        assert counted["create_task"] < 10
        assert counted["call_at"] < 10


async def test_writing_makes_no_task_and_no_timer_per_message(
    peer: Any, supervise: Any, counted: Counter[str], counting_talk: Any
) -> None:
    async with supervise(peer.url, talk=counting_talk) as rig:
        await rig.supervisor.wait_ready()
        counted.clear()
        for number in range(MESSAGES):
            rig.link.send(str(number).encode())
        with anyio.fail_after(20):
            await rig.talk.heard_all.wait()  # the echo
        assert peer.received == [str(number) for number in range(MESSAGES)]
        assert counted["create_task"] < 10
        assert counted["call_at"] < 10


async def test_a_busy_link_wakes_its_heartbeat_by_the_interval_not_by_the_message(
    peer: Any, supervise: Any, until: Any, counted: Counter[str], counting_talk: Any, ms: float
) -> None:
    async with supervise(peer.url, talk=counting_talk, heartbeat_interval=200 * ms) as rig:
        await rig.supervisor.wait_ready()
        counted.clear()
        started = anyio.current_time()
        for _ in range(MESSAGES // 100):
            for _ in range(100):
                rig.link.send(b"x")
            await checkpoint()
        with anyio.fail_after(20):
            await rig.talk.heard_all.wait()
        assert counted["call_at"] <= 10 + (anyio.current_time() - started) / (200 * ms)
