"""Every block of every page is run: as snippets.py says, or by the page's own test."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from rcex_ws.gateway import Gateway
from tests.pages.snippets import HOW, Commands, NotRun, Passes, Runs, Starts
from tests.pages.walk import ROOT, TIME_LIMIT, Program, a_clone, blocks, until

T = TypeVar("T")
PAGES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))
SHORTEST_REASON = 10


def named_blocks() -> Iterator[tuple[str, str]]:
    """Return each block of Python or shell with its name."""
    for page in PAGES:
        headings: list[str] = []
        for block in blocks(page):
            if block.language in {"python", "sh"}:
                headings.append(block.heading)
                count = headings.count(block.heading)
                yield f"{page}: {block.heading}" + (f" {count}" if count > 1 else ""), block.code


CODE = dict(named_blocks())


def treated(kind: type[T]) -> list[tuple[str, T]]:
    return [(name, how) for name, how in HOW.items() if isinstance(how, kind)]


def pages_with_a_test() -> set[str]:
    """Return the pages that a test of their own reads: tests/.../test_page*.py, tests/pages/test_*.py."""
    files = {*(ROOT / "tests").glob("**/test_page*.py"), *(ROOT / "tests/pages").glob("test_*.py")} - {Path(__file__)}
    files.add(ROOT / "tests/found/test_travel.py")  # logging.md
    names = re.compile(r"docs\"? ?/ ?\"?([a-z-]+)\.md|blocks\(\"([a-z-]+)\"\)")
    return {page for file in files for match in names.finditer(file.read_text()) for page in match.groups() if page}


def test_every_block_is_listed() -> None:
    own = pages_with_a_test()
    assert [name for name in CODE if name not in HOW and name.partition(": ")[0] not in own] == []
    assert [name for name in HOW if name not in CODE] == []
    assert [name for name, how in treated(NotRun) if len(how.why) < SHORTEST_REASON] == []


@pytest.fixture
def account(gateway: Gateway) -> dict[str, str]:
    return {
        "RINGCENTRAL_SERVER_URL": gateway.server,
        "RINGCENTRAL_CLIENT_ID": gateway.client_id,
        "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
        "RINGCENTRAL_JWT": gateway.jwt,
    }


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(("name", "how"), treated(Runs))
def test_it_runs(gateway: Gateway, account: dict[str, str], tmp_path: Path, name: str, how: Runs, backend: str) -> None:
    code = how.before + CODE[name] + how.after
    started = re.sub(r"^(anyio\.run\(.+)\)$", rf"\1, backend={backend!r})", code, flags=re.MULTILINE)
    if started == code and backend == "trio":
        pytest.skip("it starts no event loop")
    with Program(tmp_path, sys.executable, "-uW", "error", "-c", started, environment=account) as program:
        if how.commands:
            until(lambda: any(entry["kind"] == "subscribe" for entry in gateway.log()), lambda: program.output)
            for command, arguments in how.commands:
                getattr(gateway, command)(**arguments)
        else:
            assert program.process.wait(TIME_LIMIT) == 0, program.output
        until(lambda: re.search(how.prints, program.output, re.MULTILINE), lambda: program.output)


@pytest.mark.parametrize(("name", "how"), treated(Passes))
def test_it_passes(tmp_path: Path, name: str, how: Passes) -> None:
    (tmp_path / "test_page.py").write_text(CODE[name])
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_page.py")
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
    assert f"{how.count} passed" in ended.stdout.splitlines()[-1], ended.stdout + ended.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("name", "how"), treated(Commands))
def test_the_gateway_takes_the_commands(name: str, how: Commands) -> None:
    code = CODE[name]
    commands = re.findall(r"^curl .*?(?=^curl |\Z)", code, re.MULTILINE | re.DOTALL)
    assert "".join(commands) == code
    with Gateway(nodes=how.nodes) as gateway:
        for command in commands:
            line = command.replace("curl", "curl -sSf", 1).replace("http://127.0.0.1:8080", gateway.server)
            ended = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
            assert ended.returncode == 0, line + ended.stderr
            answer = json.loads(ended.stdout)
            assert isinstance(answer, list) or "result" in answer, answer


@pytest.mark.parametrize(("name", "how"), treated(Starts))
def test_the_next_program_runs_in_what_the_commands_start(
    tmp_path: Path, free_tcp_port: int, name: str, how: Starts
) -> None:
    clone = a_clone(tmp_path)
    (clone / "bot.py").write_text(CODE[f"{name} 2"])
    commands = CODE[name].replace("8080", str(free_tcp_port))
    script = f"{commands}.venv/bin/python bot.py; ended=$?; kill $!; exit $ended"
    ended = subprocess.run(
        ["sh", "-c", script], cwd=clone, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(how.prints, ended.stdout), ended.stdout


@pytest.mark.parametrize(("name", "how"), treated(NotRun))
def test_it_can_be_read(name: str, how: NotRun) -> None:
    if any(block.language == "python" and block.code == CODE[name] for block in blocks(name.partition(": ")[0])):
        compile(CODE[name], name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    else:
        subprocess.run(["sh", "-n", "-c", CODE[name]], timeout=TIME_LIMIT, check=True)
