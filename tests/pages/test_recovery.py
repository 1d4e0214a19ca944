"""docs/recovery.md: its seconds, under a clock that jumps."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from rcex_ws import Events, Gap, Outcome, RingCentral, WebSocketExtension
from rcex_ws.testing import MemoryGateway
from tests.pages.walk import ROOT

PAGE = " ".join((ROOT / "docs/recovery.md").read_text().split())
MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
async def memory() -> AsyncIterator[MemoryGateway]:
    async with MemoryGateway() as memory:
        yield memory


@pytest.fixture
async def ws_ext(memory: MemoryGateway) -> AsyncIterator[WebSocketExtension]:
    """An extension that has lived for long enough."""
    account = {"client_id": memory.client_id, "client_secret": memory.client_secret}
    async with RingCentral(server=memory.server, http=memory.http, **account) as rc:
        await rc.authorize(jwt=memory.jwt)
        ws_ext = WebSocketExtension()
        ws_ext.open_socket = memory.open_websocket  # type: ignore[method-assign]
        await rc.install_extension(ws_ext)
        yield ws_ext


async def test_a_loss_second_by_second(memory: MemoryGateway, ws_ext: WebSocketExtension) -> None:
    got: list[int] = []
    gaps: list[Gap] = []
    lost_at: list[float] = []
    recovered = trio.Event()
    ws_ext.on(Events.NOTIFICATION_GAP, gaps.append)
    ws_ext.on(Events.DISCONNECTED, lambda reason: lost_at.append(trio.current_time()))
    ws_ext.on(Events.AUTO_RECOVER_SUCCESS, lambda ws: recovered.set())
    await ws_ext.subscribe([MESSAGES], lambda notification: got.append(notification.body["i"]))
    await trio.sleep(60.1)  # two heartbeats, the last of which has just been answered
    started = trio.current_time()
    memory.gateway.freeze()
    await trio.sleep(39.5)
    assert lost_at == []
    await recovered.wait()
    assert lost_at == [pytest.approx(started + 40, abs=1)]
    assert trio.current_time() == pytest.approx(started + 40, abs=1)
    (gap,) = gaps
    assert gap.since is not None
    assert gap.until - gap.since == pytest.approx(timedelta(seconds=45), abs=timedelta(seconds=2))
    assert not gap.certain
    for told in (
        "**30 s.** No frame has come for 30 seconds",
        "**40 s.** No answer in 10 seconds",
        "from 5 seconds before",
    ):
        assert told in PAGE
    memory.gateway.notify(MESSAGES, {"i": 1})
    await trio.sleep(1)
    assert got == [1]


async def test_a_loss_that_is_not_silent_is_no_gap(memory: MemoryGateway, ws_ext: WebSocketExtension) -> None:
    gaps: list[Gap] = []
    recovered = trio.Event()
    ws_ext.on(Events.NOTIFICATION_GAP, gaps.append)
    ws_ext.on(Events.AUTO_RECOVER_SUCCESS, lambda ws: recovered.set())
    await ws_ext.subscribe([MESSAGES], print)
    await trio.sleep(60)
    memory.gateway.cut(1001)
    await recovered.wait()
    assert gaps == []
    assert "There is no gap when such a session is recovered." in PAGE


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
async def test_the_attempts_within_the_window(
    memory: MemoryGateway, ws_ext: WebSocketExtension, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: low + share * (high - low))
    await ws_ext.subscribe([MESSAGES], print)
    await trio.sleep(60)
    failed: list[float] = []
    ws_ext.on(Events.AUTO_RECOVER_ERROR, lambda error: failed.append(trio.current_time() - lost_at))
    memory.gateway.refuse("upgrade", 503, times=None)
    lost_at = trio.current_time()
    memory.gateway.cut()
    await trio.sleep(180)
    assert 8 <= len(failed) <= 11
    assert "within the window there are eight to eleven attempts" in PAGE
    assert 145 < failed[-1] < 170
    assert "After an outage of up to 145 seconds the session is recovered" in PAGE
    if share == 0.5:
        assert " ".join(str(int(at)) for at in failed) + " 180" in PAGE
    memory.gateway.clear_faults()
    await trio.sleep(200)
    assert ws_ext.last_recovery is not None
    assert ws_ext.last_recovery.outcome is Outcome.WINDOW_EXCEEDED


async def test_what_the_server_tells(memory: MemoryGateway, ws_ext: WebSocketExtension) -> None:
    details = ws_ext.connection_details
    assert details is not None
    assert (details.recovery_buffer_size, details.recovery_timeout) == (100, 180)
    assert "the newest 100 notifications, and waits for 180 seconds" in PAGE
