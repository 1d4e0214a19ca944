"""Every program in the README runs on both event loops, every command runs, and its tables match the code."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

import rcex_ws
from rcex_ws import Events, RcexError, WebSocketExtension
from rcex_ws.gateway import Gateway

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TIME_LIMIT = 50.0

# The output of each program, by its heading.
PRINTS = {
    "The first program": r"'newMessageIds': \[\d+\]",
    "Events": r"ready: .*\nlost: dropped by abort\(\)[\s\S]*read again what changed[\s\S]*Outcome.RECOVERED",
    "REST": r"404 CMN-102 Resource for parameter \[extensionId\] is not found",
    "Surviving a restart": r"(None|Outcome.RECOVERED)",
    "Starting while the server is down": r"^ready connected$",
    "The local RingCentral": r"sent while the connection was lost - recovered",
    "Slack": r"^acknowledged you said hi$",
}


class Snippet(NamedTuple):
    heading: str
    language: str
    code: str

    @property
    def is_test(self) -> bool:
        return "def test_" in self.code


def snippets(language: str) -> list[Snippet]:
    found: list[Snippet] = []
    heading = ""
    for part in re.finditer(r"^## ([^\n]+)$|^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        if part[1]:
            heading = part[1]
        elif part[2] == language:
            found.append(Snippet(heading, part[2], part[3]))
    return found


PROGRAMS = [snippet for snippet in snippets("python") if not snippet.is_test]
TESTS = [snippet for snippet in snippets("python") if snippet.is_test]
COMMANDS = [line for snippet in snippets("sh") for line in snippet.code.splitlines()]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder until it exits."""
    for name in ("MAKEFLAGS", "MAKELEVEL"):  # `make test` runs these tests under make
        monkeypatch.delenv(name, raising=False)

    def run(*command: str, account: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "RINGCENTRAL_SERVER_URL": gateway.server,
            "RINGCENTRAL_CLIENT_ID": gateway.client_id,
            "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
            "RINGCENTRAL_JWT": gateway.jwt,
        }
        return subprocess.run(
            command,
            env=environment if account else dict(os.environ),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )

    return run


def test_every_program_has_something_to_show() -> None:
    assert [program.heading for program in PROGRAMS] == list(PRINTS)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.heading)
def test_program_runs(run: Run, program: Snippet, backend: str) -> None:
    assert program.code.endswith("anyio.run(main)\n")
    code = program.code.replace("anyio.run(main)", f"anyio.run(main, backend={backend!r})")
    ended = run(sys.executable, "-W", "error", "-c", code)
    assert ended.returncode == 0, ended.stderr
    assert re.search(PRINTS[program.heading], ended.stdout, re.MULTILINE), ended.stdout + ended.stderr


# anyio.run makes the loop known to anyio even while no task runs; these do not.
STARTS = {
    "asyncio.run": ((), "import asyncio\nasyncio.run(main())\n"),
    "asyncio.run in debug mode": (("-X", "dev"), "import asyncio\nasyncio.run(main())\n"),
    "uvloop.run": ((), "import uvloop\nuvloop.run(main())\n"),
}
WITHOUT_SNIFFIO = "import sys\nsys.modules['sniffio'] = None\n"


E1 = [(program, "asyncio.run", sniffio) for program in PROGRAMS for sniffio in ("sniffio", "no sniffio")]
E1 += [(program, start, "sniffio") for program in PROGRAMS[:2] for start in STARTS if start != "asyncio.run"]


@pytest.mark.parametrize(
    ("program", "start", "sniffio"),
    [pytest.param(*row, id=f"{row[0].heading}-{row[1]}-{row[2]}") for row in E1],
)
def test_e1_program_runs_in_a_loop_that_anyio_did_not_start(
    run: Run, program: Snippet, start: str, sniffio: str
) -> None:
    options, call = STARTS[start]
    code = program.code.replace("anyio.run(main)\n", call)
    if sniffio == "no sniffio":
        code = WITHOUT_SNIFFIO + code
    ended = run(sys.executable, "-W", "error", *options, "-c", code)
    assert ended.returncode == 0, ended.stderr
    assert re.search(PRINTS[program.heading], ended.stdout, re.MULTILINE), ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr  # also not one that was only logged
    assert "Warning" not in ended.stderr


def test_program_with_stores_continues_its_session(run: Run) -> None:
    (program,) = (program for program in PROGRAMS if program.heading == "Surviving a restart")
    first = run(sys.executable, "-c", program.code)
    second = run(sys.executable, "-c", program.code)
    assert first.stdout == "None\n", first.stderr
    assert "Outcome.RECOVERED" in second.stdout, second.stderr


def test_program_that_starts_while_the_server_is_down_logs_in_later(run: Run, gateway: Gateway) -> None:
    (program,) = (program for program in PROGRAMS if program.heading == "Starting while the server is down")
    gateway.refuse("token", 503, times=2)
    assert "or 10)" in program.code
    ended = run(sys.executable, "-c", program.code.replace("or 10)", "or 0.1)"))
    assert ended.stdout.count("not logged in yet: POST /restapi/oauth/token was answered 503") == 2, ended.stderr
    assert ended.stdout.endswith("\nready connected\n")
    gateway.refuse("token", 401)
    refused = run(sys.executable, "-c", program.code)
    assert refused.stdout == ""
    assert "LoginRefused" in refused.stderr


def test_users_tests_pass_on_both_event_loops(run: Run, tmp_path: Path) -> None:
    (snippet,) = TESTS
    (tmp_path / "test_bot.py").write_text(snippet.code)
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_bot.py")
    ended = run(*command, account=False)
    assert "6 passed" in ended.stdout.splitlines()[-1], ended.stdout + ended.stderr


class TestCommands:
    """The commands, in a folder like a fresh clone after its installation."""

    @pytest.fixture
    def clone(self, tmp_path: Path) -> Path:
        for name in ("Makefile", "demo"):
            (tmp_path / name).symlink_to(ROOT / name)
        (tmp_path / "pyproject.toml").touch()
        (tmp_path / ".venv" / "bin").mkdir(parents=True)
        python = tmp_path / ".venv" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        (tmp_path / ".venv" / "installed-gateway").touch()
        return tmp_path

    @pytest.fixture
    def port(self) -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return int(free.getsockname()[1])

    @pytest.fixture
    def shell_gateway(self, clone: Path, port: int) -> Iterator[None]:
        """Run the gateway as the README says, on a free port."""
        (command,) = (command for command in COMMANDS if "rcex_ws.gateway" in command)
        command = command.removesuffix(" &").replace("8080", str(port))
        with subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=clone) as process:
            try:
                give_up_at = time.monotonic() + 20
                while not (clone / ".env").exists() or (clone / ".env").read_text().count("\n") < 4:
                    assert time.monotonic() < give_up_at, "the gateway did not print its four lines"
                    assert process.poll() is None
                    time.sleep(0.02)
                yield
            finally:
                process.terminate()

    def test_each_kind_is_run_by_a_test_below(self) -> None:
        makes = [command for command in COMMANDS if command.startswith("make ")]
        assert makes == ["make demo", "make test"]
        others = [command for command in COMMANDS if command not in makes]
        kinds = (".venv/bin/python demo/", ".venv/bin/python -m rcex_ws.gateway ", "until ", "set -a; ", "curl ")
        assert all(command.startswith(kinds) for command in others)

    @pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
    def test_make_demo(self, run: Run, clone: Path) -> None:
        ended = run("make", "demo", account=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert ended.stdout.splitlines()[-1].startswith("OK ")

    @pytest.mark.parametrize("command", [command for command in COMMANDS if "python demo/" in command])
    def test_demo(self, run: Run, clone: Path, command: str) -> None:
        ended = run("sh", "-c", command, account=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert ended.stdout.splitlines()[-1].startswith("OK ")

    def test_first_program_as_told(self, run: Run, clone: Path, port: int) -> None:
        (commands,) = (snippet.code for snippet in snippets("sh") if snippet.heading == "The first program")
        (program,) = (program.code for program in PROGRAMS if program.heading == "The first program")
        (clone / "bot.py").write_text(program)
        assert "`.venv/bin/python bot.py`" in README
        script = f"{commands}.venv/bin/python bot.py; ended=$?; kill $!; exit $ended"
        ended = run("sh", "-c", script.replace("8080", str(port)), account=False)
        assert ended.returncode == 0, ended.stderr
        assert re.search(PRINTS["The first program"], ended.stdout)

    @pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
    @pytest.mark.usefixtures("shell_gateway")
    def test_faults_over_http(self, run: Run, port: int) -> None:
        commands = [command for command in COMMANDS if command.startswith("curl ")]
        assert len(commands) == 4
        for command in commands:
            ended = run("sh", "-c", command.replace("8080", str(port)).replace("curl", "curl -sS", 1), account=False)
            assert ended.returncode == 0, ended.stderr
            answer = json.loads(ended.stdout)
            assert isinstance(answer, list) or "result" in answer, answer

    @pytest.mark.usefixtures("shell_gateway")
    def test_demo_reads_the_credentials_from_the_env_file(self, run: Run, clone: Path, port: int) -> None:
        ended = run("sh", "-c", ".venv/bin/python demo/rest_toggle.py", account=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "upload" not in ended.stdout  # only with the demo's own gateway, or a fax number in the file


def table(first_column: str, page: str = README) -> list[list[str]]:
    """Return the rows of the tables with this heading in their first column, without backticks."""
    tables = re.findall(rf"^\| {first_column} \|.*\n\|[- |]+\|\n((?:\|.*\|\n)+)", page, re.MULTILINE)
    assert tables
    rows = [row for rows in tables for row in rows.splitlines()]
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split(" | ")] for row in rows]


def test_option_table_names_options_there_are_and_its_defaults_are_true() -> None:
    parameters = inspect.signature(WebSocketExtension).parameters
    listed = {name: default for name, default, _ in table("option")}
    assert list(listed) == [name for name in parameters if name in listed]
    assert {name: ast.literal_eval(told) for name, told in listed.items()} == {
        name: parameters[name].default for name in listed
    }


def test_event_table_is_complete() -> None:
    assert {row[0] for row in table("event")} == {str(event) for event in Events}


def test_error_table_is_complete() -> None:
    public = (getattr(rcex_ws, name) for name in rcex_ws.__all__)
    errors = {item.__name__ for item in public if inspect.isclass(item) and issubclass(item, RcexError)}
    listed = {name for row in table("error") for name in row[0].split(", ")}
    assert listed | {"RcexError"} == errors


def test_fault_and_command_tables_are_complete(gateway: Gateway) -> None:
    rows = [*table("fault"), *table("command", (ROOT / "docs/gateway.md").read_text())]
    listed = {name: [] if members == "none" else members.split(", ") for name, members, _ in rows}
    told = httpx.get(gateway.server).json()["commands"]
    assert listed == {path.removeprefix("/_gateway/"): fault["members"] for path, fault in told.items()}
    for name, members in listed.items():  # the names are the same in Python
        assert list(inspect.signature(getattr(gateway, name)).parameters) == members
