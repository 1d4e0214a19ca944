"""The README: its program runs on both event loops, its commands do, its links lead somewhere, and it stays short."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MOST_WORDS = 600
#: What is read where it lies, on GitHub or in a clone, beside the pages of docs/.
LINKING = [path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"] + [*ROOT.glob("demo/README.md")]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_it_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


@pytest.fixture
def main() -> Callable[[], Awaitable[None]]:
    """Make the function of the program, without the line that starts an event loop."""
    (program,) = blocks("python")
    assert program.endswith("\n\nanyio.run(main)\n")
    scope: dict[str, Any] = {}
    exec(program.removesuffix("anyio.run(main)\n"), scope)
    function: Callable[[], Awaitable[None]] = scope["main"]
    return function


async def test_the_program_runs(main: Callable[[], Awaitable[None]], capsys: pytest.CaptureFixture[str]) -> None:
    await main()
    printed = capsys.readouterr().out
    assert re.fullmatch(r"connected as \S.*\nsent while the connection was lost - recovered\n", printed), printed


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_demo(tmp_path: Path) -> None:
    """In a folder like a fresh clone after its installation."""
    assert blocks("sh") == ["make demo\n", "make test\n"]  # these tests are the second one
    for name in ("Makefile", "demo"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    python = tmp_path / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / ".venv/installed-gateway").touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    ended = subprocess.run(
        ["make", "demo"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1].startswith("OK ")


def anchors(page: Path) -> set[str]:
    """Return the fragments that lead to the headings of a page, as GitHub and Sphinx make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKING, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(
        r"\]\(<?([^)>\s]+)>?\)", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    )
    assert targets
    for target in targets:
        if "://" in target:  # elsewhere: `make linkcheck` asks there
            address = urlsplit(target)
            assert address.scheme == "https", target
            assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]+", address.netloc), target
            continue
        path, _, fragment = target.partition("#")
        leads_to = (page.parent / path).resolve() if path else page
        assert leads_to.exists(), target
        assert leads_to.is_relative_to(ROOT), target
        assert not fragment or fragment in anchors(leads_to), target
