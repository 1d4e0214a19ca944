from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.cli.app import run
from rcex_ws.cli.exits import ExitCode
from rcex_ws.gateway import Gateway
from tests.cli.conftest import Background

FULL = "/restapi/v1.0/account/~/extension/~/message-store"


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_events_are_lines_of_json_where_stdout_is_no_terminal(
    at_gateway: Gateway, listening: Callable[..., Background], capsys: pytest.CaptureFixture[str]
) -> None:
    command = listening("message-store", "--count", "2")
    at_gateway.receive_sms("one")
    at_gateway.receive_sms("two")
    assert command.wait() == ExitCode.DONE
    first, second = lines(capsys)
    assert first["kind"] == second["kind"] == "notification"
    assert first["event"].endswith("/message-store")
    assert first["body"]["changes"][0]["type"] == "SMS"
    assert first["uuid"] != second["uuid"]
    assert at_gateway.near_misses() == []


def test_a_loss_with_its_gap_and_its_recovery_are_lines_too(
    at_gateway: Gateway, listening: Callable[..., Background], capsys: pytest.CaptureFixture[str]
) -> None:
    command = listening("message-store", "--count", "1")
    at_gateway.cut()
    at_gateway.receive_sms("meanwhile")
    assert command.wait() == ExitCode.DONE
    records = {one["kind"]: one for one in lines(capsys)}
    assert set(records) >= {"disconnected", "gap", "notification"}
    assert records["gap"]["certain"] is False
    assert records["gap"]["until"] > records["gap"]["since"]


def test_it_ends_after_some_time_and_leaves_nothing_behind(
    at_gateway: Gateway, listening: Callable[..., Background]
) -> None:
    assert listening("message-store", "--for", "0.05").wait() == ExitCode.DONE
    in_order = ["subscribe", "unsubscribe", "lost", "revoke"]
    assert [one["kind"] for one in at_gateway.log() if one["kind"] in in_order] == in_order


def test_a_command_gets_each_event_on_its_stdin(
    at_gateway: Gateway, listening: Callable[..., Background], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import pathlib, sys; pathlib.Path('got').open('a').write(sys.stdin.read()); sys.exit(3)"
    command = listening("message-store", "--count", "2", "--exec", shlex.join([sys.executable, "-S", "-c", program]))
    at_gateway.receive_sms("one")
    at_gateway.receive_sms("two")
    assert command.wait() == ExitCode.COMMAND_FAILED
    got = [json.loads(line) for line in (tmp_path / "got").read_text().splitlines()]
    assert [one["kind"] for one in got] == ["notification"] * 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("exec: exit status 3, for the notification ") == 2


@pytest.mark.usefixtures("at_gateway")
def test_a_misspelt_filter_is_told_though_the_server_accepts_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["listen", "mesage-store", "--for", "0.05"]) == ExitCode.DONE
    assert "no events of the name mesage-store are known: did you mean message-store?" in capsys.readouterr().err


def test_a_refused_filter_is_told(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["listen", "/restapi/v1.0/account/1/extension/2/message-store"]) == ExitCode.FAILED
    assert capsys.readouterr().err.startswith("rcex-ws: POST /restapi/v1.0/subscription was answered ")


def test_a_refused_login_is_told(
    at_gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RINGCENTRAL_JWT", "wrong")
    assert run(["listen", "message-store"]) == ExitCode.LOGIN_REFUSED
    assert capsys.readouterr().err.count("\n") == 1
