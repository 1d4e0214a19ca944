"""What the programs to be copied have in common: they run at once, end by Ctrl-C, and say what is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from rcex_ws.gateway import Gateway
from tests.demo.conftest import DEMO, TIME_LIMIT, Start, account_of

#: What each prints when the orders that it advises have been carried out.
HAPPENS = {
    "call_logger.py": r"\+14155550100 -> \+16505550101: Disconnected",
    "chat_agent.py": r"'add 2 3' -> '5\.0'",
    "exactly_once_bot.py": r"'Are you there\?' from \+16505550199 -> \d+",
    "live_page.py": "running on",
    "missed_call_text.py": r"texted \+14155550100",
    "own_client.py": r"message-store \{.*'newCount': 1",
    "presence_board.py": "Ada Ring.*Ringing",
    "sms_bot.py": r"answered \+16505550199 who wrote Are you there\?",
    "webhook_relay.py": "endpoint: 200 to [0-9a-f-]+ {",
}


def test_every_such_program_is_here() -> None:
    assert sorted(HAPPENS) == sorted(path.name for path in DEMO.glob("*.py") if "\n    run(main" in path.read_text())


@pytest.mark.parametrize("name", HAPPENS)
def test_it_runs_at_once_and_says_how_to_go_on(
    start_alone: Start, need: Callable[[bool, str, str], None], name: str
) -> None:
    if name == "live_page.py":
        need(find_spec("fastapi") is not None, "fastapi", "pip install fastapi")
    program = start_alone(name, PORT="0")
    server = program.expect(r"^Using a local gateway, (http://127\.0\.0\.1:\d+)$")[1]
    assert "Ctrl-C" in program.expect("make something happen").string
    orders = re.findall(r"run\(main, (.+)\)", (DEMO / name).read_text())[0].count('", "') + 1
    commands = [program.expect(r"curl (\S+) -d '(.+)'$") for _ in range(orders)]
    assert "<title>" in httpx.get(server, headers={"accept": "text/html"}).text  # the console
    wait_for_subscription(server)
    for command in commands:
        httpx.post(command[1], content=command[2]).raise_for_status()
    program.expect(HAPPENS[name])
    if name == "own_client.py":  # it ends by itself
        assert program.process.wait(TIME_LIMIT) == 0
        return
    assert program.stop() == 0
    program.expect("stopped$")


def wait_for_subscription(server: str) -> None:
    for _ in range(int(TIME_LIMIT / 0.05)):
        log = httpx.get(f"{server}/_gateway/log").json()
        if any(entry["kind"] == "subscribe" for entry in log):
            return
    raise AssertionError(f"it has not subscribed: {log}")


def test_it_says_what_is_missing_and_what_is_wrong(start_alone: Start, gateway: Gateway, tmp_path: Path) -> None:
    half = start_alone("sms_bot.py", RINGCENTRAL_JWT="x")
    half.expect("not set: RINGCENTRAL_SERVER_URL, RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET")
    assert half.process.wait(TIME_LIMIT) == 1
    refused = start_alone("webhook_relay.py", gateway=gateway, RINGCENTRAL_JWT="wrong-and-secret")
    refused.expect("^LoginRefused: ")  # also out of a task group
    assert refused.process.wait(TIME_LIMIT) == 1
    account = account_of(gateway) | {"RINGCENTRAL_SERVER_URL": "http://127.0.0.1:9"}
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in account.items()))
    gone = start_alone("sms_bot.py")
    gone.expect("^TransportError: .*no answer from 127.0.0.1")
    gone.expect("Is the gateway that .env names still running")
    assert gone.process.wait(TIME_LIMIT) == 1


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("chat_web/app.py", "uvicorn"),
        ("feedme_board.py", "rich"),
        ("live_page.py", "fastapi"),
        ("opentelemetry_traces.py", "opentelemetry"),
        ("presence_board.py", "rich"),
        ("prometheus_metrics.py", "prometheus_client"),
    ],
)
def test_a_package_that_is_missing_is_named(name: str, package: str) -> None:
    path = DEMO / name
    code = f"import runpy, sys; sys.modules[{package!r}] = None; sys.path.insert(0, {str(path.parent)!r})"
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}; runpy.run_path({str(path)!r}, run_name='__main__')"],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert re.fullmatch(rf"needs .*: \.venv/bin/python -m pip install .*{package.replace('_', '-')}.*", line)
