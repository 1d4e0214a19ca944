"""demo/chat.py as a newcomer runs it: with two server processes and a Redis, and where there is none."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.redis_server import redis_is_installed

PROGRAM = Path(__file__).parents[2] / "demo/chat.py"
TIME_LIMIT = 45.0


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Run the demo until it ends by itself; give what it prints."""

    def run(**environment: str) -> str:
        command = [sys.executable, "-W", "error", str(PROGRAM)]
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                printed, _ = process.communicate(timeout=TIME_LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its Redis, too; its servers end with it
                raise
        assert process.returncode == 0, printed
        return printed

    return run


def assert_in_order(printed: str, *expected: str) -> None:
    lines = iter(printed.splitlines())
    for pattern in expected:
        assert any(re.search(pattern, line) for line in lines), f"{pattern!r} is missing or too late:\n{printed}"


def test_one_of_two_servers_is_killed_and_nothing_is_lost(
    run: Callable[..., str], need: Callable[[bool, str], None], tmp_path: Path
) -> None:
    need(redis_is_installed(), "redis-server (Debian's package of that name)")
    printed = run()
    assert_in_order(
        printed,
        r"^Two servers, A \(process \d+\) and B \(\d+\), and redis://127\.0\.0\.1:\d+\.$",
        r"ann: 1 to server A$",
        r"ben: 1 to server B$",
        r"cleo: 1 to server A, 1 to server B$",
        r"ann to ben: Hello Ben$",
        r"taken by 1 connection$",
        r"ben to cleo: Are you there, Cleo\?$",
        r"taken by 2 connections$",
        r"^Server B is killed by SIGKILL",
        r"ann to ben: News 1$",
        r"ben: reconnecting, attempt 1$",
        r"on ben's screen: <ann> News 1$",
        r"on ben's screen: <ann> News 8$",
        r"on ann's screen: <ben> Here I am$",
        r"ben: 1 to server A$",
        r"cleo: 2 to server A$",
        r"\[ok\] ben got all ten messages, once and in order",
        r"\[ok\] cleo got both messages on both devices",
        r"\[ok\] nobody had to be told of a loss",
        r"is kept for five minutes .* in Redis\.$",
        r"^OK after [\d.]+ s\.$",
    )
    assert "ben: a gap: the killed server may have emitted something else" in printed
    assert "FAILED" not in printed
    assert not list(tmp_path.iterdir())  # Redis has written nothing


def test_without_redis_it_says_what_is_left_out(run: Callable[..., str], tmp_path: Path) -> None:
    printed = run(PATH=str(tmp_path))
    assert_in_order(
        printed,
        r"^One server: there is no redis-server on the PATH.* Left out is what needs two:$",
        r"publishing from one server to another, and the death of a server",
        r"cleo: 2 to server A$",
        r"^The connections of ben and of cleo's phone are cut",
        r"on ben's screen: <ann> News 8$",
        r"\[ok\] ben got all ten messages, once and in order",
        r"^OK after [\d.]+ s\.$",
    )
    assert "FAILED" not in printed
    assert " a gap: " not in printed  # the session was resumed
