"""The failures P1 to P17 of the Python SDK `ringcentral` 0.9.2, row by row, with the traffic of each row.

Where the row is about a habit (blocking calls, `print`, a literal "VERSION"), the test holds our opposite habit.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import traceback
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
from msgspec.structs import replace

from rcex_ws import (
    Events,
    LossKind,
    NotConnected,
    Outcome,
    Reason,
    RequestTimeout,
    RestError,
    RingCentral,
    State,
    SubscriptionState,
    TransportError,
)
from rcex_ws.connection import open_websocket

STORE = "/restapi/v1.0/account/~/extension/~/message-store"
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
INFO = "/restapi/v1.0/account/~/extension/~"
SUBSCRIPTION = "/restapi/v1.0/subscription"


class Wire:
    """The socket of an extension, with what was sent over it; on demand as if the network took no time at all."""

    def __init__(self, ext, *, instant=False):
        self.sent = []
        self._instant = instant
        self._answered = {}
        ext.open_socket = self._open

    @asynccontextmanager
    async def _open(self, endpoint):
        async with open_websocket(endpoint) as self._socket:
            self.close, self.abort = self._socket.close, self._socket.abort
            yield self

    def start_reading(self, receivers, group):
        def handle(data, binary):
            receivers.message(data, binary)
            answered = self._answered.get(json.loads(data)[0].get("messageId"))
            if answered is not None:
                answered.set()

        self._socket.start_reading(replace(receivers, message=handle), group)

    def stop_reading(self):
        self._socket.stop_reading()

    def can_write(self):
        return False  # let the writer do it, which awaits

    def write(self, messages):
        return False

    async def send(self, messages):
        """Send; if `instant`, return only when the answers have come and the reader is through with them."""
        messages = list(messages)
        metas = [json.loads(data)[0] for data in messages]
        self.sent += metas
        answers = [self._answered.setdefault(meta["messageId"], anyio.Event()) for meta in metas]
        is_open = await self._socket.send(messages)
        if self._instant:
            with anyio.fail_after(5):
                for answered in answers:
                    await answered.wait()
        return is_open


@pytest.fixture
def logged(gateway):
    """The entries of a kind in the gateway's record, by what they say."""

    def logged(kind, **facts):
        return [entry for entry in gateway.log() if entry["kind"] == kind and facts.items() <= entry.items()]

    return logged


async def until(condition):
    """Wait for something that only the gateway's record shows."""
    with anyio.fail_after(5):
        while not condition():
            await anyio.sleep(0.005)


def client(gateway, **options):
    """A client that is not logged in."""
    options.setdefault("server", gateway.server)
    return RingCentral(client_id=gateway.client_id, client_secret=gateway.client_secret, **options)


# -- the subscription --------------------------------------------------------------------------------------------------


async def test_p01_an_answer_without_the_subscription_header_makes_the_subscription(ext, told, send, gateway, requests):
    """It waited for a WSG-SubscriptionId that today's server does not send: no event, and update() a TypeError."""
    gateway.answer_fault(f"POST {SUBSCRIPTION}", strip="headers")
    subscription = await ext.subscribe([STORE], told.on_notification)
    gateway.answer_fault(f"PUT {SUBSCRIPTION}/{subscription.info.id}", strip="headers")
    await subscription.update([PRESENCE])
    send(1, event=PRESENCE)
    await told.wait("notification")
    await subscription.revoke()
    made = [(entry["method"], entry["path"].removeprefix(SUBSCRIPTION)) for entry in requests(SUBSCRIPTION)]
    assert made == [("POST", ""), ("PUT", f"/{subscription.info.id}"), ("DELETE", f"/{subscription.info.id}")]


async def test_p02_a_403_with_the_subscription_header_is_a_refusal(rc, make_ext, told, send, gateway, requests):
    """The header alone made its subscription, whatever the status said; ours reads the status and raises."""
    ext = make_ext(rest_over_websocket=True)
    wire = Wire(ext)
    await rc.install_extension(ext)
    gateway.answer_fault(f"POST {SUBSCRIPTION}", drop=True)
    async with anyio.create_task_group() as group:

        @group.start_soon
        async def subscribe():
            with pytest.raises(RestError) as caught:
                await ext.subscribe([STORE], told.on_notification)
            assert (caught.value.status_code, caught.value.error_code) == (403, "SUB-528")

        await until(lambda: requests(SUBSCRIPTION))
        refusal = {"type": "ClientRequest", "messageId": wire.sent[-1]["messageId"], "status": 403}
        body = {"errorCode": "SUB-528", "message": "no permission"}
        gateway.send_raw(json.dumps([refusal | {"headers": {"WSG-SubscriptionId": "1"}}, body]))
    assert ext.subscription is None
    send(1)
    assert (await rc.get(INFO)).via == "websocket"  # its answer follows the notification that nobody asked for
    assert told.of("notification") == []


async def test_p03_an_answer_before_the_send_returns_reaches_its_caller(rc, make_ext, told, send, requests):
    """It listened for the answer only after the send, and missed a fast one; ours listens before."""
    ext = make_ext(rest_over_websocket=True, request_timeout=3)
    Wire(ext, instant=True)
    await rc.install_extension(ext)
    subscription = await ext.subscribe([STORE], told.on_notification)
    assert (await rc.get(INFO, timeout=3)).via == "websocket"
    assert subscription.state is SubscriptionState.ACTIVE
    assert len(requests(SUBSCRIPTION)) == 1
    send(1)
    await told.wait("notification")


async def test_p07_two_subscriptions_on_one_client_get_each_notification_once(rc, ext, make_ext, told, send):
    """Each of its two subscriptions heard all of both: every notification came twice; ours routes each to its owner."""
    other = make_ext()
    await rc.install_extension(other)
    await ext.subscribe([STORE], lambda n: told.add("replaced", n.body["i"]))
    await ext.subscribe([STORE, PRESENCE], lambda n: told.add("first", n.body["i"]))
    await other.subscribe([STORE], lambda n: told.add("second", n.body["i"]))
    send(1)
    send(2, event=PRESENCE)
    send(3)
    await told.wait("first", 3)
    await told.wait("second", 2)
    assert told.of("first") == [1, 2, 3]
    assert told.of("second") == [1, 3]
    assert told.of("replaced") == []


async def test_p08_a_subscribe_before_the_connection_is_sent_once_and_succeeds(
    rc, make_ext, told, send, gateway, logged
):
    """A subscribe 13 s before the connection went out and was reported as failed; ours waits and tells the truth."""
    gateway.refuse("upgrade", 503, times=None)
    ext = make_ext(start_in_background=True)
    await rc.install_extension(ext)
    with pytest.raises(RequestTimeout):
        await ext.request("GET", INFO, timeout=0.05)
    async with anyio.create_task_group() as group:
        group.start_soon(ext.subscribe, [STORE], told.on_notification)
        refused = len(logged("upgrade_refused"))
        await until(lambda: len(logged("upgrade_refused")) >= refused + 3)
        gateway.clear_faults()
    assert ext.subscription.state is SubscriptionState.ACTIVE
    assert len(logged("request", path=SUBSCRIPTION, method="POST", status=200)) == 1
    assert logged("request", path=INFO) == []  # what was given up is not sent later
    assert told.of(Events.ERROR) == []
    send(1)
    await told.wait("notification")


async def test_p12_update_and_revoke_tell_what_the_server_said(ext, told, send, gateway, logged):
    """It called a change done when it was sent; ours waits for the answer and raises a refusal."""
    subscription = await ext.subscribe([STORE], told.on_notification)
    path = f"{SUBSCRIPTION}/{subscription.info.id}"
    gateway.refuse(f"PUT {path}", 403, error_code="SUB-528")
    with pytest.raises(RestError, match="SUB-528"):
        await subscription.update([PRESENCE])
    assert (subscription.state, subscription.event_filters) == (SubscriptionState.ACTIVE, (STORE,))
    send(1)
    await told.wait("notification")
    gateway.answer_fault(f"PUT {path}", delay=0.05)
    await subscription.update([PRESENCE])
    assert subscription.info.event_filters[0].endswith("/presence")  # as the server has them
    gateway.refuse(f"DELETE {path}", 500)
    with pytest.raises(RestError, match="500"):
        await subscription.revoke()
    assert [entry["status"] for entry in logged("request", path=path)] == [403, 200, 500]


# -- reading and handlers ----------------------------------------------------------------------------------------------


async def test_p05_a_bad_frame_and_a_failing_handler_do_not_end_reception(rc, ext, told, send, gateway):
    """Either ended reception while the client said ready, told twice as a failed connect; ours is one error each."""
    link = ext.ws

    def on_notification(notification):
        told.on_notification(notification)
        if notification.body["i"] == 1:
            raise ZeroDivisionError

    await ext.subscribe([STORE], on_notification)
    gateway.send_raw("this is no JSON")
    await told.wait(Events.ERROR)  # one of a kind that waits for its turn would be counted into it
    send(1, 2)
    gateway.send_raw('{"type": "ServerNotification"}')
    send(3)
    await told.wait("notification", 3)
    await told.wait(Events.ERROR, 3)
    assert (await rc.get(INFO)).via == "websocket"
    assert told.numbers == [1, 2, 3]
    errors = sorted(type(error).__name__ for error in told.of(Events.ERROR))
    assert errors == ["BadFrame", "BadFrame", "ZeroDivisionError"]
    assert told.of(Events.AUTO_RECOVER_ERROR) == told.of(Events.DISCONNECTED) == []
    assert (ext.ws, ext.state) == (link, State.READY)


async def test_p06_async_handlers_run_to_their_end(rc, make_ext, told, send):
    """It called an async handler and dropped the coroutine; ours awaits it, for notifications and for events."""
    ext = make_ext()

    @ext.on(Events.CONNECTION_READY)
    async def on_ready(ws):
        await anyio.sleep(0.01)
        told.add("async event handler", ws)

    async def on_notification(notification):
        await anyio.sleep(0.01)
        told.on_notification(notification)

    await rc.install_extension(ext)
    await ext.subscribe([STORE], on_notification)
    send(1, 2)
    await told.wait("notification", 2)
    assert told.numbers == [1, 2]
    assert await told.wait("async event handler") is ext.ws


# -- connecting, losing, recovering ------------------------------------------------------------------------------------


async def test_p04_a_slow_wstoken_does_not_stop_the_loop(rc, ext, make_ext, told, send, gateway, logged):
    """Its coroutine asked for the wstoken with blocking HTTP: the loop stood still for 2 s; ours goes on meanwhile."""
    await ext.subscribe([STORE], told.on_notification)
    gateway.refuse("wstoken", "hang")
    async with anyio.create_task_group() as group:
        group.start_soon(rc.install_extension, make_ext())
        await until(lambda: logged("request", path="/restapi/oauth/wstoken", status="hang"))
        send(1)
        await told.wait("notification")
        assert (await rc.get(INFO)).via == "websocket"
        group.cancel_scope.cancel()


async def test_p09_recovery_sends_the_token_and_returns_its_outcome(rc, make_ext, told, send, gateway, logged):
    """Its recover_connection() sent no wsc, so it recovered nothing, and never returned; ours gives the outcome."""
    ext = make_ext(auto_recover=False)
    await rc.install_extension(ext)
    subscription = await ext.subscribe([STORE], told.on_notification)
    gateway.cut(code=1001)
    await told.wait(Events.DISCONNECTED)
    send(1, 2)
    recovery = await ext.recover()
    assert recovery.outcome is Outcome.RECOVERED
    assert [entry["recovering"] for entry in logged("connect")] == [False, True]
    assert [entry["replayed"] for entry in logged("recovered")] == [2]
    await told.wait("notification", 2)
    assert told.numbers == [1, 2]
    assert recovery.replayed == 2
    assert ext.subscription is subscription
    assert len(logged("request", path=SUBSCRIPTION)) == 1


async def test_p10_after_a_drop_nothing_says_ready_and_no_task_dies_unseen(rc, make_ext, told, gateway, logged, caplog):
    """It still said ready after a drop, and its heartbeat task died unseen; ours says lost and stops the heartbeat."""
    ext = make_ext(auto_recover=False, rest_over_websocket=True, heartbeat_interval=0.02, heartbeat_timeout=2)
    await rc.install_extension(ext)
    await until(lambda: len(logged("frame", type="Heartbeat")) >= 2)
    gateway.cut()
    loss = await told.wait(Events.DISCONNECTED)
    assert loss.kind is LossKind.DROPPED
    assert ext.ws is None
    assert (await rc.get(INFO)).via == "https"
    with pytest.raises(NotConnected):
        await ext.subscribe([STORE])
    with pytest.raises(NotConnected):
        await ext.request("GET", INFO)
    assert ext.state is State.WAITING
    await anyio.sleep(0.05)  # the next heartbeats would be due
    await ext.recover()
    assert (await rc.get(INFO)).via == "websocket"
    assert told.of(Events.ERROR) == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_p10_the_state_is_not_ready_when_the_loss_is_told(rc, make_ext, told, gateway):
    """It still said ready after a drop; ours has left READY before the first handler hears of the loss."""
    ext = make_ext(auto_recover=False)
    ext.on(Events.DISCONNECTED, lambda loss: told.add("seen", (ext.ws, ext.state, ext.state_reason)))
    await rc.install_extension(ext)
    gateway.cut()
    ws, state, reason = await told.wait("seen")
    assert (ws, state) == (None, State.WAITING)
    assert (reason.code, str(reason)[:13]) == (Reason.LOST, "lost: dropped")


async def test_p11_the_connection_after_a_close_has_its_heartbeat(rc, make_ext, gateway, logged):
    """A flag of the closed connection ended the heartbeat of the next: idle time-out; ours shares no flag."""
    ext = make_ext(heartbeat_interval=0.02, heartbeat_timeout=2)
    await rc.install_extension(ext)
    await until(lambda: len(logged("frame", type="Heartbeat")) >= 2)
    await ext.revoke()
    await ext.connect()
    second = logged("connect")[-1]["connection"]
    await until(lambda: len(logged("frame", type="Heartbeat", connection=second)) >= 4)
    assert len(logged("connect")) == 2
    assert ext.state is State.READY


@pytest.mark.parametrize("code", ["WSG-902", "WSG-903"])
async def test_p17_a_loss_is_recovered_without_a_line_of_the_application(ext, told, send, gateway, code):
    """No reconnect, no backoff, no recovery, no reading of Error frames; ours does all of it by itself."""
    await ext.subscribe([STORE], told.on_notification)
    gateway.refuse("upgrade", 503, times=2)
    gateway.error(code)
    send(1, 2)
    await told.wait("notification", 2)
    assert told.numbers == [1, 2]
    (loss,) = told.of(Events.DISCONNECTED)
    assert (loss.kind, loss.code) == (LossKind.REFUSED, code)
    assert len(told.of(Events.AUTO_RECOVER_ERROR)) == 2
    assert ext.last_recovery.outcome is Outcome.RECOVERED
    assert ext.last_recovery.attempts == 3


async def test_p17_a_frame_over_one_mebibyte_is_delivered(ext, told, gateway):
    """The default limit of its WebSocket library closed the socket at 1 MiB; ours takes 16 MiB, and any `max_size`."""
    link = ext.ws
    await ext.subscribe([STORE], told.on_notification)
    gateway.notify(STORE, {"i": 1, "text": "x" * 2 * 2**20})
    await told.wait("notification")
    assert len(told.of("notification")[0].body["text"]) == 2 * 2**20
    assert ext.ws is link


# -- REST --------------------------------------------------------------------------------------------------------------


async def test_p13_the_login_page_gives_a_code_that_logs_in(gateway):
    """login_url() was a NameError; ours goes the whole way: address, redirect, code, token."""
    async with client(gateway) as rc, httpx.AsyncClient() as browser:
        uri = rc.authorize_uri(redirect_uri="https://bot.example/back", state="a&b", params={"brandId": "1210"})
        back = urlsplit((await browser.get(uri)).headers["location"])
        found = parse_qs(back.query)
        assert (back.hostname, found["state"]) == ("bot.example", ["a&b"])
        token = await rc.authorize(code=found["code"][0], redirect_uri="https://bot.example/back")
        assert rc.token is token
        assert (await rc.get(INFO)).status_code == 200


@pytest.mark.parametrize("via", ["websocket", "https"])
async def test_p14_the_query_is_encoded(rc, ext, requests, via):
    """`+1650` and `a&b` reached the wire as they were, a space and two parameters; ours encodes both ways."""
    ext.rest_over_websocket = via == "websocket"
    response = await rc.get(STORE, params={"phoneNumber": "+1650", "q": "a&b c", "type": ["SMS", "Fax"]})
    assert response.via == via
    (entry,) = requests("message-store")
    assert parse_qs(entry["query"]) == {"phoneNumber": ["+1650"], "q": ["a&b c"], "type": ["SMS", "Fax"]}


async def test_p15_calls_share_a_connection_and_end_in_time(gateway, fault_proxy):
    """A new connection for each call, and no time-out anywhere; ours keeps one, and every call has its time-out."""
    proxy = fault_proxy(gateway.server)
    async with client(gateway, server=proxy.url(gateway.server)) as rc:
        token = await rc.authorize(jwt=gateway.jwt)
        proxy.refuse()  # no further connection can be made
        for _ in range(5):
            assert (await rc.get(INFO)).status_code == 200
        assert proxy.connections == 1
    gateway.refuse(f"GET {INFO}", "hang", times=2)
    async with client(gateway, token=token, timeout=0.1) as rc:
        with anyio.fail_after(5):
            with pytest.raises(RequestTimeout):
                await rc.get(INFO)
            with pytest.raises(RequestTimeout):
                await rc.get(INFO, timeout=0.05)


async def test_p16_the_user_agent_is_true_and_errors_are_silent_about_the_token(gateway, caplog, capfd):
    """Its User-Agent said "VERSION", its errors showed the Authorization header and were printed; ours do neither."""
    caplog.set_level(logging.DEBUG)
    seen = []

    async def note(request):
        seen.append((request.headers["User-Agent"], request.content))

    shown = []
    async with (
        httpx.AsyncClient(event_hooks={"request": [note]}) as http,
        client(gateway, http=http, app_name="my-bot", app_version="1.2") as rc,
    ):
        token = await rc.authorize(jwt=gateway.jwt)
        gateway.refuse(f"GET {INFO}", 401, times=2)  # the second is for the renewed token
        gateway.refuse(f"GET {INFO}", 503)
        gateway.refuse(f"GET {INFO}", "rst")
        gateway.refuse(f"GET {INFO}", "hang")
        for expected, timeout in ((RestError, 5), (RestError, 5), (TransportError, 5), (RequestTimeout, 0.1)):
            with pytest.raises(expected) as caught:
                await rc.get(INFO, timeout=timeout)
            shown += [repr(vars(caught.value)), *traceback.format_exception(caught.value)]
        with pytest.raises(RestError):  # an empty object is a body too
            await rc.post(f"{INFO}/company-pager", json={})
        secrets = [token.access_token, token.refresh_token, rc.token.access_token, gateway.client_secret, gateway.jwt]
    version = importlib.metadata.version("rcex_ws")
    assert all(agent.startswith(f"my-bot/1.2 rcex_ws/{version} python/3.") for agent, _ in seen)
    assert seen[-1][1] == b"{}"
    text = "".join(shown) + caplog.text
    assert [secret for secret in secrets if secret in text] == []
    assert "Authorization" not in text
    assert tuple(capfd.readouterr()) == ("", "")
