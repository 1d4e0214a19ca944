from __future__ import annotations

import io
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from rcex_ws.cli.app import _COMMANDS, app, run
from rcex_ws.cli.exits import MEANINGS, ExitCode

#: What the help must not wait for.
HEAVY = (
    *("anyio", "asyncio", "httpx", "msgspec", "rich.markdown", "starlette", "trio", "websockets"),
    *(
        "rcex_ws.cli.credentials",
        "rcex_ws.cli.listen",
        "rcex_ws.connection",
        "rcex_ws.gateway",
        "rcex_ws.rest",
        "rcex_ws.wsg",
    ),
)


def test_the_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from rcex_ws.cli.app import run; code = run(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert result.stderr.strip() == "[]"
    assert "listen" in result.stdout


def test_the_help_has_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert set(MEANINGS) == set(ExitCode)
    assert [line for code in ExitCode if (line := f"{code:>4}  {MEANINGS[code]}") not in shown] == []


class Gone(io.TextIOWrapper):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_help_that_nobody_reads_to_its_end_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Gone((tmp_path / "gone").open("wb")) as gone:
        monkeypatch.setattr("sys.stdout", gone)
        assert run(["--help"]) == ExitCode.DONE


@pytest.mark.parametrize(("name", "summary", "function"), _COMMANDS)
def test_a_command_is_there_and_its_summary_is_that_of_its_function(name: str, summary: str, function: str) -> None:
    module, _, attribute = function.partition(":")
    documented = getattr(import_module(f"rcex_ws.cli.{module}"), attribute).__doc__
    assert documented.partition("\n")[0] == summary


@pytest.mark.parametrize(
    ("tokens", "complaint"),
    [
        (["nonsense"], 'rcex-ws: Unknown command "nonsense"'),
        (["listen"], "requires an argument"),
        (["listen", "x", "--count", "0"], "--count"),
        (["call", "GET", "x", "--nonsense"], "rcex-ws: Unknown option: --nonsense"),
        (["subscriptions", "rm"], "name the subscriptions to delete, or --all"),
        (["--debug=maybe", "listen"], "--debug"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(
    tokens: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tokens) == ExitCode.USAGE
    told = capsys.readouterr()
    assert complaint in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_debug_shows_where_an_error_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["subscriptions", "rm", "--debug"]) == ExitCode.USAGE
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_told_as_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("rcex_ws.cli.subscriptions.load_credentials", lambda: {}["gone"])
    assert run(["subscriptions", "ls"]) == ExitCode.BUG
    assert "a bug, please report it: KeyError: 'gone' (--debug shows where)" in capsys.readouterr().err


def test_the_completion_knows_commands_and_options() -> None:
    script = app.generate_completion(shell="bash")
    assert [name for name in ("listen", "subscriptions", "hang-up", "exec") if name not in script] == []
