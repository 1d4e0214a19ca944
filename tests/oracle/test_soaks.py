"""The soaks of `make check` are run at the same time; one that fails is said, and fails the whole."""

from __future__ import annotations

import pytest

from oracle import soaks


def test_what_each_prints_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(soaks, "SOAKS", ("oracle.soak --help", "oracle.rtm.soak --help"))
    assert soaks.main() == 0
    said = capsys.readouterr().out
    assert "python -m oracle.soak --help\nusage: " in said
    assert "python -m oracle.rtm.soak --help\nusage: " in said


def test_one_that_fails_is_said_and_the_others_are_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soaks, "SOAKS", ("oracle.soak --no-such-option", "oracle.soak --help"))
    assert soaks.main() == 1
    said = capsys.readouterr().out
    assert "FAILED, exit status 2: python -m oracle.soak --no-such-option\n" in said
    assert "python -m oracle.soak --help\nusage: " in said


def test_every_soak_there_is_is_run() -> None:
    assert {soak.split()[0] for soak in soaks.SOAKS} == {
        "oracle.soak",
        "oracle.rtm.soak",
        "oracle.slack.soak",
        "oracle.callback.soak",
    }
