from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

from rcex_ws.cli.lines import JsonLines, Notes, reader_gone


async def test_a_record_is_one_line_of_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    await JsonLines(lambda: None).take({"kind": "notification", "body": "Grüße\u2028\n\x1b"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.count("\n") == 1
    assert json.loads(out)["body"] == "Grüße\u2028\n\x1b"


async def test_a_reader_that_is_gone_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(text: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("rcex_ws.cli.lines.write", write)
    ended: list[bool] = []
    await JsonLines(lambda: ended.append(True)).take({"kind": "gap"})
    assert ended == [True]


async def test_what_is_no_notification_is_noted_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    await Notes().take({"kind": "notification"})
    await Notes().take({"kind": "gap", "certain": True, "reason": "two\nlines"})
    assert capsys.readouterr() == ("", "gap: certain=True reason=two\\nlines\n")


async def test_it_is_known_at_once_that_the_reader_of_a_pipe_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(fileno=lambda: writing, write=lambda _text: None))
    gone = anyio.Event()

    async def watch() -> None:
        await reader_gone()
        gone.set()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await anyio.wait_all_tasks_blocked()
            assert not gone.is_set()
            os.close(reading)
            with anyio.fail_after(5):
                await gone.wait()
    finally:
        os.close(writing)


@pytest.fixture
def into_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        yield


async def test_the_reader_of_a_file_is_never_gone(into_a_file: None) -> None:
    with anyio.move_on_after(0.01) as scope:
        await reader_gone()
    assert scope.cancelled_caught
