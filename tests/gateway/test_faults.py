"""Every fault, ordered from Python and over HTTP, on real sockets."""

from __future__ import annotations

import json
import logging

import anyio
import httpx
import pytest
import websockets

from rcex_ws import NotConnected

EXTENSION = "/restapi/v1.0/account/~/extension/~"
STORE = f"{EXTENSION}/message-store"
SUBSCRIPTION = "/restapi/v1.0/subscription"
WANTED = {"eventFilters": [STORE], "deliveryMode": {"transportType": "WebSocket"}}


async def test_cut_resets_every_websocket(start, log_in):
    gw = start()
    user = await log_in(gw)
    opened = [(await user.open())[0] for _ in range(2)]
    assert gw.cut() == 2
    for socket in opened:
        error = await socket.closed()
        assert error.rcvd is None  # no close frame
        # trio hides the errno of a reset; asyncio shows it
        assert isinstance(error.__cause__, ConnectionResetError) or "trio" in str(type(socket.connection))
    assert gw.cut() == 0


async def test_notification_right_after_a_cut_is_buffered(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    await socket.subscribe(STORE)
    gw.cut()
    gw.notify(STORE, {})
    assert [entry["state"] for entry in gw.log() if entry["kind"] == "notification"] == ["buffered"]


async def test_cut_with_a_code(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    assert gw.cut(4001, "maintenance") == 1
    received = (await socket.closed()).rcvd
    assert (received.code, received.reason) == (4001, "maintenance")


async def test_error_frame_then_close(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    assert gw.error("WSG-903", "Absolute timeout expired") == 1
    meta, body = await socket.recv()
    assert meta["type"] == "Error"
    assert body == {"errorCode": "WSG-903", "message": "Absolute timeout expired"}
    await socket.closed()


async def test_freeze_is_half_open_and_thaw_ends_it(start, log_in):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    await socket.subscribe(STORE)
    assert gw.freeze() == 1
    await socket.send({"type": "Heartbeat", "messageId": "1"})
    gw.notify(STORE, {"n": 1})
    with pytest.raises(TimeoutError), anyio.fail_after(0.2):
        await socket.connection.recv()
    await user.open()  # a new connection works
    gw.thaw()
    frames = [await socket.recv() for _ in range(2)]
    assert {frame[0]["type"] for frame in frames} == {"Heartbeat", "ServerNotification"}


async def test_session_of_a_frozen_connection_can_be_recovered(start, log_in):
    gw = start()
    user = await log_in(gw)
    socket, details = await user.open()
    await socket.subscribe(STORE)
    gw.freeze()
    lost = gw.notify(STORE, {"n": 1})  # written into the void, as on a real half-open connection
    new, (_, body) = await user.open(details[0]["wsc"]["token"])
    assert body["recoveryState"] == "Successful"
    gw.notify(STORE, {"n": 2})
    assert (await new.recv())[1]["body"] == {"n": 2}
    assert [entry["state"] for entry in gw.log() if entry.get("uuid") == lost[0]] == ["sent"]


async def test_frozen_connection_is_lost_when_its_pong_is_missing(start, log_in, until, kinds):
    gw = start(ping_interval=0.05, pong_timeout=0.1)
    socket, _ = await (await log_in(gw)).open()
    await socket.subscribe(STORE)
    gw.freeze()
    await until(lambda: "lost" in kinds(gw))
    gw.notify(STORE, {})
    assert gw.log()[-1]["state"] == "buffered"
    with pytest.raises(TimeoutError), anyio.fail_after(0.1):
        await socket.connection.recv()  # the client still sees nothing
    gw.thaw()
    assert (await socket.closed()).rcvd is None


@pytest.mark.parametrize("status", [401, 403, 429, 503])
async def test_refuse_upgrade(start, log_in, status):
    gw = start()
    user = await log_in(gw)
    gw.refuse("upgrade", status, retry_after=7)
    with pytest.raises(websockets.InvalidStatus) as caught:
        await user.open_raw()
    response = caught.value.response
    assert response.status_code == status
    assert response.headers["Retry-After"] == "7"
    assert json.loads(response.body)["errorCode"]
    assert [entry["status"] for entry in gw.log() if entry["kind"] == "upgrade_refused"] == [status]
    await user.open()


async def test_upgrade_that_hangs(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.refuse("upgrade", "hang")
    with pytest.raises(TimeoutError):
        await user.open_raw(open_timeout=0.2)
    await user.open()


async def test_upgrade_that_is_reset(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.refuse("upgrade", "rst")
    with pytest.raises((OSError, websockets.InvalidMessage, EOFError)):
        await user.open_raw()
    await user.open()


async def test_connection_details_that_never_come(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.refuse("details", "hang")
    socket = await user.open_raw()
    with pytest.raises(TimeoutError), anyio.fail_after(0.2):
        await socket.connection.recv()


async def test_error_frame_instead_of_connection_details(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.refuse("details", 403, error_code="WSG-901", message="No")
    socket = await user.open_raw()
    meta, body = await socket.recv()
    assert (meta["type"], meta["status"]) == ("Error", 403)
    assert body == {"errorCode": "WSG-901", "message": "No"}
    await socket.closed()


async def test_reset_instead_of_connection_details(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.refuse("details", "rst")
    socket = await user.open_raw()
    assert (await socket.closed()).rcvd is None


@pytest.mark.parametrize(("where", "path"), [("wstoken", "wstoken"), ("token", "token")])
async def test_refuse_login_steps(start, log_in, where, path):
    gw = start()
    user = await log_in(gw)
    gw.refuse(where, 429, retry_after=3, times=2)
    for _ in range(2):
        answer = await user.http.post(f"/restapi/oauth/{path}")
        assert answer.status_code == 429
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        assert answer.headers["Retry-After"] == "3"
        assert answer.json()["errors"][0]["errorCode"] == "CMN-301"
    await user.log_in()
    await user.wstoken()


async def test_refuse_a_subscription_over_the_socket(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    gw.refuse("subscription", 403, error_code="SUB-528", message="permission is required")
    meta, body = await socket.request("POST", SUBSCRIPTION, WANTED)
    assert (meta["status"], body["errorCode"], body["message"]) == (403, "SUB-528", "permission is required")
    await socket.subscribe(STORE)


async def test_refuse_by_method_and_path(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    gw.refuse("PUT /restapi/v1.0/subscription/*", 404)
    one = await socket.subscribe(STORE)
    assert (await socket.request("PUT", one["uri"], {}))[0]["status"] == 404
    assert (await socket.request("PUT", one["uri"], {}))[0]["status"] == 200


async def test_http_request_that_hangs(start, log_in, kinds):
    gw = start()
    user = await log_in(gw)
    gw.refuse("wstoken", "hang")
    with pytest.raises(httpx.ReadTimeout):
        await user.http.post("/restapi/oauth/wstoken", timeout=0.2)
    await user.wstoken()


async def test_http_request_that_is_reset(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.refuse("wstoken", "rst")
    with pytest.raises(httpx.TransportError):
        await user.http.post("/restapi/oauth/wstoken")
    await user.wstoken()


async def test_reset_over_the_socket_cuts_it(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    gw.refuse(f"GET {EXTENSION}", "rst")
    await socket.ask("GET", EXTENSION)
    assert (await socket.closed()).rcvd is None


async def test_refusals_can_stay_until_cleared(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.refuse("wstoken", times=None)
    assert [(await user.http.post("/restapi/oauth/wstoken")).status_code for _ in range(3)] == [503] * 3
    gw.clear_faults()
    await user.wstoken()


async def test_dropped_answer_was_carried_out(start, log_in):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    gw.answer_fault("subscription", drop=True)
    await socket.ask("POST", SUBSCRIPTION, WANTED)
    meta, body = await socket.request("GET", SUBSCRIPTION)
    assert meta["status"] == 200
    assert len(body["records"]) == 1


async def test_delayed_answer_over_http(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.answer_fault("wstoken", delay=0.2)
    began = anyio.current_time()
    await user.wstoken()
    assert anyio.current_time() - began >= 0.2


async def test_answer_without_headers(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    gw.answer_fault(f"GET {EXTENSION}", strip="headers")
    meta, body = await socket.request("GET", EXTENSION)
    assert meta.keys() == {"type", "messageId", "status"}
    assert body["extensionNumber"] == "101"


@pytest.mark.parametrize("way", ["http", "socket"])
async def test_error_without_a_body(start, log_in, way):
    gw = start()
    user = await log_in(gw)
    gw.refuse(f"GET {EXTENSION}", 503)
    gw.answer_fault(f"GET {EXTENSION}", strip="body", times=2)
    if way == "http":
        answers = [await user.http.get(EXTENSION) for _ in range(2)]
        assert [(answer.status_code, answer.content) for answer in answers] == [(503, b""), (200, b"")]
    else:
        socket, _ = await user.open()
        meta, body = await socket.request("GET", EXTENSION)
        assert (meta["status"], body) == (503, None)


async def test_answers_out_of_order(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    for delay in (0.2, 0.1, 0.0):
        gw.answer_fault(f"GET {EXTENSION}", delay=delay)
    asked = [await socket.ask("GET", EXTENSION) for _ in range(3)]
    assert [(await socket.recv())[0]["messageId"] for _ in range(3)] == asked[::-1]


async def test_notification_before_the_answer(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    gw.answer_fault("subscription", notify={"event": STORE, "body": {"n": 1}})
    asked = await socket.ask("POST", SUBSCRIPTION, WANTED)
    early, answer = await socket.recv(), await socket.recv()
    assert answer[0]["messageId"] == asked
    assert early[1]["subscriptionId"] == answer[1]["id"]


@pytest.mark.parametrize(
    "data", ["no json", "[]", '[{"type":"Unknown"}]', '[{"type":"ServerNotification"}]', b"\xff\0"]
)
async def test_malformed_frames(start, log_in, data):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    assert gw.send_raw(data) == 1
    assert await socket.raw() == data


async def test_raw_frames_of_several_kinds(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    big = "x" * (1 << 19)
    gw.send_raw(["a", b"b", big])
    assert [await socket.raw() for _ in range(3)] == ["a", b"b", big]
    gw.send_raw("text", binary=True)
    assert await socket.raw() == b"text"


async def test_faults_over_http(start, log_in):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    await socket.subscribe(STORE)
    async with httpx.AsyncClient(base_url=f"{gw.server}/_gateway", verify=False) as control:
        told = await control.post("/notify", json={"event": STORE, "body": {"n": 1}})
        assert told.json() == {"result": [(await socket.recv())[1]["uuid"]]}
        await control.post("/send_raw", json={"data": ["a", "b"]})
        assert [await socket.raw() for _ in range(2)] == ["a", "b"]
        await control.post("/refuse", json={"where": "wstoken", "status": 503, "retry_after": 1})
        assert (await user.http.post("/restapi/oauth/wstoken")).status_code == 503
        assert (await control.post("/freeze")).json() == {"result": 1}
        assert (await control.post("/thaw")).json() == {"result": None}
        assert (await control.post("/cut")).json() == {"result": 1}
        await socket.closed()
        assert (await control.get("/log")).json() == gw.log()
        await control.post("/clear_log", content=b"")
        assert gw.log() == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cut", {"nonsense": 1}),
        ("refuse", {}),
        ("refuse", {"where": "nowhere"}),
        ("refuse", {"where": "upgrade", "status": "nonsense"}),
        ("answer_fault", {"where": "token", "notify": {}}),
    ],
)
def test_wrong_arguments_over_http_are_400(start, name, arguments):
    answer = httpx.post(f"{start().server}/_gateway/{name}", json=arguments)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{name}: ")
    assert "GatewayApp" not in answer.text


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("fail_recovery", {"kode": 1}, "fail_recovery: the member `kode` is not known; it takes code, times"),
        ("notify", {"event": STORE}, "notify: the member `body` is missing; it takes event, body, filter"),
        ("thaw", {"soon": True}, "thaw: the member `soon` is not known; it takes none"),
    ],
)
def test_wrong_member_over_http_is_named(start, name, arguments, message):
    assert httpx.post(f"{start().server}/_gateway/{name}", json=arguments).json()["message"] == message


@pytest.mark.parametrize(
    "where",
    ["", "*", "upgrades", "recovery", "GET", "get /restapi", f"GET {EXTENSION}?a=b", f"GET {EXTENSION}/", EXTENSION],
)
def test_place_where_nothing_can_strike_is_an_error(start, where):
    gw = start()
    with pytest.raises(ValueError, match=r'where must be one of "upgrade", "details", "token", .* "METHOD /path"'):
        gw.refuse(where)
    with pytest.raises(ValueError, match=r'where must be one of "details", "token", .* "METHOD /path"'):
        gw.answer_fault(where, drop=True)


def test_answers_that_do_not_exist_cannot_be_spoilt(start):
    gw = start()
    with pytest.raises(ValueError, match="where must be"):
        gw.answer_fault("upgrade", delay=1)
    with pytest.raises(ValueError, match="delay only"):
        gw.answer_fault("details", drop=True)


@pytest.mark.parametrize("times", [0, -1])
def test_fault_that_never_strikes_is_an_error(start, times):
    gw = start()
    for order in (lambda: gw.refuse("upgrade", times=times), lambda: gw.fail_recovery(times=times)):
        with pytest.raises(ValueError, match=r"^times: expected"):
            order()


async def test_place_may_be_a_pattern(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.refuse("* /restapi/v1.0/account/*", 503, times=None)
    gw.refuse("GET *", 429)
    assert (await user.http.get(EXTENSION)).status_code == 503
    assert (await user.http.get("/restapi")).status_code == 429
    assert (await user.http.get("/restapi")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/_gateway"])
def test_root_says_what_this_server_is(start, path):
    gw = start()
    answer = httpx.get(f"{gw.server}{path}")
    about = answer.json()
    assert answer.status_code == 200
    assert "rcex_ws.gateway" in about["server"]
    assert "python -m rcex_ws.gateway" in about["credentials"]
    assert not [secret for secret in (gw.client_id, gw.client_secret, gw.jwt) if secret in answer.text]
    assert httpx.get(f"{gw.server}{about['log']}").json() == []  # these requests are not logged either
    for fault in about["commands"]:
        assert httpx.get(f"{gw.server}{fault}").status_code == 405  # it exists, but needs a POST
    assert about["commands"]["/_gateway/cut"]["members"] == ["code", "reason"]
    assert about["commands"]["/_gateway/cut"]["does"].startswith("Cut every WebSocket")


async def test_no_log_shows_a_token(start, log_in, caplog):
    caplog.set_level(logging.DEBUG)
    gw = start()
    user = await log_in(gw)
    socket, details = await user.open()
    await socket.subscribe(STORE)
    wsc = details[0]["wsc"]["token"]
    gw.cut()
    await user.open(wsc)
    gw.refuse("upgrade", 503)
    with pytest.raises(websockets.InvalidStatus):
        await user.open_raw(wsc=wsc)
    await user.refresh()
    # websockets in the client logs in this process as well
    ours = [record for record in caplog.records if record.name != "websockets.client"]
    text = "\n".join(record.getMessage() for record in ours)
    secrets = [gw.client_secret, gw.jwt, wsc, user.tokens["access_token"], user.tokens["refresh_token"]]
    assert not [secret for secret in secrets if secret in text]
    assert "access_token=" not in text
    assert not [record.name for record in ours if record.name.startswith("websockets")]


async def test_record_holds_no_secret(start, log_in):
    gw = start()
    user = await log_in(gw)
    socket, details = await user.open()
    await socket.subscribe(STORE)
    await user.refresh()
    text = json.dumps(gw.log())
    secrets = [gw.client_secret, gw.jwt, details[0]["wsc"]["token"], *map(str, user.tokens.values())]
    assert not [secret for secret in secrets if len(secret) > 20 and secret in text]
    assert gw.client_secret not in repr(gw)


async def test_record_can_be_read_after_the_end(start, log_in):
    from rcex_ws.gateway import Gateway

    gw = Gateway()
    with pytest.raises(NotConnected, match="not running"):
        gw.log()
    with gw:
        socket, _ = await (await log_in(gw)).open()
        await socket.subscribe(STORE)
        before = gw.log()
    assert gw.log()[: len(before)] == before
    assert [entry["kind"] for entry in gw.log()[len(before) :]] == ["lost"]
    with pytest.raises(NotConnected, match="not running"):
        gw.cut()


async def test_hanging_requests_do_not_hold_up_the_end(start, log_in):
    from rcex_ws.gateway import Gateway

    with Gateway() as gw:
        user = await log_in(gw)
        gw.refuse("wstoken", "hang")
        gw.answer_fault(f"GET {EXTENSION}", delay=60)
        gw.refuse("upgrade", "hang")
        for path in ("POST /restapi/oauth/wstoken", f"GET {EXTENSION}"):
            with pytest.raises(httpx.ReadTimeout):
                await user.http.request(*path.split(), timeout=0.05)
        began = anyio.current_time()
    assert anyio.current_time() - began < 2
