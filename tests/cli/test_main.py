from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest

from rcex_ws.cli import main


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Undo that the end of the program is not interrupted by a KeyboardInterrupt."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


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
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL  # Ctrl-C ends what is left to do, without a traceback


def test_ctrl_c_while_it_starts_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "rcex_ws.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "rcex_ws.cli.app")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


def test_what_the_caller_has_closed_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "argv", ["rcex-ws", "nonsense"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    sys.stdout.close()
    sys.stderr.close()
