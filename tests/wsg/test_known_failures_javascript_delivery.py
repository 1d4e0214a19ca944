"""The failures J1 to J31 of @rc-ex/ws, row by row: what concerns notifications, the subscription and REST calls.

Each test has the traffic of its row. "Kills the process" becomes: the connection is still the same one, and what came
before and after was delivered. The rows about opening, losing and recovering a connection stand in ..._connection.py.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import partial

import anyio
import anyio.to_thread
import pytest

from rcex_ws import BadFrame, Events, Extension, Outcome, RateLimited, RestError, State, SubscriptionState
from rcex_ws.wsg import frames

STORE = "/restapi/v1.0/account/~/extension/~/message-store"
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
INFO = "/restapi/v1.0/account/~/extension/~"
SUBSCRIPTION = "/restapi/v1.0/subscription"


def notification(event, i, **more):
    """A raw ServerNotification of a resolved event, with a uuid of its own."""
    meta = {"type": "ServerNotification", "messageId": f"raw-{i}", "status": 200}
    return json.dumps([meta, {"uuid": f"raw-{i}", "event": event, "body": {"i": i, **more}}])


class Calls(Extension):
    """See every call in the middlewares; do something just before a subscription call leaves."""

    def __init__(self, before=None):
        self.seen = []
        self._before = before

    async def handle(self, request, call_next):
        if self._before is not None and request.path.startswith(SUBSCRIPTION):
            await anyio.to_thread.run_sync(self._before)
        response = await call_next(request)
        self.seen.append((request.method, response.via))
        return response


@pytest.fixture
def gateway_options(request):
    return {"max_active_requests": 100} if "j15" in request.node.name else {}


@pytest.fixture
def gateway(proxied_gateway):
    """A gateway whose WebSocket is reached through `proxy`."""
    return proxied_gateway[0]


@pytest.fixture
def proxy(proxied_gateway):
    return proxied_gateway[1]


# -- notifications and the subscription --------------------------------------------------------------------------------


async def test_j01_a_notification_before_the_subscribe_answer_is_delivered(ext, told, send, gateway):
    """It read the id of an answer not there yet, and the process died; ours goes to the subscription that waits."""
    link = ext.ws
    gateway.answer_fault(f"POST {SUBSCRIPTION}", notify={"event": STORE, "body": {"i": 1}})
    subscription = await ext.subscribe([STORE], told.on_notification)
    send(2)
    await told.wait("notification", 2)
    assert told.numbers == [1, 2]
    assert told.of("notification")[0].subscription_id == subscription.info.id
    assert ext.ws is link


async def test_j02_a_second_subscribe_while_events_flow_gives_each_to_one_handler(rc, ext, told, gateway):
    """The first listener stayed and the second knew no id yet: the process died; ours asks which filters match."""
    link = ext.ws
    first = await ext.subscribe([STORE], lambda n: told.add("first", n.body["i"]))
    store = first.info.event_filters[0]
    presence = store.replace("message-store", "presence")
    gateway.send_raw(notification(store, 1))
    before_the_answer = [notification(store, 2), notification(presence, 3)]
    await rc.install_extension(Calls(before=partial(gateway.send_raw, before_the_answer)))
    second = await ext.subscribe([PRESENCE], lambda n: told.add("second", n.body["i"]))
    gateway.send_raw(notification(presence, 4))
    await told.wait("second", 2)
    assert told.of("first") == [1, 2]
    assert told.of("second") == [3, 4]
    assert first.state is SubscriptionState.REPLACED
    assert ext.subscription is second
    assert ext.ws is link


@pytest.mark.parametrize(("status", "error_code"), [(403, "SUB-528"), (429, "CMN-301")])
async def test_j03_a_refused_subscribe_leaves_no_listener(rc, ext, told, gateway, status, error_code):
    """The listener of the refused one stayed, and the next notification killed the process; ours leaves nothing."""
    link = ext.ws

    async def refused(*filters):
        gateway.refuse("subscription", status, error_code=error_code, retry_after=0.05)
        with pytest.raises(RestError) as caught:
            await ext.subscribe(filters, lambda n: told.add("refused"))
        assert (caught.value.status_code, caught.value.error_code) == (status, error_code)

    await refused(STORE)
    assert ext.subscription is None
    gateway.send_raw(notification(STORE, 1))
    assert (await rc.get(INFO)).via == "websocket"  # its answer follows the notification that nobody asked for
    subscription = await ext.subscribe([STORE], told.on_notification)
    await refused(STORE, PRESENCE)
    assert ext.subscription is subscription
    gateway.send_raw(notification(subscription.info.event_filters[0], 2))
    await told.wait("notification")
    assert told.numbers == [2]
    assert told.of("refused") == []
    assert told.of("error") == []
    assert ext.ws is link


async def test_j03_a_refused_replacement_leaves_the_first_in_order(rc, ext, told, gateway):
    """The refused one broke the first one too; ours gives the first all that came meanwhile, in the order it came."""
    gate = anyio.Event()

    async def slow(notification):
        told.add("taken")
        await gate.wait()
        told.on_notification(notification)

    first = await ext.subscribe([STORE, PRESENCE], slow)
    store, presence = first.info.event_filters
    gateway.send_raw([notification(store, 1), notification(store, 2)])  # one is being handled, one waits
    await told.wait("taken")
    meanwhile = [notification(presence, 3), notification(store, 4), notification(presence, 5)]
    await rc.install_extension(Calls(before=partial(gateway.send_raw, meanwhile)))
    gateway.refuse("subscription", 403, error_code="SUB-528")
    with pytest.raises(RestError):
        await ext.subscribe([STORE], lambda n: told.add("refused"))
    gate.set()
    await told.wait("notification", 5)
    assert told.numbers == [1, 2, 3, 4, 5]
    assert told.of("refused") == []


async def test_j05_replay_in_the_same_segment_is_delivered(rc, make_ext, told, send, gateway, proxy):
    """Its listener came a turn after ConnectionDetails, so 20 of 20 were lost; ours routes from the first frame."""
    ext = make_ext(auto_recover=False)
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    gateway.cut(code=1001)
    await told.wait(Events.DISCONNECTED)
    send(*range(20))
    proxy.freeze("down")
    async with anyio.create_task_group() as group:
        group.start_soon(ext.recover)
        with anyio.fail_after(5):
            while not any(entry.get("replay") for entry in gateway.log()):
                await anyio.sleep(0.005)
        proxy.thaw("down")  # the answer to the upgrade, ConnectionDetails and the replay: one segment
    await told.wait("notification", 20)
    assert told.numbers == list(range(20))
    assert told.names.index(Events.AUTO_RECOVER_SUCCESS) < told.names.index("notification")
    assert ext.last_recovery.replayed == 20
    assert told.of(Events.NOTIFICATION_GAP) == []


async def test_j06_a_multipart_marker_in_a_message_is_only_text(rc, ext, told, requests):
    """It looked for `,--Boundary` in the whole frame: anyone who sent an SMS could kill it; ours tries JSON first."""
    link = ext.ws
    text = 'one ,--Boundary_1\r\nContent-Type: application/json\r\n\r\n{},--Boundary_1--] "two"'
    pager = {"from": {"extensionNumber": "101"}, "to": [{"extensionNumber": "101"}], "text": text}
    await ext.subscribe([f"{STORE}/instant?type=Pager"], told.on_notification)
    sent = await rc.post(f"{INFO}/company-pager", json=pager, timeout=5)
    received = await told.wait("notification")
    assert received.body["subject"] == text
    read = await rc.get(f"{STORE}/{sent.json()['id']}", timeout=5)
    assert (sent.via, read.via) == ("websocket", "websocket")
    assert read.json()["subject"] == text
    assert told.of("error") == []
    assert ext.ws is link


async def test_j07_frames_that_cannot_be_read_are_reported_and_survived(ext, told, gateway):
    """Not JSON, `[]` or binary: each killed the process; ours reports each once and delivers the frames around them."""
    link = ext.ws
    subscription = await ext.subscribe([STORE], told.on_notification)
    good = partial(notification, subscription.info.event_filters[0])
    bad = ["hello", "[]", b"\x00\xff\xfe", "", '[{"type":"ServerNotification"},7]']
    gateway.send_raw([good(1), bad[0], good(2), bad[1], good(3), bad[2], good(4), bad[3], good(5), bad[4], good(6)])
    await told.wait("notification", 6)
    await told.until(lambda: any(gap.certain for gap in told.of(Events.NOTIFICATION_GAP)))
    assert told.numbers == [1, 2, 3, 4, 5, 6]
    assert all(isinstance(error, BadFrame) for error in told.of("error"))
    gaps = told.of(Events.NOTIFICATION_GAP)  # those that touch are merged
    assert [gap.certain for gap in gaps][-2:] == [False, True]
    assert ext.ws is link


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_j08_an_exception_in_the_callback_is_reported_and_the_next_is_delivered(ext, told, gateway, caplog, kind):
    """It was called in the socket's listener, so a bug of the user ended the process; ours is told of in `error`."""
    link = ext.ws

    def on_notification(notification):
        told.on_notification(notification)
        if notification.body["i"] != 2:
            raise ZeroDivisionError(f"a bug of the application at {notification.body['i']}")

    async def on_notification_async(notification):
        await anyio.lowlevel.checkpoint()
        on_notification(notification)

    subscription = await ext.subscribe([STORE], on_notification if kind == "sync" else on_notification_async)
    event = subscription.info.event_filters[0]
    gateway.send_raw([notification(event, 1), notification(event, 2), notification(event, 3)])
    await told.wait(Events.ERROR, 2)
    assert told.numbers == [1, 2, 3]
    assert [str(error)[-1] for error in told.of("error")] == ["1", "3"]
    assert "a bug of the application at 1" in caplog.text
    assert subscription.state is SubscriptionState.ACTIVE
    assert ext.ws is link


async def test_j23_a_refused_resume_is_not_taken_for_a_success(rc, ext, make_ext, told, gateway, requests):
    """With a kept SubscriptionInfo it swallowed the 403 and heard nothing for ever; ours raises it."""
    info = (await ext.subscribe([STORE], told.on_notification)).info
    other = make_ext()
    await rc.install_extension(other)
    gateway.refuse(f"PUT {SUBSCRIPTION}/{info.id}", 403, error_code="SUB-528")
    with pytest.raises(RestError) as caught:
        await other.subscribe([STORE], lambda n: told.add("resumed"), info)
    assert (caught.value.status_code, caught.value.error_code) == (403, "SUB-528")
    assert other.subscription is None
    assert [(entry["method"], entry["status"]) for entry in requests(SUBSCRIPTION)] == [("POST", 200), ("PUT", 403)]


async def test_j30_a_kept_subscription_that_has_expired_is_replaced_and_the_gap_reported(
    rc, ext, make_ext, told, send, requests
):
    """That a kept SubscriptionInfo had expired was found by a 404 and told to nobody; ours reports a certain gap."""
    info = (await ext.subscribe([STORE], told.on_notification)).info
    await ext.detach()
    await rc.delete(f"{SUBSCRIPTION}/{info.id}")
    other = make_ext()
    await rc.install_extension(other)
    subscription = await other.subscribe([STORE], told.on_notification, info.to_dict())
    gap = await told.wait(Events.NOTIFICATION_GAP)
    assert gap.certain
    assert subscription.info.id != info.id
    assert [(entry["method"], entry["status"]) for entry in requests(SUBSCRIPTION)][2:] == [("PUT", 404), ("POST", 200)]
    send(1)
    await told.wait("notification")


async def test_j31_a_notification_before_the_answer_of_the_resubscribe_is_delivered(ext, told, send, gateway):
    """After recoveryState Failed it kept the old id until the answer and dropped what came before; ours delivers it."""
    subscription = await ext.subscribe([STORE], told.on_notification)
    old = subscription.info.id
    gateway.fail_recovery("WSG-1003")
    gateway.answer_fault(f"POST {SUBSCRIPTION}", notify={"event": STORE, "body": {"i": 1}})
    gateway.cut(code=1001)
    await told.wait("notification")
    send(2)
    await told.wait("notification", 2)
    assert told.numbers == [1, 2]
    assert {one.subscription_id for one in told.of("notification")} == {subscription.info.id}
    assert subscription.info.id != old
    assert ext.last_recovery.outcome is Outcome.REFUSED
    assert told.names.index(Events.AUTO_RECOVER_FAILED) < told.names.index("notification")


# -- REST calls over the same socket -----------------------------------------------------------------------------------


async def test_j15_a_frame_is_decoded_once_however_many_requests_are_in_flight(rc, ext, told, gateway, monkeypatch):
    """Each request in flight decoded every frame: 102 times at 100 of them, a 17th of the speed; ours once."""
    counts: Counter[str] = Counter()

    class Counting:
        def __init__(self, name, decoder):
            self._name, self._decoder = name, decoder

        def decode(self, data):
            counts[self._name] += 1
            return self._decoder.decode(data)

    subscription = await ext.subscribe([STORE], lambda n: None)
    event = subscription.info.event_filters[0]
    await told.wait(Events.CONNECTION_READY)
    gateway.answer_fault(f"GET {INFO}", drop=True, times=None)
    async with anyio.create_task_group() as calls:
        for _ in range(100):
            calls.start_soon(rc.get, INFO)
        with anyio.fail_after(5):
            while sum(entry["kind"] == "request" and entry["path"] == INFO for entry in gateway.log()) < 100:
                await anyio.sleep(0.01)
            with monkeypatch.context() as patch:
                patch.setattr(frames, "_frame_decoder", Counting("frames", frames._frame_decoder))
                patch.setattr(frames, "_envelope_decoder", Counting("envelopes", frames._envelope_decoder))
                gateway.send_raw([notification(event, number) for number in range(200)])
                while subscription.delivered < 200:
                    await anyio.lowlevel.checkpoint()
        calls.cancel_scope.cancel()
    gateway.cut(code=1001)  # the server will never answer: a new connection, on which the subscription can be deleted
    await told.wait(Events.CONNECTION_READY, 2)
    assert counts == {"frames": 200, "envelopes": 200}


async def test_j16_no_more_requests_than_the_server_takes_are_in_flight(rc, ext, gateway):
    """30 calls at once went out at once, whatever maxActiveRequests said; ours wait their turn and all are answered."""
    assert ext.connection_details.max_active_requests == 10
    gateway.answer_fault(f"GET {INFO}", delay=0.02, times=30)
    answers = []

    async def call():
        answers.append((await rc.get(INFO)).via)

    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(call)
    assert answers == ["websocket"] * 30
    assert not any(entry["kind"] == "overflow" for entry in gateway.log())


async def test_j17_multipart_bodies_go_by_https_whole(rc, ext, requests):
    """A fax went over the WebSocket as `{"0":45,"1":45,...}`: it looked at the wrong header; ours at the body."""
    document = bytes(range(256)) + b"\r\n--Boundary\r\n"
    to = {"to": [{"phoneNumber": "+16505550100"}], "faxResolution": "High"}
    sent = await rc.post(f"{INFO}/fax", json=to, files={"attachment": ("a.bin", document, "application/octet-stream")})
    fax = sent.json()
    stored = await rc.get(f"{STORE}/{fax['id']}/content/{fax['attachments'][0]['id']}")
    assert stored.content == document
    assert [(entry["via"], entry["status"]) for entry in requests("/fax")] == [("https", 200)]


@pytest.mark.parametrize("via", ["websocket", "https"])
async def test_j20_an_error_without_a_body_is_a_rest_error(rc, ext, gateway, via):
    """The error's text was made from a body that was not there: a TypeError; ours says that no reason was given."""
    ext.rest_over_websocket = via == "websocket"
    gateway.refuse(f"GET {INFO}", 500)
    gateway.answer_fault(f"GET {INFO}", strip="body")
    with pytest.raises(RestError, match="answered 500: no reason given") as caught:
        await rc.get(INFO)
    assert (caught.value.status_code, caught.value.error_code) == (500, None)
    assert caught.value.response.via == via


async def test_j21_a_429_over_the_websocket_without_headers_closes_the_gate(rc, ext, gateway):
    """The rate limiter read the headers of an answer that had none: a TypeError; ours takes the documented 30 s."""
    gateway.refuse(f"GET {INFO}", 429)
    gateway.answer_fault(f"GET {INFO}", strip="headers")
    with pytest.raises(RestError) as caught:
        await rc.get(INFO)
    assert (caught.value.status_code, caught.value.response.via) == (429, "websocket")
    with pytest.raises(RateLimited) as limited:
        await rc.get(INFO, timeout=0.1)
    assert 29 < limited.value.retry_after <= 30


async def test_j21_the_wait_after_a_429_is_what_the_server_says(rc, ext, gateway, requests):
    """It waited 60 s whatever Retry-After said; ours lets the next call out when that time is over, not before."""
    gateway.refuse(f"GET {INFO}", 429, retry_after=0.2)
    with pytest.raises(RestError):
        await rc.get(INFO)
    refused_at = anyio.current_time()
    with anyio.fail_after(5):
        assert (await rc.get(INFO)).via == "websocket"
    assert anyio.current_time() - refused_at >= 0.19
    assert [entry["status"] for entry in requests(INFO)] == [429, 200]


async def test_j26_debug_mode_shows_a_multipart_answer(rc, make_ext, capsys):
    """Its debug output parsed every frame as JSON, and a multipart answer killed the process; ours shows text."""
    ext = make_ext(debug_mode=True, rest_over_websocket=True)
    await rc.install_extension(ext)
    link = ext.ws
    pager = {"from": {"extensionNumber": "101"}, "to": [{"extensionNumber": "101"}], "text": "hi"}
    ids = [str((await rc.post(f"{INFO}/company-pager", json=pager)).json()["id"]) for _ in range(2)]
    answer = await rc.get(f"{STORE}/{','.join(ids)}")
    assert (answer.status_code, answer.via, answer.content_type) == (207, "websocket", "multipart/mixed")
    assert ",--" in capsys.readouterr().err
    assert ext.ws is link


async def test_j28_subscription_calls_pass_the_other_extensions(rc, ext, told, gateway):
    """They went past rate limit, retry, events and debug; ours pass every middleware, also after a failed recovery."""
    calls = Calls()
    await rc.install_extension(calls)
    subscription = await ext.subscribe([STORE], told.on_notification)
    await subscription.refresh()
    gateway.fail_recovery()
    gateway.cut(code=1001)
    await told.wait(Events.AUTO_RECOVER_FAILED)
    with anyio.fail_after(5):
        while len(calls.seen) < 5:
            await anyio.sleep(0.005)
    await subscription.revoke()
    # Made, renewed, the wstoken of the new connection, made anew there, the old one deleted, the new one deleted.
    assert calls.seen == [
        ("POST", "websocket"),
        ("PUT", "websocket"),
        ("POST", "https"),
        ("POST", "websocket"),
        ("DELETE", "websocket"),
        ("DELETE", "websocket"),
    ]
    assert ext.state is State.READY
