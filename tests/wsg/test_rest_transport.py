"""Which way each call goes, and that the caller sees the same either way."""

from __future__ import annotations

import json

import anyio
import pytest

from rcex_ws import Extension, NotConnected, Request, RequestLost, RequestTimeout, RestError
from rcex_ws.wsg.frames import decode
from rcex_ws.wsg.rest_transport import RestTransport, eligible

INFO = "/restapi/v1.0/account/~/extension/~"
PRESENCE = f"{INFO}/presence"
PAGER = {"from": {"extensionNumber": "101"}, "to": [{"extensionNumber": "101"}], "text": "hi"}


def _store(rc):
    return f"{INFO}/message-store"


async def test_json_calls_go_over_the_socket(rc, ext):
    for method, path, body in [("GET", INFO, None), ("PUT", PRESENCE, {"userStatus": "Busy"})]:
        response = await (rc.request(method, path) if body is None else rc.request(method, path, json=body))
        assert response.via == "websocket"
        assert response.status_code == 200
        assert response.json()
        assert response.headers["content-type"].startswith("application/json")
    post = await rc.post(f"{INFO}/company-pager", json=PAGER)
    assert post.via == "websocket"


async def test_the_same_response_either_way(rc, ext):
    over_socket = await rc.get(INFO)
    ext.rest_over_websocket = False
    over_https = await rc.get(INFO)
    assert (over_socket.via, over_https.via) == ("websocket", "https")
    assert over_socket.json() == over_https.json()
    assert over_socket.status_code == over_https.status_code


async def test_the_same_error_either_way(rc, ext):
    errors = []
    for ext.rest_over_websocket in (True, False):
        with pytest.raises(RestError) as caught:
            await rc.get("/restapi/v1.0/account/~/nothing-here")
        errors.append(caught.value)
    assert errors[0].response.via == "websocket"
    assert errors[1].response.via == "https"
    assert errors[0].error_code == errors[1].error_code
    assert errors[0].message == errors[1].message
    assert str(errors[0]) == str(errors[1])


async def test_off_by_default_and_disable_goes_around_the_socket(rc, make_ext, told, send):
    ext = make_ext()
    await rc.install_extension(ext)
    assert (await rc.get(INFO)).via == "https"
    ext.rest_over_websocket = True
    assert (await rc.get(INFO)).via == "websocket"
    ext.disable()
    assert (await rc.get(INFO)).via == "https"
    await ext.subscribe([f"{INFO}/message-store"], told.on_notification)
    send(1)
    await told.wait("notification")
    ext.enable()
    assert (await rc.get(INFO)).via == "websocket"


async def test_binary_content_goes_by_https(rc, ext):
    fax = await rc.post(f"{INFO}/fax", json={"to": [{"phoneNumber": "+16505550100"}]}, files={"a": ("a.txt", b"hello")})
    assert fax.via == "https"
    message = fax.json()
    attachment = message["attachments"][0]
    path = f"{INFO}/message-store/{message['id']}/content/{attachment['id']}"
    response = await rc.get(path)
    assert response.via == "https"
    assert isinstance(response.content, bytes)
    assert await rc.restapi().account().extension().message_store(message["id"]).content(attachment["id"]).get()


async def test_stream_goes_by_https(rc, ext, requests):
    async with rc.stream("GET", INFO) as response:
        assert b"".join([chunk async for chunk in response.aiter_bytes()])
    assert requests(INFO)[-1]["via"] in ("https", "http")


@pytest.mark.parametrize(
    ("request_", "over_socket"),
    [
        (Request("GET", INFO), True),
        (Request("GET", "https://server" + INFO), True),
        (Request("GET", "https://elsewhere" + INFO), False),
        (Request("GET", INFO, headers={"Accept": "application/json;charset=utf-8"}), True),
        (Request("GET", INFO, headers={"accept": "multipart/mixed"}), True),
        (Request("GET", INFO, headers={"Accept": "image/png"}), False),
        (Request("GET", INFO, headers={"Accept": "application/json, text/plain"}), False),
        (Request("POST", INFO, json={"a": 1}), True),
        (Request("POST", INFO, files={"a": b"x"}), False),
        (Request("POST", INFO, data={"a": "1"}), False),
        (Request("POST", INFO, content=b"x"), False),
        (Request("POST", INFO, json={}, headers={"Content-Type": "multipart/form-data"}), False),
        (Request("POST", "/restapi/oauth/wstoken"), False),
        (Request("GET", "/restapi/v1.0/subscription"), False),
        (Request("GET", f"{INFO}/message-store/1/content/2"), False),
        (Request("GET", f"{INFO}/message-store/1/content/2?contentDisposition=Inline"), False),
        (Request("GET", f"{INFO}/message-store/1"), True),
        (Request("GET", "/restapi/v1.0/account/~/recording/5/content"), False),
        (Request("GET", "/restapi/v1.0/account/~/recording/5"), True),
        (Request("GET", f"{INFO}/profile-image"), False),
        (Request("GET", f"{INFO}/profile-image/90x90"), False),
    ],
)
def test_eligible(request_, over_socket):
    assert eligible(request_, "https://server") is over_socket


async def test_multipart_mixed_answers(rc, ext):
    ids = [str((await rc.post(f"{INFO}/company-pager", json=PAGER)).json()["id"]) for _ in range(2)]
    answers = []
    for ext.rest_over_websocket in (True, False):
        answers.append(await rc.get(f"{INFO}/message-store/{','.join(ids)}"))
    assert [answer.via for answer in answers] == ["websocket", "https"]
    for answer in answers:
        assert answer.status_code == 207
        assert answer.content_type == "multipart/mixed"
        assert answer.text.lstrip().startswith("--")
        assert all(one in answer.text for one in ids)


async def test_a_batch_is_the_same_either_way(rc, ext):
    ids = [(await rc.post(f"{INFO}/company-pager", json=PAGER)).json()["id"] for _ in range(2)]
    answers = []
    for ext.rest_over_websocket in (True, False):
        answers.append(await rc.restapi().account().extension().message_store().batch([ids[0], "7777", ids[1]]))
    for answer in answers:
        assert [(result.id, result.status) for result in answer] == [
            (str(ids[0]), 200),
            ("7777", 404),
            (str(ids[1]), 200),
        ]
        assert [result.body and result.body["id"] for result in answer] == [ids[0], None, ids[1]]
        assert answer[1].error.error_code == "CMN-102"
    assert [result.error.response.via for result in (answers[0][1], answers[1][1])] == ["websocket", "https"]


class Table:
    """Takes frames and answers each with 204."""

    connected = True

    def __init__(self):
        self.frames = []

    def submit(self, key, frame, *, deadline):
        self.frames.append(json.loads(frame))
        return self

    def abandon(self, pending):
        pass

    async def wait(self):
        return decode(b'[{"type":"ClientRequest","status":204}]')


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({}, {"X-User-Agent": "Bot/1"}),
        ({"Accept": "*/*"}, {"X-User-Agent": "Bot/1", "Accept": "*/*"}),
        ({"x-user-agent": "mine"}, {"x-user-agent": "mine"}),
    ],
)
async def test_a_frame_names_the_application(headers, sent):
    """As those of @rc-ex/ws do."""
    table = Table()
    await RestTransport(table, "https://server", "Bot/1").send(Request("GET", INFO, headers=headers))
    ((meta,),) = table.frames
    assert meta["headers"] == sent


async def test_it_is_the_user_agent_of_the_client(rc, ext, capsys, make_ext):
    debugged = make_ext(debug_mode=True, rest_over_websocket=True)
    ext.disable()
    await rc.install_extension(debugged)
    assert (await rc.get(INFO)).via == "websocket"
    assert f'"X-User-Agent":"{rc.user_agent}"' in capsys.readouterr().err


async def test_204_works(rc, ext):
    message = (await rc.post(f"{INFO}/company-pager", json=PAGER)).json()
    response = await rc.delete(f"{INFO}/message-store/{message['id']}")
    assert (response.status_code, response.via, response.content) == (204, "websocket", b"")


async def test_queries_arrive_the_same_either_way(rc, ext):
    for ext.rest_over_websocket in (True, False):
        answer = await rc.get(f"{INFO}/message-store", params={"messageType": ["Fax", "SMS"], "perPage": 1, "x": None})
        assert answer.json()["records"] == []


async def test_never_more_than_max_active_requests(rc, ext, gateway):
    for _ in range(50):
        gateway.answer_fault(f"GET {INFO}", delay=0.01)
    statuses = []

    async def call():
        statuses.append((await rc.get(INFO)).via)

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(call)
    assert statuses == ["websocket"] * 50
    assert not any(entry["kind"] == "overflow" for entry in gateway.log())


async def test_while_the_socket_is_not_ready_calls_go_by_https(rc, make_ext, told, gateway):
    ext = make_ext(rest_over_websocket=True, reconnect_delays=lambda n: 1000)
    await rc.install_extension(ext)
    gateway.cut()
    await told.wait("disconnected")
    assert (await rc.get(INFO)).via == "https"


async def test_a_lost_answer_of_a_get_is_repeated_by_https(rc, ext, gateway):
    gateway.answer_fault(f"GET {INFO}", drop=True)
    async with anyio.create_task_group() as group:

        async def cut():
            await until_seen(gateway, INFO)
            gateway.cut()

        group.start_soon(cut)
        response = await rc.get(INFO)
    assert response.via == "https"


async def test_a_lost_answer_of_a_post_raises(rc, ext, gateway):
    path = f"{INFO}/company-pager"
    gateway.answer_fault(f"POST {path}", drop=True)
    async with anyio.create_task_group() as group:

        async def cut():
            await until_seen(gateway, path)
            gateway.cut()

        group.start_soon(cut)
        with pytest.raises(RequestLost) as caught:
            await rc.post(path, json=PAGER)
    assert caught.value.sent
    assert not caught.value.retryable


async def test_a_time_out_per_call(rc, ext, gateway):
    gateway.answer_fault(f"GET {INFO}", drop=True)
    with pytest.raises(RequestTimeout):
        await rc.get(INFO, timeout=0.1)
    assert (await rc.get(INFO)).via == "websocket"


async def test_a_cancelled_call_leaves_nothing_behind(rc, ext, gateway):
    gateway.answer_fault(f"GET {INFO}", delay=0.1)
    with anyio.move_on_after(0.02):
        await rc.get(INFO)
    assert (await rc.get(INFO)).via == "websocket"
    with anyio.fail_after(5):
        while len(ext._runtime._table):
            await anyio.sleep(0.005)


async def test_request_waits_for_the_socket(rc, make_ext, told, gateway):
    ext = make_ext(reconnect_delays=lambda n: 0.05)
    await rc.install_extension(ext)
    gateway.cut()
    await told.wait("disconnected")
    response = await ext.request("GET", INFO)
    assert response.via == "websocket"


async def test_request_says_what_cannot_go_that_way(ext):
    with pytest.raises(ValueError, match=r"rc\.request"):
        await ext.request("GET", f"{INFO}/profile-image")


async def test_request_by_hand_while_lost_raises(rc, make_ext, told, gateway):
    ext = make_ext(auto_recover=False)
    await rc.install_extension(ext)
    gateway.cut()
    await told.wait("disconnected")
    with pytest.raises(NotConnected):
        await ext.request("GET", INFO)


async def test_subscription_calls_pass_the_middlewares_and_use_their_own_socket(rc, ext, requests):
    class Witness(Extension):
        def __init__(self):
            self.seen = []

        async def handle(self, request, call_next):
            response = await call_next(request)
            self.seen.append((request.method, request.path, response.via))
            return response

    witness = Witness()
    await rc.install_extension(witness)
    await ext.subscribe([f"{INFO}/message-store"], lambda n: None)
    assert witness.seen == [("POST", "/restapi/v1.0/subscription", "websocket")]
    listed = await rc.get("/restapi/v1.0/subscription")
    assert listed.via == "https"


async def until_seen(gateway, path):
    with anyio.fail_after(5):
        while not any(entry["kind"] == "request" and path in entry["path"] for entry in gateway.log()):
            await anyio.sleep(0.005)
