"""The gateway run from the shell, and what importing the package loads."""

from __future__ import annotations

import dataclasses
import signal
import socket
import subprocess
import sys

import anyio
import httpx
import pytest

from rcex_ws import ConfigurationError
from rcex_ws.gateway import GatewayOptions

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_four_lines_are_credentials_that_work(number):
    command = [sys.executable, "-m", "rcex_ws.gateway", "--port", "0", "--wstoken-expires-in", "7", "--no-coalesce"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline().strip().partition("=") for _ in range(4)]
            assert [line[0] for line in lines] == [
                "RINGCENTRAL_SERVER_URL",
                "RINGCENTRAL_CLIENT_ID",
                "RINGCENTRAL_CLIENT_SECRET",
                "RINGCENTRAL_JWT",
            ]
            server, client_id, secret, jwt = (line[2] for line in lines)
            form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": jwt}
            tokens = httpx.post(f"{server}/restapi/oauth/token", data=form, auth=(client_id, secret)).json()
            bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
            assert httpx.post(f"{server}/restapi/oauth/wstoken", headers=bearer).json()["expires_in"] == 7
        finally:
            process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_a_restart_may_keep_its_credentials():
    command = [sys.executable, "-m", "rcex_ws.gateway", "--client-id", "app", "--client-secret", "s3", "--jwt", "ada"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            server = process.stdout.readline().strip().partition("=")[2]
            assert [process.stdout.readline().strip() for _ in range(3)] == [
                "RINGCENTRAL_CLIENT_ID=app",
                "RINGCENTRAL_CLIENT_SECRET=s3",
                "RINGCENTRAL_JWT=ada",
            ]
            form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "ada"}
            assert httpx.post(f"{server}/restapi/oauth/token", data=form, auth=("app", "s3")).status_code == 200
            assert httpx.post(f"{server}/restapi/oauth/token", data=form, auth=("app", "s4")).status_code == 401
        finally:
            process.terminate()


async def test_a_running_bot_survives_a_restart_of_the_gateway():
    """As the README says: new sessions, but the same credentials and the same port."""
    from rcex_ws import Events, RingCentral, WebSocketExtension
    from rcex_ws.gateway import Gateway

    credentials = {"client_id": "app", "client_secret": "s3", "jwt": "ada"}
    ready, gaps = anyio.Event(), []
    with Gateway(**credentials) as first:
        port = int(first.server.rpartition(":")[2])
        rc = RingCentral(server=first.server, client_id="app", client_secret="s3")
        await rc.authorize(jwt="ada")
        ws_ext = WebSocketExtension(reconnect_delays=lambda n: 0.05)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe([MESSAGES], lambda notification: None)
    ws_ext.on(Events.CONNECTION_READY, lambda ws: ready.set())
    ws_ext.on(Events.NOTIFICATION_GAP, gaps.append)
    with Gateway(port, **credentials) as second:
        with anyio.fail_after(10):
            await ready.wait()
        assert [gap.certain for gap in gaps] == [True]
        assert any(entry.get("path") == "/restapi/v1.0/subscription" for entry in second.log())
        await rc.aclose()


def test_secrets_of_the_options_are_not_shown():
    shown = repr(GatewayOptions(client_id="app", client_secret="s3cret", jwt="ada"))
    assert "app" in shown
    assert "s3cret" not in shown
    assert "ada" not in shown


def run(*arguments):
    """Run a command to its end; return its exit status, and the lines of its stdout and stderr."""
    ended = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True, timeout=20)
    return ended.returncode, ended.stdout.splitlines(), ended.stderr.splitlines()


@pytest.mark.parametrize("flag", ["--port", "--ws-port"])
def test_port_in_use_is_told_in_one_line(flag):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, output, (complaint,) = run("-m", "rcex_ws.gateway", flag, port)
    assert (status, output) == (1, [])
    assert "is in use" in complaint
    assert port in complaint


def test_port_that_cannot_be_is_told_in_one_line():
    status, output, (complaint,) = run("-m", "rcex_ws.gateway", "--ws-port", "65536")
    assert (status, output) == (1, [])
    assert "ws_port: expected a port, from 0 to 65535" in complaint


def test_missing_extra_is_told_in_one_line():
    code = (
        "import sys, runpy; sys.modules['starlette'] = None; sys.argv = ['gateway']; "
        "runpy.run_module('rcex_ws.gateway', run_name='__main__', alter_sys=True)"
    )
    status, output, (complaint,) = run("-c", code)
    assert (status, output) == (1, [])
    assert "pip install 'rcex_ws[gateway]'" in complaint


def test_help_describes_every_flag():
    status, output, _ = run("-m", "rcex_ws.gateway", "--help")
    text = " ".join(" ".join(output).split())
    assert status == 0
    for field in dataclasses.fields(GatewayOptions):
        if field.name not in ("rate_limits", "disabled_filters", "permissions"):  # not scalar
            assert f"--{field.name.replace('_', '-')} " in text
            assert f"(default: {field.default})" in text
    assert "after so long without a message a WebSocket gets WSG-902 and is closed. (default: 1800)" in text


def test_unknown_name_of_the_package():
    with pytest.raises(ImportError, match="Nonsense"):
        from rcex_ws.gateway import Nonsense  # noqa: F401


def test_port_is_taken_as_told():
    from rcex_ws.gateway import Gateway

    with Gateway() as first:
        port = int(first.server.rpartition(":")[2])
    with Gateway(port) as second:
        assert second.server == first.server


def test_port_that_is_taken_is_an_error():
    from rcex_ws.gateway import Gateway

    with Gateway() as first:
        taken = int(first.ws_uri.rpartition(":")[2].removesuffix("/ws"))
        with pytest.raises(ConfigurationError, match=f"^ws_port: {taken} is in use"), Gateway(ws_port=taken):
            pass


def test_importing_the_package_needs_no_extra():
    code = "import sys, rcex_ws; sys.exit(any(name in sys.modules for name in ('starlette', 'uvicorn')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_gateway_shares_no_code_with_the_client():
    code = (
        "import sys, rcex_ws.gateway; "
        "sys.exit(any(name.startswith(('rcex_ws.wsg.', 'rcex_ws.rest.', 'rcex_ws.connection.', 'rcex_ws.callback.')) "
        "for name in set(sys.modules) - before))"
    )
    code = f"import sys, rcex_ws; before = set(sys.modules); {code}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
