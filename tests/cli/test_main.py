from __future__ import annotations

import sys

import pytest

from rcex_ws.cli import main


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    monkeypatch.delitem(sys.modules, "rcex_ws.cli.app")
    monkeypatch.delitem(sys.modules, "rcex_ws.cli.exits")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "rcex-ws: the command line needs an extra: pip install 'rcex_ws[cli]'\n"


def test_it_takes_the_arguments_of_the_process_and_exits_with_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["rcex-ws", "nonsense"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("rcex-ws: Unknown command")
