"""The REST API over HTTP: logins, tokens, extensions, messages, errors, rate limits."""

from __future__ import annotations

import base64
import hashlib

import anyio
import httpx
import pytest

EXTENSION = "/restapi/v1.0/account/~/extension/~"
STORE = f"{EXTENSION}/message-store"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REDIRECT = "http://localhost/back"


async def test_jwt_login(start, log_in):
    user = await log_in(start())
    assert user.tokens["token_type"] == "bearer"
    assert user.tokens["expires_in"] == 3600
    assert user.tokens["refresh_token_expires_in"] == 604800
    assert (await user.http.get(EXTENSION)).status_code == 200


async def test_public_client_names_itself_in_the_body(start):
    gw = start(client_secret="")
    form = {"grant_type": JWT_GRANT, "assertion": gw.jwt, "client_id": gw.client_id}
    async with httpx.AsyncClient(verify=False) as http:
        assert (await http.post(f"{gw.server}/restapi/oauth/token", data=form)).status_code == 200


@pytest.mark.parametrize("header", ["Basic d3Jvbmc6d3Jvbmc=", "Basic !", ""])
async def test_wrong_client_is_401(start, header):
    gw = start()
    form = {"grant_type": JWT_GRANT, "assertion": gw.jwt}
    async with httpx.AsyncClient(verify=False) as http:
        answer = await http.post(f"{gw.server}/restapi/oauth/token", data=form, headers={"Authorization": header})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"grant_type": JWT_GRANT, "assertion": "wrong"}, "invalid_grant"),
        ({"grant_type": "password", "username": "ada@gateway.invalid", "password": "wrong"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "wrong"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "wrong"}, "invalid_grant"),
        ({"grant_type": "nonsense"}, "unsupported_grant_type"),
    ],
)
async def test_wrong_grant_is_400(start, log_in, form, word):
    answer = await (await log_in(start())).token(**form)
    assert (answer.status_code, answer.json()["error"]) == (400, word)
    assert answer.json()["errors"][0]["errorCode"].startswith("OAU-")


async def test_refresh_kills_the_old_access_token_at_once(start, log_in):
    user = await log_in(start())
    old = user.http.headers["Authorization"]
    await user.refresh()
    assert (await user.http.get(EXTENSION)).status_code == 200
    refused = await user.http.get(EXTENSION, headers={"Authorization": old})
    assert (refused.status_code, refused.json()["errorCode"]) == (401, "OAU-213")


async def test_used_refresh_token_returns_the_same_pair_for_a_while(start, log_in):
    user = await log_in(start(refresh_token_grace=0.5))
    form = {"grant_type": "refresh_token", "refresh_token": user.tokens["refresh_token"]}
    first, again = [(await user.token(**form)).json() for _ in range(2)]
    assert first["access_token"] == again["access_token"]
    assert first["refresh_token"] == again["refresh_token"]
    await anyio.sleep(0.55)
    assert (await user.token(**form)).json()["error"] == "invalid_grant"


async def test_access_token_expires(start, log_in):
    user = await log_in(start(access_token_expires_in=0.1))
    await anyio.sleep(0.15)
    assert (await user.http.get(EXTENSION)).status_code == 401


async def test_revoked_login_is_over(start, log_in):
    gw = start()
    user = await log_in(gw)
    basic = (gw.client_id, gw.client_secret)
    answer = await user.http.post("/restapi/oauth/revoke", data={"token": user.tokens["access_token"]}, auth=basic)
    assert answer.status_code == 200
    assert (await user.http.get(EXTENSION)).status_code == 401
    form = {"grant_type": "refresh_token", "refresh_token": user.tokens["refresh_token"]}
    assert (await user.token(**form)).status_code == 400


async def test_authorization_code_with_pkce(start, log_in):
    gw = start()
    user = await log_in(gw)
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": gw.client_id,
        "redirect_uri": REDIRECT,
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }

    async def code():
        found = await user.http.get("/restapi/oauth/authorize", params=query)
        location = httpx.URL(found.headers["Location"])
        assert location.params["state"] == "s"
        return location.params["code"]

    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT}
    assert (await user.token(**form, code=await code())).status_code == 400
    assert (await user.token(**form, code=await code(), code_verifier="wrong")).status_code == 400
    good = await code()
    assert (await user.token(**form, code=good, code_verifier=verifier)).status_code == 200
    assert (await user.token(**form, code=good, code_verifier=verifier)).status_code == 400


async def test_password_login_of_the_second_user(start, log_in):
    gw = start()
    user = await log_in(gw)
    await user.log_in(grant_type="password", username=gw.users[1].username, password=gw.users[1].password)
    assert (await user.http.get(EXTENSION)).json()["extensionNumber"] == "102"


async def test_wstoken_answer(start, log_in):
    gw = start()
    issued = await (await log_in(gw)).wstoken()
    assert issued.keys() == {"uri", "ws_access_token", "expires_in"}
    assert (issued["uri"], issued["expires_in"]) == (gw.ws_uri, 60)


async def test_public_ws_uri_is_given_out(start, log_in):
    issued = await (await log_in(start(public_ws_uri="ws://proxy.invalid/ws"))).wstoken()
    assert issued["uri"] == "ws://proxy.invalid/ws"


async def test_expired_wstoken_is_refused(start, log_in):
    user = await log_in(start(wstoken_expires_in=0))
    with pytest.raises(Exception, match="401"):
        await user.open_raw()


async def test_no_token_is_401(start):
    async with httpx.AsyncClient(base_url=start().server, verify=False) as http:
        assert (await http.get(EXTENSION)).status_code == 401
        for path in ("/restapi", "/restapi/v1.0", "/restapi/v1.0/status"):
            assert (await http.get(path)).status_code == 200


async def test_unknown_paths_and_methods(start, log_in):
    user = await log_in(start())
    for path in ("/nothing", "/restapi/v1.0/account/1/extension/~", "/restapi/v1.0/account/~/extension/1"):
        answer = await user.http.get(path)
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "CMN-102")
    assert (await user.http.patch(EXTENSION)).status_code == 405


async def test_trailing_slash_is_the_same_path(start, log_in):
    user = await log_in(start())
    assert (await user.http.get(f"{EXTENSION}/")).json() == (await user.http.get(EXTENSION)).json()


async def test_presence_is_read_and_changed(start, log_in):
    user = await log_in(start())
    assert (await user.http.get(f"{EXTENSION}/presence")).json()["userStatus"] == "Available"
    changed = (await user.http.put(f"{EXTENSION}/presence", json={"userStatus": "Busy"})).json()
    assert (changed["userStatus"], changed["presenceStatus"]) == ("Busy", "Busy")
    assert (await user.http.get(f"{EXTENSION}/presence")).json() == changed


@pytest.mark.parametrize("body", [{"userStatus": "Odd"}, {"nonsense": 1}, {"userStatus": ["Busy"]}])
async def test_wrong_presence_is_400(start, log_in, body):
    answer = await (await log_in(start())).http.put(f"{EXTENSION}/presence", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-101")


@pytest.mark.parametrize("content", [b"{", b"[]"])
async def test_malformed_json_is_400(start, log_in, content):
    answer = await (await log_in(start())).http.put(f"{EXTENSION}/presence", content=content)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-100")


async def test_pager_is_in_both_stores_and_tells_both_owners(start, log_in):
    gw = start()
    ada = await log_in(gw)
    bob = await log_in(gw, grant_type=JWT_GRANT, assertion=gw.users[1].jwt)
    at_ada, _ = await ada.open()
    await at_ada.subscribe(f"{STORE}?type=Pager&direction=Outbound")
    at_bob, _ = await bob.open()
    await at_bob.subscribe(f"{STORE}?direction=Inbound", f"{STORE}/instant?type=Pager")
    sent = await ada.pager("hello", to="102")
    assert (await at_ada.recv())[1]["body"]["changes"][0]["newMessageIds"] == [sent["id"]]
    stored, instant = (await at_bob.recv())[1], (await at_bob.recv())[1]
    (received,) = (await bob.http.get(STORE)).json()["records"]
    assert stored["body"]["changes"][0]["newMessageIds"] == [received["id"]]
    assert (instant["body"]["subject"], instant["body"]["direction"]) == ("hello", "Inbound")
    assert (received["direction"], received["readStatus"]) == ("Inbound", "Unread")
    assert (await bob.http.get(f"{STORE}/{received['id']}")).json() == received
    assert (await bob.http.get(f"{STORE}/{sent['id']}")).status_code == 404


async def test_pager_to_oneself_is_one_notification(start, log_in):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    await socket.subscribe(STORE)
    await user.pager("hello")
    assert [entry["kind"] for entry in gw.log()].count("notification") == 1


@pytest.mark.parametrize(
    "body", [{}, {"text": "a"}, {"text": "a", "to": [{"extensionNumber": "999"}]}, {"text": "", "to": []}, {"to": 7}]
)
async def test_wrong_pager_is_400(start, log_in, body):
    answer = await (await log_in(start())).http.post(f"{EXTENSION}/company-pager", json=body)
    assert answer.status_code == 400


async def test_message_store_pages_newest_first(start, log_in):
    user = await log_in(start())
    for text in ("one", "two", "three"):
        await user.pager(text)
    page = (await user.http.get(STORE, params={"perPage": 2})).json()
    assert [one["subject"] for one in page["records"]] == ["three", "two"]
    page = (await user.http.get(STORE, params={"perPage": 2, "page": 2})).json()
    assert [one["subject"] for one in page["records"]] == ["one"]
    assert (await user.http.get(STORE, params={"page": "x"})).status_code == 400


@pytest.fixture
async def mailbox(start, log_in):
    """A user with three messages, and a WebSocket subscribed to all changes."""
    user = await log_in(start())
    ids = [(await user.pager(text, to="102"))["id"] for text in ("one", "two", "three")]
    socket, _ = await user.open()
    await socket.subscribe(f"{STORE}?type=Pager&direction=Outbound")
    return user, ids, socket


UPDATED = [{"type": "Pager", "newCount": 0, "updatedCount": 1}]


@pytest.mark.parametrize("status", ["Unread", "Read"])
async def test_message_is_marked(mailbox, status):
    user, ids, socket = mailbox
    before = (await user.http.get(f"{STORE}/{ids[0]}")).json()
    answer = await user.http.put(f"{STORE}/{ids[0]}", json={"readStatus": status})
    marked = answer.json()
    assert (answer.status_code, marked["readStatus"]) == (200, status)
    assert marked["lastModifiedTime"] >= marked["creationTime"]
    assert marked == before | {"readStatus": status, "lastModifiedTime": marked["lastModifiedTime"]}
    assert (await user.http.get(f"{STORE}/{ids[0]}")).json() == marked
    assert (await socket.recv())[1]["body"]["changes"] == UPDATED


@pytest.mark.parametrize("body", [{}, {"readStatus": "read"}, {"readStatus": ["Read"]}])
async def test_wrong_mark_is_400(mailbox, body):
    user, ids, _ = mailbox
    answer = await user.http.put(f"{STORE}/{ids[0]}", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-101")


async def test_messages_are_deleted(mailbox):
    user, ids, socket = mailbox
    answer = await user.http.delete(f"{STORE}/{ids[0]},{ids[2]},0{ids[2]}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert [one["id"] for one in (await user.http.get(STORE)).json()["records"]] == [ids[1]]
    for _ in range(2):
        assert (await socket.recv())[1]["body"]["changes"] == UPDATED
    asked = await socket.ask("DELETE", f"{STORE}/{ids[1]}")
    notification, answer = await socket.recv(), await socket.recv()
    assert notification[1]["body"]["changes"] == UPDATED
    assert [(meta["messageId"], meta["status"]) for meta in answer] == [(asked, 204)]


async def test_unknown_message_is_neither_marked_nor_deleted(mailbox):
    user, ids, _ = mailbox
    for answer in (
        await user.http.delete(f"{STORE}/{ids[0]},1"),
        await user.http.delete(f"{STORE}/x"),
        await user.http.put(f"{STORE}/1", json={"readStatus": "Read"}),
    ):
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "CMN-102")
    assert (await user.http.get(f"{STORE}/{ids[0]}")).status_code == 200


async def test_batch_get_over_http(start, log_in):
    user = await log_in(start())
    ids = [(await user.pager(text))["id"] for text in ("one", "two")]
    answer = await user.http.get(f"{STORE}/{ids[0]},{ids[1]}")
    assert answer.status_code == 207
    kind, _, boundary = answer.headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/mixed"
    assert answer.text.count(f"--{boundary}\r\n") == 3


async def test_fax_is_stored_byte_for_byte(start, log_in):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    await socket.subscribe(f"{STORE}?type=Fax")
    document = bytes(range(256)) * 3 + b"\r\n--x\r\n\n\r"
    files = [
        ("json", ("request.json", b'{"to": [{"phoneNumber": "+16505550100"}]}', "application/json")),
        ("attachment", ("page.pdf", document, "application/pdf")),
    ]
    fax = (await user.http.post(f"{EXTENSION}/fax", files=files)).raise_for_status().json()
    assert (fax["type"], fax["faxPageCount"]) == ("Fax", 1)
    assert (await socket.recv())[1]["body"]["changes"][0]["newMessageIds"] == [fax["id"]]
    (attachment,) = fax["attachments"]
    content = await user.http.get(attachment["uri"])
    assert content.content == document
    assert content.headers["Content-Type"] == "application/pdf"
    assert (await user.http.get(attachment["uri"][:-1] + "x")).status_code == 404
    meta, body = await socket.request("GET", attachment["uri"].removeprefix(user.gw.server))
    assert (meta["status"], body["errorCode"]) == (415, "CMN-115")


async def test_fax_by_form_fields(start, log_in):
    user = await log_in(start())
    fields = {"to": "+16505550100", "faxResolution": "Low"}
    fax = (await user.http.post(f"{EXTENSION}/fax", data=fields, files={"attachment": ("a.txt", b"hi")})).json()
    assert (fax["to"], fax["faxResolution"]) == (
        [{"phoneNumber": "+16505550100", "messageStatus": "Sent"}],
        "Low",
    )


async def test_wrong_fax(start, log_in):
    user = await log_in(start())
    assert (await user.http.post(f"{EXTENSION}/fax", json={})).status_code == 415
    assert (await user.http.post(f"{EXTENSION}/fax", files={"attachment": ("a", b"hi")})).status_code == 400
    bad = {"json": ("request.json", b"{", "application/json")}
    assert (await user.http.post(f"{EXTENSION}/fax", files=bad)).status_code == 400


async def test_rate_group_strikes_and_lets_go(start, log_in):
    user = await log_in(start(rate_limits={"light": 2}, rate_window=0.6))
    first, second, third = [await user.http.get(EXTENSION) for _ in range(3)]
    assert first.headers["X-Rate-Limit-Group"] == "light"
    assert (first.headers["X-Rate-Limit-Remaining"], second.headers["X-Rate-Limit-Remaining"]) == ("1", "0")
    assert (third.status_code, third.headers["Retry-After"], third.json()["errorCode"]) == (429, "0.6", "CMN-301")
    assert (await user.http.put(f"{EXTENSION}/presence", json={})).status_code == 200  # another group
    await anyio.sleep(0.65)
    assert (await user.http.get(EXTENSION)).status_code == 200


async def test_rate_headers_over_the_socket_are_http_cased(start, log_in):
    socket, _ = await (await log_in(start(rate_limits={"light": 1}))).open()
    await socket.request("GET", EXTENSION)
    meta, body = await socket.request("GET", EXTENSION)
    assert (meta["status"], body["errorCode"]) == (429, "CMN-301")
    assert meta["headers"]["Retry-After"] == "60"
    assert meta["headers"]["X-Rate-Limit-Window"] == "60"
    assert "RCRequestId" in meta["headers"]
