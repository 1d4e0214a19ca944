from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from rcex_ws.cli.app import run
from rcex_ws.cli.exits import ExitCode
from rcex_ws.gateway import Gateway
from tests.cli.conftest import Background


def listed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run(["subscriptions", "ls"]) == ExitCode.DONE
    return [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]


def test_subscriptions_are_listed_and_removed(
    at_gateway: Gateway, listening: Callable[..., Background], capsys: pytest.CaptureFixture[str]
) -> None:
    command = listening("message-store", "--for", "0.3")
    (one,) = listed(capsys)
    assert run(["subscriptions", "rm", "unknown", one]) == ExitCode.FAILED
    told = capsys.readouterr()
    assert told.out == f"{one}\n"
    assert "/restapi/v1.0/subscription/unknown was answered 404" in told.err
    assert listed(capsys) == []
    assert command.wait() == ExitCode.DONE  # its connection stands


def test_all_are_removed(
    at_gateway: Gateway, listening: Callable[..., Background], capsys: pytest.CaptureFixture[str]
) -> None:
    commands = [listening("message-store", "--for", "0.3"), listening("presence", "--for", "0.3")]
    both = listed(capsys)
    assert run(["subscriptions", "rm", "--all"]) == ExitCode.DONE
    assert capsys.readouterr().out.split() == both
    assert [command.wait() for command in commands] == [ExitCode.DONE] * 2


def test_on_a_terminal_they_are_a_table(
    at_gateway: Gateway,
    listening: Callable[..., Background],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = listening("message-store", "--count", "1", "--json")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["subscriptions", "ls"]) == ExitCode.DONE
    shown = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    (one,) = listed(capsys)
    assert one in shown  # whole, to be copied
    at_gateway.receive_sms()
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
