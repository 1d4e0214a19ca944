"""What a caller gives wrong is said at the call, by an error that names the argument; found by trying 370 inputs.

The whole of every public signature is walked over in tests/signatures; here are the rows, and what is to work.
"""

from __future__ import annotations

import logging
import math
import ssl
import time
from typing import Any

import httpx
import msgspec
import pytest

from rcex_ws import (
    ConfigurationError,
    Events,
    FileTokenStore,
    RingCentral,
    SubscriptionInfo,
    Token,
    WebSocketExtension,
    Wsc,
)
from rcex_ws.gateway import Gateway
from rcex_ws.slack import Bot, BotHandler, RTMClient
from rcex_ws.slack.web import WebApi
from tests.found.refusing import FILTER, SECRET, credentials, refused
from tests.told import Told

NOW = time.time()


# -- I1 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("token", "x", "a Token, or the answer of the OAuth endpoint as a dict, got str (not shown)"),
        ("token", {}, "missing required field `access_token`"),
        ("token", {"access_token": 5}, "Expected `str`, got `int`"),
        ("token_store", "path", "async load, async save, async clear), got str 'path'"),
        ("token_store", FileTokenStore, "got the class FileTokenStore"),
        ("timeout", None, "seconds above 0, got None"),
        ("timeout", math.nan, "seconds above 0, got float nan"),
        ("timeout", True, "seconds above 0, got bool True"),
        ("http", httpx.Client, "got the class Client"),
        ("server", 5, "an http(s) URL such as https://platform.ringcentral.com, got int 5"),
        ("server", b"https://example.com", "got bytes (not shown)"),
        ("server", "https://example.com/restapi/v1.0", "it has a path; /restapi belongs to the calls"),
        ("server", "https://example.com:99999", "its host or port cannot be read"),
        ("server", f"https://me:{SECRET}@example.com", "it has a user name"),
        ("server", f"https://example.com?token={SECRET}", "it has a query"),
        ("server", f"https://example.com/#{SECRET}", "it has a fragment"),
        ("server", "platform.ringcentral.com", "its scheme is missing or wrong"),
        ("proxy", 123, "None, True, False or a URL such as http://proxy.example:3128"),
        ("proxy", "", "empty"),
        ("ssl_context", ssl.SSLContext, "a ssl.SSLContext, got the class SSLContext"),
        ("client_id", 12345, "got int 12345"),
    ],
)
def test_i1_a_client_refuses_what_cannot_be(argument: str, value: Any, expected: str) -> None:
    message = refused(lambda: RingCentral(**{argument: value}), argument)
    assert expected in message
    assert SECRET not in message


def test_i1_a_client_of_httpx_that_does_not_wait_is_refused() -> None:
    with httpx.Client() as client:
        refused(lambda: RingCentral(http=client), "http")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "a", "token_type": "bearer", "expires_in": 3600, "refresh_token": "r", "owner_id": "1"},
        {"access_token": "a", "token_type": "bearer", "expires_in": "3600", "refresh_token": "r", "owner_id": 1},
        {"access_token": "a", "expire_time": NOW + 3600, "refresh_token": "r", "owner_id": "1"},
        {"access_token": "a", "expire_time": (NOW + 3600) * 1000, "refresh_token": "r", "owner_id": "1"},
        {"access_token": "a", "expires_at": NOW + 3600, "refresh_token": "r", "owner_id": "1"},
        {"access_token": " a\n", "expires_in": 3600, "refresh_token": "r", "owner_id": "1", "scope": None},
    ],
    ids=["OAuth", "as texts", "official SDK", "JavaScript SDK", "ours", "white space"],
)
def test_i1_the_token_as_the_oauth_endpoint_and_other_sdks_give_it(answer: dict[str, Any]) -> None:
    token = RingCentral(token=answer).token
    assert token is not None
    assert (token.access_token, token.refresh_token, token.owner_id) == ("a", "r", "1")
    assert token.expires_at == pytest.approx(NOW + 3600, abs=1800)


async def test_i1_a_client_with_such_a_token_calls_and_refreshes(gateway: Gateway) -> None:
    async with RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
    ) as rc:
        token = await rc.authorize(jwt=gateway.jwt)
    answer = {"access_token": token.access_token, "refresh_token": token.refresh_token, "expire_time": 5}
    async with RingCentral(**credentials(gateway), token=answer) as rc:
        assert (await rc.get("/restapi/v1.0/account/~/extension/~")).is_success
        assert rc.token is not None
        assert rc.token.access_token != token.access_token


# -- I2 ----------------------------------------------------------------------------------------------------------------


def test_i2_what_is_kept_goes_through_json_and_comes_back() -> None:
    token = Token(access_token="a", refresh_token="r", expires_at=5.0, login="me")
    info = SubscriptionInfo(id="1", event_filters=(FILTER,), expires_in=60)
    for kept in (token, Wsc("t", 3), info):
        written = msgspec.json.encode(kept.to_dict())
        assert type(kept).from_dict(msgspec.json.decode(written)) == kept


@pytest.mark.parametrize("kind", [Token, Wsc, SubscriptionInfo])
@pytest.mark.parametrize("value", [None, [], "text", {}, {"token": 1, "access_token": 1, "id": 1.5}])
def test_i2_what_cannot_be_read_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(ConfigurationError):
        kind.from_dict(value)


async def test_i2_the_wsc_and_the_subscription_themselves_continue_a_session(gateway: Gateway, told: Told) -> None:
    async def client() -> RingCentral:
        rc = RingCentral(**credentials(gateway))
        await rc.authorize(jwt=gateway.jwt)
        return rc

    async with await client() as rc:
        first = WebSocketExtension()
        told.listen(first)
        await rc.install_extension(first)
        subscription = await first.subscribe([FILTER])
        wsc = await told.wait(Events.NEW_WSC)
        token = rc.token
        await first.detach()
    second = WebSocketExtension(wsc_token=wsc)
    async with RingCentral(**credentials(gateway), token=token) as rc:
        await rc.install_extension(second)
        again = await second.subscribe([FILTER], subscription_info=subscription)
        assert again.info is not None
        assert subscription.info is not None
        assert again.info.id == subscription.info.id
        assert second.last_recovery is not None


def test_i2_a_wsc_of_another_kind_is_refused() -> None:
    for value in (5, {"token": SECRET}, f"{SECRET}\n{SECRET}", b"x"):
        message = refused(lambda value=value: WebSocketExtension(wsc_token=value), "wsc_token")
        assert SECRET not in message


# -- I3 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["client_id", "client_secret"])
@pytest.mark.parametrize("value", [f"{SECRET}\n{SECRET}", f"{SECRET}\u00e9", f"{SECRET}\0", "", " "])
def test_i3_a_credential_that_no_header_can_hold(name: str, value: str) -> None:
    assert SECRET not in refused(lambda: RingCentral(**{name: value}), name)


@pytest.mark.parametrize("name", ["jwt", "code", "code_verifier"])
async def test_i3_nor_is_it_sent(name: str, gateway: Gateway) -> None:
    async with RingCentral(server=gateway.server, client_id=gateway.client_id) as rc:
        with pytest.raises(ConfigurationError, match=rf"^{name}: ") as caught:
            await rc.authorize(**{name: f"{SECRET}\n{SECRET}"})  # type: ignore[arg-type]
        assert SECRET not in str(caught.value)
    assert not [entry for entry in gateway.log() if entry["kind"] == "request"]


async def test_i3_white_space_around_a_credential_is_cut_with_a_warning(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "rcex_ws"):
        async with RingCentral(
            server=gateway.server, client_id=f" {gateway.client_id}\n", client_secret=f"{gateway.client_secret}\r\n"
        ) as rc:
            await rc.authorize(jwt=f"{gateway.jwt}\n")
            assert (await rc.get("/restapi/v1.0/account/~/extension/~")).is_success
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"{name}: white space around it was cut" for name in ("client_id", "client_secret", "jwt")]


def test_i3_slack_tokens_alike(caplog: pytest.LogCaptureFixture) -> None:
    for make in (RTMClient, WebApi, lambda token: Bot(BotHandler(), 0, token)):
        assert SECRET not in refused(lambda make=make: make(f"{SECRET}\n{SECRET}"), "token")
        make("xoxb-1\n")
    assert len(caplog.records) == 3


@pytest.mark.parametrize("name", ["app_name", "app_version"])
def test_i3_a_name_of_two_lines(name: str) -> None:
    refused(lambda: RingCentral(**{name: "a\nb"}), name)


async def test_i3_a_name_that_is_not_ascii_works(gateway: Gateway) -> None:
    seen: list[str] = []

    async def note(request: httpx.Request) -> None:
        seen.append(request.headers["User-Agent"])

    async with (
        httpx.AsyncClient(event_hooks={"request": [note]}) as http,
        RingCentral(
            server=gateway.server,
            client_id=gateway.client_id,
            client_secret=gateway.client_secret,
            app_name="Büro 1",
            http=http,
        ) as rc,
    ):
        await rc.authorize(jwt=gateway.jwt)
        ext = WebSocketExtension(rest_over_websocket=True)
        await rc.install_extension(ext)
        assert (await rc.get("/restapi/v1.0/account/~/extension/~")).via == "websocket"
    assert seen[0].startswith("B%C3%BCro 1/")
