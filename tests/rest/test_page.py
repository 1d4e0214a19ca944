"""The page docs/rest.md cannot go stale: its program runs, its paths are what it says, its tables match the code."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.gateway import Gateway
from rcex_ws.rest import RingCentral
from rcex_ws.rest.batch import MAX_IDS
from rcex_ws.rest.paths import CURRENT

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/rest.md").read_text()
(PROGRAM,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def main(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], Awaitable[None]]:
    """Make the program's function; here, since its first lines write a file, which a test must not do in the loop."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGCENTRAL_SERVER_URL", gateway.server)
    monkeypatch.setenv("RINGCENTRAL_CLIENT_ID", gateway.client_id)
    monkeypatch.setenv("RINGCENTRAL_CLIENT_SECRET", gateway.client_secret)
    monkeypatch.setenv("RINGCENTRAL_JWT", gateway.jwt)
    scope: dict[str, Any] = {}
    exec(PROGRAM.removesuffix("anyio.run(main)\n"), scope)
    function: Callable[[], Awaitable[None]] = scope["main"]
    return function


async def test_the_program_runs(main: Callable[[], Awaitable[None]], capsys: pytest.CaptureFixture[str]) -> None:
    await main()
    sent = r"sent (\d+) of \1 bytes\n"
    batch = r"\d+ 200 Fax\n404 404 GET \S+ for 404 was answered 404: CMN-102: .*\n"
    printed = capsys.readouterr().out
    assert re.fullmatch(f"{sent}{batch}Dear Alice\n", printed), printed


def test_the_beginnings_are_those_of_the_client() -> None:
    rows = re.findall(r"^\| `(rc\.\S+)` \| `(/\S+)`", PAGE, re.MULTILINE)
    assert len(rows) == 11
    for written, path in rows:
        assert str(eval(written, {"rc": RingCentral()})) == path
    methods = {name for name in dir(RingCentral) if f"rc.{name}(" in " ".join(written for written, _ in rows)}
    assert methods == {re.match(r"rc\.(\w+)", written)[1] for written, _ in rows}  # type: ignore[index]


def test_the_segments_are_written_so() -> None:
    rows = re.findall(r"^\| (`[.\[][^|]+) \| (`/[^|]+) \|", PAGE, re.MULTILINE)
    assert len(rows) == 6
    for written, paths in rows:
        pairs = list(zip(re.findall("`([^`]+)`", written), re.findall("`([^`]+)`", paths), strict=True))
        assert pairs
        for expression, path in pairs:
            assert str(eval(f'rc.path("/x"){expression}', {"rc": RingCentral()})) == f"/x{path}"


def test_the_defaults_are_those_of_the_code() -> None:
    everywhere = re.search(r"^\| (.*) \| everywhere \|$", PAGE, re.MULTILINE)
    below = re.search(r"^\| (.*) \| below `(.*)` \|$", PAGE, re.MULTILINE)
    assert everywhere
    assert below
    told = dict.fromkeys(re.findall(r"`(\w+)\(\)`", everywhere[1]), "/")
    told |= dict.fromkeys(re.findall(r"`(\w+)\(\)`", below[1]), f"{below[2]}/")
    assert told == CURRENT
    assert f"at most {MAX_IDS} ids" in PAGE
