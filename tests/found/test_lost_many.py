"""Failures found where there is much of something: unreadable frames, filters, events that no filter asked for."""

from __future__ import annotations

import json
import logging
import re
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws import BadFrame, Events, Gap, Notification, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway

STORE = "/restapi/v1.0/account/~/extension/~/message-store"

MANY = 50_000
FEW = 500  # one for each piece that was read, and no piece is that small


@pytest.fixture
async def rc(gateway: Gateway) -> AsyncIterator[RingCentral]:
    async with RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
    ) as rc:
        await rc.authorize(jwt=gateway.jwt)
        yield rc


def counted(error: Exception) -> int:
    """How many errors one stands for, by its own words."""
    more = re.search(r" \(and ([\d,]+) more like it\)$", str(error))
    return 1 + (int(more[1].replace(",", "")) if more else 0)


class Flood:
    """What an application is told while unreadable frames come, and whether others get a turn meanwhile."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.gaps: list[Gap] = []
        self.hooked: list[Gap] = []
        self.good: list[Notification] = []
        self.turns = 0
        self.told_between_turns = Counter[int]()
        self._delivered = anyio.Event()
        self.ext = WebSocketExtension(on_gap=self.hooked.append)
        self.ext.on(Events.ERROR, lambda error: self._told(self.errors, error))
        self.ext.on(Events.NOTIFICATION_GAP, lambda gap: self._told(self.gaps, gap))

    async def come(self, gateway: Gateway, rc: RingCentral, number: int, *, certain: bool) -> None:
        """Send so many, the last one later, and a good one behind it."""
        await rc.install_extension(self.ext)
        subscription = await self.ext.subscribe([STORE], self._deliver)
        assert subscription.info is not None
        bad = '[{"type":"ServerNotification"},7]' if certain else "hello"
        envelope = {"uuid": "good", "event": subscription.info.event_filters[0], "body": {}}
        async with anyio.create_task_group() as group:
            group.start_soon(self._tick)
            self.begun = datetime.now(UTC)
            gateway.send_raw([bad] * (number - 1))
            self.last_sent = datetime.now(UTC)
            gateway.send_raw([bad, json.dumps([{"type": "ServerNotification"}, envelope])])
            with anyio.fail_after(50):
                await self._delivered.wait()
                while sum(map(counted, self.errors)) < number:
                    await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()

    def _told(self, told: list[Any], value: object) -> None:
        told.append(value)
        self.told_between_turns[self.turns] += 1

    def _deliver(self, notification: Notification) -> None:
        self.good.append(notification)
        self._delivered.set()

    async def _tick(self) -> None:
        while True:
            await anyio.lowlevel.checkpoint()
            self.turns += 1


@pytest.mark.parametrize("certain", [False, True])
async def test_l15_many_unreadable_frames_are_told_of_in_few_words(
    gateway: Gateway, rc: RingCentral, caplog: pytest.LogCaptureFixture, certain: bool
) -> None:
    """There were 50,000 errors and gaps, and nobody else had a turn for 3.7 s."""
    caplog.set_level(logging.INFO)
    flood = Flood()
    await flood.come(gateway, rc, MANY, certain=certain)
    assert len(flood.good) == 1
    assert flood.ext.ws is not None
    assert {type(error) for error in flood.errors} == {BadFrame}
    assert sum(map(counted, flood.errors)) == MANY
    assert len(flood.errors) < FEW
    assert len(flood.gaps) < FEW
    assert flood.hooked == flood.gaps
    assert {gap.certain for gap in flood.gaps} == {certain}
    covered = flood.begun
    for gap in sorted(flood.gaps, key=lambda gap: gap.until):
        assert gap.since is not None
        assert gap.since <= covered
        covered = gap.until
    assert covered >= flood.last_sent
    assert max(flood.told_between_turns.values()) < FEW
    assert len(caplog.records) < 3 * FEW


async def test_l15_many_unreadable_frames_take_no_memory(gateway: Gateway, rc: RingCentral) -> None:
    """It was 117 MB for 50,000; what is measured also has what the gateway keeps until it is written."""
    flood = Flood()
    tracemalloc.start()
    try:
        await flood.come(gateway, rc, MANY // 5, certain=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(map(counted, flood.errors)) == MANY // 5
    assert peak < 10 * 2**20
