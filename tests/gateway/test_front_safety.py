"""The security of a gateway that runs on a developer's machine."""

from __future__ import annotations

import json

import httpx
import pytest

from rcex_ws.gateway.codes import CodeRequest
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.problem import Problem
from tests.gateway.conftest import EXTENSION, JWT_GRANT
from tests.gateway.test_core import Time

STORE = f"{EXTENSION}/message-store"
MIB = 2**20


@pytest.mark.parametrize("path", ["/_gateway/cut", "/_gateway/clear_log"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.test"},
        {"Host": "evil.test:8080"},
        {"Host": "127.0.0.1.evil.test"},
        {"Host": "localhost.evil.test"},
        {"Host": ""},
    ],
)
def test_g7_a_web_page_cannot_order_faults(start, path, headers):
    gw = start()
    gw.notify(STORE, {})
    before = gw.log()
    answer = httpx.post(f"{gw.server}{path}", headers=headers)
    assert answer.status_code == 403
    assert "result" not in answer.json()
    assert gw.log() == before


@pytest.mark.parametrize("host", ["evil.test", "evil.test:8080"])
def test_g7_a_name_that_was_bound_anew_does_not_read_the_log(start, host):
    assert httpx.get(f"{start().server}/_gateway/log", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:{}", "a.localhost:{}", "[::1]:{}", "192.168.7.7:{}", "gateway"]
)
def test_g7_programs_of_the_machine_and_of_its_containers_can(start, host):
    gw = start()
    port = gw.server.rpartition(":")[2]
    named = {"Host": host.format(port)}
    assert httpx.post(f"{gw.server}/_gateway/cut", headers=named).json() == {"result": 0}
    own_page = named | {"Origin": f"http://{named['Host']}", "Sec-Fetch-Site": "same-origin"}
    assert httpx.post(f"{gw.server}/_gateway/cut", headers=own_page).json() == {"result": 0}


def test_g7_the_name_that_clients_are_told_can(start):
    gw = start(public_ws_uri="wss://rc.company.test/ws")
    named = {"Host": "rc.company.test"}
    assert httpx.post(f"{gw.server}/_gateway/cut", headers=named).json() == {"result": 0}


async def test_g7_no_wstoken_and_no_wsc_in_the_journal(start, log_in):
    gw = start(client_secret="short", jwt="brief")
    user = await log_in(gw)
    issued = await user.wstoken()
    socket, details = await user.open()
    secrets = [
        issued["ws_access_token"],
        details[0]["wsc"]["token"],
        user.tokens["access_token"],
        user.tokens["refresh_token"],
    ]
    query = {"access_token": secrets[0], "wsc": secrets[1], "a": "b"}
    await user.http.get("/ws", params=query)
    await user.http.get(f"/restapi/v1.0/{secrets[0]}/{secrets[1]}")
    await socket.request("GET", f"/ws?access_token={secrets[0]}&wsc={secrets[1]}")
    await socket.request("GET", "/ws", query=query | {"client_secret": "short", "jwt": "brief"})
    await socket.send({"type": secrets[1]})
    await socket.subscribe(f"{STORE}?wsc={secrets[1]}")
    gw.cut(4000, secrets[1][:100])
    await user.http.post("/restapi/oauth/token", data={"grant_type": secrets[0]})
    text = json.dumps(gw.log())
    assert not [secret for secret in secrets if secret in text]
    assert "short" not in text
    assert "brief" not in text
    assert '"query": "access_token=***&wsc=***&a=b"' in text


def test_g7_no_login_ends_before_there_are_too_many():
    core = GatewayCore(GatewayOptions(), Time())
    logins = [core.oauth.log_in(core.people.first) for _ in range(5)]
    assert [login.ended_at for login in logins] == [None] * 5
    core.oauth.log_in(core.people.first)
    assert [login.ended_at is None for login in logins] == [False, True, True, True, True]


def test_g7_a_client_that_has_a_secret_must_tell_it(start):
    gw = start()
    form = {"grant_type": JWT_GRANT, "assertion": gw.jwt, "client_id": gw.client_id}
    token = f"{gw.server}/restapi/oauth/token"
    assert httpx.post(token, data=form).status_code == 401
    assert httpx.post(token, data=form | {"client_secret": ""}).status_code == 401
    assert httpx.post(token, data=form | {"client_secret": gw.client_secret}).status_code == 200
    assert httpx.post(f"{gw.server}/restapi/oauth/revoke", data={"token": "x", "client_id": "y"}).status_code == 401


def test_g7_a_public_client_has_none(start):
    gw = start(client_secret="")
    assert gw.client_secret == ""
    form = {"grant_type": JWT_GRANT, "assertion": gw.jwt}
    token = f"{gw.server}/restapi/oauth/token"
    assert httpx.post(token, data=form | {"client_id": gw.client_id}).status_code == 200
    assert httpx.post(token, data=form, auth=(gw.client_id, "")).status_code == 200
    assert httpx.post(token, data=form, auth=(gw.client_id, "guess")).status_code == 401


def test_g7_a_code_is_good_for_its_redirect_and_for_a_while():
    time = Time()
    core = GatewayCore(GatewayOptions(), time)
    owner = core.people.first

    def code():
        return core.oauth.codes.issue(owner, CodeRequest(core.apps.first, "http://localhost/back"))

    assert core.oauth.codes.redeem(code(), core.apps.first, "http://localhost/back", None) is owner
    for wrong in ("", "http://localhost/bac", "http://localhost/back/", "https://evil.test"):
        with pytest.raises(Problem):
            core.oauth.codes.redeem(code(), core.apps.first, wrong, None)
    late = code()
    time.now += 601
    with pytest.raises(Problem):
        core.oauth.codes.redeem(late, core.apps.first, "http://localhost/back", None)


NO_ADDRESSES = ["", "back", "/back", "javascript:alert(1)", "data:text/html,x", "http://", "//x/y", "http://[", "a b:c"]


@pytest.mark.parametrize("redirect", NO_ADDRESSES)
def test_g7_a_code_needs_an_address_to_go_to(start, redirect):
    gw = start()
    query = {"response_type": "code", "client_id": gw.client_id, "redirect_uri": redirect}
    answer = httpx.get(f"{gw.server}/restapi/oauth/authorize", params=query)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "OAU-109")


def test_g7_a_redirect_keeps_its_own_query(start):
    gw = start()
    query = {"client_id": gw.client_id, "redirect_uri": "http://localhost/back?x=1#top"}
    location = httpx.get(f"{gw.server}/restapi/oauth/authorize", params=query).headers["location"]
    assert location.startswith("http://localhost/back?x=1&code=")
    custom = query | {"redirect_uri": "my-app:/back"}
    assert httpx.get(f"{gw.server}/restapi/oauth/authorize", params=custom).headers["location"].startswith("my-app:/")


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("refuse", {"where": "token", "status": 1000}),
        ("refuse", {"where": "token", "status": 101}),
        ("refuse", {"where": "token", "status": True}),
        ("refuse", {"where": "token", "status": None}),
        ("refuse", {"where": "token", "retry_after": "soon"}),
        ("refuse", {"where": "token", "retry_after": -1}),
        ("refuse", {"where": "token", "times": "twice"}),
        ("refuse", {"where": 7}),
        ("refuse", {"where": "token", "message": 7}),
        ("answer_fault", {"where": "GET /restapi", "delay": "long"}),
        ("answer_fault", {"where": "GET /restapi", "delay": -1}),
        ("answer_fault", {"where": "GET /restapi", "strip": "all"}),
        ("answer_fault", {"where": "GET /restapi", "notify": {"event": 1, "body": {}}}),
        ("answer_fault", {"where": "GET /restapi", "notify": {"event": "/restapi", "body": 1}}),
        ("fail_recovery", {"code": None}),
        ("cut", {"code": 99999}),
        ("cut", {"code": 1005}),
        ("cut", {"code": "1000"}),
        ("cut", {"code": 4000, "reason": "x" * 124}),
        ("cut", {"code": 4000, "reason": 5}),
        ("error", {"code": 5}),
        ("error", {"status": "x"}),
        ("notify", {"event": 1, "body": {}}),
        ("notify", {"event": "/restapi/v1.0/x", "body": 1}),
        ("send_raw", {"data": 5}),
        ("send_raw", {"data": [5]}),
        ("send_raw", {"data": {}}),
    ],
)
async def test_g7_orders_that_cannot_be_carried_out_are_400(start, log_in, name, order):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    answer = await user.http.post(f"/_gateway/{name}", json=order)
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"].startswith(f"{name}: ")
    assert (await socket.request("GET", EXTENSION))[0]["status"] == 200  # the fault was not executed
    assert (await user.http.get("/restapi")).status_code == 200
    with pytest.raises((ValueError, TypeError)):
        getattr(gw, name)(**order)
