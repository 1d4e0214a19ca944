"""The gateway from the shell, and what importing the package costs."""

from __future__ import annotations

import signal
import subprocess
import sys

import httpx
import pytest


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
        with pytest.raises(OSError), Gateway(ws_port=taken):
            pass


def test_importing_the_package_needs_no_extra():
    code = "import sys, rcex_ws; sys.exit(any(name in sys.modules for name in ('starlette', 'uvicorn')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_gateway_shares_no_code_with_the_client():
    code = (
        "import sys, rcex_ws.gateway; "
        "sys.exit(any(name.startswith(('rcex_ws.wsg.', 'rcex_ws.rest.', 'rcex_ws.connection.')) "
        "for name in set(sys.modules) - before))"
    )
    code = f"import sys, rcex_ws; before = set(sys.modules); {code}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
