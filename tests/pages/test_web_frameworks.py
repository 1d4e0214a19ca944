"""docs/web-frameworks.md: its applications under uvicorn in a process of their own, and what SIGTERM makes of them."""

from __future__ import annotations

import importlib.util
import re
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from rcex_ws.gateway import Gateway
from tests.pages.walk import Program, blocks, until

Serve = Callable[[str], AbstractContextManager[tuple[Program, httpx.Client]]]

FASTAPI, STARLETTE = (block.code for block in blocks("web-frameworks") if block.language == "python")


@pytest.fixture
def serve(gateway: Gateway, tmp_path: Path) -> Serve:
    """Run the application as the page says, on a free port; give the process and a client of it."""
    (command,) = (block.code for block in blocks("web-frameworks") if block.language == "sh")
    assert command == "uvicorn app:app --host 0.0.0.0 --port 8000\n"

    @contextmanager
    def serve(code: str) -> Iterator[tuple[Program, httpx.Client]]:
        (tmp_path / "app.py").write_text(code)
        options = ("--host", "127.0.0.1", "--port", "0")
        environment = {
            "RINGCENTRAL_SERVER_URL": gateway.server,
            "RINGCENTRAL_CLIENT_ID": gateway.client_id,
            "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
            "RINGCENTRAL_JWT": gateway.jwt,
            "RINGCENTRAL_NUMBER": gateway.users[0].phone_numbers[0],
        }
        run = (sys.executable, "-W", "error", "-m", "uvicorn", "app:app", *options)
        with Program(tmp_path, *run, environment=environment) as program:
            program.wait_for("INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)")
            (address,) = re.findall(r"running on (\S+) ", program.output)
            with httpx.Client(base_url=address) as client:
                yield program, client

    return serve


def test_fastapi_answers_many_requests_and_ends_in_order(
    gateway: Gateway, serve: Serve, need: Callable[..., None]
) -> None:
    need(importlib.util.find_spec("fastapi") is not None, "fastapi", "install it from the registry")
    with serve(FASTAPI) as (program, client):
        assert client.get("/ready").json() == {"state": "ready"}
        gateway.receive_sms("one")
        gateway.receive_sms("two")
        until(lambda: client.get("/texts").json() == ["one", "two"], lambda: program.output)
        with ThreadPoolExecutor(8) as threads:
            to = {"to": "+14155550100"}
            answers = list(threads.map(lambda i: client.post("/texts", params={**to, "text": f"{i}"}), range(16)))
        assert [answer.status_code for answer in answers] == [200] * 16, program.output
        assert len({answer.json()["id"] for answer in answers}) == 16
        refused = client.post("/texts", params={"to": "no number", "text": "x"})
        assert refused.status_code == 502
        assert program.end(signal.SIGTERM) == -signal.SIGTERM, (
            program.output
        )  # uvicorn raises it again, when all is done
        assert "Application shutdown complete" in program.output
        assert "Traceback" not in program.output
    gateway.receive_sms("while it was away")
    with serve(FASTAPI) as (program, client):
        until(lambda: client.get("/texts").json() == ["while it was away"], lambda: program.output)


def test_starlette(gateway: Gateway, serve: Serve) -> None:
    with serve(STARLETTE) as (program, client):
        gateway.receive_sms("hi")
        until(lambda: client.get("/texts").json() == ["hi"], lambda: program.output)
        assert program.end(signal.SIGTERM) == -signal.SIGTERM, program.output
        assert "Application shutdown complete" in program.output
    assert not [entry for entry in gateway.log() if entry["kind"] == "expired"]
