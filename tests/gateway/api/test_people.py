"""What a user may do and see, and which notifications they get."""

from __future__ import annotations

import re

import pytest

from tests.gateway.conftest import EXTENSION

STORE = f"{EXTENSION}/message-store"
PRESENCE = f"{EXTENSION}/presence"
ACCOUNT = "/restapi/v1.0/account/~"


@pytest.mark.parametrize(
    "wanted",
    [
        {"message": "Back at noon"},
        {"message": ""},
        {"dndStatusPersonal": "DoNotAcceptAnyCalls"},
        {"callerIdVisibility": "PermittedUsers"},
        {"acceptCallQueueCalls": False},
        {"userStatus": "Busy", "dndStatus": "DoNotAcceptAnyCalls", "message": "In a call"},
    ],
)
async def test_g3_presence_takes_every_member_of_the_reference(start, log_in, wanted):
    user = await log_in(start())
    answer = await user.http.put(PRESENCE, json=wanted)
    assert answer.status_code == 200, answer.text
    assert answer.json().items() >= wanted.items()
    assert (await user.http.get(PRESENCE)).json().items() >= wanted.items()


@pytest.mark.parametrize(
    "wanted",
    [
        {"message": True},
        {"message": "x" * 1001},
        {"dndStatusPersonal": "TakeDepartmentCallsOnly"},
        {"callerIdVisibility": True},
        {"acceptCallQueueCalls": "true"},
        {"presenceStatus": "Busy"},
        {"message": "good", "userStatus": "Gone"},
    ],
)
async def test_g3_presence_refuses_what_the_reference_does_not_have(start, log_in, wanted):
    user = await log_in(start())
    before = (await user.http.get(PRESENCE)).json()
    answer = await user.http.put(PRESENCE, json=wanted)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-101")
    assert (await user.http.get(PRESENCE)).json() == before


@pytest.mark.parametrize(
    ("wanted", "event"),
    [
        (f"{ACCOUNT}/presence", PRESENCE),
        (f"{STORE}?type=SMS", STORE),
        ("/team-messaging/v1/posts", "/restapi/v1.0/glip/posts"),
    ],
)
async def test_g5_notify_names_the_event_apart_from_the_filter(start, log_in, wanted, event):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    subscription = await socket.subscribe(wanted)
    (uuid,) = gw.notify(event, {"n": 1}, filter=wanted)
    body = (await socket.recv())[1]
    own = gw.users[0].uri
    assert (body["uuid"], body["event"], body["body"]) == (uuid, event.replace(EXTENSION, own), {"n": 1})
    assert subscription["eventFilters"] != [body["event"]]


async def test_g5_notify_over_http_names_it_too(start, log_in):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    await socket.subscribe(f"{ACCOUNT}/presence")
    order = {"event": PRESENCE, "body": {}, "filter": f"{ACCOUNT}/presence"}
    told = (await user.http.post("/_gateway/notify", json=order)).json()
    body = (await socket.recv())[1]
    assert told == {"result": [body["uuid"]]}
    assert body["event"] == f"{gw.users[0].uri}/presence"
    gw.answer_fault(f"GET {EXTENSION}", notify=order)
    await socket.ask("GET", EXTENSION)
    assert (await socket.recv())[1]["event"] == f"{gw.users[0].uri}/presence"


async def test_g5_an_account_wide_filter_gets_the_events_of_each_extension(start, log_in):
    gw = start()
    ada = await log_in(gw)
    bob = await log_in(gw, grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=gw.users[1].jwt)
    socket, _ = await ada.open()
    await socket.subscribe(f"{ACCOUNT}/presence?detailedTelephonyState=true")
    await bob.http.put(PRESENCE, json={"userStatus": "Busy"})
    body = (await socket.recv())[1]
    assert body["event"] == f"{gw.users[1].uri}/presence?detailedTelephonyState=true"
    assert body["body"]["extensionId"] == gw.users[1].id
    assert body["body"]["totalActiveCalls"] == 0


async def test_g5_notify_says_when_nothing_matches(start, log_in, caplog):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    await socket.subscribe(STORE)
    assert gw.notify(f"{EXTENSION}/mesage-store", {}) == []
    assert gw.notify(STORE, {}, filter=PRESENCE) == []
    unmatched = [entry for entry in gw.log() if entry["kind"] == "unmatched"]
    own = gw.users[0].uri
    assert [entry["event"] for entry in unmatched] == [f"{own}/mesage-store", f"{own}/presence"]
    assert unmatched[0]["filters"] == [f"{own}/message-store"]
    warned = [record.getMessage() for record in caplog.records if record.name.startswith("rcex_ws.gateway")]
    assert len(warned) == 2
    assert f"{own}/mesage-store" in warned[0]
    order = {"event": "/restapi/v1.0/glip/posts", "body": {}}
    told = (await user.http.post("/_gateway/notify", json=order)).json()
    assert told["result"] == []
    assert "no subscription" in told["note"]


@pytest.mark.parametrize(
    "wanted",
    [
        "/restapi/v2/accounts/~/extensions/~/message-store",
        "/ai/ringsense/v1/public/accounts/~/domains/pbx/insights",
        "/webinar/configuration/v1/webinars",
        "/rcvideo/v1/history/account/~/extension/~/meetings",
        "/restapi/v1.0/glip/posts",
        "/team-messaging/v1/chats",
    ],
)
async def test_g5_filters_of_every_part_of_the_api_are_taken(start, log_in, wanted):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    await socket.subscribe(wanted)
    assert len(gw.notify(wanted, {})) == 1
    assert (await socket.recv())[0]["type"] == "ServerNotification"


async def test_g6_another_user_neither_reads_nor_writes_messages(start, log_in):
    gw = start()
    ada = await log_in(gw)
    message = await ada.pager("for Ada alone")
    bob = await log_in(gw, grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=gw.users[1].jwt)
    store = f"{gw.users[0].uri}/message-store"
    one = f"{store}/{message['id']}"
    own = gw.users[0].uri
    tries = [
        await bob.http.get(store),
        await bob.http.get(one),
        await bob.http.get(f"{one},{message['id']}"),
        await bob.http.put(one, json={"readStatus": "Read"}),
        await bob.http.delete(one),
        await bob.http.get(f"{one}/content/1"),
        await bob.http.post(f"{own}/company-pager", json={"to": [{"extensionNumber": "101"}], "text": "as Ada"}),
        await bob.http.post(f"{own}/fax", data={"to": "+16505550100"}, files={"attachment": ("a", b"")}),
        await bob.http.put(f"{own}/presence", json={"userStatus": "Busy"}),
    ]
    assert {(answer.status_code, answer.json()["errorCode"]) for answer in tries} == {(403, "CMN-404")}
    assert (await ada.http.get(one)).status_code == 200
    # A colleague may see extension info and presence.
    assert (await bob.http.get(own)).status_code == 200
    assert (await bob.http.get(f"{own}/presence")).status_code == 200


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("/restapi/v1.0/account/~/extension/99999/presence", "SUB-408"),
        ("/restapi/v1.0/account/~/extension/nobody/message-store", "SUB-408"),
        ("/restapi/v1.0/account/1/extension/~/presence", "SUB-406"),
        ("/restapi/v1.0/account/~/extension/62264425017/message-store", "SUB-405"),
        ("/restapi/v1.0/account/~/extension/62264425017/message-store/instant?type=SMS", "SUB-405"),
        ("/restapi/v1.0/account/~/extension/62264425017/voicemail", "SUB-405"),
        ("/restapi/v1.0/account/~/extension/62264425017/fax?direction=Inbound", "SUB-405"),
    ],
)
async def test_g6_filters_for_what_is_not_the_users_are_refused(start, log_in, wanted, code):
    gw = start()
    socket, _ = await (await log_in(gw)).open()
    body = {"eventFilters": [STORE, wanted], "deliveryMode": {"transportType": "WebSocket"}}
    meta, refusal = await socket.request("POST", "/restapi/v1.0/subscription", body)
    assert (meta["status"], refusal["errorCode"]) == (403, code)
    one = await socket.subscribe(STORE)
    meta, refusal = await socket.request("PUT", one["uri"], {"eventFilters": [wanted]})
    assert (meta["status"], refusal["errorCode"]) == (403, code)
    assert len(gw.notify(STORE, {})) == 1  # the first filters are still in effect


async def test_g6_the_presence_of_a_colleague_may_be_watched(start, log_in):
    socket, _ = await (await log_in(start())).open()
    body = await socket.subscribe("/restapi/v1.0/account/~/extension/102/presence")
    assert body["eventFilters"] == ["/restapi/v1.0/account/37439510/extension/62264425017/presence"]


def test_several_extensions_are_read_at_once(ada, bob):
    answer = ada.ask("GET", f"/restapi/v1.0/account/~/extension/{bob.extension.id},~,999")
    assert answer.status == 207
    assert re.findall(rb'"status": (\d+)', answer.body) == [b"200", b"200", b"404"]
    assert re.findall(rb'"extensionNumber": "(\d+)"', answer.body) == [b"102", b"101"]
