"""Slack's Python SDK (`slack_sdk` 3.48.0), unmodified, as a bot on the fake Slack: by `rtm` and by `rtm_v2`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from rcex_ws.testing import FakeSlack

HERE = Path(__file__).parent / "slack_sdk"
ROOM = "C0GENERAL"

pytestmark = [pytest.mark.timeout(90), pytest.mark.parametrize("flavour", ["rtm", "rtm_v2"])]


@pytest.fixture
def anyio_backend() -> str:
    """The clients are processes of their own: one event loop on our side is enough."""
    return "asyncio"


class Bot:
    """The bot in its process."""

    def __init__(self, process: subprocess.Popen[str], slack: FakeSlack) -> None:
        self._slack = slack
        self._process = process

    async def wait(self, step: str, count: int = 1) -> dict[str, Any]:
        """Wait for a step for the n-th time."""
        assert self._process.stdout is not None
        seen = []
        with anyio.fail_after(30):
            while len(seen) < count:
                line = json.loads(await anyio.to_thread.run_sync(self._process.stdout.readline))
                if line["step"] == step:
                    seen.append(line)
        return seen[-1]

    async def hears(self, text: str, ts: str, **more: Any) -> Any:
        """Let Alice say something; give what the bot said then."""
        message = {"type": "message", "channel": ROOM, "user": "U000ALICE", "text": text, "ts": ts, **more}
        assert self._slack.push(message) == 1
        return await self._slack.wait_for_message(f"you said {text}", timeout=30)


@pytest.fixture
def bot(fake_slack: FakeSlack, flavour: str, need: Callable[[bool, str], None]) -> Iterator[Bot]:
    need((HERE / ".venv/.installed").is_file(), "the slack_sdk package")
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "SLACK_API_URL": fake_slack.api_url,
        "SLACK_TOKEN": fake_slack.token,
    }
    command = [str(HERE / ".venv/bin/python"), str(HERE / "main.py"), flavour]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Bot(process, fake_slack)
        finally:
            process.kill()


async def test_k6_it_gets_an_event_answers_and_survives_a_cut(bot: Bot, fake_slack: FakeSlack, flavour: str) -> None:
    opened = await bot.wait("open")
    if flavour == "rtm":
        assert (opened["me"], opened["team"]) == (fake_slack.self_id, fake_slack.team_id)
    else:
        assert opened["bot"] == "B0000ROBO"
    said = await bot.hears("hi", "1.1")
    assert (await bot.wait("message"))["text"] == "hi"
    answer = await bot.wait("answer")
    assert (answer["ok"], answer["reply_to"], answer["ts"]) == (True, said.id, said.ts)

    fake_slack.cut()
    await fake_slack.wait_for_connection(2, timeout=30)
    await bot.wait("open")
    said = await bot.hears("again", "1.2")
    assert said.connection == 2
    answer = await bot.wait("answer")
    assert (answer["ok"], answer["reply_to"], answer["ts"]) == (True, said.id, said.ts)
    assert fake_slack.violations == []
    assert {call.method for call in fake_slack.calls} <= {"auth.test", "rtm.connect"}


async def test_k6_it_goes_on_after_a_goodbye(bot: Bot, fake_slack: FakeSlack, flavour: str) -> None:
    await bot.wait("open")
    await bot.hears("hi", "1.1")
    fake_slack.goodbye(close_after=0.1)
    await fake_slack.wait_for_connection(2, timeout=30)
    await fake_slack.wait_for_close(1, timeout=30)
    await bot.wait("open")
    assert (await bot.hears("again", "1.2")).connection == 2


async def test_k6_a_thread_stays_one_and_a_rejected_message_is_told(
    bot: Bot, fake_slack: FakeSlack, flavour: str
) -> None:
    await bot.wait("open")
    await bot.hears("in a thread", "1.3", thread_ts="1.0")
    assert fake_slack.workspace.messages[-1]["thread_ts"] == "1.0"
    assert (await bot.wait("answer"))["ok"] is True
    fake_slack.reject_message(-1, "slow down, too many messages...")
    event = {"type": "message", "channel": ROOM, "user": "U000ALICE", "text": "too much", "ts": "1.4"}
    fake_slack.push(event)
    answer = await bot.wait("answer")
    assert (answer["ok"], answer["error"]["code"]) == (False, -1)
