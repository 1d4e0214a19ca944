"""At home in every loop: a whole life of a client, started as users start it, with and without sniffio installed.

Each runs in a process of its own. The clue is what stands in `life.py`: anyio's plugin for pytest, under which all
other tests run, tells anyio which loop it is in, also where no task runs. `asyncio.run` does not.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

LOOPS = ["asyncio", "debug", "eager", "uvloop", "uvicorn", "trio"]
LIVES = [("extension", loop) for loop in LOOPS] + [
    (client, loop) for client in ("slack", "callback", "feedme", "rtm") for loop in ("asyncio", "eager", "uvloop")
]


@pytest.mark.parametrize("sniffio", ["sniffio", "no sniffio"])
@pytest.mark.parametrize(("client", "loop"), LIVES)
def test_e1_a_whole_life_in_a_loop_that_anyio_did_not_start(client: str, loop: str, sniffio: str) -> None:
    if loop == "eager" and sys.version_info < (3, 12):
        pytest.skip("eager tasks are new in Python 3.12")
    if loop == "trio" and sniffio == "no sniffio":
        pytest.skip("trio itself needs sniffio")
    if sniffio == "no sniffio" and any(need.startswith("sniffio") for need in requires("anyio") or ()):
        pytest.skip("this anyio itself needs sniffio")
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("life.py")), loop, "--client", client]
    if sniffio == "no sniffio":
        command.append("--no-sniffio")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout == "a whole life\n"
