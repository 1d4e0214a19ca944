"""The WebSocket over real sockets: the rules of the protocol, without faults."""

from __future__ import annotations

import json
import uuid

import anyio
import httpx
import pytest
import websockets

EXTENSION = "/restapi/v1.0/account/~/extension/~"
STORE = f"{EXTENSION}/message-store"
SUBSCRIPTION = "/restapi/v1.0/subscription"


async def test_connection_details_are_first(start, log_in):
    user = await log_in(start())
    _, (meta, body) = await user.open()
    assert meta["status"] == 200
    assert meta["wsc"]["sequence"] == 1
    assert meta["headers"]["RCRequestId"] == meta["messageId"]
    assert uuid.UUID(meta["messageId"]).version == 1
    assert body.pop("creationTime").endswith("+0000")
    assert body == {
        "maxConnectionsPerSession": 50,
        "recoveryBufferSize": 100,
        "recoveryTimeout": 180,
        "idleTimeout": 1800,
        "absoluteTimeout": 86400,
        "maxActiveRequests": 10,
    }


async def test_request_sent_before_connection_details_is_answered_after_them(start, log_in):
    gw = start()
    user = await log_in(gw)
    gw.answer_fault("details", delay=0.1)
    socket = await user.open_raw()
    asked = await socket.ask("GET", EXTENSION)
    assert (await socket.recv())[0]["type"] == "ConnectionDetails"
    assert (await socket.recv())[0]["messageId"] == asked


async def test_wstoken_in_the_authorization_header(start, log_in):
    user = await log_in(start())
    issued = await user.wstoken()
    bearer = {"Authorization": f"Bearer {issued['ws_access_token']}"}
    async with user.connect(issued["uri"], proxy=None, additional_headers=bearer) as connection:
        assert json.loads(await connection.recv())[0]["type"] == "ConnectionDetails"


async def test_upgrade_without_a_good_wstoken_is_401(start, log_in):
    user = await log_in(start())
    issued = await user.wstoken()
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with user.connect(issued["uri"] + "?access_token=wrong", proxy=None):
            pass
    assert caught.value.response.status_code == 401


async def test_wstoken_is_single_use_when_told(start, log_in):
    user = await log_in(start(single_use_wstoken=True))
    token = (await user.wstoken())["ws_access_token"]
    await user.open_raw(wstoken=token)
    with pytest.raises(websockets.InvalidStatus, match="401"):
        await user.open_raw(wstoken=token)


async def test_wstoken_may_be_used_again_unless_told(start, log_in):
    user = await log_in(start())
    token = (await user.wstoken())["ws_access_token"]
    for _ in range(2):
        socket = await user.open_raw(wstoken=token)
        assert (await socket.recv())[0]["type"] == "ConnectionDetails"


async def test_one_connection_too_many_is_refused(start, log_in):
    user = await log_in(start(max_connections_per_session=1))
    await user.open()
    with pytest.raises(websockets.InvalidStatus, match="403"):
        await user.open_raw()


async def test_heartbeat_is_echoed(start, log_in):
    socket, _ = await (await log_in(start())).open()
    await socket.send({"type": "Heartbeat", "messageId": "beat/1"})
    assert await socket.recv() == [{"type": "Heartbeat", "messageId": "beat/1"}]


async def test_the_same_application_answers_over_the_socket(start, log_in):
    user = await log_in(start())
    socket, _ = await user.open()
    meta, body = await socket.request("GET", f"{EXTENSION}/")
    assert meta["type"] == "ClientRequest"
    assert meta["status"] == 200
    assert meta["headers"]["X-Rate-Limit-Group"] == "light"
    assert body == (await user.http.get(EXTENSION)).json()


async def test_query_of_a_client_request(start, log_in):
    user = await log_in(start())
    socket, _ = await user.open()
    await user.pager("one")
    _, with_pagers = await socket.request("GET", STORE, query={"messageType": ["Pager", "SMS"], "perPage": 5})
    _, without = await socket.request("GET", f"{STORE}?messageType=Fax")
    assert len(with_pagers["records"]) == 1
    assert with_pagers["paging"]["perPage"] == 5
    assert without["records"] == []


async def test_errors_have_the_same_shape_over_the_socket(start, log_in):
    user = await log_in(start())
    socket, _ = await user.open()
    meta, body = await socket.request("GET", "/restapi/v1.0/nothing")
    assert meta["status"] == 404
    assert body["errors"][0]["errorCode"] == body["errorCode"] == "CMN-102"
    assert body == (await user.http.get("/restapi/v1.0/nothing")).json()


async def test_204_is_meta_alone(start, log_in):
    socket, _ = await (await log_in(start())).open()
    subscription = await socket.subscribe(STORE)
    meta, body = await socket.request("DELETE", subscription["uri"])
    assert meta["status"] == 204
    assert body is None


async def test_batch_get_is_the_odd_multipart_frame(start, log_in):
    user = await log_in(start())
    ids = [(await user.pager(text))["id"] for text in ("one", "two")]
    socket, _ = await user.open()
    await socket.ask("GET", f"{STORE}/{ids[0]},{ids[1]},7")
    text = await socket.raw()
    with pytest.raises(ValueError):
        json.loads(text)
    meta, end = json.JSONDecoder().raw_decode(text[1:])
    assert meta["status"] == 207
    boundary = meta["headers"]["Content-Type"].partition("boundary=")[2]
    rest = text[1 + end :]
    assert rest.startswith(f",--{boundary}\r\n")
    assert rest.endswith(f"--{boundary}--\r\n]")
    parts = [json.loads(part.split("\r\n\r\n")[1]) for part in rest.split(f"--{boundary}")[1:-1]]
    assert [one["status"] for one in parts[0]["response"]] == [200, 200, 404]
    assert [one.get("subject") for one in parts[1:]] == ["one", "two", None]


@pytest.mark.parametrize("path", ["/restapi/oauth/wstoken", "/restapi/oauth/revoke"])
async def test_oauth_is_refused_over_the_socket(start, log_in, path):
    socket, _ = await (await log_in(start())).open()
    meta, body = await socket.request("POST", path)
    assert meta["status"] == 403
    assert "WebSocket" in body["message"]


async def test_post_subscription_resolves_the_filters(start, log_in):
    socket, _ = await (await log_in(start())).open()
    body = await socket.subscribe(f"{STORE}?type=SMS")
    assert body["eventFilters"] == ["/restapi/v1.0/account/37439510/extension/62264425016/message-store?type=SMS"]
    assert body["expiresIn"] == 86399
    assert body["status"] == "Active"
    assert body["deliveryMode"] == {"transportType": "WebSocket", "encryption": False}
    assert body["uri"] == f"{SUBSCRIPTION}/{body['id']}"


async def test_second_post_replaces_the_subscription(start, log_in):
    user = await log_in(start())
    socket, _ = await user.open()
    first = await socket.subscribe(STORE)
    second = await socket.subscribe(STORE)
    assert first["id"] != second["id"]
    listed = (await user.http.get(SUBSCRIPTION)).json()["records"]
    assert [one["id"] for one in listed] == [second["id"]]


async def test_put_changes_the_filters(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    first = await socket.subscribe(f"{EXTENSION}/presence")
    meta, second = await socket.request("PUT", first["uri"], {"eventFilters": [STORE]})
    assert meta["status"] == 200
    assert second["id"] == first["id"]
    assert gw.notify(f"{EXTENSION}/presence", {}) == []
    assert len(gw.notify(STORE, {})) == 1


async def test_put_from_a_new_session_rebinds_the_subscription(start, log_in):
    gw = start()
    user = await log_in(gw)
    old, _ = await user.open()
    first = await old.subscribe(STORE)
    new, _ = await user.open()
    meta, second = await new.request("PUT", first["uri"], {"eventFilters": [STORE]})
    assert (meta["status"], second["id"]) == (200, first["id"])
    gw.notify(STORE, {"n": 1})
    assert (await new.recv())[1]["body"] == {"n": 1}
    await old.send({"type": "Heartbeat", "messageId": "1"})
    assert (await old.recv())[0]["type"] == "Heartbeat"  # and no notification before it


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
async def test_unknown_subscription_is_404(start, log_in, method):
    socket, _ = await (await log_in(start())).open()
    meta, body = await socket.request(method, f"{SUBSCRIPTION}/nothing")
    assert (meta["status"], body["errorCode"]) == (404, "CMN-102")


@pytest.mark.parametrize("filters", [None, [], [7], ["nonsense"], ["//["]])
async def test_bad_filters_are_sub_508(start, log_in, filters):
    socket, _ = await (await log_in(start())).open()
    body = {"eventFilters": filters, "deliveryMode": {"transportType": "WebSocket"}}
    meta, answer = await socket.request("POST", SUBSCRIPTION, body)
    assert (meta["status"], answer["errorCode"]) == (400, "SUB-508")


async def test_too_many_subscriptions_are_sub_505(start, log_in):
    user = await log_in(start(max_subscriptions=1))
    one, _ = await user.open()
    await one.subscribe(STORE)
    await one.subscribe(STORE)  # a replacement does not count
    two, _ = await user.open()
    body = {"eventFilters": [STORE], "deliveryMode": {"transportType": "WebSocket"}}
    meta, answer = await two.request("POST", SUBSCRIPTION, body)
    assert (meta["status"], answer["errorCode"]) == (403, "SUB-505")


async def test_filter_that_is_not_granted_is_listed_as_disabled(start, log_in):
    gw = start(disabled_filters=(f"{EXTENSION}/presence",))
    socket, _ = await (await log_in(gw)).open()
    body = await socket.subscribe(STORE, f"{EXTENSION}/presence")
    assert [one.rpartition("/")[2] for one in body["eventFilters"]] == ["message-store"]
    assert body["disabledFilters"][0]["filter"].endswith("/presence")
    assert gw.notify(f"{EXTENSION}/presence", {}) == []


async def test_subscription_over_http(start, log_in):
    user = await log_in(start())
    socket, _ = await user.open()
    one = await socket.subscribe(STORE)
    assert (await user.http.get(one["uri"])).json()["id"] == one["id"]
    assert (await user.http.post(f"{one['uri']}/renew")).status_code == 200
    assert (await user.http.put(one["uri"], json={"eventFilters": [STORE]})).json()["errorCode"] == "SUB-511"
    wanted = {"eventFilters": [STORE], "deliveryMode": {"transportType": "WebSocket"}}
    assert (await user.http.post(SUBSCRIPTION, json=wanted)).status_code == 400
    assert (await user.http.delete(one["uri"])).status_code == 204
    assert (await user.http.get(one["uri"])).status_code == 404


async def test_notification_has_the_envelope(start, log_in):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    one = await socket.subscribe(f"{STORE}?type=Pager")
    sent = await user.pager("hello")
    meta, body = await socket.recv()
    assert meta["type"] == "ServerNotification"
    assert meta["messageId"] == body["uuid"]
    assert body["uuid"].isdecimal()
    assert body["event"] == one["eventFilters"][0]
    assert body["subscriptionId"] == one["id"]
    assert body["ownerId"] == "62264425016"
    assert body["body"]["changes"] == [
        {"type": "Pager", "newCount": 1, "updatedCount": 0, "newMessageIds": [sent["id"]]}
    ]
    (noted,) = [entry for entry in gw.log() if entry["kind"] == "notification"]
    assert (noted["uuid"], noted["state"]) == (body["uuid"], "sent")


async def test_notifications_go_to_every_matching_session(start, log_in):
    user = await log_in(start())
    sockets = [(await user.open())[0] for _ in range(2)]
    for socket in sockets:
        await socket.subscribe(STORE)
    await user.pager("hello")
    for socket in sockets:
        assert (await socket.recv())[1]["body"]["changes"][0]["type"] == "Pager"


async def test_presence_change_causes_a_notification(start, log_in):
    user = await log_in(start())
    socket, _ = await user.open()
    await socket.subscribe(f"{EXTENSION}/presence", f"{EXTENSION}/presence?detailedTelephonyState=true")
    await socket.ask("PUT", f"{EXTENSION}/presence", {"dndStatus": "DoNotAcceptAnyCalls"})
    frames = [await socket.recv() for _ in range(2)]
    (notified,) = [body for meta, body in frames if meta["type"] == "ServerNotification"]
    assert notified["event"].endswith("/presence?detailedTelephonyState=true")
    assert notified["body"]["dndStatus"] == "DoNotAcceptAnyCalls"
    assert notified["body"]["activeCalls"] == []


async def test_answers_over_the_socket_are_concurrent(start, log_in):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    gw.answer_fault(f"GET {EXTENSION}", delay=0.2)
    slow = await socket.ask("GET", EXTENSION)
    quick = await socket.ask("GET", f"{EXTENSION}/presence")
    assert [(await socket.recv())[0]["messageId"] for _ in range(2)] == [quick, slow]


async def test_one_request_too_many_is_429(start, log_in, kinds):
    gw = start(max_active_requests=2)
    socket, _ = await (await log_in(gw)).open()
    gw.answer_fault(f"GET {EXTENSION}", delay=0.1, times=2)
    asked = [await socket.ask("GET", EXTENSION) for _ in range(3)]
    meta, body = await socket.recv()
    assert (meta["messageId"], meta["status"], body["errorCode"]) == (asked[2], 429, "CMN-301")
    assert "maxActiveRequests" in body["message"]
    assert [(await socket.recv())[0]["status"] for _ in range(2)] == [200, 200]
    assert kinds(gw).count("overflow") == 1
    assert (await socket.request("GET", EXTENSION))[0]["status"] == 200


async def test_wsc_rises_on_any_frame(start, log_in):
    gw = start(wsc_every_n=2)
    user = await log_in(gw)
    socket, details = await user.open()
    tokens = [details[0]["wsc"]["token"]]
    await socket.subscribe(STORE)
    for number in range(2, 6):
        await socket.send({"type": "Heartbeat", "messageId": "1"})
        meta = (await socket.recv())[0]
        if number % 2 == 0:
            assert meta["wsc"]["sequence"] == number // 2 + 1
            tokens.append(meta["wsc"]["token"])
        else:
            assert "wsc" not in meta
    assert len(set(tokens)) == 3
    gw.cut()
    _, details = await user.open(tokens[-1])
    assert details[1]["recoveryState"] == "Successful"


async def test_idle_connection_gets_wsg_902(start, log_in):
    socket, _ = await (await log_in(start(idle_timeout=0.2))).open()
    meta, body = await socket.recv()
    assert meta["type"] == "Error"
    assert body == {"errorCode": "WSG-902", "message": "Idle timeout expired"}
    assert (await socket.closed()).rcvd.code == 1000


async def test_pings_do_not_count_against_idleness_but_heartbeats_do(start, log_in):
    socket, _ = await (await log_in(start(idle_timeout=0.6, ping_interval=0.05))).open()
    began = anyio.current_time()
    await anyio.sleep(0.3)
    await socket.send({"type": "Heartbeat", "messageId": "1"})
    await socket.recv()
    assert (await socket.recv())[1]["errorCode"] == "WSG-902"
    assert anyio.current_time() - began >= 0.9


async def test_old_connection_gets_wsg_903(start, log_in):
    user = await log_in(start(absolute_timeout=0.2))
    socket, details = await user.open()
    await socket.subscribe(STORE)
    assert (await socket.recv())[1]["errorCode"] == "WSG-903"
    await socket.closed()
    _, details = await user.open(details[0]["wsc"]["token"])
    assert details[1]["recoveryState"] == "Successful"


async def test_expired_login_closes_the_socket(start, log_in, kinds):
    gw = start(access_token_expires_in=0.3)
    socket, _ = await (await log_in(gw)).open()
    assert (await socket.closed()).rcvd.code == 1008
    assert "logged_out" in kinds(gw)


async def test_refreshed_login_keeps_the_socket(start, log_in):
    gw = start(access_token_expires_in=0.8)
    user = await log_in(gw)
    socket, _ = await user.open()
    await anyio.sleep(0.4)
    await user.refresh()
    await anyio.sleep(0.5)
    assert (await socket.request("GET", EXTENSION))[0]["status"] == 200


async def test_revoke_closes_the_socket(start, log_in):
    gw = start(logout_grace=0)
    user = await log_in(gw)
    socket, _ = await user.open()
    basic = httpx.BasicAuth(gw.client_id, gw.client_secret)
    await user.http.post("/restapi/oauth/revoke", data={"token": user.tokens["access_token"]}, auth=basic)
    assert (await socket.closed()).rcvd.code == 1008


async def test_client_close_is_answered_and_noted(start, log_in, until, kinds):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    await socket.close()
    await until(lambda: "lost" in kinds(gw))
    assert (await socket.closed()).rcvd.code == 1000


@pytest.mark.parametrize("frame", ["no json", "[]", "{}", "[7]"])
async def test_malformed_client_frame_ends_the_connection(start, log_in, frame):
    socket, _ = await (await log_in(start())).open()
    await socket.connection.send(frame)
    assert (await socket.recv())[1]["errorCode"] == "WSG-400"
    await socket.closed()


async def test_unknown_type_is_ignored(start, log_in):
    socket, _ = await (await log_in(start())).open()
    await socket.send({"type": "Novelty", "messageId": "1"})
    assert (await socket.request("GET", EXTENSION))[0]["status"] == 200


@pytest.mark.parametrize(
    "meta",
    [
        {"path": "/rest\u00e9?q=\u20ac", "headers": {"X-User-Agent": "\u20ac"}},
        {"path": None, "method": None, "query": 7, "headers": []},
        {"path": "//[", "method": "\u20ac"},
        {"path": "/restapi/v1.0/subscription/%00%ff", "method": "GET"},
    ],
)
async def test_odd_client_request_is_answered_with_an_error(start, log_in, meta):
    socket, _ = await (await log_in(start())).open()
    await socket.send({"type": "ClientRequest", "messageId": "1"} | meta)
    answer = await socket.recv()
    assert answer[0]["messageId"] == "1"
    assert 400 <= answer[0]["status"] < 500


@pytest.mark.parametrize("body", [7, "text", [1], {"eventFilters": {}, "deliveryMode": "WebSocket"}])
async def test_odd_body_is_answered_with_an_error(start, log_in, body):
    socket, _ = await (await log_in(start())).open()
    meta, answer = await socket.request("POST", SUBSCRIPTION, body)
    assert meta["status"] == 400
    assert answer["errorCode"].startswith("CMN-")


async def test_plain_http_on_the_websocket_port_is_refused(start, log_in):
    user = await log_in(start())
    issued = await user.wstoken()
    url = issued["uri"].replace("ws:", "http:")
    answer = await user.http.get(url, params={"access_token": issued["ws_access_token"]})
    assert answer.status_code == 426
