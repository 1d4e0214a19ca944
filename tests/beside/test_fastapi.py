"""A FastAPI application under uvicorn, as a process: lifespan, many requests at once, how it ends and comes back."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.gateway import Gateway
from tests.demo.conftest import account_of

APP = Path(__file__).parent / "web_app.py"
TIME_LIMIT = 30.0
STATE = "/state"


class Site:
    """The application in a process.

    Args:
        folder: where it is, and keeps its session.
        gateway: its account.
        flags: more of uvicorn's.
    """

    def __init__(self, folder: Path, gateway: Gateway, *flags: str) -> None:
        self._log = folder / f"log{len(list(folder.glob('log*')))}"
        command = [sys.executable, "-W", "error", "-m", "uvicorn", "web_app:app", "--app-dir", str(folder), *flags]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--port", "0"],
                cwd=folder,
                env={**os.environ, **account_of(gateway), "STATE_DIR": str(folder / "state")},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_started(self) -> None:
        until(lambda: "startup complete" in self.log and "running on" in self.log, lambda: self.log)

    def get(self, path: str) -> dict[str, Any]:
        port = re.search(r"running on http://127\.0\.0\.1:(\d+)", self.log)
        assert port, self.log
        with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{path}", timeout=TIME_LIMIT) as answer:
            return dict(json.load(answer))

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(TIME_LIMIT)


def until(condition: Callable[[], object], why: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIME_LIMIT
    while not condition():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def fastapi_is_here(need: Callable[[bool, str, str], None]) -> None:
    need(find_spec("fastapi") is not None, "fastapi", "pip install fastapi")


@pytest.fixture
def start(tmp_path: Path, gateway: Gateway) -> Iterator[Callable[..., Site]]:
    shutil.copy(APP, tmp_path)
    started: list[Site] = []

    def start(*flags: str) -> Site:
        site = Site(tmp_path, gateway, *flags)
        started.append(site)
        return site

    yield start
    for site in started:
        if site.process.poll() is None:
            site.end()


def count(gateway: Gateway, kind: str) -> int:
    return len([entry for entry in gateway.log() if entry["kind"] == kind])


def test_requests_at_once_go_over_the_one_socket(start: Callable[..., Site], gateway: Gateway) -> None:
    site = start()
    site.wait_started()
    with ThreadPoolExecutor(16) as pool:  # more than the server lets be under way in one WebSocket
        answers = list(pool.map(site.get, ["/me", "/from-a-thread", "/refused", "/me"] * 12))
    assert Counter(str(answer) for answer in answers) == {
        "{'via': 'websocket', 'name': 'Ada Ring'}": 24,
        "{'via': 'websocket'}": 12,
        "{'status': 404}": 12,
    }
    wrong = site.get("/in-a-loop-of-its-own")
    assert wrong["error"] == "WrongEventLoop"
    assert "another event loop" in wrong["text"]
    assert site.get("/me")["via"] == "websocket"
    gateway.cut()
    gateway.receive_sms()
    until(lambda: site.get(STATE)["got"], lambda: site.log)
    assert site.get(STATE)["outcome"] == "recovered"
    assert (count(gateway, "connect"), count(gateway, "token")) == (2, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_it_ends_in_order_and_the_next_process_continues(
    start: Callable[..., Site], gateway: Gateway, number: int
) -> None:
    first = start()
    first.wait_started()
    gateway.receive_sms("one")
    until(lambda: first.get(STATE)["got"], lambda: first.log)
    assert first.end(number) in (0, -number)  # uvicorn passes the signal on when all is done
    assert first.log.index("Waiting for application shutdown") < first.log.index("Application shutdown complete")
    assert "Traceback" not in first.log
    assert not [entry for entry in gateway.log() if entry.get("method") == "DELETE"]  # the session is kept
    gateway.receive_sms("two")
    second = start()
    second.wait_started()
    until(lambda: second.get(STATE)["got"], lambda: second.log)
    state = second.get(STATE)
    assert (state["outcome"], state["gaps"], len(state["got"])) == ("recovered", [], 1)
    assert count(gateway, "token") == 1  # and so is the login


def test_reload_continues_the_session(start: Callable[..., Site], gateway: Gateway, tmp_path: Path) -> None:
    site = start("--reload")
    site.wait_started()
    first = site.get(STATE)["pid"]
    later = time.time() + 5
    os.utime(tmp_path / APP.name, (later, later))  # as an editor saves it
    until(lambda: count(gateway, "recovered"), lambda: site.log)
    until(lambda: site.log.count("startup complete") == 2, lambda: site.log)
    gateway.receive_sms()
    until(lambda: site.get(STATE)["got"], lambda: site.log)
    state = site.get(STATE)
    assert state["pid"] != first
    assert (state["outcome"], state["gaps"]) == ("recovered", [])
    assert site.end(signal.SIGINT) in (0, -signal.SIGINT)
    assert "Traceback" not in site.log


def test_a_refused_login_ends_the_start_and_says_why(start: Callable[..., Site], gateway: Gateway) -> None:
    gateway.refuse("token", 400, error_code="invalid_grant")
    site = start()
    assert site.process.wait(TIME_LIMIT) == 3  # uvicorn's "the application did not start"
    assert "LoginRefused: POST /restapi/oauth/token was answered 400" in site.log
    assert gateway.jwt not in site.log


def test_a_second_process_with_the_same_session_is_refused(start: Callable[..., Site], gateway: Gateway) -> None:
    first = start()
    first.wait_started()
    second = start()
    assert second.process.wait(TIME_LIMIT) == 3
    assert re.search(r"\w+: .*session\.json.*(another|in use)", second.log), second.log
    assert first.get("/me")["via"] == "websocket"
