"""The samples of docs/migration.md: theirs are those of the published README, ours run in the frame of the page."""

from __future__ import annotations

import re
import signal
import stat
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from rcex_ws.gateway import Gateway
from tests.pages.walk import ROOT, TIME_LIMIT, Block, Program, blocks, until

BLOCKS = blocks("migration")
FRAME = next(block.code for block in BLOCKS if block.heading == "The samples of its README")
README = ROOT / "tests/peers/node/node_modules/@rc-ex/ws/README.md"

LOSE = """\
lost = anyio.Event()
ws_ext.on(Events.DISCONNECTED, lambda reason: lost.set())
ws_ext.ws.abort()
await lost.wait()
"""

DETACH = "await ws_ext.detach()\n"

Start = Callable[..., AbstractContextManager[Program]]


def ours(number: int) -> list[str]:
    return [block.code for block in BLOCKS if _is_of(block, number) and block.language == "python"]


def _is_of(block: Block, number: int) -> bool:
    return block.heading.startswith(f"{number}. ")


@pytest.fixture
def run(gateway: Gateway, tmp_path: Path) -> Callable[..., Program]:
    """Run samples in the frame."""
    environment = {
        "RINGCENTRAL_SERVER_URL": gateway.server,
        "RINGCENTRAL_CLIENT_ID": gateway.client_id,
        "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
        "RINGCENTRAL_JWT": gateway.jwt,
    }

    def run(*samples: str) -> Program:
        assert FRAME.count("        # a sample\n") == 1
        code = textwrap.indent("\n".join(samples), "        ")
        program = FRAME.replace("        # a sample\n", code + "\n")
        return Program(tmp_path, sys.executable, "-uW", "error", "-c", program, environment=environment)

    return run


@pytest.fixture
def start(run: Callable[..., Program]) -> Start:
    """Run samples in the frame, and wait until they are through; the program then goes on."""

    @contextmanager
    def start(*samples: str) -> Iterator[Program]:
        with run(*samples, 'print("through")') as started:
            started.wait_for("through")
            yield started
            started.end(signal.SIGKILL)

    return start


def wait_for(pattern: str, program: Program) -> None:
    until(lambda: re.search(pattern, program.output, re.MULTILINE), lambda: program.output)


def test_theirs_are_those_of_the_published_readme(need: Callable[..., None]) -> None:
    need(README.is_file(), "@rc-ex/ws")
    there = "".join(README.read_text().split())
    theirs = ["".join(block.code.split()) for block in BLOCKS if block.language == "ts"]
    assert len(theirs) == 8
    assert [sample for sample in theirs if sample not in there] == []


def test_each_of_theirs_has_one_of_ours() -> None:
    for number in range(1, 8):
        languages = [block.language for block in BLOCKS if _is_of(block, number)]
        assert {"ts", "python"} == set(languages)


def test_install_subscribe_and_hear_of_a_recovery(start: Start, gateway: Gateway) -> None:
    samples = [*ours(1), *ours(4), *ours(5), *ours(2)]
    with start(*samples) as program:
        gateway.receive_sms("one")
        wait_for(r"'newMessageIds'", program)
        gateway.cut()
        wait_for(r"^New WebSocket connection: ", program)
        wait_for(r"^auto recover success: ", program)
        wait_for(r"^may be missing: .* without warning", program)
        gateway.fail_recovery()
        gateway.cut()
        wait_for(r"^auto recover failed: ", program)


def test_rest_over_the_websocket(start: Start, gateway: Gateway) -> None:
    with start(*ours(3)) as program:
        assert re.search(rf"^{gateway.users[0].id}$", program.output, re.MULTILINE)
        assert [entry for entry in gateway.log() if entry["kind"] == "frame" and entry["type"] == "ClientRequest"]


def test_recover_by_hand(start: Start, gateway: Gateway) -> None:
    (install,), (recover,) = ours(1), ours(6)
    with start(install.replace("()", "(auto_recover=False)", 1), *ours(2), LOSE, recover) as program:
        gateway.receive_sms("one")
        wait_for(r"'newMessageIds'", program)


@pytest.mark.parametrize("by_hand", [False, True])
def test_after_a_page_refresh(start: Start, gateway: Gateway, by_hand: bool) -> None:
    stored, before, after = ours(7)
    assert before.count(DETACH) == 1
    with start(before.replace(DETACH, "") if by_hand else stored):
        pass
    continue_session(start, gateway, after if by_hand else stored)


def test_after_a_page_refresh_by_hand_that_ended_in_order(
    run: Callable[..., Program], start: Start, gateway: Gateway, tmp_path: Path
) -> None:
    _, before, after = ours(7)
    with run(before) as program:
        assert program.process.wait(TIME_LIMIT) == 0, program.output
    assert stat.S_IMODE((tmp_path / "wsc").stat().st_mode) == 0o600
    continue_session(start, gateway, after)


def continue_session(start: Start, gateway: Gateway, sample: str) -> None:
    gateway.receive_sms("in between")
    with start(sample, "print(ws_ext.last_recovery.outcome)") as program:
        assert "\nrecovered\n" in f"\n{program.output}"
        wait_for(r"^<Notification ", program)
