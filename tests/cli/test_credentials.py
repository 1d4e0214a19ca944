from __future__ import annotations

import sys
from pathlib import Path

import anyio
import msgspec
import pytest

from rcex_ws import PRODUCTION, ConfigurationError, FileTokenStore, LoginRefused
from rcex_ws.cli.credentials import Credentials, load_credentials, open_client, stored_login_path
from rcex_ws.gateway import Gateway
from rcex_ws.rest import Token

NAMES = ("RINGCENTRAL_SERVER_URL", "RINGCENTRAL_CLIENT_ID", "RINGCENTRAL_CLIENT_SECRET", "RINGCENTRAL_JWT")


def store(**fields: object) -> Path:
    """Store a login as `rcex-ws login` does."""
    path = stored_login_path()
    path.parent.mkdir(parents=True)
    token = Token(access_token="access", refresh_token="refresh", **fields)  # type: ignore[arg-type]
    path.write_bytes(msgspec.json.encode(token))
    path.chmod(0o600)
    return path


def write_env(text: str) -> None:
    Path(".env").write_text(text)


def test_the_file_env_is_read_as_the_gateway_prints_it() -> None:
    write_env(
        "RINGCENTRAL_SERVER_URL=http://127.0.0.1:8080/\nRINGCENTRAL_CLIENT_ID=bot\n"
        "# a comment\nexport RINGCENTRAL_CLIENT_SECRET='hu${HOME}sh'\nRINGCENTRAL_JWT=\"ada\"\n"
    )
    found = load_credentials()
    assert (found.server, found.client_id, found.client_secret, found.jwt) == (
        *("http://127.0.0.1:8080", "bot", "hu${HOME}sh", "ada"),
    )
    assert found.token_path is None
    assert found.sources == dict.fromkeys(NAMES, ".env")


def test_the_environment_wins_over_the_file_and_empty_values_count_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    write_env("RINGCENTRAL_CLIENT_ID=of-the-file\nRINGCENTRAL_CLIENT_SECRET=\nRINGCENTRAL_JWT=ada\n")
    monkeypatch.setenv("RINGCENTRAL_CLIENT_ID", "of-the-shell")
    monkeypatch.setenv("RINGCENTRAL_JWT", "")
    found = load_credentials()
    assert (found.server, found.client_id, found.client_secret, found.jwt) == (PRODUCTION, "of-the-shell", None, "ada")
    assert found.sources == {
        "RINGCENTRAL_SERVER_URL": "the default",
        "RINGCENTRAL_CLIENT_ID": "the environment",
        "RINGCENTRAL_JWT": ".env",
    }


def test_the_repr_shows_no_secret() -> None:
    write_env("RINGCENTRAL_CLIENT_ID=bot\nRINGCENTRAL_CLIENT_SECRET=hush\nRINGCENTRAL_JWT=ada-jwt\n")
    text = repr(load_credentials())
    assert "bot" in text
    assert "hush" not in text
    assert "ada-jwt" not in text


def test_what_is_missing_is_named_with_what_to_do() -> None:
    with pytest.raises(ConfigurationError) as nothing:
        load_credentials()
    assert str(nothing.value).startswith("RINGCENTRAL_CLIENT_ID and RINGCENTRAL_JWT: missing; set them in")
    assert "or instead of the JWT run `rcex-ws login`" in str(nothing.value)
    write_env("RINGCENTRAL_CLIENT_ID=bot\n")
    with pytest.raises(ConfigurationError, match=r"^RINGCENTRAL_JWT: missing; .*rcex-ws login") as no_jwt:
        load_credentials()
    assert "CLIENT_ID" not in str(no_jwt.value)
    assert load_credentials(login=False).jwt is None


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "there is no file other.env"), (b"RINGCENTRAL_JWT=\xff", "other.env cannot be read: it is not UTF-8")],
)
def test_a_file_that_cannot_be_read_is_refused_by_its_name(content: bytes | None, why: str) -> None:
    if content is not None:
        Path("other.env").write_bytes(content)
    with pytest.raises(ConfigurationError, match=why):
        load_credentials("other.env")


def test_a_bad_server_is_refused_by_the_name_of_its_variable() -> None:
    write_env("RINGCENTRAL_SERVER_URL=platform\nRINGCENTRAL_CLIENT_ID=bot\nRINGCENTRAL_JWT=ada\n")
    with pytest.raises(ConfigurationError, match=r"^RINGCENTRAL_SERVER_URL: expected an http"):
        load_credentials()


def test_the_stored_login_names_server_and_application() -> None:
    path = store(server="http://127.0.0.1:1", client_id="bot")
    found = load_credentials()
    assert (found.server, found.client_id, found.token_path) == ("http://127.0.0.1:1", "bot", path)
    assert set(found.sources.values()) == {"the stored login"}


@pytest.mark.parametrize("line", ["RINGCENTRAL_CLIENT_ID=other", "RINGCENTRAL_SERVER_URL=http://127.0.0.1:2"])
def test_a_stored_login_of_another_application_or_server_is_not_used(line: str) -> None:
    store(server="http://127.0.0.1:1", client_id="bot")
    write_env(f"{line}\n")
    with pytest.raises(ConfigurationError, match="RINGCENTRAL_JWT: missing"):
        load_credentials()
    write_env(f"RINGCENTRAL_CLIENT_ID=bot\n{line}\nRINGCENTRAL_JWT=ada\n")
    assert load_credentials().token_path is None


def test_an_unreadable_stored_login_is_told() -> None:
    store(server="http://127.0.0.1:1", client_id="bot").write_text("{}")
    write_env("RINGCENTRAL_CLIENT_ID=bot\n")
    with pytest.raises(ConfigurationError, match="unreadable: run `rcex-ws login` again"):
        load_credentials()
    assert load_credentials(login=False).token_path is None


@pytest.mark.skipif(sys.platform != "linux", reason="the rules of XDG")
def test_a_relative_folder_for_state_is_ignored(monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert stored_login_path() == elsewhere / "home/.local/state/rcex-ws/login.json"


def of(gateway: Gateway, **more: object) -> Credentials:
    return Credentials(
        server=gateway.server,
        client_id=gateway.client_id,
        client_secret=gateway.client_secret,
        **more,  # type: ignore[arg-type]
    )


async def test_a_client_is_logged_in_by_the_jwt_and_nothing_is_stored(gateway: Gateway) -> None:
    async with open_client(of(gateway, jwt=gateway.jwt)) as rc:
        assert (await rc.restapi().account().extension().get())["extensionNumber"] == "101"
    assert not stored_login_path().exists()
    assert [entry["kind"] for entry in gateway.log()].count("revoke") == 1


async def test_a_login_by_jwt_is_ended_even_if_the_command_is_cancelled(gateway: Gateway) -> None:
    with anyio.CancelScope() as scope:
        async with open_client(of(gateway, jwt=gateway.jwt)):
            scope.cancel()
            await anyio.sleep_forever()
    assert [entry["kind"] for entry in gateway.log()].count("revoke") == 1


async def test_a_login_that_cannot_be_ended_is_logged_and_no_failure(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.refuse("POST /restapi/oauth/revoke", 503)
    async with open_client(of(gateway, jwt=gateway.jwt)):
        pass
    assert "the login by JWT was not ended" in caplog.text


async def test_the_stored_login_is_used_though_there_is_a_jwt_of_another_user(gateway: Gateway) -> None:
    path = stored_login_path()
    async with of(gateway, token_path=path).client() as rc:
        await rc.authorize(jwt=gateway.users[1].jwt)
    async with open_client(of(gateway, token_path=path, jwt=gateway.jwt)) as rc:
        assert (await rc.restapi().account().extension().get())["extensionNumber"] == "102"


async def test_a_stored_login_that_has_ended_says_what_to_do(gateway: Gateway) -> None:
    path = stored_login_path()
    ended = Token(
        access_token="a", refresh_token="b", expires_at=1.0, server=gateway.server, client_id=gateway.client_id
    )
    await FileTokenStore(path).save(ended)
    with pytest.raises(LoginRefused, match="run `rcex-ws login` again") as refused:
        async with open_client(of(gateway, token_path=path, jwt=gateway.jwt)):
            pass
    assert not refused.value.retryable
