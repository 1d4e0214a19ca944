from __future__ import annotations

import os
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from rcex_ws.cli.hook import Hook
from rcex_ws.errors import ConfigurationError

EVENT = {"kind": "notification", "uuid": "1", "body": None}


async def test_the_next_notification_waits_until_there_is_room(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "door")
    started = [anyio.Event(), anyio.Event()]

    async def take(number: int) -> None:
        await hook.take(EVENT)
        started[number].set()

    async with Hook("read line; read open < door", shell=True, jobs=1) as hook, anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(take, number)
            await anyio.wait_all_tasks_blocked()
        assert [one.is_set() for one in started] == [True, False]
        for one in started:
            await one.wait()
            await anyio.to_thread.run_sync((tmp_path / "door").write_text, "open\n")
    assert hook.failures == 0


async def test_what_is_no_notification_starts_no_command() -> None:
    async with Hook("false", shell=False, jobs=1) as hook:
        await hook.take({"kind": "gap"})
    assert hook.failures == 0


async def test_a_command_need_not_read_and_its_failure_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    async with Hook("kill -9 $$", shell=True, jobs=2) as hook:
        await hook.take({**EVENT, "body": "x" * 1_000_000})
    assert hook.failures == 1
    assert capsys.readouterr().err == "exec: killed by signal 9, for the notification 1\n"


@pytest.mark.parametrize(
    ("command", "complaint"), [("no-such-command x", "no command 'no-such-command'"), ("a 'b", "quot")]
)
def test_a_command_that_cannot_be_run_is_refused_at_once(command: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Hook(command, shell=False, jobs=1)
