"""Programs that use the blocking client and end in every way: forgotten, forked, interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from rcex_ws.gateway import Gateway

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"
TIME_LIMIT = 20.0
Start = Callable[[str], subprocess.Popen[str]]

START = f"""
import os, sys, threading, time
from rcex_ws import FileSessionStore, FileTokenStore
from rcex_ws.blocking import RingCentral, WebSocketExtension
server, client_id, client_secret, jwt, folder = sys.argv[1:]
app = dict(server=server, client_id=client_id, client_secret=client_secret)
unused = RingCentral(**app)
rc = RingCentral(**app, token_store=FileTokenStore(folder + "/token.json"))
rc.authorize(jwt=jwt)
def on_gap(gap):
    print("gap", gap.since.isoformat(), gap.certain, gap.reason, flush=True)
ws_ext = WebSocketExtension(session_store=FileSessionStore(folder + "/session.json"), on_gap=on_gap)
rc.install_extension(ws_ext)
MESSAGES = {MESSAGES!r}
"""
#: Its threads are at work: in the loop, in a callback that never ends, in the threads that write files.
FORGETS = """
began = threading.Event()
def callback(notification):
    began.set()
    time.sleep(1000)
ws_ext.subscribe([MESSAGES], callback)
print("ready", flush=True)
began.wait()
print("end", flush=True)
"""
FORKS = """
subscription = ws_ext.subscribe([MESSAGES])
child = os.fork()
if child == 0:
    for call in (lambda: rc.get("/x"), rc.close, lambda: subscription.next(timeout=1), lambda: rc.restapi().get()):
        try:
            call()
        except Exception as error:
            print(type(error).__name__, "make one here" in str(error))
    unused.authorize(jwt=jwt)
    print(unused.get("/restapi/v1.0/account/~/extension/~").status_code, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(rc.get("/restapi/v1.0/account/~/extension/~").status_code, ws_ext.state)
rc.close()
"""
WAITS = """
with rc:
    subscription = ws_ext.subscribe([MESSAGES])
    print("ready", flush=True)
    for notification in subscription:
        print(notification.body["number"], flush=True)
"""
#: Its body is what a test says.
WORKS = """
import logging, signal
logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with rc:
    subscription = ws_ext.subscribe([MESSAGES])
    print("ready", flush=True)
    for notification in subscription:
        print(notification.timestamp, flush=True)
        BODY
"""
FOLLOWS = """
with rc:
    ws_ext.subscribe([MESSAGES])
    print("end", ws_ext.last_recovery.outcome)
"""


@pytest.fixture
def start(gateway: Gateway, tmp_path: Path) -> Start:
    """Start a program."""
    args = (gateway.server, gateway.client_id, gateway.client_secret, gateway.jwt, str(tmp_path))

    def start(program: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", START + program, *args]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_until_processed(folder: Path, count: int) -> None:
    """Wait until the stored session knows so many notifications as processed: then the loop waits for the next."""
    end = time.monotonic() + TIME_LIMIT
    while len(json.loads((folder / "session.json").read_text())["uuids"]) < count:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_client_that_was_forgotten_lets_the_program_end(gateway: Gateway, start: Start) -> None:
    process = start(FORGETS)
    assert line_of(process) == "ready"
    gateway.notify(MESSAGES, {})
    assert line_of(process) == "end"
    began = time.monotonic()
    _, errors = process.communicate(timeout=TIME_LIMIT)
    assert (process.returncode, errors) == (0, "")
    assert time.monotonic() - began < 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_is_told_to_make_its_own_and_can_use_what_was_not_used(start: Start) -> None:
    printed, _ = start(FORKS).communicate(timeout=TIME_LIMIT)
    assert printed.splitlines() == [*["WrongEventLoop True"] * 4, "200", "200 ready"]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C goes to a whole console there")
def test_ctrl_c_ends_a_program_that_waits_and_closes_in_order(gateway: Gateway, start: Start, tmp_path: Path) -> None:
    process = start(WAITS)
    assert line_of(process) == "ready"
    gateway.notify(MESSAGES, {"number": 1})
    assert line_of(process) == "1"
    wait_until_processed(tmp_path, 1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIME_LIMIT)
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert process.returncode in (-signal.SIGINT, 130)
    assert '"clean":true' in (tmp_path / "session.json").read_text().replace(" ", "")


@pytest.mark.skipif(
    sys.platform == "win32", reason="Ctrl-C goes to a whole console there, and SIGTERM cannot be caught"
)
@pytest.mark.parametrize(
    ("body", "number", "ends"),
    [
        ("time.sleep(1000)", signal.SIGTERM, (0,)),
        ("time.sleep(1000)", signal.SIGINT, (-signal.SIGINT, 130)),
        ("raise ValueError", None, (1,)),
    ],
    ids=["SIGTERM", "Ctrl-C", "an error"],
)
def test_what_the_body_of_a_loop_has_in_hand_at_the_end_is_told_to_the_next_process(
    gateway: Gateway, start: Start, body: str, number: signal.Signals | None, ends: tuple[int, ...]
) -> None:
    process = start(WORKS.replace("BODY", body))
    assert line_of(process) == "ready"
    gateway.notify(MESSAGES, {})
    stamp = datetime.fromisoformat(line_of(process))
    if number is not None:
        process.send_signal(number)
    _, errors = process.communicate(timeout=TIME_LIMIT)
    assert process.returncode in ends
    assert "closing before everything was processed; the next process is told" in errors
    printed, _ = start(FOLLOWS).communicate(timeout=TIME_LIMIT)
    gap, end = printed.splitlines()
    _, since, certain, reason = gap.split(maxsplit=3)
    assert datetime.fromisoformat(since) <= stamp
    assert (certain, reason) == ("False", "the last process ended before everything was received and processed")
    assert end == "end recovered"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM cannot be caught there")
def test_a_loop_that_has_nothing_in_hand_leaves_no_gap(gateway: Gateway, start: Start, tmp_path: Path) -> None:
    process = start(WORKS.replace("BODY", "break"))
    assert line_of(process) == "ready"
    gateway.notify(MESSAGES, {})
    assert process.communicate(timeout=TIME_LIMIT)[1] == ""
    process = start(WORKS.replace("BODY", "pass"))
    assert line_of(process) == "ready"
    gateway.notify(MESSAGES, {})
    line_of(process)
    wait_until_processed(tmp_path, 2)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=TIME_LIMIT)[1] == ""
    assert start(FOLLOWS).communicate(timeout=TIME_LIMIT)[0] == "end recovered\n"
