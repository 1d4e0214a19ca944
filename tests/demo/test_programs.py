"""The programs that people write, as processes of their own against a gateway: what they do, and after a loss."""

from __future__ import annotations

import os
import queue
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.gateway import Gateway

DEMO = Path(__file__).parents[2] / "demo"
TIME_LIMIT = 30.0
STRANGER = "+14155550199"


class Program:
    """A running demo whose output is read line by line.

    Args:
        name: its file.
        gateway: the account that it is given.
        folder: where it runs.
    """

    def __init__(self, name: str, gateway: Gateway, folder: Path) -> None:
        account = {
            "RINGCENTRAL_SERVER_URL": gateway.server,
            "RINGCENTRAL_CLIENT_ID": gateway.client_id,
            "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
            "RINGCENTRAL_JWT": gateway.jwt,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-W", "error", str(DEMO / name)],
            cwd=folder,
            env={**os.environ, **account, "FORCE_COLOR": "1"},  # or rich prints no live table
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._read: list[str] = []
        self._pumping = threading.Thread(target=self._pump)
        self._pumping.start()

    def expect(self, pattern: str) -> str:
        """Wait for the next line that has the pattern in it."""
        while True:
            try:
                line = self._lines.get(timeout=TIME_LIMIT)
            except queue.Empty:
                line = None
            assert line is not None, f"{pattern!r} has not come:\n{''.join(self._read)}"
            self._read.append(line)
            if re.search(pattern, line):
                return line

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(TIME_LIMIT)
        self._pumping.join(TIME_LIMIT)

    def _pump(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)


@pytest.fixture
def start(gateway: Gateway, tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    with ExitStack() as stack:

        def start(name: str) -> Program:
            program = Program(name, gateway, tmp_path)
            stack.callback(program.end)
            return program

        yield start


def wait_for_entry(gateway: Gateway, kind: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until the gateway's log has so many entries of a kind."""
    found: list[dict[str, Any]] = []
    for _ in range(int(TIME_LIMIT / 0.02)):
        found = [entry for entry in gateway.log() if entry["kind"] == kind]
        if len(found) >= count:
            return found
        threading.Event().wait(0.02)
    raise AssertionError(f"{count} entries {kind!r} have not come: {gateway.log()}")


def test_the_sms_bot_answers_also_what_came_while_it_was_away(start, gateway):
    bot = start("sms_bot.py")
    wait_for_entry(gateway, "subscribe")
    gateway.receive_sms("are you there?", from_number=STRANGER)
    bot.expect(rf"answered \{STRANGER} who wrote are you there\?")
    bot.process.kill()
    bot.process.wait(TIME_LIMIT)
    wait_for_entry(gateway, "lost")
    gateway.receive_sms("and now?", from_number=STRANGER)
    start("sms_bot.py").expect("who wrote and now")
    assert (DEMO / "sms_bot.py").read_text().partition('"""\n\n')[2].count("\n") < 40


def test_the_chat_agent_answers_in_threads_and_not_itself(start, gateway):
    agent = start("chat_agent.py")
    agent.expect("listening")
    post = gateway.receive_post("add 2 3")
    agent.expect("'add 2 3' -> '5.0'")
    gateway.cut()
    gateway.receive_post("hello", chat_id=post["groupId"])
    agent.expect("'hello' -> 'What is your name")
    gateway.receive_post("Bob", chat_id=post["groupId"])
    agent.expect("Nice to meet you, Bob")
    written = [
        entry for entry in gateway.log() if entry["kind"] == "request" and str(entry.get("path")).endswith("/posts")
    ]
    assert len([entry for entry in written if entry["method"] == "POST"]) == 3


def test_the_call_logger_reads_again_what_it_may_have_missed(start, gateway, tmp_path):
    logger = start("call_logger.py")
    logger.expect("listening")
    gateway.ring(from_number=STRANGER)
    gateway.answer()
    logger.expect("Answered")
    gateway.hang_up()
    logger.expect("Disconnected")
    gateway.refuse("wstoken", times=1)  # so that the next call certainly ends before it is back
    gateway.fail_recovery()
    gateway.cut()
    gateway.ring(from_number="+14155550177")
    gateway.miss()
    logger.expect("reading the calls since")
    wait_for_entry(gateway, "subscribe", 2)
    gateway.ring(from_number=STRANGER)
    logger.expect("Setup|Proceeding")
    with closing(sqlite3.connect(tmp_path / "calls.db")) as database:
        rows = database.execute("SELECT caller, source FROM calls").fetchall()
    assert ("+14155550177", "call log") in rows
    assert len([caller for caller, _ in rows if caller == STRANGER]) == 2


def test_the_presence_board_follows_the_calls_of_all(start, gateway):
    pytest.importorskip("rich")
    board = start("presence_board.py")
    board.expect("Bob Central.*NoCall")
    gateway.ring(from_number=STRANGER, to_extension="102")
    board.expect("Bob Central.*Ringing")
    gateway.answer()
    board.expect("Bob Central.*CallConnected")
    gateway.cut()
    gateway.hang_up()
    board.expect("Bob Central.*NoCall")


def test_a_client_of_ones_own_prints_an_event(start, gateway):
    program = start("own_client.py")
    wait_for_entry(gateway, "subscribe")
    gateway.notify("/restapi/v1.0/account/~/extension/~/message-store", {"changes": []})
    program.expect(r"message-store \{'changes': \[\]\}")
    assert program.process.wait(TIME_LIMIT) == 0
