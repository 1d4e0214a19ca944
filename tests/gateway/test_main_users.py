"""The gateway run from a shell by people: with two users, in a container, and with `--verbose`."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from rcex_ws.gateway import Gateway

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXTENSION = "/restapi/v1.0/account/~/extension/~"
DOCS = Path(__file__).parents[2] / "docs/gateway.md"


class Shell:
    """A gateway in its own process, with its output."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed = dict(process.stdout.readline().strip().split("=", 1) for _ in range(5))

    def end(self) -> str:
        """Stop it gracefully, and return its stderr."""
        self.process.terminate()
        _, said = self.process.communicate(timeout=10)
        assert self.process.returncode == 0, said
        return said

    def tokens(self, jwt: str, server: str | None = None) -> dict[str, str]:
        answer = httpx.post(
            f"{server or self.printed['RINGCENTRAL_SERVER_URL']}/restapi/oauth/token",
            data={"grant_type": JWT_GRANT, "assertion": jwt},
            auth=(self.printed["RINGCENTRAL_CLIENT_ID"], self.printed["RINGCENTRAL_CLIENT_SECRET"]),
        )
        return answer.raise_for_status().json()


def is_refused(uri: str) -> bool:
    try:
        socket.create_connection((urlsplit(uri).hostname, urlsplit(uri).port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


@contextmanager
def shell(*arguments: str) -> Iterator[Shell]:
    command = [sys.executable, "-m", "rcex_ws.gateway", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Shell(process)
        finally:
            if process.poll() is None:
                process.terminate()


def test_g8_the_shell_prints_a_jwt_of_the_second_user() -> None:
    with shell() as gateway:
        assert list(gateway.printed) == [
            "RINGCENTRAL_SERVER_URL",
            "RINGCENTRAL_CLIENT_ID",
            "RINGCENTRAL_CLIENT_SECRET",
            "RINGCENTRAL_JWT",
            "RINGCENTRAL_SECOND_JWT",
        ]
        numbers = []
        for name in ("RINGCENTRAL_JWT", "RINGCENTRAL_SECOND_JWT"):
            bearer = {"Authorization": f"Bearer {gateway.tokens(gateway.printed[name])['access_token']}"}
            one = httpx.get(gateway.printed["RINGCENTRAL_SERVER_URL"] + EXTENSION, headers=bearer).json()
            numbers.append(one["extensionNumber"])
        assert numbers == ["101", "102"]
        assert gateway.end() == ""


def test_g8_a_restart_may_keep_the_second_jwt() -> None:
    with shell("--jwt", "ada", "--second-jwt", "bob") as gateway:
        assert gateway.printed["RINGCENTRAL_SECOND_JWT"] == "bob"
        assert gateway.tokens("bob")["owner_id"] != gateway.tokens("ada")["owner_id"]


def test_the_shell_runs_several_nodes() -> None:
    with shell("--nodes", "2") as gateway:
        server = gateway.printed["RINGCENTRAL_SERVER_URL"]
        bearer = {"Authorization": f"Bearer {gateway.tokens(gateway.printed['RINGCENTRAL_JWT'])['access_token']}"}

        def uri() -> str:
            return httpx.post(f"{server}/restapi/oauth/wstoken", headers=bearer).json()["uri"]

        first, second = uri(), uri()
        assert first != second
        httpx.post(f"{server}/_gateway/lose_node", json={"node": 1}).raise_for_status()
        assert (is_refused(first), is_refused(second)) == (True, False)
        assert [uri(), uri()] == [second] * 2
        assert gateway.end() == ""


def test_the_shell_names_a_wrong_number_of_nodes() -> None:
    command = [sys.executable, "-m", "rcex_ws.gateway", "--nodes", "0"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "nodes: expected a number of nodes, 1 to 100" in ended.stderr


def a_name_of_this_machine() -> str:
    """Return an address of this machine other than 127.0.0.1, like that of a container."""
    return "127.0.0.2" if sys.platform == "linux" else socket.gethostbyname(socket.gethostname())


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_g10_clients_are_told_the_address_by_which_they_came(host: str) -> None:
    if host == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with Gateway(host=host) as gateway:
        port = int(gateway.server.rpartition(":")[2])
        ws_port = int(re.search(r":(\d+)/", gateway.ws_uri)[1])
        assert host not in gateway.server.replace("[::1]", "")
        assert httpx.get(f"{gateway.server}/restapi").status_code == 200  # the printed address is reachable
        own = a_name_of_this_machine() if host == "0.0.0.0" else "[::1]"
        server = f"http://{own}:{port}"
        auth = (gateway.client_id, gateway.client_secret)
        form = {"grant_type": JWT_GRANT, "assertion": gateway.jwt}
        token = httpx.post(f"{server}/restapi/oauth/token", data=form, auth=auth).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        told = httpx.post(f"{server}/restapi/oauth/wstoken", headers=bearer).json()["uri"]
        assert told == f"ws://{own}:{ws_port}/ws"
        by_name = httpx.post(f"{server}/restapi/oauth/wstoken", headers=bearer | {"Host": f"gateway:{port}"}).json()
        assert by_name["uri"] == f"ws://gateway:{ws_port}/ws"


def test_g10_an_address_of_ipv6_stands_in_brackets() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with Gateway(host="::1") as gateway:
        assert gateway.server.startswith("http://[::1]:")
        assert gateway.ws_uri.startswith("ws://[::1]:")
        assert httpx.get(f"{gateway.server}/restapi").status_code == 200


def test_g10_told_addresses_win() -> None:
    with Gateway(host="0.0.0.0", public_ws_uri="wss://proxy.test/ws") as gateway:
        auth = (gateway.client_id, gateway.client_secret)
        form = {"grant_type": JWT_GRANT, "assertion": gateway.jwt}
        token = httpx.post(f"{gateway.server}/restapi/oauth/token", data=form, auth=auth).json()["access_token"]
        answer = httpx.post(f"{gateway.server}/restapi/oauth/wstoken", headers={"Authorization": f"Bearer {token}"})
        assert answer.json()["uri"] == "wss://proxy.test/ws"


def test_g10_verbose_says_on_stderr_what_happens_and_no_secret() -> None:
    with shell("--verbose") as gateway:
        tokens = gateway.tokens(gateway.printed["RINGCENTRAL_JWT"])
        server = gateway.printed["RINGCENTRAL_SERVER_URL"]
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        issued = httpx.post(f"{server}/restapi/oauth/wstoken", headers=bearer).json()
        httpx.get(f"{server}/ws?access_token={issued['ws_access_token']}")
        httpx.get(f"{server}{EXTENSION}?a=b", headers=bearer)
        httpx.post(f"{server}/_gateway/cut")
        said = gateway.end()
        lines = said.splitlines()
        assert any("POST" in line and "/restapi/oauth/token" in line and "200" in line for line in lines), said
        assert any(EXTENSION in line and "a=b" in line for line in lines)
        assert all(re.match(r"\s*\d+\.\d{3} \w+ ", line + " ") for line in lines), said
        secrets = [tokens["access_token"], tokens["refresh_token"], issued["ws_access_token"]]
        secrets += [value for name, value in gateway.printed.items() if name.endswith(("_SECRET", "_JWT"))]
        assert not [secret for secret in secrets if secret in said]


def test_g10_the_recipe_for_a_container_works_without_one() -> None:
    """The command in the last line of the recipe works: its flags exist, and the printed credentials are valid."""
    (line,) = re.findall(r"^CMD (\[.+\])$", DOCS.read_text(), re.MULTILINE)
    program, *arguments = re.findall(r'"([^"]*)"', line)
    assert (program, arguments[:2]) == ("python", ["-m", "rcex_ws.gateway"])
    assert {"--host", "0.0.0.0", "--port", "--ws-port"} <= set(arguments)
    free = [argument if not re.fullmatch(r"80\d\d", argument) else "0" for argument in arguments[2:]]
    with shell(*free) as gateway:
        assert gateway.tokens(gateway.printed["RINGCENTRAL_JWT"])["token_type"] == "bearer"
