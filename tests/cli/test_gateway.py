from __future__ import annotations

import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from rcex_ws.cli.app import run
from rcex_ws.cli.exits import ExitCode


def test_it_writes_the_credentials_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    told: list[str] = []

    def say(text: str) -> None:  # called once it serves
        path = Path(".env")
        seen.append((path.read_text(), stat.S_IMODE(path.stat().st_mode)))
        threading.Timer(0, os.kill, (os.getpid(), signal.SIGTERM)).start()
        told.append(text)

    monkeypatch.setattr("rcex_ws.cli.gateway.say", say)
    before = signal.getsignal(signal.SIGTERM)
    assert run(["gateway", "--env-file", ".env", "--jwt", "ada", "--no-coalesce"]) == ExitCode.DONE
    ((text, mode),) = seen
    assert "\nRINGCENTRAL_JWT=ada\n" in text
    assert mode == 0o600
    server = text.splitlines()[1].removeprefix("RINGCENTRAL_SERVER_URL=")
    assert told == [f"the console is at {server}/; its credentials are in .env; press Ctrl-C to stop"]
    assert not Path(".env").exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_somebody_elses_file_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_text("RINGCENTRAL_JWT=mine\n")
    assert run(["gateway", "--env-file", ".env"]) == ExitCode.USAGE
    assert "env_file: .env exists and was not written by a gateway" in capsys.readouterr().err
    assert Path(".env").read_text() == "RINGCENTRAL_JWT=mine\n"


def test_a_wrong_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gateway", "--port", "99999"]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("rcex-ws: port: ")
    assert run(["gateway", "--max-subscriptions", "-1"]) == ExitCode.USAGE
    assert "max" in capsys.readouterr().err
