"""The extension in other clients than `RingCentral`: one of 60 lines, and one whose session is an SDK's."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from rcex_ws import ConfigurationError, Events, LoginRefused, RingCentral, TransportError, WebSocketExtension
from rcex_ws.gateway import Gateway
from tests.told import Told
from tests.wsg.conftest import STORE

PROGRAM = Path(__file__).parents[2] / "demo/own_client.py"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_PATH = "/restapi/oauth/token"


def load_program() -> Any:
    spec = importlib.util.spec_from_file_location("own_client", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OWN = load_program()


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Any]:
    client = OWN.MyClient(gateway.server, gateway.client_id, gateway.client_secret)
    await client.log_in(grant_type=JWT_GRANT, assertion=gateway.jwt)
    yield client
    await client.aclose()
    assert not client.tasks.running


def test_the_client_has_the_60_lines_that_it_promises() -> None:
    source = PROGRAM.read_text()
    body = source[source.index("class MyClient") : source.index("async def main")]
    lines = [line for line in body.splitlines() if line.strip()]
    assert len(lines) <= 60


async def test_a_client_of_ones_own_gets_events_across_a_loss(client, gateway, make_ext, told: Told):
    ext = make_ext()
    await ext.install(client)
    got: list[int] = []
    both = anyio.Event()

    def take(notification: Any) -> None:
        got.append(notification.body["i"])
        if len(got) == 2:
            both.set()

    await ext.subscribe([STORE], take)
    gateway.notify(STORE, {"i": 1})
    gateway.cut()
    gateway.notify(STORE, {"i": 2})
    await told.wait(Events.AUTO_RECOVER_SUCCESS)
    with anyio.fail_after(5):
        await both.wait()
    assert got == [1, 2]
    assert ext.stats.calls["https"] == client.https_calls > 0
    await ext.aclose()
    assert gateway.log()[-1]["kind"] != "connect"


async def test_it_refreshes_and_a_dead_session_ends_the_extension(client, gateway, make_ext):
    first = client.token.access_token
    client.token = OWN.Token.from_dict(client.token.to_dict() | {"expires_at": time.time() - 1})
    ext = make_ext()
    await ext.install(client)
    assert client.token.access_token != first
    async with httpx.AsyncClient(base_url=gateway.server, auth=(gateway.client_id, gateway.client_secret)) as http:
        await http.post("/restapi/oauth/revoke", data={"token": client.token.access_token})
    client.token = OWN.Token.from_dict(client.token.to_dict() | {"expires_at": time.time() - 1})
    gateway.cut()
    with pytest.raises(LoginRefused):
        await ext.wait_closed()
    await ext.aclose()


async def test_a_closed_extension_is_not_reopened_but_may_be_installed_again(client, make_ext):
    ext = make_ext()
    await ext.install(client)
    await ext.aclose()
    with pytest.raises(OWN.NotConnected, match="not installed"):
        await ext.connect()
    await ext.install(client)
    assert ext.ws is not None
    await ext.aclose()


class Answer:
    """An answer of `requests`, as far as an `ApiException` shows it."""

    def __init__(self, status_code: int, content: bytes = b'{"error": "invalid_grant"}') -> None:
        self.status_code, self.headers, self.content = status_code, {}, content


class ApiException(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__("the text may quote a token")
        self._answer = answer

    def api_response(self) -> Any:
        return self

    def response(self) -> Answer:
        return self._answer


class Sdk:
    """What the official SDK has (0.9.2), with its blocking refresh."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.tokens: dict[str, Any] = {"access_token": "", "expire_time": 0}
        self.refreshed_in: list[int] = []
        self.fails_with: Exception | None = None

    def platform(self) -> Sdk:
        return self

    def auth(self) -> Sdk:
        return self

    def data(self) -> dict[str, Any]:
        return dict(self.tokens)

    def create_url(self, url: str, add_server: bool = False) -> str:
        return (self.gateway.server if add_server else "") + url

    def login(self, **form: str) -> None:
        auth = (self.gateway.client_id, self.gateway.client_secret)
        answer = httpx.post(f"{self.gateway.server}{TOKEN_PATH}", data=form, auth=auth).raise_for_status().json()
        self.tokens = answer | {"expire_time": time.time() + answer["expires_in"]}

    def refresh(self) -> None:
        self.refreshed_in.append(threading.get_ident())
        if self.fails_with is not None:
            raise self.fails_with
        self.login(grant_type="refresh_token", refresh_token=self.tokens["refresh_token"])


@pytest.fixture
def sdk(gateway: Gateway) -> Sdk:
    sdk = Sdk(gateway)
    sdk.login(grant_type=JWT_GRANT, assertion=gateway.jwt)
    return sdk


async def test_the_official_sdk_lends_its_session(sdk: Sdk, gateway, make_ext: Callable[..., WebSocketExtension]):
    async with RingCentral.from_sdk(sdk) as rc:
        assert rc.server == gateway.server
        ext = make_ext(rest_over_websocket=True)
        await rc.install_extension(ext)
        assert (await rc.restapi().account().extension().get())["extensionNumber"] == "101"
        assert rc.token is not None
        assert rc.token.access_token == sdk.tokens["access_token"]
        assert sdk.refreshed_in == []


async def test_the_sdk_alone_refreshes_in_a_thread_and_once(sdk: Sdk):
    sdk.tokens["expire_time"] = time.time() - 1
    async with RingCentral.from_sdk(sdk) as rc, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(rc.get, "/restapi/v1.0/account/~/extension/~")
    assert len(sdk.refreshed_in) == 1
    assert threading.get_ident() not in sdk.refreshed_in


async def test_a_token_that_the_sdk_has_renewed_meanwhile_is_used(sdk: Sdk):
    async with RingCentral.from_sdk(sdk) as rc:
        await rc.get("/restapi/v1.0/account/~/extension/~")
        sdk.refresh()  # by another user of the SDK: the old token is dead at once
        await rc.get("/restapi/v1.0/account/~/extension/~")
        assert len(sdk.refreshed_in) == 1


async def test_a_rejected_token_is_renewed_through_the_sdk(sdk: Sdk):
    sdk.tokens["access_token"] = "rejected"
    async with RingCentral.from_sdk(sdk) as rc:
        await rc.get("/restapi/v1.0/account/~/extension/~")
        assert len(sdk.refreshed_in) == 1


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (ApiException(Answer(400)), LoginRefused),
        (Exception("Refresh token has expired"), LoginRefused),
        (ApiException(Answer(503)), TransportError),
        (OSError("secret-token"), TransportError),
    ],
)
async def test_the_failures_of_the_sdk_are_ours_and_quote_nothing(sdk: Sdk, raised, kind):
    sdk.tokens["expire_time"] = time.time() - 1
    sdk.fails_with = raised
    async with RingCentral.from_sdk(sdk) as rc:
        with pytest.raises(kind) as caught:
            await rc.refresh()
        assert caught.value.retryable == (kind is TransportError)
        assert "token" not in str(caught.value).replace("refresh token has expired", "").replace(TOKEN_PATH, "")


async def test_what_belongs_to_the_owner_is_refused(gateway, sdk: Sdk):
    async with RingCentral.from_sdk(sdk) as rc:
        assert (await rc.authorize()).access_token == sdk.tokens["access_token"]
        with pytest.raises(ConfigurationError, match="token_owner"):
            await rc.authorize(jwt=gateway.jwt)
        with pytest.raises(ConfigurationError, match="token_owner"):
            await rc.revoke()
    sdk.tokens["access_token"] = ""
    async with RingCentral.from_sdk(sdk) as rc:
        with pytest.raises(ConfigurationError, match=r"sdk\.platform\(\)\.login"):
            await rc.get("/restapi/v1.0")
    with pytest.raises(ConfigurationError, match="token_owner"):
        RingCentral(token_owner=OwnerOfNothing(), token={"access_token": "x"})


class OwnerOfNothing:
    async def current(self) -> Any:
        raise ValueError("secret")

    async def renew(self, stale: Any) -> Any:
        raise AssertionError("never asked")


async def test_an_owner_that_raises_anything_may_be_asked_again():
    async with RingCentral(token_owner=OwnerOfNothing()) as rc:
        with pytest.raises(TransportError, match=r"token_owner raised ValueError$"):
            await rc.ensure_token()


class OwnerOfText:
    async def current(self) -> Any:
        return "secret"

    async def renew(self, stale: Any) -> Any:
        return None


async def test_an_owner_that_returns_something_else_is_told():
    async with RingCentral(token_owner=OwnerOfText()) as rc:
        with pytest.raises(ConfigurationError, match=r"^token_owner: .* returned an object of the type str$"):
            await rc.ensure_token()
