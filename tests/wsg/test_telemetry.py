"""What an operator asks an extension: whether it has ended (O2), how long it has been so, what it has done (O3)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest

from rcex_ws import ConfigurationError, Events, NotConnected, RcexError, RestError, State, Stats, WebSocketExtension
from tests.wsg.conftest import STORE

INFO = "/restapi/v1.0/account/~/extension/~"


class Waiting:
    """A task that waits for the end of an extension."""

    def __init__(self, ext: Any, group: anyio.abc.TaskGroup) -> None:
        self.ended = anyio.Event()
        self.error: RcexError | None = None
        group.start_soon(self._wait, ext)

    async def _wait(self, ext: Any) -> None:
        try:
            await ext.wait_closed()
        except RcexError as exc:
            self.error = exc
        self.ended.set()


async def test_o2_it_returns_when_closed_however_often_the_connection_was_lost(rc, ext, told):
    async with anyio.create_task_group() as group:
        waiting = Waiting(ext, group)
        ext.ws.abort()
        await told.wait(Events.CONNECTION_READY, 2)
        assert not waiting.ended.is_set()
        await ext.detach()
        with anyio.fail_after(5):
            await waiting.ended.wait()
    assert waiting.error is None
    await ext.wait_closed()  # at once


async def test_o2_it_waits_until_all_is_delivered(rc, ext, told, send):
    begun, go_on, order = anyio.Event(), anyio.Event(), list[str]()

    async def slow(notification: object) -> None:
        begun.set()
        await go_on.wait()
        order.append("delivered")

    async def wait() -> None:
        await ext.wait_closed()
        order.append("closed")

    await ext.subscribe([STORE], slow)
    send(1)
    await begun.wait()
    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        group.start_soon(ext.detach)
        await anyio.wait_all_tasks_blocked()
        assert ext.state is State.CLOSED
        go_on.set()
    assert order == ["delivered", "closed"]


async def test_o2_it_raises_when_trying_again_cannot_help(rc, ext, gateway):
    async with anyio.create_task_group() as group:
        waiting = Waiting(ext, group)
        gateway.refuse("wstoken", 403, times=None)
        gateway.cut()
        with anyio.fail_after(5):
            await waiting.ended.wait()
    assert ext.state is State.FAILED
    assert isinstance(waiting.error, RestError)
    assert waiting.error.status_code == 403


async def test_o2_it_raises_though_a_handler_closes_what_has_failed(rc, ext, gateway):
    ext.on(Events.ERROR, lambda error: ext.aclose())
    gateway.refuse("wstoken", 403, times=None)
    gateway.cut()
    with anyio.fail_after(5), pytest.raises(RestError):
        await ext.wait_closed()
    with anyio.fail_after(5):
        while ext.state is not State.CLOSED:
            await anyio.sleep(0.01)
    with pytest.raises(RestError):  # what came after it does not hide it
        await ext.wait_closed()


async def test_o2_a_new_life_is_waited_for_too(rc, ext, gateway):
    async with anyio.create_task_group() as group:
        waiting = Waiting(ext, group)
        await anyio.wait_all_tasks_blocked()
        await ext.connect()
        await anyio.wait_all_tasks_blocked()
        assert not waiting.ended.is_set()
        await ext.revoke()
        with anyio.fail_after(5):
            await waiting.ended.wait()
    assert waiting.error is None


async def test_o2_waiting_can_be_cancelled_and_needs_an_installed_extension(rc, ext):
    with anyio.move_on_after(0.01) as scope:
        await ext.wait_closed()
    assert scope.cancelled_caught
    with pytest.raises(NotConnected, match="install_extension"):
        await WebSocketExtension().wait_closed()


async def test_o3_since_when_and_until_when(rc, make_ext, told, gateway):
    before = datetime.now(UTC)
    ext = make_ext(reconnect_delays=lambda n: 60)
    made = ext.state_since
    assert before <= made <= datetime.now(UTC)
    assert ext.next_attempt_at is None
    await rc.install_extension(ext)
    ready = ext.state_since
    assert made < ready
    await ext.subscribe([STORE], print)
    assert ext.state_since == ready  # nothing has changed
    gateway.cut()
    await told.wait(Events.DISCONNECTED)
    with anyio.fail_after(5):
        while ext.next_attempt_at is None:
            await anyio.sleep(0.01)
    assert ext.state is State.WAITING
    assert ready <= ext.state_since <= datetime.now(UTC)
    assert timedelta(seconds=50) < ext.next_attempt_at - datetime.now(UTC) <= timedelta(seconds=60)
    await ext.recover()
    assert ext.next_attempt_at is None
    assert ext.state is State.READY


async def test_o3_an_absurd_wait_has_a_moment_too(rc, make_ext, gateway):
    ext = make_ext(reconnect_delays=lambda n: 1e9, start_in_background=True)  # without a session that can be recovered
    gateway.refuse("upgrade", 503)
    await rc.install_extension(ext)
    with anyio.fail_after(5):
        while ext.next_attempt_at is None:
            await anyio.sleep(0.01)
    assert ext.next_attempt_at > datetime.now(UTC) + timedelta(seconds=0.99e9)


def adds_up(stats: Stats) -> bool:
    """Whether all that has come is somewhere."""
    return stats.received == stats.delivered + stats.pending + stats.duplicates + stats.dropped


async def test_o3_a_whole_life_in_figures(rc, make_ext, told, gateway, send):
    ext = make_ext(name="alice", rest_over_websocket=True, heartbeat_interval=0.5)
    empty = ext.stats
    assert (empty.attempts, empty.received, empty.last_inbound_at, empty.state) == (0, 0, None, State.IDLE)
    await rc.install_extension(ext)
    https = ext.stats.calls["https"]
    assert https == 1  # the wstoken
    await rc.get(INFO)
    await ext.subscribe([STORE], told.on_notification)
    await rc.get("/restapi/v1.0/subscription")  # by HTTPS
    assert ext.stats.calls == {"websocket": 2, "https": https + 1}
    send(1, 2)
    await told.number(2)
    gateway.cut(code=1001)
    send(3)
    await told.number(3)
    gateway.refuse("upgrade", 503)
    gateway.fail_recovery("WSG-1003")
    gateway.cut()
    await told.wait(Events.AUTO_RECOVER_FAILED)
    send(4)
    await told.number(4)
    with anyio.fail_after(5):
        while ext.stats.heartbeat_round_trip is None:
            await anyio.sleep(0.01)
    stats = ext.stats
    assert (stats.attempts, stats.connections) == (4, 3)
    assert stats.recoveries == {"recovered": 1, "refused": 1, "windowExceeded": 0, "unreadable": 0}
    assert (stats.received, stats.delivered, stats.pending) == (4, 4, 0)
    assert (stats.duplicates, stats.dropped) == (0, 0)
    assert stats.gaps == {"certain": 1, "possible": 0}
    assert 0 < stats.heartbeat_round_trip < 5
    assert stats.last_inbound_at <= datetime.now(UTC)
    assert adds_up(stats)
    plain = msgspec.to_builtins(stats)
    assert json.loads(json.dumps(plain)) == plain  # JSON-ready, times as ISO 8601
    assert (plain["name"], plain["state"], plain["recoveries"]["recovered"]) == ("alice", "ready", 1)
    with pytest.raises(AttributeError):
        stats.received = 5
    elsewhere = await anyio.to_thread.run_sync(lambda: ext.stats)  # any thread may ask
    assert elsewhere.last_inbound_at >= stats.last_inbound_at
    await ext.connect()  # a new life goes on counting
    await ext.subscribe([STORE], told.on_notification)
    send(5)
    await told.number(5)
    assert (ext.stats.connections, ext.stats.received, ext.stats.delivered) == (4, 5, 5)
    last = ext.stats.last_inbound_at
    await ext.detach()
    assert ext.stats.last_inbound_at >= last
    assert ext.stats.state is State.CLOSED


async def test_o3_what_was_not_delivered_is_counted_where_it_went(rc, make_ext, told, gateway, send):
    ext = make_ext(max_pending=3, close_timeout=1)
    await rc.install_extension(ext)
    subscription = await ext.subscribe([STORE])
    send(*range(8))
    with anyio.fail_after(5):
        while ext.stats.received < 8:
            await anyio.sleep(0.01)
    stats = ext.stats
    assert (stats.pending, stats.dropped, stats.delivered, subscription.dropped) == (3, 5, 0, 5)
    async for _ in subscription:
        break
    (uuid,) = gateway.notify(STORE, {"i": 8})
    frame = {"type": "ServerNotification", "messageId": "again", "status": 200}
    body = {"uuid": uuid, "event": STORE, "subscriptionId": subscription.info.id, "body": {"i": 8}}
    gateway.send_raw(json.dumps([frame, body]))
    with anyio.fail_after(5):
        while not ext.stats.duplicates:
            await anyio.sleep(0.01)
    assert (ext.stats.received, ext.stats.duplicates, ext.stats.delivered, ext.stats.pending) == (10, 1, 1, 3)
    successor = await ext.subscribe([STORE], told.on_notification)  # what waits goes on to nobody: the first has ended
    assert adds_up(ext.stats)
    await successor.revoke()
    gateway.send_raw(json.dumps([frame, body | {"uuid": "unwanted"}]))
    with anyio.fail_after(5):
        while ext.stats.received < 11:
            await anyio.sleep(0.01)
    assert ext.stats.dropped == 6
    await ext.connect()  # what the first consumer never took is gone now
    stats = ext.stats
    assert (stats.pending, stats.dropped) == (0, 9)
    assert (stats.received, stats.delivered) == (11, 1)
    assert adds_up(stats)


@pytest.mark.parametrize("name", ["", 5, b"alice", "a\nb"])
def test_o3_a_name_is_a_text(name):
    with pytest.raises(ConfigurationError, match="name: "):
        WebSocketExtension(name=name)
    assert WebSocketExtension().name.startswith("extension ")
