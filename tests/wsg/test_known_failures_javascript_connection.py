"""The failures J1 to J31 of @rc-ex/ws, row by row: what concerns opening, losing, recovering and closing.

Each test has the traffic of its row. "Stuck for ever" becomes: what was sent during the outage was delivered. The rows
about notifications and REST calls stand in ..._delivery.py.
"""

from __future__ import annotations

import socket

import anyio
import pytest

from rcex_ws import (
    ConnectFailed,
    Events,
    LossKind,
    NotConnected,
    Outcome,
    RequestLost,
    RequestTimeout,
    RingCentral,
    State,
)
from rcex_ws.gateway import Gateway
from rcex_ws.testing import FaultProxy

STORE = "/restapi/v1.0/account/~/extension/~/message-store"
INFO = "/restapi/v1.0/account/~/extension/~"
SUBSCRIPTION = "/restapi/v1.0/subscription"
WSTOKEN = "/restapi/oauth/wstoken"


@pytest.fixture
def gateway_options(request):
    row = request.node.name[:8]
    return {"test_j27": {"single_use_wstoken": True}, "test_j29": {"recovery_timeout": 0.2}}.get(row, {})


@pytest.fixture
def gateway(proxied_gateway):
    """A gateway whose WebSocket is reached through `proxy`."""
    return proxied_gateway[0]


@pytest.fixture
def proxy(proxied_gateway):
    return proxied_gateway[1]


@pytest.fixture
def logged(gateway):
    """Count the entries of a kind in the gateway's record, by what they say."""

    def logged(kind, **facts):
        return sum(entry["kind"] == kind and facts.items() <= entry.items() for entry in gateway.log())

    return logged


# -- opening -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["connection refused", "401"])
async def test_j04_a_refused_reconnect_is_an_event_and_the_next_one_follows(ext, told, send, gateway, proxy, failure):
    """The socket had no `error` listener, so both killed the process; ours emits autoRecoverError and goes on."""
    await ext.subscribe([STORE], told.on_notification)
    if failure == "401":
        gateway.refuse("upgrade", 401, times=2)
    else:
        proxy.refuse()
    gateway.cut(code=1001)
    send(1)
    await told.wait(Events.AUTO_RECOVER_ERROR, 2)
    proxy.accept()
    await told.wait("notification")
    assert all(isinstance(error, ConnectFailed) for error in told.of(Events.AUTO_RECOVER_ERROR))
    assert ext.last_recovery.outcome is Outcome.RECOVERED
    assert told.of("error") == []


async def test_j04_a_name_that_is_not_resolved_is_an_event_too(make_ext, told, monkeypatch):
    """A failure of DNS took the same path as a refusal, and killed the process; ours tells it and goes on."""
    resolve, down = socket.getaddrinfo, []

    def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
        if host in ("gateway.test", b"gateway.test"):
            if down or flags & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return resolve(host, port, family, type, proto, flags)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with FaultProxy("127.0.0.1", 0) as proxy, Gateway(public_ws_uri=f"ws://gateway.test:{proxy.port}/ws") as gateway:
        proxy.retarget(gateway.ws_uri)
        async with RingCentral(
            server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
        ) as rc:
            await rc.authorize(jwt=gateway.jwt)
            ext = make_ext()
            await rc.install_extension(ext)
            await ext.subscribe([STORE], told.on_notification)
            down.append(True)
            gateway.cut(code=1001)
            gateway.notify(STORE, {"i": 1})
            error = await told.wait(Events.AUTO_RECOVER_ERROR, 2)
            down.clear()
            await told.wait("notification")
            assert isinstance(error, ConnectFailed)
            assert ext.last_recovery.outcome is Outcome.RECOVERED


async def test_j12_an_upgrade_that_is_never_answered_ends_with_its_attempt(rc, make_ext, told, send, gateway, logged):
    """Without a handshake time-out it was CONNECTING for ever; ours gives the attempt up and makes the next."""
    ext = make_ext(attempt_timeout=0.2)
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    gateway.refuse("upgrade", "hang")
    gateway.cut(code=1001)
    send(1)
    await told.wait("notification")
    assert logged("upgrade_refused", status="hang") == 1
    assert isinstance(await told.wait(Events.AUTO_RECOVER_ERROR), ConnectFailed)
    assert (ext.last_recovery.outcome, ext.last_recovery.attempts) == (Outcome.RECOVERED, 2)


async def test_j13_a_connection_without_connection_details_ends_with_its_attempt(
    rc, make_ext, told, send, gateway, logged
):
    """Upgraded but never greeted it was OPEN for ever, without a subscription; ours counts that to the attempt."""
    ext = make_ext(attempt_timeout=0.2)
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    gateway.refuse("details", "hang")
    gateway.cut(code=1001)
    send(1)
    await told.wait("notification")
    assert logged("details_refused", status="hang") == 1
    assert isinstance(await told.wait(Events.AUTO_RECOVER_ERROR), ConnectFailed)
    assert (ext.last_recovery.outcome, ext.last_recovery.attempts) == (Outcome.RECOVERED, 2)


async def test_j18_auto_recover_false_means_what_it_says(rc, make_ext, told, send, gateway, logged):
    """The documented `autoRecover: false` raised a TypeError; ours stays lost until the application calls recover()."""
    ext = make_ext(auto_recover=False)
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    gateway.cut(code=1001)
    await told.wait(Events.DISCONNECTED)
    send(1)
    with pytest.raises(NotConnected):
        await ext.request("GET", INFO)
    assert ext.state is State.WAITING
    assert logged("connect") == 1
    assert (await ext.recover()).outcome is Outcome.RECOVERED
    await told.wait("notification")


async def test_j18_a_heartbeat_option_alone_leaves_recovery_on(rc, make_ext, told, send, gateway):
    """`{pingServerInterval}` alone silently switched recovery off; our options do not touch each other."""
    ext = make_ext(heartbeat_interval=1)
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    gateway.cut(code=1001)
    send(1)
    await told.wait("notification")
    assert ext.last_recovery.outcome is Outcome.RECOVERED


async def test_j19_an_install_that_did_not_connect_raises(rc, make_ext, told, send, gateway, proxy):
    """It resolved, and subscribe() then failed on the socket that was not there; ours says what is wrong, twice."""
    proxy.refuse()
    ext = make_ext(open_timeout=0.2)
    with pytest.raises(ConnectFailed, match="trying again can help"):
        await rc.install_extension(ext)
    with pytest.raises(NotConnected):
        await ext.subscribe([STORE], told.on_notification)
    proxy.accept()
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    send(1)
    await told.wait("notification")


async def test_j27_every_connection_has_a_token_of_its_own(ext, told, send, gateway, logged):
    """Four connections were opened with one single-use token; ours gets a new one for each upgrade."""
    await ext.subscribe([STORE], told.on_notification)
    for number in range(3):
        gateway.cut(code=1001)
        send(number)
        await told.wait("notification", number + 1)
        await told.wait(Events.CONNECTION_READY, number + 2)
    assert told.numbers == [0, 1, 2]
    assert logged("connect") == logged("request", path=WSTOKEN, status=200) == 4
    assert logged("upgrade_refused") == 0


# -- losing ------------------------------------------------------------------------------------------------------------


async def test_j11_a_half_open_connection_is_noticed(rc, make_ext, told, send, gateway, proxy, logged):
    """It sent one last heartbeat and waited for its answer for ever; ours takes the silence for a loss."""
    ext = make_ext(heartbeat_interval=0.05, heartbeat_timeout=0.2, attempt_timeout=2)
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    with anyio.fail_after(5):
        while logged("frame", type="Heartbeat") < 5:
            await anyio.sleep(0.01)
    proxy.freeze()  # nothing comes and nothing goes, and nobody closes
    send(1)
    loss = await told.wait(Events.DISCONNECTED)
    proxy.thaw()
    assert loss.kind is LossKind.SILENT
    gap = await told.wait(Events.NOTIFICATION_GAP)  # what the server wrote meanwhile is gone, and we say so
    assert gap.since < loss.at
    await told.wait(Events.AUTO_RECOVER_SUCCESS)
    send(2)
    await told.until(lambda: 2 in told.numbers)


@pytest.mark.parametrize("code", ["WSG-902", "WSG-903"])
async def test_j24_an_error_frame_is_told_once_with_its_code(ext, told, send, gateway, code):
    """Error frames, and the close after them, were invisible to the application; ours is one `disconnected`."""
    await ext.subscribe([STORE], told.on_notification)
    gateway.error(code, "the reason of the server")
    send(1)
    await told.wait("notification")
    (loss,) = told.of(Events.DISCONNECTED)
    assert (loss.kind, loss.code, loss.text) == (LossKind.REFUSED, code, "the reason of the server")
    assert told.of(Events.NOTIFICATION_GAP) == []


@pytest.mark.parametrize("how", ["close", "reset", "end of stream"])
async def test_j25_a_loss_and_its_requests_are_told_at_once(rc, make_ext, told, gateway, proxy, requests, ms, how):
    """A poll found the loss 0.4 to 1.3 s late, and another failed the requests up to 1 s later; ours polls nothing."""
    ext = make_ext(rest_over_websocket=True, reconnect_delays=lambda n: 1000)
    await rc.install_extension(ext)
    gateway.answer_fault(f"POST {INFO}/company-pager", drop=True)
    pager = {"from": {"extensionNumber": "101"}, "to": [{"extensionNumber": "101"}], "text": "hi"}

    async def call():
        with pytest.raises(RequestLost) as caught:
            await rc.post(f"{INFO}/company-pager", json=pager, timeout=5)
        told.add("lost", (caught.value.sent, anyio.current_time()))

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        with anyio.fail_after(5):
            while not requests("company-pager"):
                await anyio.sleep(0.005)
        before = anyio.current_time()
        if how == "close":
            gateway.cut(code=1001)
        elif how == "reset":
            proxy.reset()
        else:
            proxy.cut()
        await told.wait(Events.DISCONNECTED)
        assert anyio.current_time() - before < 400 * ms
    ((sent, at),) = told.of("lost")
    assert sent
    assert at - before < 400 * ms


# -- recovering --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [503, 429, 401])
async def test_j09_an_error_of_wstoken_does_not_end_recovery(ext, told, send, gateway, logged, status):
    """One such answer ended recovery for good, or the process; ours tries again (401: with a new access token)."""
    await ext.subscribe([STORE], told.on_notification)
    gateway.refuse("wstoken", status, retry_after=0.05)
    gateway.cut(code=1001)
    send(1)
    await told.wait("notification")
    assert logged("request", path=WSTOKEN, status=status) == 1
    assert [error.status_code for error in told.of(Events.AUTO_RECOVER_ERROR)] == ([] if status == 401 else [status])
    assert ext.last_recovery.outcome is Outcome.RECOVERED
    gateway.cut(code=1001)  # recovery is armed again
    send(2)
    await told.wait("notification", 2)


async def test_j10_a_429_of_the_resubscribe_is_tried_again(ext, told, send, gateway, requests):
    """The connection stayed open without a subscription, event or retry; ours is ready only when subscribed again."""
    await ext.subscribe([STORE], told.on_notification)
    gateway.fail_recovery()
    gateway.refuse(f"POST {SUBSCRIPTION}", 429, retry_after=0.05)
    gateway.cut(code=1001)
    await told.wait(Events.CONNECTION_READY, 2)
    telling = (Events.AUTO_RECOVER_ERROR, Events.AUTO_RECOVER_FAILED, Events.CONNECTION_READY)
    assert [name for name in told.names if name in telling] == [telling[2], telling[0], telling[1], telling[2]]
    assert [error.status_code for error in told.of(Events.AUTO_RECOVER_ERROR)] == [429]
    assert [entry["status"] for entry in requests(SUBSCRIPTION) if entry["method"] == "POST"] == [200, 429, 200]
    send(1)
    await told.wait("notification")


async def test_j14_a_bad_stored_token_is_offered_once(rc, make_ext, told, send, gateway, logged):
    """It offered the same bad token for ever (30 attempts, none without it); ours drops it and begins anew."""
    ext = make_ext(wsc_token="kept/for=too+long")
    await rc.install_extension(ext)
    assert ext.last_recovery.outcome is Outcome.UNREADABLE
    await ext.subscribe([STORE], told.on_notification)
    gateway.cut(code=1001)
    send(1)
    await told.wait("notification")
    assert logged("recovery_failed", code="WSG-400") == logged("recovery_failed") == 1
    assert logged("recovered") == 1


async def test_j29_the_recovery_window_counts_from_the_loss(rc, make_ext, told, send, gateway, logged):
    """It counted from the first attempt and offered a token that was too old; ours counts from the loss and says so."""
    ext = make_ext(reconnect_delays=lambda n: 0.3)
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    gateway.cut(code=1001)
    await told.wait(Events.AUTO_RECOVER_FAILED)
    assert ext.last_recovery.outcome is Outcome.WINDOW_EXCEEDED
    assert ext.last_recovery.attempts == 1
    assert logged("connect", recovering=True) == 0
    assert (await told.wait(Events.NOTIFICATION_GAP)).certain


async def test_j29_tokens_are_escaped_in_the_address(rc, make_ext, logged):
    """Tokens went into the address as they were; ours arrive whole, whatever stands in them."""
    ext = make_ext(wsc_token="a&access_token=stolen#%+ /?")
    await rc.install_extension(ext)
    assert logged("upgrade_refused") == 0
    assert logged("recovery_failed", code="WSG-400") == 1


async def test_j29_a_call_has_its_own_time_out_and_can_be_cancelled(rc, ext, gateway):
    """Every call had 60 s and could not be stopped, and its timers outlived it; ours leaves nothing behind."""
    gateway.answer_fault(f"GET {INFO}", drop=True, times=2)
    with anyio.fail_after(2), pytest.raises(RequestTimeout):
        await rc.get(INFO, timeout=0.05)
    with anyio.move_on_after(0.05) as scope:
        await rc.get(INFO, timeout=0.2)
    assert scope.cancelled_caught
    with anyio.fail_after(2):
        while len(ext._runtime._table):  # the server may still be working on it until its own time-out
            await anyio.sleep(0.01)
    assert (await rc.get(INFO)).via == "websocket"


async def test_j29_what_cannot_be_sent_over_a_lost_socket_is_not_dropped(rc, make_ext, told, gateway, requests):
    """A call on a closed socket was dropped without a word, or went over the next one; ours goes by HTTPS at once."""
    ext = make_ext(rest_over_websocket=True, reconnect_delays=lambda n: 1000)
    await rc.install_extension(ext)
    gateway.cut(code=1001)
    await told.wait(Events.DISCONNECTED)
    pager = {"from": {"extensionNumber": "101"}, "to": [{"extensionNumber": "101"}], "text": "hi"}
    with anyio.fail_after(5):
        assert (await rc.post(f"{INFO}/company-pager", json=pager)).via == "https"
    await ext.recover()
    assert (await rc.get(INFO)).via == "websocket"
    assert [entry["via"] for entry in requests("company-pager")] == ["https"]


# -- closing -----------------------------------------------------------------------------------------------------------


async def test_j22_revoke_while_disconnected_ends_everything(rc, make_ext, told, gateway, proxy, logged):
    """It threw after 1 s and left the recovery timer on; ours deletes the subscription by HTTPS and tries no more."""
    ext = make_ext(reconnect_delays=lambda n: 0.1)
    await rc.install_extension(ext)
    subscription = await ext.subscribe([STORE], told.on_notification)
    proxy.refuse()
    gateway.cut(code=1001)
    await told.wait(Events.DISCONNECTED)
    with anyio.fail_after(1):
        await ext.revoke()
    proxy.accept()
    tokens = logged("request", path=WSTOKEN)
    assert ext.state is State.CLOSED
    assert logged("request", method="DELETE", path=f"{SUBSCRIPTION}/{subscription.info.id}", via="https") == 1
    await anyio.sleep(0.2)  # twice the time after which a timer left on would reconnect
    assert logged("request", path=WSTOKEN) == tokens
    assert logged("connect") == 1


@pytest.mark.parametrize("why", ["half open", "full of calls given up"])
async def test_j22_revoke_over_a_link_that_does_not_answer_deletes_by_https(
    rc, make_ext, told, gateway, proxy, logged, why
):
    """A socket that was only thought open made it throw; ours then deletes by HTTPS, and has lost no notification."""
    ext = make_ext(close_timeout=1, rest_over_websocket=True)
    await rc.install_extension(ext)
    subscription = await ext.subscribe([STORE], told.on_notification)
    if why == "half open":
        proxy.freeze()
    else:
        gateway.answer_fault(f"GET {INFO}", drop=True, times=None)
        async with anyio.create_task_group() as calls:
            for _ in range(10):
                calls.start_soon(rc.get, INFO)
            with anyio.fail_after(5):
                while logged("request", path=INFO) < 10:
                    await anyio.sleep(0.01)
            calls.cancel_scope.cancel()
    with anyio.fail_after(1.5):
        await ext.revoke()
    assert logged("request", method="DELETE", path=f"{SUBSCRIPTION}/{subscription.info.id}", via="https") == 1
    assert told.of(Events.NOTIFICATION_GAP) == []
