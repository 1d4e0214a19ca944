"""The state of a gateway: written while it changes and at the end, read at the next start."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import anyio
import httpx
import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway import Gateway, GatewayApp, GatewayOptions
from rcex_ws.gateway.__main__ import _parser
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.state import StateKeeper

EXTENSION = "/restapi/v1.0/account/~/extension/~"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def made(path: Path, content: str) -> GatewayCore:
    path.write_text(content)
    core = GatewayCore(GatewayOptions(), lambda: 0.0)
    StateKeeper(path).load(core)
    return core


def test_a_gateway_that_starts_again_goes_on_where_it_was(tmp_path: Path) -> None:
    seed, state = tmp_path / "account.toml", tmp_path / "state.json"
    seed.write_text('[[users]]\nextension = "201"\nname = "Grace"\njwt = "grace"\n')
    with Gateway(seed=seed, state=state) as gateway:
        before = gateway.client_id, gateway.client_secret, gateway.jwt
        form = {"grant_type": JWT_GRANT, "assertion": "grace"}
        answer = httpx.post(f"{gateway.server}/restapi/oauth/token", data=form, auth=before[:2])
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    seed.write_text('[[users]]\nextension = "301"\nname = "Nobody"\n')
    with Gateway(seed=seed, state=state) as gateway:
        assert (gateway.client_id, gateway.client_secret, gateway.jwt) == before
        assert httpx.get(gateway.server + EXTENSION, headers=bearer).json()["extensionNumber"] == "201"
    if sys.platform != "win32":
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
    with Gateway(seed=seed, state=state, client_id="bot", jwt="new") as gateway:
        assert (gateway.client_id, gateway.jwt) == ("bot", "new")


def test_every_part_of_the_account_is_saved() -> None:
    core = GatewayCore(GatewayOptions(), lambda: 0.0)
    parts = {name for name, part in vars(core).items() if type(part).__module__.startswith("rcex_ws.gateway.account.")}
    assert parts - set(NOT_KEPT) | {"oauth", "subscriptions"} == set(core.parts)
    saved = json.loads(json.dumps({name: part.dump() for name, part in core.parts.items()}))
    other = GatewayCore(GatewayOptions(), lambda: 0.0)
    for name, part in saved.items():
        other.parts[name].load(part)
    assert {name: part.dump() for name, part in other.parts.items()} == saved


#: Parts of the account that are not saved, each with the reason.
NOT_KEPT = {
    "calls": "calls that go on end with the gateway, as in a power cut",
}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "it is not JSON: .*line 1"),
        ("[]", 'expected an object with "gateway": 1'),
        ('{"gateway": 2, "parts": {}}', 'expected an object with "gateway": 1'),
        ('{"gateway": 1, "parts": {"x": []}}', "it has a part 'x', which this version does not know"),
        (
            '{"gateway": 1, "parts": {"people": {"last_id": 1, "extensions": [{}]}}}',
            "its part 'people' cannot be read: .*`id`",
        ),
        (
            '{"gateway": 1, "parts": {"people": {"last_id": 1, "extensions": []}}}',
            "its part 'people' cannot be read: there is no user",
        ),
        ('{"gateway": 1, "parts": {"contacts": []}}', "its part 'contacts' cannot be read"),
        ('{"gateway": 1, "parts": {"oauth": [5]}}', "its part 'oauth' cannot be read"),
    ],
)
def test_a_broken_file_is_refused_by_what_is_wrong(content: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"^state: .*state\.json is not the state of a gateway: {why}"):
        made(tmp_path / "state.json", content)


def test_a_gateway_with_a_broken_file_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    gateway = Gateway(state=tmp_path / "state.json")
    with pytest.raises(ConfigurationError, match="not the state of a gateway"), gateway:
        raise AssertionError
    with pytest.raises(ConfigurationError, match="state: cannot use"), Gateway(state=tmp_path / "state.json" / "x"):
        raise AssertionError


def test_it_is_written_while_the_gateway_runs(tmp_path: Path) -> None:
    path = tmp_path / "state.json"

    async def run() -> None:
        app, keeper = GatewayApp(), StateKeeper(path)
        assert not keeper.load(app.core)
        async with anyio.create_task_group() as group:
            group.start_soon(keeper.run, app.core)
            app.core.people.first.name = "Grace"
            app.clear_log()  # any command
            with anyio.fail_after(5):
                while not path.exists():  # a thread writes it, which sets no event here
                    await anyio.sleep(0.002)
            assert b"Grace" in path.read_bytes()
            app.core.people.first.name = "Alan"
            group.cancel_scope.cancel()
        assert b"Alan" in path.read_bytes()

    anyio.run(run)


def test_a_state_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    core, keeper = GatewayCore(GatewayOptions(), lambda: 0.0), StateKeeper(tmp_path / "state.json")
    keeper.load(core)
    (tmp_path / "state.json").mkdir()

    async def run() -> None:
        with anyio.move_on_after(0):
            await keeper.run(core)

    anyio.run(run)
    assert "the state of the gateway is not saved" in caplog.text
    caplog.clear()


def test_the_shell_has_both_files() -> None:
    given = vars(_parser().parse_args(["--seed", "account.toml", "--state", "state.json"]))
    assert (given["seed"], given["state"]) == ("account.toml", "state.json")


def test_two_gateways_do_not_share_a_file(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with Gateway(state=state), pytest.raises(ConfigurationError, match="another gateway keeps its state in"):
        Gateway(state=state).__enter__()
    state.write_text("{")
    for _ in range(2):  # a refusal frees the file, too
        with pytest.raises(ConfigurationError, match="it is not JSON"):
            Gateway(state=state).__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="a locked file cannot be removed there")
def test_a_file_that_cannot_be_written_is_told_once_while_it_runs_and_at_the_end(tmp_path: Path, caplog) -> None:
    folder = tmp_path / "folder"
    core = GatewayCore(GatewayOptions(), lambda: 0.0)
    keeper = StateKeeper(folder / "state.json")
    keeper.load(core)
    (folder / "state.json.lock").unlink()
    folder.rmdir()

    async def run() -> None:
        with anyio.CancelScope() as scope:
            for _ in range(3):
                keeper._save(b"{}", keeper._complaints.report_repeated)
            scope.cancel()
            await keeper.run(core)

    anyio.run(run)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the state of the gateway is not saved"
    ] * 2
    caplog.clear()
