"""Noticing what is not said: a machine that slept, a loop that was blocked, answers that come late or never."""

from __future__ import annotations

import logging
import time

import anyio
import pytest

from rcex_ws import Events, RateLimited, RestError

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]
INFO = "/restapi/v1.0/account/~/extension/~"


def _beats(gateway):
    return sum(entry["kind"] == "frame" and entry.get("type") == "Heartbeat" for entry in gateway.log())


async def test_after_a_suspend_a_heartbeat_goes_at_once_and_the_token_is_checked(
    rc, make_ext, gateway, monkeypatch, caplog
):
    caplog.set_level(logging.INFO)
    ext = make_ext(heartbeat_interval=0.1, heartbeat_timeout=2)
    await rc.install_extension(ext)
    token = rc.token.access_token
    real_time = time.time
    # The monotonic clock stands still while a machine sleeps, the wall clock does not.
    monkeypatch.setattr(time, "time", lambda: real_time() + 3600)
    with anyio.fail_after(5):
        while rc.token.access_token == token or "suspended for about" not in caplog.text or not _beats(gateway):
            await anyio.sleep(0.01)
    assert ext.ws is not None


async def test_a_blocking_handler_is_reported_and_costs_no_connection(rc, make_ext, told, send, caplog):
    def blocking(notification):
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass
        told.on_notification(notification)

    ext = make_ext(heartbeat_interval=0.1, heartbeat_timeout=0.2)
    await rc.install_extension(ext)
    link = ext.ws
    await ext.subscribe(STORE, blocking)
    send(1)
    await told.wait("notification")
    with anyio.fail_after(5):
        while "event loop was blocked" not in caplog.text:
            await anyio.sleep(0.01)
    await anyio.sleep(0.3)
    assert ext.ws is link


async def test_late_and_unknown_answers_are_dropped(ext, rc, gateway, told):
    gateway.answer_fault(f"GET {INFO}", delay=0.1)
    with pytest.raises(TimeoutError):
        await rc.get(INFO, timeout=0.03)
    gateway.send_raw('[{"type":"ClientRequest","messageId":"nobody asked","status":200},{}]')
    await anyio.sleep(0.15)
    assert (await rc.get(INFO)).via == "websocket"
    assert told.of("error") == []


async def test_a_429_over_the_socket_closes_the_gate_for_the_whole_group(ext, rc, gateway):
    await rc.get(INFO)
    gateway.refuse(f"GET {INFO}", 429, retry_after=0.3)
    with pytest.raises(RestError) as caught:
        await rc.get(INFO)
    assert caught.value.response.via == "websocket"
    assert caught.value.retry_after == 0.3
    with pytest.raises(RateLimited):
        await rc.get(INFO, timeout=0.1)
    before = time.monotonic()
    ext.rest_over_websocket = False
    assert (await rc.get(INFO)).status_code == 200
    assert time.monotonic() - before > 0.1


async def test_subscription_calls_wait_at_the_gate_too(ext, gateway, told):
    subscription = await ext.subscribe(STORE, told.on_notification)
    gateway.refuse("subscription", 429, retry_after=0.2)
    with pytest.raises(RestError):
        await subscription.refresh()
    before = time.monotonic()
    await subscription.refresh()
    assert time.monotonic() - before > 0.1


async def test_abort_by_the_application_recovers(ext, told, send):
    await ext.subscribe(STORE, told.on_notification)
    ext.ws.abort()
    assert ext.ws is None
    await told.wait(Events.AUTO_RECOVER_SUCCESS)  # what the server sent before it noticed is a possible gap
    assert not told.of("notificationGap")[0].certain
    send(1)
    await told.wait("notification")
