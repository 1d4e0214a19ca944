"""The template of a service: signals, exit codes, health, two replicas with one session file, another credential."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rcex_ws.gateway import Gateway

PROGRAM = Path(__file__).parents[2] / "demo/service.py"
STORE = "/restapi/v1.0/account/~/extension/~/message-store"
TIME_LIMIT = 20.0

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the template needs the signals of POSIX")


def until(condition: Callable[[], object], what: str, within: float = TIME_LIMIT) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Service:
    """One process of the template.

    Args:
        folder: its state and its log.
        gateway: where it connects.
        name: of its log.
        backend: its event loop.
        env: settings instead of the usual ones.
    """

    def __init__(self, folder: Path, gateway: Gateway, name: str = "service", backend: str = "asyncio", **env: str):
        if not (folder / "jwt").exists():
            (folder / "jwt").write_text(f"{gateway.jwt}\n")
        code = PROGRAM.read_text()
        assert code.count("anyio.run(service)") == 1
        program = folder / f"{name}.py"
        program.write_text(code.replace("anyio.run(service)", f"anyio.run(service, backend={backend!r})"))
        settings = {
            "RINGCENTRAL_SERVER_URL": gateway.server,
            "RINGCENTRAL_CLIENT_ID": gateway.client_id,
            "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
            "RINGCENTRAL_JWT_FILE": str(folder / "jwt"),
            "STATE_DIR": str(folder / "state"),
            "HEALTH_PORT": "0",
        }
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", str(program)],
                env={**os.environ, **settings, **env},
                stdout=out,
                stderr=err,
            )

    def health(self, path: str) -> tuple[int, dict[str, Any]]:
        """Ask for its health; status 0 while nobody answers."""
        port = re.search(r"tells its health on port (\d+)\n", self.log)
        if port is None:
            return 0, {}
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, {}

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log
        return self.health("/ready")[0] == 200

    def wait_subscribed(self) -> None:
        until(lambda: self.is_ready() and "subscribed to" in self.log, f"it did not subscribe:\n{self.log}")

    @property
    def got(self) -> list[int]:
        """The numbers of the notifications that it printed."""
        return [json.loads(line)["body"]["i"] for line in self._out.read_text().splitlines()]

    @property
    def log(self) -> str:
        return self._err.read_text()

    def wait_for(self, *numbers: int) -> None:
        until(lambda: set(numbers) <= set(self.got), f"{numbers} did not come:\n{self.log}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(TIME_LIMIT)


@pytest.fixture
def start(tmp_path: Path, gateway: Gateway) -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def start(name: str = "service", backend: str = "asyncio", **env: str) -> Service:
        started.append(Service(tmp_path, gateway, name, backend, **env))
        return started[-1]

    yield start
    for service in started:
        service.process.kill()
        service.process.wait()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_o4_it_ends_in_order_and_the_next_process_continues(
    start: Callable[..., Service], gateway: Gateway, backend: str, number: int
) -> None:
    first = start("first", backend)
    first.wait_subscribed()
    gateway.notify(STORE, {"i": 1})
    first.wait_for(1)
    assert first.end(number) == 0
    assert first.log.splitlines()[-1].endswith("service: closed")
    assert "Traceback" not in first.log
    gateway.notify(STORE, {"i": 2})
    second = start("second", backend)
    second.wait_for(2)
    gateway.notify(STORE, {"i": 3})
    second.wait_for(3)
    assert (first.got, second.got) == ([1], [2, 3])
    assert "gap" not in first.log + second.log
    assert "service: recovered" in second.log
    assert second.end() == 0


def test_o4_the_second_replica_takes_over_when_the_first_dies(start: Callable[..., Service], gateway: Gateway) -> None:
    first = start("first")
    first.wait_subscribed()
    second = start("second")
    until(lambda: second.health("/live")[0] == 200, "it does not answer")
    assert second.health("/ready")[0] == 503
    assert second.health("/ready")[1]["state"] == "idle"
    gateway.notify(STORE, {"i": 1})
    first.wait_for(1)
    assert first.is_ready()
    first.end(signal.SIGKILL)
    until(lambda: [one for one in gateway.log() if one["kind"] == "lost"], "the gateway did not see it")
    gateway.notify(STORE, {"i": 2})
    second.wait_for(2)
    assert first.got + second.got == [1, 2]
    assert second.is_ready()
    assert second.health("/ready")[1]["recoveries"]["recovered"] == 1
    assert second.end() == 0
    assert "possible gap" in second.log  # a process that is killed says nothing of what it had


def test_o4_a_replica_that_waits_ends_in_order(start: Callable[..., Service]) -> None:
    first = start("first")
    first.wait_subscribed()
    second = start("second")
    until(lambda: second.health("/live")[0] == 200, "it does not answer")
    assert second.end() == 0
    assert first.is_ready()


def test_it_reads_again_what_a_gap_may_have_lost(start: Callable[..., Service], gateway: Gateway) -> None:
    service = start()
    service.wait_subscribed()
    gateway.refuse("upgrade", 503)
    gateway.fail_recovery()
    gateway.cut()
    message = gateway.receive_sms("lost")
    until(lambda: f"found again: SMS {message['id']}" in service.log, "it did not read again")
    assert service.end() == 0


def test_o4_health_tells_an_outage(start: Callable[..., Service], gateway: Gateway) -> None:
    service = start()
    service.wait_subscribed()
    assert service.health("/nonsense")[0] == 404
    gateway.refuse("upgrade", 503, times=None)
    gateway.cut()
    until(lambda: service.health("/ready")[0] == 503, "it stays ready")
    status, stats = service.health("/live")
    assert (status, stats["name"], stats["connections"]) == (200, "service", 1)
    gateway.clear_faults()
    until(service.is_ready, "it did not come back")
    assert service.end() == 0


def renewed(jwt: str) -> str:
    """Make another JWT of the same user, which the gateway does not know."""
    subject = json.loads(base64.urlsafe_b64decode(jwt.split(".")[1] + "=="))["sub"]
    body = base64.urlsafe_b64encode(json.dumps({"sub": subject, "jti": "renewed"}).encode()).decode().rstrip("=")
    return f"{jwt.split('.')[0]}.{body}.signature"


def end_login(gateway: Gateway, folder: Path) -> None:
    """End the OAuth session at the server, as an administrator does."""
    token = json.loads((folder / "state/token.json").read_text())["access_token"]
    auth = (gateway.client_id, gateway.client_secret)
    assert httpx.post(f"{gateway.server}/restapi/oauth/revoke", data={"token": token}, auth=auth).is_success


def test_o4_the_credential_is_replaced_while_it_runs_and_between_two_runs(
    start: Callable[..., Service], gateway: Gateway, tmp_path: Path
) -> None:
    first = start("first")
    first.wait_subscribed()
    assert first.end() == 0
    (tmp_path / "jwt").write_text(renewed(gateway.jwt))
    second = start("second")  # the same user: the session goes on, and nothing is missing
    until(second.is_ready, second.log)
    assert "gap" not in second.log
    (tmp_path / "jwt").write_text(gateway.jwt)
    second.process.send_signal(signal.SIGHUP)
    until(lambda: "the JWT is taken over" in second.log, "it did not say so")
    end_login(gateway, tmp_path)
    until(lambda: "certain gap" in second.log, "the new JWT did not log in")  # a new login is a new session
    until(second.is_ready, second.log)
    gateway.notify(STORE, {"i": 1})
    second.wait_for(1)
    assert second.end() == 0


def test_o4_without_a_good_credential_it_ends_for_somebody_to_act(
    start: Callable[..., Service], gateway: Gateway, tmp_path: Path
) -> None:
    first = start("first")
    first.wait_subscribed()
    (tmp_path / "jwt").unlink()
    first.process.send_signal(signal.SIGHUP)
    until(lambda: "the JWT was not taken over: RINGCENTRAL_JWT_FILE: No such file" in first.log, "it did not say so")
    (tmp_path / "jwt").write_text(renewed(gateway.jwt))
    first.process.send_signal(signal.SIGHUP)
    until(lambda: "the JWT is taken over" in first.log, "it did not say so")
    end_login(gateway, tmp_path)
    assert first.process.wait(TIME_LIMIT) == 78
    assert "ended by LoginRefused" in first.log
    assert renewed(gateway.jwt) not in first.log


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_o4_exit_codes(start: Callable[..., Service], gateway: Gateway, backend: str) -> None:
    assert start("unset", backend, RINGCENTRAL_JWT_FILE="/does/not/exist").process.wait(TIME_LIMIT) == 78
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        for port in ("abc", str(taken.getsockname()[1])):
            wrong = start("port", backend, HEALTH_PORT=port)
            assert wrong.process.wait(TIME_LIMIT) == 78
            assert f"ended by ConfigurationError: HEALTH_PORT={port}: " in wrong.log
            assert "Traceback" not in wrong.log
    gateway.refuse("token", 400, error_code="invalid_grant")
    assert start("refused", backend).process.wait(TIME_LIMIT) == 78
    gateway.refuse("subscription", 503)
    assert start("later", backend).process.wait(TIME_LIMIT) == 75
    gateway.refuse("subscription", 403)
    assert start("never", backend).process.wait(TIME_LIMIT) == 78
    running = start("running", backend)
    running.wait_subscribed()
    gateway.refuse("wstoken", 403, times=None)
    gateway.cut()
    assert running.process.wait(TIME_LIMIT) == 78
    gateway.clear_faults()
    subscribed = start("subscribed", backend)
    subscribed.wait_subscribed()
    gateway.refuse("subscription", 403, times=None)
    gateway.fail_recovery("WSG-1003")
    gateway.cut()
    assert subscribed.process.wait(TIME_LIMIT) == 78
    assert "Traceback" not in subscribed.log + running.log
