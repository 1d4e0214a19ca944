"""The programs of the pages run in event loops that anyio did not start, and of which it knows nothing.

anyio.run makes the loop known to anyio even while no task runs; these do not.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from rcex_ws.gateway import Gateway
from tests.pages.snippets import Runs
from tests.pages.test_snippets import CODE, account, treated
from tests.pages.walk import TIME_LIMIT, Program

__all__ = ["account"]

STARTS = {
    "asyncio.run": ((), "import asyncio\nasyncio.run(main())\n"),
    "asyncio.run in debug mode": (("-X", "dev"), "import asyncio\nasyncio.run(main())\n"),
    "uvloop.run": ((), "import uvloop\nuvloop.run(main())\n"),
}
WITHOUT_SNIFFIO = "import sys\nsys.modules['sniffio'] = None\n"
PROGRAMS = {
    name: how for name, how in treated(Runs) if not how.commands and CODE[name].endswith("\n\nanyio.run(main)\n")
}
ROWS = [(name, "asyncio.run", "no sniffio") for name in PROGRAMS]
ROWS += [(name, start, "sniffio") for name in ("subscribing: Subscribing 2", "events: Events") for start in STARTS]


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(("name", "start", "sniffio"), ROWS)
def test_e1_program_runs_in_a_loop_that_anyio_did_not_start(
    account: dict[str, str], tmp_path: Path, name: str, start: str, sniffio: str
) -> None:
    options, call = STARTS[start]
    code = CODE[name].replace("anyio.run(main)\n", call)
    if sniffio == "no sniffio":
        code = WITHOUT_SNIFFIO + code
    with Program(tmp_path, sys.executable, "-uW", "error", *options, "-c", code, environment=account) as program:
        assert program.process.wait(TIME_LIMIT) == 0, program.output
        assert re.search(PROGRAMS[name].prints, program.output, re.MULTILINE), program.output
        assert "Traceback" not in program.output  # also not one that was only logged
        assert "Warning" not in program.output


def test_program_with_stores_continues_its_session(gateway: Gateway, account: dict[str, str], tmp_path: Path) -> None:
    printed = []
    for _ in range(2):
        code = CODE["restart: Surviving a restart"]
        with Program(tmp_path, sys.executable, "-c", code, environment=account) as program:
            assert program.process.wait(TIME_LIMIT) == 0, program.output
            printed.append(program.output)
    assert printed[0] == "None\n"
    assert "Outcome.RECOVERED" in printed[1]


def test_program_that_starts_while_the_server_is_down_logs_in_later(
    gateway: Gateway, account: dict[str, str], tmp_path: Path
) -> None:
    code = CODE["restart: Starting while the server is down"]
    assert "or 10)" in code
    gateway.refuse("token", 503, times=2)
    with Program(tmp_path, sys.executable, "-c", code.replace("or 10)", "or 0.1)"), environment=account) as program:
        assert program.process.wait(TIME_LIMIT) == 0, program.output
        assert program.output.count("not logged in yet: POST /restapi/oauth/token was answered 503") == 2
        assert program.output.endswith("\nready connected\n")
    gateway.refuse("token", 401)
    with Program(tmp_path, sys.executable, "-c", code, environment=account) as program:
        assert program.process.wait(TIME_LIMIT) != 0
        assert "LoginRefused" in program.output
