"""Programs that use the blocking client and end in every way: forgotten, forked, interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
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
ws_ext = WebSocketExtension(session_store=FileSessionStore(folder + "/session.json"))
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
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIME_LIMIT)
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert process.returncode in (-signal.SIGINT, 130)
    assert '"clean":true' in (tmp_path / "session.json").read_text().replace(" ", "")
