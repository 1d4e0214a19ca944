"""Heartbeats, the schedule and recoveries over hours."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import trio

from rcex_ws import ConnectFailed, Events, Outcome, State

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]


async def test_a_day_of_silence(memory, rc, make_ext, told):
    """Heartbeats keep the session from WSG-902; after 24 h the server ends it (WSG-903), and it is recovered."""
    ext = make_ext()
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    await trio.sleep(23.9 * 3600)
    assert told.of("disconnected") == []
    await trio.sleep(0.5 * 3600)
    assert [loss.code for loss in told.of("disconnected")] == ["WSG-903"]
    assert ext.state is State.READY
    assert ext.last_recovery.outcome is Outcome.RECOVERED
    memory.gateway.notify(STORE[0], {"i": 1})
    await told.wait("notification")
    assert told.of("notificationGap") == []


async def test_heartbeats_every_thirty_seconds_and_no_more(memory, rc, make_ext):
    ext = make_ext()
    await rc.install_extension(ext)
    memory.gateway.clear_log()
    await trio.sleep(3600)
    beats = [entry for entry in memory.gateway.log() if entry["kind"] == "frame" and entry["type"] == "Heartbeat"]
    assert 118 <= len(beats) <= 120


async def test_the_default_schedule(memory, rc, make_ext, told, monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    ext = make_ext()
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    memory.gateway.refuse("upgrade", 503, times=None)
    attempts = []
    ext.on(Events.AUTO_RECOVER_ERROR, lambda error: attempts.append(trio.current_time() - lost_at))
    lost_at = trio.current_time()
    memory.gateway.cut()
    await trio.sleep(600)
    waits = [round(late - early) for early, late in zip([0.0, *attempts], attempts, strict=False)]
    assert waits == [1, 6, 20, 40, 62, 25, 15, 120, 120, 120]  # three are shortened, within the recovery window
    memory.gateway.clear_faults()
    await told.wait(Events.AUTO_RECOVER_FAILED, within=200)
    assert ext.last_recovery.outcome is Outcome.WINDOW_EXCEEDED
    assert ext.last_recovery.outage > 180


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("refusal", [503, "hang"])
@pytest.mark.parametrize("seconds", [120, 145])
async def test_the_session_is_recovered_until_shortly_before_its_end(
    memory, rc, make_ext, told, monkeypatch, seconds, refusal, share
):
    """An attempt is made while it still can be, whatever the dice say: before, the fifth wait stepped over the end."""
    monkeypatch.setattr(random, "uniform", lambda low, high: low + share * (high - low))
    await outage_of(seconds, refusal, memory, rc, make_ext(), told)
    assert not any(gap.certain for gap in told.of("notificationGap"))


async def test_waits_of_the_application_do_not_step_over_the_end_either(memory, rc, make_ext, told):
    await outage_of(150, 503, memory, rc, make_ext(reconnect_delays=lambda n: 100.0), told)


async def outage_of(seconds, refusal, memory, rc, ext, told):
    """Lose a connection that is 60 s old, let all attempts fail for so long, and wait for the recovery."""
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    await trio.sleep(60)
    memory.gateway.refuse("upgrade", refusal, times=None)
    memory.gateway.cut(1001)
    await trio.sleep(seconds)
    memory.gateway.clear_faults()
    await told.wait(Events.CONNECTION_READY, 2, within=200)
    assert ext.last_recovery.outcome is Outcome.RECOVERED


async def test_retry_after_is_longer_than_what_is_left_of_the_window(memory, rc, make_ext, told):
    ext = make_ext()
    await rc.install_extension(ext)
    memory.gateway.refuse("upgrade", 429, retry_after=100, times=None)
    attempts = []
    ext.on(Events.AUTO_RECOVER_ERROR, lambda error: attempts.append(trio.current_time()))
    memory.gateway.cut()
    await trio.sleep(250)
    assert [late - early for early, late in pairwise(attempts)] == [pytest.approx(100, abs=0.5)] * 2


async def test_a_stable_connection_is_reopened_at_once_and_a_young_one_is_not(memory, rc, make_ext, told):
    ext = make_ext()
    await rc.install_extension(ext)
    await trio.sleep(31)
    before = trio.current_time()
    memory.gateway.cut()
    await told.wait(Events.CONNECTION_READY, 2)
    assert trio.current_time() == before
    memory.gateway.cut()
    await told.wait(Events.CONNECTION_READY, 3)
    assert trio.current_time() - before == pytest.approx(1.0)


async def test_retry_after_is_a_lower_bound(memory, rc, make_ext, told):
    ext = make_ext()
    await rc.install_extension(ext)
    memory.gateway.refuse("upgrade", 429, retry_after=77)
    before = trio.current_time()
    memory.gateway.cut()
    await told.wait(Events.CONNECTION_READY, 2, within=200)
    assert trio.current_time() - before == pytest.approx(78, abs=0.5)


async def test_an_unreachable_server_fails_install_after_thirty_seconds(memory, rc, make_ext):
    memory.gateway.refuse("upgrade", "hang", times=None)
    before = trio.current_time()
    with pytest.raises(ConnectFailed, match="30 s"):
        await rc.install_extension(make_ext())
    assert trio.current_time() - before == pytest.approx(30, abs=6)


async def test_the_token_is_renewed_while_an_extension_is_installed(memory, rc, make_ext):
    ext = make_ext()
    await rc.install_extension(ext)
    first = rc.token
    await trio.sleep(2 * 3600)
    assert rc.token.access_token != first.access_token
    assert ext.state is State.READY
