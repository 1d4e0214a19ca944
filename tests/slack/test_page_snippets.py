"""The snippets of docs/slack.md are run, against the local Slack."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from rcex_ws import slack
from rcex_ws.slack import BotHandler, DataStore, MemoryDataStore, RTMClient
from rcex_ws.testing import FakeSlack

PAGE = (Path(__file__).parents[2] / "docs/slack.md").read_text()
ECHO, STORE, MY_STORE, BOT, TESTS = (
    next(code for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if mark in code)
    for mark in ("SLACK_BOT_TOKEN", "channel_by_name", "class MyStore", "BotHandler", "def test_")
)
MESSAGE = {"type": "message", "channel": "C0GENERAL", "user": "U000ALICE"}


def fragment(code: str, **scope: Any) -> Callable[[], Any]:
    """Make an async function of a snippet that awaits."""
    exec("async def fragment():\n" + textwrap.indent(code, "    "), scope)
    function: Callable[[], Any] = scope["fragment"]
    return function


async def test_the_first_program_echoes(
    fake_slack: FakeSlack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", fake_slack.token)
    monkeypatch.setattr("rcex_ws.slack.RTMClient", partial(RTMClient, api_url=fake_slack.api_url))
    scope: dict[str, Any] = {}
    exec(ECHO.removesuffix("anyio.run(main)\n"), scope)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scope["main"])
        await fake_slack.wait_for_connection()
        fake_slack.push({"type": "message", "subtype": "message_deleted", "channel": "C0GENERAL", "ts": "0.5"})
        fake_slack.push(MESSAGE | {"text": "hi", "ts": "1.0"})
        accepted = await fake_slack.wait_for_message("you said hi")
        with anyio.fail_after(5):
            while not (printed := capsys.readouterr().out):
                await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()
    assert printed == f"{accepted.ts}\n"


async def test_the_snippet_of_the_store(fake_slack: FakeSlack, capsys: pytest.CaptureFixture[str]) -> None:
    heard = anyio.Event()
    async with RTMClient(fake_slack.token, api_url=fake_slack.api_url) as client:

        @client.on("message")
        async def on_message(event: dict[str, Any]) -> None:
            await fragment(STORE, client=client, event=event)()
            heard.set()

        client.on("client_error", lambda error: pytest.fail(repr(error)))
        fake_slack.push(MESSAGE | {"text": "hi", "ts": "1.0"})
        with anyio.fail_after(5):
            await heard.wait()
    assert re.fullmatch(r"alice 1 \S.*\n", capsys.readouterr().out)


async def test_the_store_of_another_database() -> None:
    """The snippet is the glue only: its tables are those of the store in memory."""
    events: list[str] = []
    inner = MemoryDataStore()

    class Database:
        def transaction(self) -> Any:
            return self

        async def __aenter__(self) -> Database:
            events.append("begin")
            return self

        async def __aexit__(self, *_: object) -> None:
            events.append("end")

        async def close(self) -> None:
            events.append("close")

    tables: list[Any] = []
    await inner.read(tables.append)
    scope: dict[str, Any] = {"DataStore": DataStore, "MyTables": lambda _: tables[0]}
    exec(MY_STORE, scope)
    store = scope["MyStore"](Database())
    await store.upsert("user", {"id": "U1", "name": "ann"})
    user = await store.user("U1")
    assert user is not None
    assert user.name == "ann"
    await store.aclose()
    assert events == ["begin", "end", "begin", "end", "close"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_bot_runs(tmp_path: Path, backend: str) -> None:
    code = BOT.replace("anyio.run(main)", f"anyio.run(main, backend={backend!r})")
    assert code != BOT
    command = (sys.executable, "-W", "error", "-c", code)
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert ended.stdout == "alice said hi\nlost after 1 messages: remote\nalice said bye\n", ended.stderr
    assert ended.returncode == 0
    assert "Warning" not in ended.stderr


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    (tmp_path / "test_client.py").write_text(TESTS)
    command = (sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_client.py")
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert "6 passed" in ended.stdout.splitlines()[-1], ended.stdout + ended.stderr


def test_the_table_of_the_fake_names_what_it_has() -> None:
    (rows,) = re.findall(r"^\| of `FakeSlack` \|.*\n.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    fake = FakeSlack()
    for name, arguments in re.findall(
        r"`(\w+)(?:\(([^`]*)\))?`", "".join(row.split(" | ")[0] for row in rows.splitlines())
    ):
        assert hasattr(type(fake), name) or name in vars(fake), name
        if arguments:
            assert len(arguments.split(", ")) <= len(inspect.signature(getattr(fake, name)).parameters), name


def test_the_api_page_has_every_public_name() -> None:
    page = (Path(__file__).parents[2] / "docs/api-slack.md").read_text()
    assert sorted(re.findall(r"^\.\. auto\w+:: rcex_ws\.slack\.(\w+)$", page, re.MULTILINE)) == sorted(slack.__all__)


def test_the_table_of_the_bot() -> None:
    methods = [name for name in vars(BotHandler) if name.startswith("handle_")]
    assert re.findall(r"^\| `(handle_\w+)\(", PAGE, re.MULTILINE) == methods
