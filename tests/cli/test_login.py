from __future__ import annotations

import html
import io
import re
import stat
import sys
from typing import Any

import anyio
import httpx
import pytest

from rcex_ws import ConfigurationError, LoginRefused, Token
from rcex_ws.cli.credentials import Credentials, load_credentials, open_client, stored_login_path
from rcex_ws.cli.login import log_in_by_browser, log_in_by_jwt, log_out, login, logout
from rcex_ws.cli.loopback import LoginUnfinished
from rcex_ws.gateway import Gateway


@pytest.fixture(autouse=True)
def application(monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> None:
    """Use the application of the gateway; nobody is logged in."""
    monkeypatch.setenv("RINGCENTRAL_SERVER_URL", gateway.server)
    monkeypatch.setenv("RINGCENTRAL_CLIENT_ID", gateway.client_id)
    monkeypatch.setenv("RINGCENTRAL_CLIENT_SECRET", gateway.client_secret)


class Browser:
    """Do what a user does at the consent page of the gateway, by HTTP."""

    def __init__(self, decision: str = "allow", user: int = 1) -> None:
        self.decision = decision
        self.user = user
        self.last = ""

    def __call__(self, page: str) -> None:
        with httpx.Client(trust_env=False, verify=False, headers={"Accept": "text/html"}) as browser:
            form = browser.get(page).text
            fields = {
                name: html.unescape(value)
                for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
            }
            fields["user"] = re.findall(r'name="user" value="(\d+)"', form)[self.user]
            address = page.partition("?")[0]
            answer = browser.post(address, data=fields | {"decision": self.decision}, follow_redirects=True)
            self.last = answer.text


async def by_browser(browser: Any, *, timeout: float = 10.0) -> tuple[Token, list[str]]:
    told: list[str] = []
    found = load_credentials(login=False)
    return await log_in_by_browser(found, port=0, open_page=browser, timeout=timeout, show=told.append), told


async def test_the_browser_logs_in_and_later_commands_are_that_user(gateway: Gateway) -> None:
    browser = Browser()
    token, told = await by_browser(browser)
    assert token.server == gateway.server
    assert told[0].startswith(f"Log in at this address:\n{gateway.server}/restapi/oauth/authorize?")
    assert "code_challenge=" in told[0]
    async with open_client(load_credentials()) as rc:
        assert (await rc.restapi().account().extension().get())["extensionNumber"] == "102"


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
async def test_only_the_owner_can_read_what_is_stored(gateway: Gateway) -> None:
    await log_in_by_jwt(load_as(gateway, jwt=gateway.jwt))
    assert stat.S_IMODE(stored_login_path().stat().st_mode) == 0o600
    assert stat.S_IMODE(stored_login_path().parent.stat().st_mode) == 0o700


def load_as(gateway: Gateway, **more: Any) -> Credentials:
    return Credentials(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret, **more)


async def test_a_denial_ends_the_login_and_nothing_is_stored() -> None:
    with pytest.raises(LoginUnfinished, match="access_denied"):
        await by_browser(Browser("deny"))
    assert not stored_login_path().exists()


async def test_who_does_not_come_back_is_not_waited_for_for_ever() -> None:
    with pytest.raises(LoginUnfinished, match=r"nobody came back .* within 0.01 s"):
        await by_browser(None, timeout=0.01)


async def test_a_refused_code_is_told(gateway: Gateway) -> None:
    gateway.refuse("token", 400, error_code="OAU-102", message="Authorization code is expired")
    with pytest.raises(LoginRefused, match="OAU-102"):
        await by_browser(Browser())
    assert not stored_login_path().exists()


async def test_a_refused_jwt_leaves_the_stored_login_as_it_was(gateway: Gateway) -> None:
    await log_in_by_jwt(load_as(gateway, jwt=gateway.users[1].jwt))
    with pytest.raises(LoginRefused):
        await log_in_by_jwt(load_as(gateway, jwt="wrong"))
    async with open_client(load_credentials()) as rc:
        assert (await rc.restapi().account().extension().get())["extensionNumber"] == "102"


async def test_logging_out_ends_the_session_here_and_there(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await log_in_by_jwt(load_as(gateway, jwt=gateway.jwt))
    monkeypatch.setenv("RINGCENTRAL_SERVER_URL", "http://127.0.0.1:1")  # of another account by now
    assert await log_out()
    assert not stored_login_path().exists()
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        bearer = {"Authorization": f"Bearer {token.access_token}"}
        answer = await client.get(f"{gateway.server}/restapi/v1.0/account/~", headers=bearer)
    assert answer.status_code == 401
    assert not await log_out()


def test_the_commands_by_a_jwt_from_stdin(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{gateway.jwt}\n"))
    assert login(jwt=True) == 0
    assert anyio.run(logout) == 0
    assert anyio.run(logout) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.partition(" at ")[0] for line in told.err.splitlines()] == [
        *("Logged in", "Logged out.", "There is no stored login."),
    ]
    assert gateway.jwt not in told.err


def test_no_jwt_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    with pytest.raises(ConfigurationError, match=r"^jwt: there is none"):
        login(jwt=True)


def test_the_command_opens_the_browser(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    browser = Browser()
    monkeypatch.setattr("webbrowser.open", browser)
    assert login(port=0, timeout=10) == 0
    assert "Logged in at" in capsys.readouterr().err
