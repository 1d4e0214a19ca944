from __future__ import annotations

import sys
import time

import pytest

from rcex_ws.cli import output


def test_pretty_json_has_nothing_that_a_terminal_could_take_for_a_command() -> None:
    assert output.pretty({"text": "Grüße \x9b31m\u202e"}) == '{\n  "text": "Grüße \\x9b31m\\u202e"\n}'


def test_progress_is_shown_only_on_a_terminal_and_only_of_what_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "_PATIENCE", 0.0)
    with output.progress("waiting"):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with output.progress("waiting"):
        until = time.monotonic() + 5
        while not sys.stderr.getvalue() and time.monotonic() < until:  # type: ignore[attr-defined]
            time.sleep(0.005)
    assert "waiting ..." in capsys.readouterr().err
    monkeypatch.setattr(output, "_PATIENCE", 5.0)
    with output.progress("waiting"):
        pass
    assert capsys.readouterr().err == ""
