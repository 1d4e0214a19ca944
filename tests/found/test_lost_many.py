"""Failures found where there is much of something: unreadable frames, filters, events that no filter asked for."""

from __future__ import annotations

import json
import logging
import re
import sys
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from types import FrameType, ModuleType
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws import BadFrame, Events, Gap, Notification, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway
from rcex_ws.rest import Extension, Request, Response, Send
from rcex_ws.wsg import filters

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


# -- filters -------------------------------------------------------------------------------------------------------

ACCOUNT = "/restapi/v1.0/account"
EVENTS = 200


def calls(number: int) -> list[str]:
    return [f"{ACCOUNT}/~/extension/~/telephony/sessions?phoneNumber=%2B1650{n:07}" for n in range(number)]


def batches(number: int) -> list[str]:
    return [f"{ACCOUNT}/~/a2p-sms/batches/{n}" for n in range(number)]


class SendBeforeTheAnswer(Extension):
    """Have frames written before the answer to a change of filters: before the client knows whether it is granted."""

    def __init__(self, gateway: Gateway, frames: list[str]) -> None:
        self._gateway = gateway
        self._frames = frames

    async def handle(self, request: Request, call_next: Send) -> Response:
        if request.method == "PUT":
            self._gateway.send_raw(self._frames)
        return await call_next(request)


@contextmanager
def calls_counted(module: ModuleType) -> Iterator[Counter[str]]:
    """Count the calls of a module's functions, and what these call: exact, unlike time."""
    count = Counter[str]()

    def profile(frame: FrameType, event: str, arg: object) -> None:
        if event in ("call", "c_call") and frame.f_code.co_filename == module.__file__:
            count["calls"] += 1

    sys.setprofile(profile)
    try:
        yield count
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("number", [4_097, 10_000])
async def test_l14_many_filters_and_events_that_match_none(gateway: Gateway, rc: RingCentral, number: int) -> None:
    """Each event was compared with each filter, so long that the PUT timed out; from 4,097 on each was read anew."""
    old: list[str] = []
    new: list[str] = []
    all_there = anyio.Event()

    def take(where: list[str], notification: Notification) -> None:
        where.append(notification.uuid)
        if len(old) + len(new) == 2 * EVENTS:
            all_there.set()

    asked_for = [f"{ACCOUNT}/1/extension/2/telephony/sessions?phoneNumber=%2B1650{n:07}" for n in range(EVENTS)]
    for_nobody = [f"{ACCOUNT}/1/extension/{n}/presence" for n in range(EVENTS)]
    frames = [
        json.dumps([{"type": "ServerNotification"}, {"uuid": f"{kind} {n}", "event": event, "body": {}}])
        for kind, events in (("asked for", asked_for), ("for nobody", for_nobody))
        for n, event in enumerate(events)
    ]
    ext = WebSocketExtension()
    await rc.install_extension(ext)
    await rc.install_extension(SendBeforeTheAnswer(gateway, frames))
    await ext.subscribe(calls(number), partial(take, old))
    with calls_counted(filters) as counted:
        subscription = await ext.subscribe(batches(number), partial(take, new))
        with anyio.fail_after(50):
            await all_there.wait()
    assert subscription.info is not None
    assert len(subscription.info.event_filters) == number
    assert ext.subscription is subscription
    assert old == [f"asked for {n}" for n in range(EVENTS)]
    assert new == [f"for nobody {n}" for n in range(EVENTS)]
    assert 0 < counted["calls"] < 100 * (2 * number + 2 * EVENTS)
