"""How a published program is run: as a process that prints one JSON object per step, for some on orders it is given."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.gateway import Gateway
from tests.peers.feedme import Feedme

TIME_LIMIT = 40.0
Peer = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run_peer(gateway: Gateway, tmp_path: Path) -> Peer:
    """Run a client until it ends by itself; give its steps. All that it has asked for must be there."""

    def run_peer(*command: str | Path) -> list[dict[str, Any]]:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "RINGCENTRAL_SERVER_URL": gateway.server,
            "RINGCENTRAL_CLIENT_ID": gateway.client_id,
            "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
            "RINGCENTRAL_JWT": gateway.jwt,
            "RINGCENTRAL_SECOND_JWT": gateway.users[1].jwt,
        }
        try:
            ended = subprocess.run(
                command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=TIME_LIMIT
            )
        except subprocess.TimeoutExpired as exc:
            pytest.fail(f"still running after {TIME_LIMIT} s; output: {exc.stdout!r} {exc.stderr!r}; {gateway.log()}")
        assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}\n{gateway.log()}"
        assert gateway.near_misses() == []
        return [json.loads(line) for line in ended.stdout.splitlines()]

    return run_peer


@pytest.fixture
async def feedme(need: Callable[[bool, str], None]) -> AsyncIterator[Feedme]:
    """Run the published Feedme programs: `await feedme.server()`, `.client(url)`, `.util()`."""
    async with AsyncExitStack() as stack:
        yield Feedme(stack, need)
