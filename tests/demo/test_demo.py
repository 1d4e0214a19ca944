"""The demos as a newcomer runs them: processes of their own, on real sockets; and that they can fail."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rcex_ws.gateway import Gateway
from tests.demo.conftest import DEMO, account_of

TIME_LIMIT = 50.0

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a demo until it ends by itself, in an empty folder; the environment has no account unless one is given."""

    def run(*command: str, gateway: Gateway | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **({} if gateway is None else account_of(gateway)), **more}
        return subprocess.run(
            [sys.executable, str(DEMO / command[0]), *command[1:]],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )

    return run


def assert_kept(ended: subprocess.CompletedProcess[str], *promises: str) -> None:
    """Every promise was kept, in this order, and the program says so in its last line and by its exit code."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    assert "FAILED" not in ended.stdout
    kept = iter(ended.stdout.splitlines())
    for promise in promises:
        assert any(re.search(promise, line) for line in kept), f"{promise!r} is missing or too late:\n{ended.stdout}"
    assert ended.stdout.splitlines()[-1].startswith("OK ")


def assert_broken(ended: subprocess.CompletedProcess[str], promise: str) -> None:
    """The program says which promises were not kept, in its last line and by its exit code."""
    assert ended.returncode == 1, ended.stdout + ended.stderr
    last = ended.stdout.splitlines()[-1]
    assert last.startswith("FAILED "), ended.stdout
    assert re.search(promise, last), last


def test_main_keeps_every_promise(run: Run) -> None:
    ended = run("main.py")
    assert_kept(
        ended,
        r"^Using a local gateway, http://127\.0\.0\.1",
        r"logged in at http://127\.0\.0\.1",
        r"\[ok\] the REST call went via websocket",
        r"\[ok\] the upload of \d+ bytes \(a fax\) went via https",
        r"\[ok\] the download of \d+ bytes went via https",
        r"\[ok\] the download is what was uploaded",
        r"message \d+ sent via websocket, its event came",
        r"the connection is cut",
        r"\[ok\] the session was recovered",
        r"\[ok\] 20 of 20 messages arrived, each once and in order",
        r"the connection is cut",
        r"\[ok\] the session was not recovered, and the program was told",
        r"\[ok\] notificationGap, events are missing from .* to .* UTC: session not recovered: refused \(WSG-1003\)",
        r"\[ok\] 3 of 3 missed messages read again by REST",
        r"\[ok\] a new subscription was made; an event came by it",
        r"Connections lost: 2\. Recovered with 20 of 20 messages: 1\. Not recovered, gap reported: 1\.",
    )
    took = re.search(r"OK after ([\d.]+) s", ended.stdout)
    assert took
    assert float(took[1]) < 20


def test_main_runs_against_the_account_of_the_environment(run: Run, gateway: Gateway) -> None:
    ended = run("main.py", gateway=gateway)
    assert_kept(
        ended,
        f"^Using {gateway.server}, from the environment$",
        f"logged in at {gateway.server}",
        r"upload skipped: set RINGCENTRAL_FAX_TO",
        r"download skipped: no message has an attachment",
        r"\[ok\] 20 of 20 messages arrived",
        r"a recovery that fails: skipped",
    )
    assert any(entry["kind"] == "request" for entry in gateway.log())


def test_main_faxes_only_to_the_given_number(run: Run, gateway: Gateway) -> None:
    ended = run("main.py", gateway=gateway, RINGCENTRAL_FAX_TO="+16505550111")
    assert_kept(ended, r"\[ok\] the upload of", r"\[ok\] the download of")


def test_main_reads_the_env_file_of_its_folder(run: Run, gateway: Gateway, tmp_path: Path) -> None:
    lines = [f"{name}={value}" for name, value in account_of(gateway).items()]
    (tmp_path / ".env").write_text("\n".join(["# an account", *lines, "OTHER=1"]))
    assert_kept(run("main.py"), f"^Using {gateway.server}, from .env$", f"logged in at {gateway.server}")


@pytest.mark.parametrize("demo", ["main.py", "restart.py", "rest_toggle.py"])
def test_an_env_file_of_a_gateway_that_is_gone_is_named(run: Run, tmp_path: Path, demo: str) -> None:
    with Gateway() as gone:
        account = account_of(gone)
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in account.items()))
    ended = run(demo)
    assert_broken(ended, "TransportError: POST /restapi/oauth/token: no answer from 127.0.0.1")
    assert "Is the gateway that .env names still running? If not, remove .env." in ended.stdout
    from_environment = run(demo, **account)
    assert_broken(from_environment, "TransportError")
    assert ".env" not in from_environment.stdout


def test_main_says_what_is_not_set(run: Run) -> None:
    ended = run("main.py", RINGCENTRAL_CLIENT_ID="x", RINGCENTRAL_JWT="y")
    assert ended.returncode == 1
    assert "not set: RINGCENTRAL_SERVER_URL, RINGCENTRAL_CLIENT_SECRET (" in ended.stderr


class TestBrokenPromises:
    """A server that keeps less than it should makes the demos fail, not lie."""

    @pytest.fixture
    def gateway(self, request: pytest.FixtureRequest) -> Iterator[Gateway]:
        with Gateway(**request.param) as gateway:
            yield gateway

    @pytest.mark.parametrize("gateway", [{"recovery_buffer_size": 5}], indirect=True)
    def test_main_counts_what_the_server_dropped(self, run: Run, gateway: Gateway) -> None:
        assert_broken(run("main.py", gateway=gateway), r"kept: \d+ of 20 messages arrived, each once and in order")

    @pytest.mark.parametrize("gateway", [{"recovery_timeout": 0.2}], indirect=True)
    def test_main_notices_a_session_that_is_gone(self, run: Run, gateway: Gateway) -> None:
        assert_broken(run("main.py", gateway=gateway), "the session was recovered")

    @pytest.mark.parametrize("gateway", [{}], indirect=True)
    def test_main_says_why_the_login_was_refused(self, run: Run, gateway: Gateway) -> None:
        ended = run("main.py", gateway=gateway, RINGCENTRAL_JWT="wrong-and-secret")
        assert_broken(ended, "LoginRefused: POST /restapi/oauth/token was answered 400")
        assert "wrong-and-secret" not in ended.stdout + ended.stderr

    @pytest.mark.parametrize("flags", [[], ["--manual"]], ids=["store", "manual"])
    @pytest.mark.parametrize("gateway", [{"recovery_buffer_size": 5}], indirect=True)
    def test_restart_counts_what_the_server_dropped(self, run: Run, gateway: Gateway, flags: list[str]) -> None:
        assert_broken(run("restart.py", *flags, gateway=gateway), "the second child got 5 of 10 sent meanwhile")

    @pytest.mark.parametrize("gateway", [{}], indirect=True)
    def test_rest_toggle_fails_without_a_websocket(self, run: Run, gateway: Gateway) -> None:
        gateway.refuse("wstoken", 403, times=None)
        assert_broken(run("rest_toggle.py", gateway=gateway), "403: CMN-401")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on this system")
@pytest.mark.parametrize("flags", [[], ["--manual"]], ids=["store", "manual"])
def test_restart_loses_nothing(run: Run, flags: list[str]) -> None:
    assert_kept(
        run("restart.py", *flags),
        r"child \d+: ready",
        r"child \d+ killed by SIGKILL",
        r"10 messages sent",
        r"child \d+: session recovered",
        r"\[ok\] the first child got 4 of 4",
        r"\[ok\] the second child got 10 of 10 sent meanwhile, each once and in order",
        r"\[ok\] the second child ended in good order",
    )


def test_restart_keeps_its_files_private_in_the_given_folder(run: Run, tmp_path: Path) -> None:
    assert_kept(run("restart.py", "--folder", str(tmp_path / "state")))
    files = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
    assert files == {"session.json": 0o600, "session.json.lock": 0o600, "token.json": 0o600}


def test_rest_toggle_shows_the_way_of_each_call(run: Run) -> None:
    assert_kept(
        run("rest_toggle.py"),
        r"rest_over_websocket = True",
        r"\[ok\] JSON +GET +via websocket",
        r"\[ok\] a JSON body +POST +via websocket",
        r"\[ok\] another Accept header +GET +via https",
        r"\[ok\] a path of OAuth +POST +via https",
        r"\[ok\] multipart: an upload +POST +via https",
        r"\[ok\] binary content: a download +GET +via https",
        r"rest_over_websocket = False",
        r"\[ok\] JSON +GET +via https",
        r"\[ok\] ws_ext.request\(\).* via websocket",
        r"\[ok\] JSON, disabled +GET +via https",
        r"\[ok\] JSON, enabled +GET +via websocket",
        r"\[ok\] JSON, while it is lost +GET +via https",
        r"\[ok\] JSON, connected again +GET +via websocket",
    )


def test_slack_bot_answers_each_message_once(run: Run) -> None:
    ended = run("slack_bot.py")
    assert_kept(
        ended,
        r"Using a fake Slack, http://127\.0\.0\.1",
        r"open",
        r'alice says "how are you\?"',
        r"answered as message 1: acknowledged",
        r'alice says "what is new\?"',
        r"answered as message 2: acknowledged",  # after the reconnect, by Slack's replay
        r"ws_close \(1006, ''\)",
        r"open",
        r"Slack says goodbye",
        r"open",
        r'alice says "and now\?"',
        r"\[ok\] 4 answers to 4 questions, each once and in order",
    )


def test_feedme_board_comes_back_right(run: Run) -> None:
    ended = run("feedme_board.py")
    assert_kept(
        ended,
        r"server +steady: open +shaky: open",
        r"-- the connection of the shaky viewer is cut",
        r"shaky: TRANSPORT_FAILURE: the connection was lost",
        r"shaky is back; it missed \d+ points",
        r"\[ok\] both copies are the server's data",
    )


def test_slack_bot_says_what_is_wrong_with_a_token(run: Run) -> None:
    ended = run("slack_bot.py", SLACK_BOT_TOKEN="xoxb-\u00e9")
    assert ended.returncode == 1
    assert "token: expected a text of printable ASCII" in ended.stdout
    assert "xoxb" not in ended.stdout.replace("(xoxb-... or xoxp-...)", "") + ended.stderr
