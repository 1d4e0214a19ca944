"""demo/exactly_once_bot.py: what was sent is counted at the server, after kills, losses and lost answers."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from rcex_ws.gateway import Gateway
from tests.demo.conftest import TIME_LIMIT, Program, Start

STRANGERS = ("+14155550101", "+14155550102", "+14155550103")
SENDING = "POST /restapi/v1.0/account/*/extension/*/sms"
PAUSE, LIVES = 0.02, 5


class Ledger:
    """Says which texts came, and which answers were sent, by the server's own list.

    Args:
        gateway: the server.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": gateway.jwt}
        login = (gateway.client_id, gateway.client_secret)
        token = httpx.post(f"{gateway.server}/restapi/oauth/token", data=grant, auth=login).json()["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self.came: Counter[tuple[str, str]] = Counter()

    def receive(self, text: str, sender: str = STRANGERS[0]) -> None:
        self._gateway.receive_sms(text, from_number=sender)
        self.came[sender, f"You wrote: {text}"] += 1

    @property
    def answers(self) -> Counter[tuple[str, str]]:
        """What was sent to whom, and how often."""
        url = f"{self._gateway.server}/restapi/v1.0/account/~/extension/~/message-store"
        listed = httpx.get(url, params={"direction": "Outbound", "perPage": 1000}, headers=self._headers)
        return Counter((one["to"][0]["phoneNumber"], one["subject"]) for one in listed.json()["records"])

    def wait_until_all_are_answered(self, folder: Path) -> None:
        """Wait until the bot knows the answer to each, so that it sends no more; then compare."""
        deadline = time.monotonic() + TIME_LIMIT
        with closing(sqlite3.connect(folder / "texts.db")) as database:
            while known(database) != (self.came.total(), 0):
                assert time.monotonic() < deadline, (known(database), self.came - self.answers)
                time.sleep(PAUSE)
            [(answers,)] = database.execute("SELECT count(DISTINCT answer) FROM texts")
        assert self.answers == self.came
        assert answers == self.came.total()


def known(database: sqlite3.Connection) -> tuple[int, int]:
    """How many texts the bot has, and how many of them it has not answered."""
    [row] = database.execute("SELECT count(*), count(*) - count(answer) FROM texts")
    return row


def wait_sent(gateway: Gateway, count: int) -> None:
    """Wait until the server has had so many texts to send."""
    deadline = time.monotonic() + TIME_LIMIT
    while len([one for one in gateway.log() if one["kind"] == "request" and one["path"].endswith("/sms")]) < count:
        assert time.monotonic() < deadline, gateway.log()
        time.sleep(PAUSE)


def kill(bot: Program) -> None:
    bot.process.kill()
    bot.process.wait(TIME_LIMIT)


@pytest.fixture
def bot(start: Start) -> Program:
    program = start("exactly_once_bot.py")
    program.expect("listening")
    return program


@pytest.mark.parametrize("ends", ["killed", "cut", "refused"])
def test_an_answer_whose_answer_is_lost_is_looked_up(
    bot: Program, start: Start, gateway: Gateway, tmp_path: Path, ends: str
) -> None:
    ledger = Ledger(gateway)
    ledger.receive("hi")
    bot.expect("'hi' from")
    gateway.answer_fault(SENDING, drop=True)
    ledger.receive("hi")  # the same words: the older answer must not pass for this one's
    wait_sent(gateway, 2)
    if ends == "killed":
        kill(bot)
        start("exactly_once_bot.py")
    else:
        if ends == "refused":
            gateway.fail_recovery()
        gateway.cut()
    ledger.receive("hi")
    ledger.wait_until_all_are_answered(tmp_path)


def test_an_answer_that_was_not_sent_is_sent(bot: Program, gateway: Gateway, tmp_path: Path) -> None:
    ledger = Ledger(gateway)
    gateway.refuse(SENDING, 503)
    ledger.receive("hi")
    bot.expect("not known to be answered")
    ledger.receive("hi")  # before the first is answered: the answer to that must not pass for this one's
    gateway.answer_fault(SENDING, delay=0.5)
    wait_sent(gateway, 2)
    gateway.refuse(SENDING, 503)
    ledger.wait_until_all_are_answered(tmp_path)


def test_an_answer_that_is_refused_for_good_holds_up_nobody(bot: Program, gateway: Gateway, tmp_path: Path) -> None:
    ledger = Ledger(gateway)
    gateway.refuse(SENDING, 403)
    gateway.receive_sms("refused", from_number=STRANGERS[0])
    bot.expect("'refused' from .* -> refused: ")
    ledger.receive("hi")
    bot.expect(r"'hi' from .* -> \d+")
    assert ledger.answers == ledger.came


@pytest.mark.timeout(120)
def test_each_is_answered_once_whatever_happens(start: Start, gateway: Gateway, tmp_path: Path) -> None:
    chance, ledger = random.Random(1), Ledger(gateway)  # how fast each process is makes each run another one
    bot = start("exactly_once_bot.py")
    bot.expect("listening")  # what came before its first life is nobody's
    for number in range(LIVES):
        for _ in range(4):
            time.sleep(chance.uniform(0, 0.15))
            ledger.receive(chance.choice(("hi", f"text {number}")), chance.choice(STRANGERS))
            for happens in (
                gateway.cut,
                gateway.fail_recovery,
                lambda: gateway.answer_fault(SENDING, drop=True),
                lambda: gateway.refuse(SENDING, 503),
            ):
                if chance.random() < 0.2:
                    happens()
        time.sleep(chance.uniform(0, 1.5))
        kill(bot)
        ledger.receive("anybody home?", chance.choice(STRANGERS))
        bot = start("exactly_once_bot.py")
    gateway.clear_faults()
    gateway.cut()  # or a call whose answer was dropped would be waited for
    ledger.wait_until_all_are_answered(tmp_path)
