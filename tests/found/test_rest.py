"""Failures found in the REST client: where a stored login goes on, who renews it, and which way a call goes."""

from __future__ import annotations

import base64
import json
import logging
import re
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from rcex_ws import ConfigurationError, FileTokenStore, LoginRefused, RestError, RingCentral, Token, WebSocketExtension
from rcex_ws.gateway import Gateway
from rcex_ws.gateway.account.people import MAIN_NUMBER
from rcex_ws.rest import Request
from rcex_ws.wsg.rest_transport import eligible

INFO = "/restapi/v1.0/account/~/extension/~"

#: What does not answer with JSON in RingCentral's OpenAPI, as @rc-ex/core 1.8.6 was generated from it: the methods with
#: `responseType: "arraybuffer"`, and of those that return a string the one with content, which is CSV.
BINARY = [
    "/restapi/{apiVersion}/account/{accountId}/extension/{extensionId}/greeting/{greetingId}/content",
    "/restapi/{apiVersion}/account/{accountId}/extension/{extensionId}/message-store/{messageId}/content/{attachmentId}",
    "/restapi/{apiVersion}/account/{accountId}/extension/{extensionId}/profile-image",
    "/restapi/{apiVersion}/account/{accountId}/extension/{extensionId}/profile-image/{scaleSize}",
    "/restapi/{apiVersion}/account/{accountId}/greeting/{greetingId}/content",
    "/restapi/{apiVersion}/account/{accountId}/ivr-prompts/{promptId}/content",
    "/restapi/{apiVersion}/account/{accountId}/message-threads/messages/{messageId}/content/{attachmentId}",
    "/restapi/{apiVersion}/account/{accountId}/recording/{recordingId}/content",
    "/restapi/v2/accounts/{accountId}/sms/consents/export",
]

#: The same of @rc-ex/core 0.4.2 to 1.5.0 and of RingCentral.Net, where it is not above; today such addresses stand in
#: the answers about reports and data exports only.
EARLIER = [
    "/restapi/{apiVersion}/account/{accountId}/message-store-report/{taskId}/archive/{archiveId}",
    "/restapi/{apiVersion}/glip/data-export/{taskId}/archive/{archiveId}",
    "/restapi/{apiVersion}/glip/data-export/{taskId}/datasets/{datasetId}",
]

#: JSON: the GET endpoints of 1.8.6 whose paths look most like those.
JSON = [
    "/rcvideo/v1/account/{accountId}/recordings",
    "/restapi/{apiVersion}/account/{accountId}/call-recording/custom-greetings",
    "/restapi/{apiVersion}/account/{accountId}/extension/{extensionId}/greeting/hold-music",
    "/restapi/{apiVersion}/account/{accountId}/extension/{extensionId}/greeting/{greetingId}",
    "/restapi/{apiVersion}/account/{accountId}/extension/{extensionId}/message-store",
    "/restapi/{apiVersion}/account/{accountId}/extension/{extensionId}/message-store-templates/{templateId}",
    "/restapi/{apiVersion}/account/{accountId}/extension/{extensionId}/message-store/{messageId}",
    "/restapi/{apiVersion}/account/{accountId}/ivr-prompts",
    "/restapi/{apiVersion}/account/{accountId}/ivr-prompts/{promptId}",
    "/restapi/{apiVersion}/account/{accountId}/message-store-report/{taskId}",
    "/restapi/{apiVersion}/account/{accountId}/message-store-report/{taskId}/archive",
    "/restapi/{apiVersion}/account/{accountId}/message-threads/messages",
    "/restapi/{apiVersion}/account/{accountId}/message-threads/{threadId}",
    "/restapi/{apiVersion}/account/{accountId}/recording/{recordingId}",
    "/restapi/{apiVersion}/dictionary/fax-cover-page",
    "/restapi/{apiVersion}/dictionary/greeting/{greetingId}",
    "/restapi/v2/accounts/{accountId}/sms/consents/history",
    "/team-messaging/v1/data-export",
    "/team-messaging/v1/data-export/{taskId}",
    "/webinar/history/v1/company/recordings/{recordingId}",
    "/webinar/history/v1/recordings/{recordingId}",
    "/webinar/history/v1/recordings/{recordingId}/download",
]


def filled(template: str) -> str:
    return re.sub(r"{\w+}", lambda match: "v1.0" if match[0] == "{apiVersion}" else "77-a", template)


@pytest.mark.parametrize("suffix", ["", "/", "?contentDisposition=Inline"])
@pytest.mark.parametrize("template", BINARY + EARLIER)
def test_a11_what_is_no_json_goes_by_https(template, suffix):
    assert not eligible(Request("GET", filled(template) + suffix), "https://server")


@pytest.mark.parametrize("template", JSON)
def test_a11_its_json_neighbours_may_go_over_the_socket(template):
    assert eligible(Request("GET", filled(template)), "https://server")


@pytest.mark.parametrize(
    "path",
    [
        "/restapi/v1.0/account/~/message-threads/messages/5/content/1",
        "/restapi/v1.0/account/~/message-store-report/5/archive/1",
    ],
)
async def test_a11_the_calls_of_the_row(gateway, path):
    async with client(gateway) as rc:
        await rc.authorize(jwt=gateway.jwt)
        await rc.install_extension(WebSocketExtension(rest_over_websocket=True))
        assert (await rc.get(INFO)).via == "websocket"
        with pytest.raises(RestError) as caught:  # the local gateway has no such thing
            await rc.get(path)
        assert (caught.value.status_code, caught.value.response.via) == (404, "https")


# -- F9: a stored session is continued for whom it was made ------------------------------------------------------------


def client(gateway: Gateway, **options) -> RingCentral:
    return RingCentral(
        **({"server": gateway.server, "client_id": gateway.client_id, "client_secret": gateway.client_secret} | options)
    )


def jwt_of(payload: object) -> str:
    """Make a JWT that nobody has signed."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b"{}", content, b"signature"))


@pytest.fixture
def store(tmp_path) -> FileTokenStore:
    return FileTokenStore(tmp_path / "token.json")


@pytest.fixture
def logins(gateway) -> Callable[[], list[str]]:
    """Return who has logged in at the gateway, by the ids of the extensions."""
    return lambda: [entry["owner"] for entry in gateway.log() if entry["kind"] == "token"]


@pytest.fixture
def posts(gateway) -> Callable[[], int]:
    """Return how many calls the token endpoint has got."""
    return lambda: [entry.get("path") for entry in gateway.log()].count("/restapi/oauth/token")


async def start(gateway, store, credentials, **options) -> Token:
    """Do what a process does at its start, with a call; return its token."""
    async with client(gateway, token_store=store, **options) as rc:
        token = await rc.authorize(**credentials)
        assert rc.token is token
        assert (await rc.get(INFO)).json()["id"] == int(token.owner_id)
        return token


async def test_f9_the_jwt_of_another_user_logs_in_anew(gateway, store, logins, caplog):
    first, second = gateway.users[:2]
    old = await start(gateway, store, {"jwt": first.jwt})
    with caplog.at_level(logging.DEBUG, "rcex_ws.rest"):
        new = await start(gateway, store, {"jwt": second.jwt})
    assert logins() == [first.id, second.id]
    assert (new.owner_id, new.access_token == old.access_token) == (second.id, False)
    (warning,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert "another user" in warning
    for secret in (first.jwt, second.jwt, old.access_token, old.refresh_token, new.access_token, first.id, second.id):
        assert secret not in caplog.text
    assert await start(gateway, store, {"jwt": second.jwt}) == new  # the file is his now
    assert logins() == [first.id, second.id]


async def test_f9_a_renewed_jwt_of_the_same_user_continues(gateway, store, logins, caplog):
    first = await start(gateway, store, {"jwt": gateway.jwt})
    renewed = jwt_of({"sub": gateway.users[0].id, "jti": "another", "exp": 2e9})
    assert await start(gateway, store, {"jwt": renewed}) == first
    assert await start(gateway, store, {}) == first
    assert len(logins()) == 1
    assert not caplog.records


@pytest.mark.parametrize(
    "jwt",
    [
        "opaque",
        "a.b.c",
        "a.%%%%.c",
        jwt_of({"iss": "x"}),
        jwt_of({"sub": ""}),
        jwt_of({"sub": ["5"]}),
        jwt_of([]),
        jwt_of(b"\xff"),
        jwt_of(b"[" * 20_000),
        jwt_of(b'{"a":' + b"[" * 20_000),
        jwt_of({"sub": "5"}) + ".encrypted.five-parts",
    ],
    ids=range(11),
)
async def test_f9_a_jwt_that_cannot_be_read_is_told_by_a_salted_hash(jwt, tmp_path):
    store = FileTokenStore(tmp_path / "token.json")
    with Gateway(jwt=jwt) as gateway:
        first = await start(gateway, store, {"jwt": jwt})
        assert await start(gateway, store, {"jwt": jwt}) == first
        assert jwt not in store.path.read_text()
        assert (await start(gateway, store, {"jwt": gateway.users[1].jwt})).owner_id == gateway.users[1].id
        assert (await start(gateway, store, {"jwt": jwt})).owner_id == gateway.users[0].id
        there = (await store.load()).login
    with Gateway(jwt=jwt) as elsewhere:
        await start(elsewhere, store, {"jwt": jwt})
    assert (await store.load()).login != there


@pytest.mark.parametrize("changed", ["server", "client_id"])
@pytest.mark.parametrize("with_credential", [True, False])
async def test_f9_another_server_or_application_never_gets_the_old_session(
    gateway, store, changed, with_credential, caplog
):
    old = await start(gateway, store, {"jwt": gateway.jwt})
    with Gateway(client_id="OTHER" if changed == "client_id" else gateway.client_id, jwt=gateway.jwt) as other:
        await store.save(msgspec.structs.replace(old, server=old.server if changed == "server" else other.server))
        if with_credential:
            assert (await start(other, store, {"jwt": gateway.jwt})).access_token != old.access_token
        else:
            async with client(other, token_store=store) as rc:
                with pytest.raises(ConfigurationError, match="no session to continue"):
                    await rc.authorize()
                with pytest.raises(ConfigurationError, match="authorize"):  # and no call bears the old token
                    await rc.get(INFO)
        assert f"another {changed}" in caplog.text
        assert not [entry for entry in other.log() if entry["kind"] == "refresh"]


async def test_f9_a_password_login_is_told_by_the_user_name(gateway, store, logins):
    first, second = gateway.users[:2]
    mine = {"username": first.username, "password": first.password}
    old = await start(gateway, store, mine)
    kept = store.path.read_text()
    assert first.password not in kept
    assert await start(gateway, store, mine | {"password": "changed in the meantime"}) == old
    assert store.path.read_text() == kept
    new = await start(gateway, store, {"username": second.username, "password": second.password})
    assert (new.owner_id, logins()) == (second.id, [first.id, second.id])
    assert (await start(gateway, store, {"jwt": first.jwt})).owner_id == first.id


async def test_f9_extensions_of_one_number_are_different_users(gateway, store, logins):
    first, second = gateway.users[:2]
    mine = {"username": MAIN_NUMBER, "password": first.password, "extension": first.number}
    await start(gateway, store, mine)
    await start(gateway, store, mine)
    await start(gateway, store, mine | {"password": second.password, "extension": second.number})
    assert len(logins()) == 2


async def a_code(gateway, rc) -> dict[str, str]:
    """Log in as the first user in the browser."""
    async with httpx.AsyncClient() as browser:
        back = (await browser.get(rc.authorize_uri(redirect_uri="https://bot.example/"))).headers["location"]
    return {"code": parse_qs(urlsplit(back).query)["code"][0], "redirect_uri": "https://bot.example/"}


async def test_f9_a_fresh_code_always_wins(gateway, store, logins, caplog):
    first, second = gateway.users[:2]
    await start(gateway, store, {"jwt": second.jwt})
    async with client(gateway, token_store=store) as rc:
        one = await rc.authorize(**await a_code(gateway, rc))
        assert (await rc.authorize()) is one
        two = await rc.authorize(**await a_code(gateway, rc))  # also over the session in memory
        assert (one.owner_id, two.owner_id, one == two) == (first.id, first.id, False)
    assert await start(gateway, store, {}) == two
    assert (await start(gateway, store, {"jwt": second.jwt})).owner_id == second.id  # whom a code meant is not known
    assert logins() == [second.id, first.id, first.id, second.id]
    assert caplog.text.count("another user") == 1


async def test_f9_a_file_from_before_matches_once(gateway, store, logins):
    first, second = gateway.users[:2]
    token = await start(gateway, store, {"jwt": first.jwt})
    record = {"server", "client_id", "login"}
    before = {name: value for name, value in json.loads(store.path.read_text()).items() if name not in record}
    store.path.write_text(json.dumps(before))
    assert await start(gateway, store, {}) != token
    assert (await store.load()).login is None  # who it is, nobody has said
    assert await start(gateway, store, {"jwt": first.jwt}) == token
    assert await store.load() == token
    assert (await start(gateway, store, {"jwt": second.jwt})).owner_id == second.id
    assert logins() == [first.id, second.id]


async def test_f9_an_ended_session_of_a_file_from_before_is_bound_when_it_is_refreshed(gateway, store):
    token = await start(gateway, store, {"jwt": gateway.jwt})
    await store.save(
        msgspec.structs.replace(token, server=None, client_id=None, login=None, expires_at=time.time() - 1)
    )
    new = await start(gateway, store, {"jwt": gateway.jwt})
    assert new.access_token != token.access_token
    assert (new.server, new.client_id, new.login) == (token.server, token.client_id, token.login)
    assert await store.load() == new


async def test_f9_a_store_that_keeps_the_old_fields_only_works_as_before(gateway, logins):
    class Row:
        def __init__(self) -> None:
            self.row: tuple[str, str | None, float | None] | None = None

        async def load(self):
            if self.row is None:
                return None
            return Token(access_token=self.row[0], refresh_token=self.row[1], expires_at=self.row[2], owner_id="1")

        async def save(self, token):
            self.row = token.access_token, token.refresh_token, token.expires_at

        async def clear(self):
            self.row = None

    row = Row()
    async with client(gateway, token_store=row) as rc:
        token = await rc.authorize(jwt=gateway.jwt)
    async with client(gateway, token_store=row) as rc:
        assert (await rc.authorize(jwt=gateway.jwt)).access_token == token.access_token
        await rc.refresh()
    assert len(logins()) == 1


async def test_f9_a_token_given_by_hand_stays_as_it_is(gateway, logins):
    async with client(gateway) as rc:
        await rc.authorize(jwt=gateway.jwt)
        given = Token(access_token=rc.token.access_token, refresh_token=rc.token.refresh_token)
    async with client(gateway, token=given) as rc:
        assert await rc.authorize(jwt=gateway.users[1].jwt) is given
        assert await rc.authorize() is given
    assert len(logins()) == 1


async def test_f9_one_client_may_change_its_user(gateway, store, logins):
    first, second = gateway.users[:2]
    async with client(gateway, token_store=store) as rc:
        await rc.authorize(jwt=first.jwt)
        assert (await rc.authorize(jwt=second.jwt)).owner_id == second.id
        assert (await rc.authorize(jwt=second.jwt)) is rc.token
        rc._auth.token = msgspec.structs.replace(rc.token, refresh_token="dead")
        assert (await rc.refresh()).owner_id == second.id  # by his JWT, not by the first one's
    assert logins() == [first.id, second.id, second.id]


async def test_f9_a_login_that_fails_leaves_the_session_of_before(gateway, store):
    async with client(gateway, token_store=store) as rc:
        token = await rc.authorize(jwt=gateway.jwt)
        with pytest.raises(LoginRefused):
            await rc.authorize(jwt=jwt_of({"sub": "nobody"}))
        assert rc.token is token
        rc._auth.token = msgspec.structs.replace(token, refresh_token="dead")
        assert (await rc.refresh()).owner_id == token.owner_id
    assert (await store.load()).login == token.login


async def test_f9_a_login_anew_on_a_dead_grant_is_bound_too(gateway, store):
    token = await start(gateway, store, {"jwt": gateway.jwt})
    await store.save(msgspec.structs.replace(token, expires_at=1.0, refresh_token="dead"))
    async with client(gateway, token_store=store) as rc:
        new = await rc.authorize(jwt=gateway.jwt)
        rc._auth.token = msgspec.structs.replace(new, refresh_token="dead")
        newer = await rc.refresh()
    for one in (new, newer):
        assert (one.server, one.client_id, one.login) == (token.server, token.client_id, token.login)
    assert await store.load() == newer


async def test_f9_nothing_of_it_shows_in_a_repr(gateway, store):
    token = await start(gateway, store, {"username": gateway.users[0].username, "password": gateway.users[0].password})
    shown = repr(token) + str(token) + str(list(token.__rich_repr__()))
    assert not [text for text in (token.login, token.client_id, token.server) if text in shown]


# -- F10: the token file is shared -------------------------------------------------------------------------------------


@pytest.fixture
def gateway_options():
    return {"refresh_token_grace": 0.0}  # a refresh token is good once, and for nothing afterwards


@pytest.mark.parametrize("credentials", [False, True], ids=["no credential", "jwt"])
async def test_f10_what_somebody_else_has_renewed_is_read_again(gateway, store, logins, posts, credentials):
    await start(gateway, store, {"jwt": gateway.jwt})
    async with client(gateway, token_store=store) as ours, client(gateway, token_store=store) as theirs:
        await ours.authorize(**({"jwt": gateway.jwt} if credentials else {}))
        await theirs.authorize()
        for _ in range(2):
            renewed = await theirs.refresh()
            assert (await ours.get(INFO)).is_success  # 401, a refused refresh, and their token
            assert ours.token == renewed
    assert len(logins()) == 1
    assert posts() == 1 + 2 * 2


async def test_f10_theirs_is_refreshed_once_if_it_has_ended(gateway, store, logins, posts):
    await start(gateway, store, {"jwt": gateway.jwt})
    async with client(gateway, token_store=store) as ours, client(gateway, token_store=store) as theirs:
        await ours.authorize()
        await theirs.authorize()
        renewed = await theirs.refresh()
        await store.save(msgspec.structs.replace(renewed, expires_at=time.time() - 1))
        assert (await ours.get(INFO)).is_success
        assert ours.token.access_token != renewed.access_token
        assert await store.load() == ours.token
    assert posts() == 1 + 1 + 2


async def test_f10_authorize_reads_again_too(gateway, store, logins):
    """The file was renewed between our reading it and our refresh."""
    token = await start(gateway, store, {"jwt": gateway.jwt})
    ended = msgspec.structs.replace(token, expires_at=time.time() - 1)
    async with client(gateway, token_store=store) as theirs:
        await theirs.authorize()
        renewed = await theirs.refresh()

    class Late(FileTokenStore):
        loads = 0

        async def load(self):
            self.loads += 1
            return ended if self.loads == 1 else await super().load()

    assert await start(gateway, Late(store.path), {"jwt": gateway.jwt}) == renewed
    assert len(logins()) == 1


@pytest.mark.parametrize("stored", ["the same", "as dead", "nothing", "unreadable", "of another user"])
async def test_f10_what_does_not_help_ends_in_the_refusal(gateway, store, posts, stored):
    token = await start(gateway, store, {"jwt": gateway.jwt})
    loads = []

    class Store(FileTokenStore):
        async def load(self):
            loads.append(1)
            if stored == "unreadable" and len(loads) > 1:
                raise OSError("no permission")
            return await super().load()

    async with client(gateway, token_store=Store(store.path)) as rc:
        await rc.authorize()
        async with client(gateway, token=token) as theirs:
            await theirs.refresh()
        if stored == "as dead":
            await store.save(msgspec.structs.replace(token, access_token="A", refresh_token="R", expires_at=1.0))
        elif stored == "nothing":
            await store.clear()
        elif stored == "of another user":
            await start(gateway, FileTokenStore(store.path), {"jwt": gateway.users[1].jwt})
        before = posts()
        for _ in range(3):
            with pytest.raises(LoginRefused, match="OAU-210"):
                await rc.get(INFO)
    assert posts() - before == (2 if stored == "as dead" else 1)  # what was refused is not asked again
    assert len(loads) == 1 + 3  # but the file is looked at, once each


async def test_f10_who_has_logged_in_by_code_is_told_by_the_owner(gateway, store):
    token = await start(gateway, store, {"jwt": gateway.jwt})
    await store.save(msgspec.structs.replace(token, login="code"))
    async with client(gateway, token_store=store) as ours:
        await ours.authorize()
        await store.save(msgspec.structs.replace(token, login="code", access_token="THEIRS", owner_id="another"))
        async with client(gateway, token=token) as theirs:
            await theirs.refresh()
        with pytest.raises(LoginRefused):
            await ours.get(INFO)


async def test_f10_a_final_refusal_is_forgotten_when_somebody_else_logs_in(gateway, store):
    token = await start(gateway, store, {"jwt": gateway.jwt})
    async with client(gateway, token_store=store) as ours, client(gateway, token_store=store) as theirs:
        await ours.authorize()
        async with client(gateway, token=token) as thief:
            await thief.refresh()
        with pytest.raises(LoginRefused):
            await ours.get(INFO)
        await theirs.authorize(jwt=gateway.jwt, force=True)
        assert (await ours.get(INFO)).is_success


async def test_f10_somebody_elses_login_spares_ours(gateway, store, logins):
    """Without a refresh token the next step would be a login, and the fifth ends the first (with its WebSockets)."""
    token = await start(gateway, store, {"jwt": gateway.jwt})
    await store.save(msgspec.structs.replace(token, refresh_token=None))
    async with client(gateway, token_store=store) as ours, client(gateway, token_store=store) as theirs:
        await ours.authorize(jwt=gateway.jwt)
        await theirs.authorize(jwt=gateway.jwt, force=True)
        assert await ours.refresh() == theirs.token
    assert len(logins()) == 2


async def test_f10_a_token_given_by_hand_has_nothing_to_do_with_the_store(gateway, store):
    """The store may hold what another user left there."""
    await start(gateway, store, {"jwt": gateway.users[1].jwt})
    async with client(gateway, token_store=store, token=Token(access_token="A", refresh_token="R")) as rc:
        with pytest.raises(LoginRefused):
            await rc.get(INFO)
