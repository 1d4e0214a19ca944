"""What every test gets: both event loops, blocking-call detection on asyncio, a clean environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from blockbuster import BlockBuster

# Slow machines stretch every real-socket time-out by one factor instead of many edits.
TIME_FACTOR = float(os.environ.get("RCEX_TEST_TIME_FACTOR", "1"))


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on both event loops."""
    return str(request.param)


@pytest.fixture
def ms() -> float:
    """One scaled millisecond, in seconds."""
    return 0.001 * TIME_FACTOR


@pytest.fixture(autouse=True)
def blocking_calls_fail(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the asyncio run when the library blocks the loop (the gateway and testing run in their own thread)."""
    if "anyio_backend_name" not in request.fixturenames:
        yield
        return
    blockbuster = BlockBuster(scanned_modules=["rcex_ws.rest", "rcex_ws.connection", "rcex_ws.wsg", "rcex_ws.slack"])
    blockbuster.activate()
    try:
        yield
    finally:
        blockbuster.deactivate()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep proxies and credentials of the developer's shell out of the tests."""
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.startswith("RINGCENTRAL_"):
            monkeypatch.delenv(name)


@pytest.fixture
def need() -> Callable[[bool, str], None]:
    """Skip with the reason where something is missing, unless RCEX_REQUIRE_PEERS=1 makes that a failure."""

    def need(present: bool, what: str) -> None:
        if not present:
            reason = f"{what} is missing; tests/peers/setup.sh installs it"
            if os.environ.get("RCEX_REQUIRE_PEERS") == "1":
                pytest.fail(reason)
            pytest.skip(reason)

    return need
