from __future__ import annotations

import json
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio.to_thread
import pytest

from rcex_ws import Response
from rcex_ws.cli.app import run
from rcex_ws.cli.exits import ExitCode
from rcex_ws.gateway import Gateway
from tests.cli.conftest import Background


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """End the commands that listen, as the end of their reader does, once it is set."""
    told = threading.Event()

    async def reader_gone() -> None:
        await anyio.to_thread.run_sync(told.wait, abandon_on_cancel=True)

    monkeypatch.setattr("rcex_ws.cli.listen.reader_gone", reader_gone)
    return told


def listed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run(["subscriptions", "ls"]) == ExitCode.DONE
    return [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]


def test_subscriptions_are_listed_and_removed(
    at_gateway: Gateway,
    listening: Callable[..., Background],
    ended: threading.Event,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = listening("message-store")
    (one,) = listed(capsys)
    assert run(["subscriptions", "rm", "unknown", one]) == ExitCode.FAILED
    told = capsys.readouterr()
    assert told.out == f"{one}\n"
    assert "/restapi/v1.0/subscription/unknown was answered 404" in told.err
    assert listed(capsys) == []
    ended.set()
    assert command.wait() == ExitCode.DONE  # its connection stands


def test_all_are_removed(
    at_gateway: Gateway,
    listening: Callable[..., Background],
    ended: threading.Event,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = [listening("message-store"), listening("presence")]
    both = listed(capsys)
    assert run(["subscriptions", "rm", "--all"]) == ExitCode.DONE
    assert capsys.readouterr().out.split() == both
    ended.set()
    assert [command.wait() for command in commands] == [ExitCode.DONE] * 2


def test_on_a_terminal_they_are_a_table(
    at_gateway: Gateway,
    listening: Callable[..., Background],
    ended: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = listening("message-store", "--json")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["subscriptions", "ls"]) == ExitCode.DONE
    shown = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    (one,) = listed(capsys)
    assert one in shown  # whole, to be copied
    ended.set()
    assert command.wait() == ExitCode.DONE


def test_an_id_that_would_be_another_path_is_refused(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["subscriptions", "rm", "../account/~"]) == ExitCode.USAGE
    assert "is not an id" in capsys.readouterr().err


def test_none_are_none(
    at_gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["subscriptions", "rm", "--all"]) == ExitCode.DONE
    assert capsys.readouterr().err == "there are no subscriptions\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(["subscriptions", "ls"]) == ExitCode.DONE
    assert capsys.readouterr().err == "there are no subscriptions\n"


@pytest.mark.parametrize(
    "records",
    [
        [7],
        [{}],
        [{"id": "../account"}],
        [{"id": "1", "eventFilters": "all"}],
        [{"id": "1", "deliveryMode": "x"}],
        7,
        "x",
    ],
)
@pytest.mark.parametrize("command", [["ls"], ["rm", "--all"]])
def test_an_answer_that_lists_something_else_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], records: object, command: list[str]
) -> None:
    class Answering:
        async def get(self, path: str) -> Response:
            return Response(200, {"Content-Type": "application/json"}, json.dumps({"records": records}).encode())

    @asynccontextmanager
    async def open_client(credentials: object) -> AsyncGenerator[Answering]:
        yield Answering()

    monkeypatch.setattr("rcex_ws.cli.subscriptions.load_credentials", lambda: None)
    monkeypatch.setattr("rcex_ws.cli.subscriptions.open_client", open_client)
    assert run(["subscriptions", *command]) == ExitCode.FAILED
    told = capsys.readouterr()
    assert (told.out, told.err) == (
        "",
        "rcex-ws: GET /restapi/v1.0/subscription: the answer is not a list of subscriptions\n",
    )
