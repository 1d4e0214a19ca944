"""Losing the connection: what is recovered, what the application is told, and in which order."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from rcex_ws import Events, LossKind, NotConnected, Outcome, RestError, State, SubscriptionState
from rcex_ws.wsg.completeness import MARGIN

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]
PRESENCE = ["/restapi/v1.0/account/~/extension/~/presence"]


async def test_a_recovered_session_gets_everything_once_and_in_order(ext, told, send, gateway):
    await ext.subscribe(STORE, told.on_notification)
    send(1)
    await told.wait("notification")  # a reset discards what has not been read: rule 1
    gateway.cut()
    send(*range(2, 22))
    await told.wait("notification", 21)
    send(22)
    await told.wait("notification", 22)
    assert told.numbers == list(range(1, 23))
    assert ext.last_recovery.outcome is Outcome.RECOVERED
    assert ext.last_recovery.replayed == 20
    assert ext.last_recovery.attempts == 1
    assert ext.last_recovery.outage >= 0.02


async def test_the_order_of_events_after_a_recovery(ext, told, send, gateway):
    await ext.subscribe(STORE, told.on_notification)
    await told.wait(Events.CONNECTION_READY)
    told.items.clear()
    gateway.cut()
    send(1)
    await told.wait("notification")
    assert told.names == [
        "disconnected",
        "newWebSocketObject",
        "newWsc",
        "notificationGap",
        "autoRecoverSuccess",
        "connectionReady",
        "notification",
    ]


async def test_a_reset_is_a_possible_gap_and_an_announced_close_is_none(ext, told, send, gateway):
    await ext.subscribe(STORE, told.on_notification)
    before = ext.ws.last_inbound_at
    gateway.cut()
    gap = await told.wait(Events.NOTIFICATION_GAP)
    assert not gap.certain
    assert before - timedelta(seconds=MARGIN + 1) <= gap.since <= before <= gap.until
    await told.wait(Events.AUTO_RECOVER_SUCCESS)
    await ext.request("GET", "/restapi/v1.0/account/~/extension/~")  # its answer shows that the replay is over
    gateway.cut(code=1001)
    await told.wait(Events.AUTO_RECOVER_SUCCESS, 2)
    assert len(told.of("notificationGap")) == 1


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
async def test_any_close_code_recovers(ext, told, send, gateway, code):
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut(code=code, reason="bye")
    send(1)
    await told.wait("notification")
    loss = told.of("disconnected")[0]
    assert (loss.kind, loss.code, loss.text) == (LossKind.CLOSED, code, "bye")


@pytest.mark.parametrize("code", ["WSG-902", "WSG-903"])
async def test_an_error_frame_recovers(ext, told, send, gateway, code):
    await ext.subscribe(STORE, told.on_notification)
    gateway.error(code)
    send(1)
    await told.wait("notification")
    loss = told.of("disconnected")[0]
    assert (loss.kind, loss.code) == (LossKind.REFUSED, code)
    assert told.of("notificationGap") == []


async def test_a_half_open_connection_is_noticed(rc, make_ext, told, send, gateway):
    ext = make_ext(heartbeat_interval=0.1, heartbeat_timeout=0.1)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.freeze()
    loss = await told.wait(Events.DISCONNECTED)
    assert loss.kind is LossKind.SILENT
    await told.wait(Events.AUTO_RECOVER_SUCCESS)
    send(1)
    await told.wait("notification")


async def test_heartbeats_keep_a_quiet_connection(rc, make_ext, told, gateway):
    ext = make_ext(heartbeat_interval=0.05, heartbeat_timeout=1)
    await rc.install_extension(ext)
    link = ext.ws
    with anyio.fail_after(5):
        while sum(entry["kind"] == "frame" and "Heartbeat" in str(entry) for entry in gateway.log()) < 5:
            await anyio.sleep(0.01)
    assert ext.ws is link


async def test_recovery_state_failed_subscribes_anew_and_says_for_which_period(ext, told, send, gateway, requests):
    subscription = await ext.subscribe(STORE, told.on_notification)
    old = subscription.info.id
    await told.wait(Events.CONNECTION_READY)
    told.items.clear()
    gateway.fail_recovery("WSG-1003")
    gateway.cut()
    await told.wait(Events.CONNECTION_READY)
    assert told.names == [
        "disconnected",
        "newWebSocketObject",
        "newWsc",
        "notificationGap",
        "autoRecoverFailed",
        "connectionReady",
    ]
    gap = told.of("notificationGap")[0]
    assert gap.certain
    assert gap.since <= gap.until
    assert "WSG-1003" in gap.reason
    assert ext.last_recovery.outcome is Outcome.REFUSED
    assert ext.last_recovery.error_code == "WSG-1003"
    assert subscription.state is SubscriptionState.ACTIVE
    assert subscription.info.id != old
    send(1)
    await told.wait("notification")
    with anyio.fail_after(5):
        while not any(entry["method"] == "DELETE" and old in entry["path"] for entry in requests("/subscription")):
            await anyio.sleep(0.005)


async def test_the_event_autoRecoverFailed_comes_once_the_new_subscription_is_active(ext, told, gateway):  # noqa: N802
    await ext.subscribe(STORE, told.on_notification)
    states = []
    ext.on(Events.AUTO_RECOVER_FAILED, lambda ws: states.append((ext.subscription.state, gateway.log()[-1]["kind"])))
    ids = {ext.subscription.info.id}
    ext.on(Events.AUTO_RECOVER_FAILED, lambda ws: ids.add(ext.subscription.info.id))
    gateway.fail_recovery()
    gateway.cut()
    await told.wait(Events.CONNECTION_READY, 2)
    assert states[0][0] is SubscriptionState.ACTIVE
    assert len(ids) == 2


async def test_a_window_exceeded_connects_without_wsc(rc, make_ext, told, send, gateway):
    ext = make_ext(reconnect_delays=lambda n: 0.3)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    await told.wait(Events.AUTO_RECOVER_FAILED)
    assert ext.last_recovery.outcome is Outcome.WINDOW_EXCEEDED
    assert not any("recover" in entry["kind"] for entry in gateway.log())
    assert told.of("notificationGap")[0].certain
    send(1)
    await told.wait("notification")


@pytest.fixture
def gateway_options(request):
    if "window_exceeded" in request.node.name:
        return {"recovery_timeout": 0.2}
    if "buffer" in request.node.name:
        return {"recovery_buffer_size": 5}
    if "every_frame" in request.node.name:
        return {"wsc_every_n": 1}
    return {}


async def test_a_malformed_token_is_dropped_and_never_tried_again(ext, told, send, gateway):
    await ext.subscribe(STORE, told.on_notification)
    gateway.fail_recovery("WSG-400", times=None)
    gateway.cut()
    await told.wait(Events.AUTO_RECOVER_FAILED)
    assert ext.last_recovery.outcome is Outcome.UNREADABLE
    assert ext.last_recovery.attempts == 2
    assert len(told.of("autoRecoverError")) == 1
    assert told.of("notificationGap")[0].certain
    send(1)
    await told.wait("notification")


async def test_a_full_recovery_buffer_is_a_possible_gap(ext, told, send, gateway):
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut(code=1001)
    send(*range(8))
    await told.wait("notification", 5)
    assert told.numbers == [3, 4, 5, 6, 7]
    gap = await told.wait(Events.NOTIFICATION_GAP)
    assert not gap.certain
    assert "buffer" in gap.reason
    assert ext.last_recovery.replayed == 5


async def test_wsc_is_kept_from_every_frame_that_bears_one(ext, told, send):
    await ext.subscribe(STORE, told.on_notification)
    send(1, 2, 3)
    await told.wait("notification", 3)
    assert ext.wsc.sequence > 3
    await told.until(lambda: told.of("newWsc")[-1] == ext.wsc)
    sequences = [wsc.sequence for wsc in told.of("newWsc")]
    assert sequences == sorted(sequences)


async def test_failed_attempts_emit_autoRecoverError_and_recovery_goes_on(ext, told, send, gateway):  # noqa: N802
    await ext.subscribe(STORE, told.on_notification)
    gateway.refuse("wstoken", 503)
    gateway.refuse("wstoken", 429, retry_after=0.05)
    gateway.refuse("upgrade", 503)
    gateway.refuse("upgrade", "rst")
    gateway.cut()
    send(1, 2)
    await told.wait("notification", 2)
    assert len(told.of("autoRecoverError")) == 4
    assert told.numbers == [1, 2]
    assert ext.last_recovery.outcome is Outcome.RECOVERED


async def test_a_refused_login_is_fatal_and_emits_only_error(ext, told, gateway):
    subscription = await ext.subscribe(STORE)
    gateway.refuse("wstoken", 403, times=None)
    gateway.cut()
    error = await told.wait(Events.ERROR)
    assert isinstance(error, RestError)
    assert ext.state is State.FAILED
    assert told.of("autoRecoverError") == []
    assert subscription.state is SubscriptionState.FAILED
    with pytest.raises(RestError):
        async for _ in subscription:
            pass


async def test_a_failed_resubscribe_is_retried_like_a_failed_connect(ext, told, send, gateway):
    await ext.subscribe(STORE, told.on_notification)
    gateway.fail_recovery()
    gateway.refuse("POST /restapi/v1.0/subscription", 503)
    gateway.cut()
    await told.wait(Events.AUTO_RECOVER_FAILED)
    assert len(told.of("autoRecoverError")) == 1
    assert len(told.of("notificationGap")) == 1
    assert ext.last_recovery.outcome is Outcome.REFUSED
    send(1)
    await told.wait("notification")


async def test_a_fatal_refusal_of_the_resubscribe_fails_the_subscription_and_the_socket_stays(ext, rc, told, gateway):
    subscription = await ext.subscribe(STORE)
    gateway.fail_recovery()
    gateway.refuse("POST /restapi/v1.0/subscription", 403, error_code="SUB-528")
    gateway.cut()
    error = await told.wait(Events.ERROR)
    assert error.error_code == "SUB-528"
    await told.wait(Events.CONNECTION_READY, 2)
    assert subscription.state is SubscriptionState.FAILED
    with pytest.raises(RestError):
        async for _ in subscription:
            pass
    assert (await rc.get("/restapi/v1.0/account/~/extension/~")).via == "websocket"


async def test_by_hand_when_auto_recover_is_off(rc, make_ext, told, send, gateway):
    ext = make_ext(auto_recover=False)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    assert await ext.recover() is None
    gateway.cut()
    send(1)
    await told.wait(Events.DISCONNECTED)
    with pytest.raises(NotConnected):
        await ext.subscribe(PRESENCE, told.on_notification)
    assert ext.state is State.WAITING
    gateway.refuse("upgrade", 503)
    with pytest.raises(Exception, match="503"):
        await ext.recover()
    recovery = await ext.recover()
    assert recovery.outcome is Outcome.RECOVERED
    assert await ext.recover() is None  # connected: no outage of now
    assert ext.last_recovery is recovery
    await told.wait("notification")
    assert told.names.index("autoRecoverSuccess") < told.names.index("notification")


async def test_recover_cuts_a_wait_short(rc, make_ext, told, gateway):
    ext = make_ext(reconnect_delays=lambda n: 1000)
    await rc.install_extension(ext)
    gateway.cut()
    await told.wait(Events.DISCONNECTED)
    with anyio.fail_after(5):
        await ext.recover()
    assert ext.state is State.READY


async def test_recover_inside_a_handler(rc, make_ext, told, send, gateway):
    ext = make_ext(auto_recover=False)

    @ext.on("disconnected")
    async def bring_back(loss):
        await ext.recover()

    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    send(1)
    await told.wait("notification")


async def test_the_gap_hook_runs_before_new_events_are_delivered(rc, make_ext, told, send, gateway):
    async def on_gap(gap):
        info = await rc.get("/restapi/v1.0/account/~/extension/~")
        told.add("hook", info.via)

    ext = make_ext(on_gap=on_gap, rest_over_websocket=True)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    send(1)
    await told.wait("notification")
    names = told.names
    assert names.index("notificationGap") < names.index("hook") < names.index("autoRecoverSuccess")
    assert names.index("hook") < names.index("notification")


async def test_the_gap_hook_may_be_sync(rc, make_ext, told, send, gateway):
    ext = make_ext(on_gap=lambda gap: told.add("hook", gap))
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    send(1)
    await told.wait("notification")
    assert len(told.of("hook")) == 1
    assert told.of("error") == []


async def test_a_hung_gap_hook_is_cancelled(rc, make_ext, told, send, gateway):
    async def on_gap(gap):
        await anyio.sleep_forever()

    ext = make_ext(on_gap=on_gap, gap_timeout=0.1)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, told.on_notification)
    gateway.cut()
    send(1)
    await told.wait("notification")
    assert isinstance(told.of("error")[0], TimeoutError)


async def test_no_gap_if_nothing_was_subscribed(ext, told, gateway):
    gateway.cut()
    await told.wait(Events.CONNECTION_READY, 2)
    assert told.of("notificationGap") == []
    assert told.of("autoRecoverFailed")


async def test_a_slow_consumer_loses_the_oldest_and_hears_of_it_once(rc, make_ext, told, send):
    gate = anyio.Event()

    async def slow(notification):
        told.add("taken")
        await gate.wait()
        told.on_notification(notification)

    ext = make_ext(max_pending=10)
    await rc.install_extension(ext)
    subscription = await ext.subscribe(STORE, slow)
    send(0)
    await told.wait("taken")
    send(*range(1, 31))
    with anyio.fail_after(5):
        while subscription.pending + subscription.dropped < 30:
            await anyio.sleep(0.005)
    gate.set()
    await told.wait("notification", 11)
    gap = await told.wait(Events.NOTIFICATION_GAP)
    assert told.numbers == [0, *range(21, 31)]
    assert subscription.dropped == 20
    assert gap.certain
    assert "20" in gap.reason
    assert len(told.of("notificationGap")) == 1
