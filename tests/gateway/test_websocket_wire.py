"""What the gateway writes to the wire is what RingCentral writes."""

from __future__ import annotations

import base64
import json

import httpx
import pytest
import websockets

from tests.gateway.conftest import EXTENSION

SUBSCRIPTION = "/restapi/v1.0/subscription"
STORE = f"{EXTENSION}/message-store"


async def revoke(user):
    """Log out as upstream's client does: over HTTP, while the WebSocket is open."""
    basic = (user.gw.client_id, user.gw.client_secret)
    answer = await user.http.post("/restapi/oauth/revoke", data={"token": user.tokens["access_token"]}, auth=basic)
    assert answer.status_code == 200


async def test_g2_a_revoked_login_still_gets_answers_over_its_socket(start, log_in, kinds):
    gw = start(logout_grace=0.4)
    user = await log_in(gw)
    socket, _ = await user.open()
    subscription = await socket.subscribe(STORE)
    await revoke(user)
    meta, body = await socket.request("DELETE", subscription["uri"])
    assert (meta["status"], body["errorCode"]) == (401, "OAU-213")
    assert (await socket.request("GET", EXTENSION))[0]["status"] == 401
    assert "logged_out" not in kinds(gw)
    assert (await socket.closed()).rcvd.code == 1008
    assert kinds(gw).count("logged_out") == 1


async def test_g2_no_new_socket_for_a_revoked_login(start, log_in):
    user = await log_in(start(logout_grace=30))
    issued = await user.wstoken()
    await revoke(user)
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with user.connect(f"{issued['uri']}?access_token={issued['ws_access_token']}", proxy=None):
            pass
    assert caught.value.response.status_code == 401


async def test_g2_a_login_that_is_pushed_out_is_treated_alike(start, log_in):
    gw = start(max_oauth_sessions=1, logout_grace=0.3)
    user = await log_in(gw)
    socket, _ = await user.open()
    await log_in(gw)
    assert (await socket.request("GET", EXTENSION))[0]["status"] == 401
    assert (await socket.closed()).rcvd.code == 1008


@pytest.mark.parametrize("query", ["", "?", "?access_token=", "?wsc=x"])
async def test_g4_no_wstoken_is_accepted_and_closed_with_4400(start, log_in, kinds, query):
    gw = start()
    user = await log_in(gw)
    issued = await user.wstoken()
    async with user.connect(issued["uri"] + query, proxy=None) as connection:
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await connection.recv()
    assert caught.value.rcvd.code == 4400
    assert "connect" not in kinds(gw)
    assert [entry["status"] for entry in gw.log() if entry["kind"] == "upgrade_refused"] == [4400]


async def test_g4_null_for_a_body_is_wsg_808(start, log_in):
    socket, _ = await (await log_in(start())).open()
    message_id = await socket.ask("GET", EXTENSION, None)
    meta, body = await socket.recv()
    assert (meta["type"], meta["messageId"], meta["status"]) == ("Error", message_id, 400)
    assert body["errorCode"] == "WSG-808"
    # The error belongs to that request: the connection stays open.
    assert (await socket.request("GET", EXTENSION))[0]["status"] == 200
    assert (await socket.request("GET", EXTENSION, ""))[0]["status"] == 200  # as RingCentral.Net sends no body


async def test_g9_uris_in_answers_are_absolute(start, log_in):
    gw = start()
    user = await log_in(gw)
    sent = await user.pager("hi", to="101")
    fax = {"to": [{"phoneNumber": "+16505550100"}]}
    files = [("json", ("request.json", json.dumps(fax), "application/json")), ("file", ("a.txt", b"a", "text/plain"))]
    faxed = (await user.http.post(f"{EXTENSION}/fax", files=files)).json()
    (file,) = faxed["attachments"]
    info = (await user.http.get(EXTENSION)).json()
    page = (await user.http.get(STORE)).json()
    batch = (await user.http.get(f"{STORE}/{sent['id']},1")).text
    presence = (await user.http.get(f"{EXTENSION}/presence")).json()
    version = (await user.http.get("/restapi")).json()
    uris = [sent["uri"], faxed["uri"], file["uri"], info["uri"], info["account"]["uri"], page["uri"]]
    uris += [page["records"][0]["uri"], presence["uri"], presence["extension"]["uri"]]
    uris += [version["uri"], version["apiVersions"][0]["uri"]]
    assert {uri.partition("/restapi")[0] for uri in uris} == {gw.server}
    assert f'"{gw.server}/restapi/v1.0/account/' in batch
    assert '"/restapi' not in batch
    assert (await user.http.get(file["uri"])).content == b"a"


async def test_g9_uris_have_the_address_by_which_the_client_came(start, log_in):
    gw = start()
    port = int(gw.server.rpartition(":")[2])
    basic = base64.b64encode(f"{gw.client_id}:{gw.client_secret}".encode()).decode()
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": gw.jwt}
    user = await log_in(gw)
    named = {"Host": f"gateway.test:{port}"}
    tokens = await user.http.post(
        "/restapi/oauth/token", data=form, headers=named | {"Authorization": f"Basic {basic}"}
    )
    user.keep(tokens.json())
    assert (await user.http.get(EXTENSION, headers=named)).json()["uri"].startswith(f"http://gateway.test:{port}/rest")
    assert (await user.http.get(EXTENSION)).json()["uri"].startswith(f"{gw.server}/rest")
    # Over a WebSocket there is no Host: that of the login is used, also in notifications.
    socket, _ = await user.open()
    assert (await socket.request("GET", EXTENSION))[1]["uri"].startswith(f"http://gateway.test:{port}/rest")
    subscription = await socket.subscribe(f"{STORE}/instant?type=Pager")
    await user.pager("hi")
    assert (await socket.recv())[1]["body"]["uri"].startswith(f"http://gateway.test:{port}/rest")
    # Recorded at RingCentral: the URI of a subscription is a path over a WebSocket, and absolute over HTTP.
    assert subscription["uri"].startswith("/restapi/")
    assert (await user.http.get(subscription["uri"])).json()["uri"] == gw.server + subscription["uri"]


async def test_g9_a_host_that_is_none_is_not_repeated(start):
    gw = start()
    port = int(gw.server.rpartition(":")[2])
    async with httpx.AsyncClient(base_url=gw.server, verify=False) as http:
        answer = await http.get("/restapi", headers={"Host": f'evil"/{port}'})
        assert answer.json()["uri"] == f"{gw.server}/restapi"
