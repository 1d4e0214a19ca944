"""What every test gets: both event loops, blocking-call detection on asyncio, a clean environment.

And what tests of several folders ask for: a WebSocket server that misbehaves, a proxy to pass.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import anyio
import hypothesis
import pytest
import trustme
from blockbuster import BlockBuster

from tests.forward_proxy import Proxy
from tests.websocket_peer import Peer

# Slow machines stretch every real-socket time-out by one factor instead of many edits.
TIME_FACTOR = float(os.environ.get("RCEX_TEST_TIME_FACTOR", "1"))

# The gateway and `rcex_ws.testing` run in threads of their own.
NEVER_BLOCKING = [
    *("rcex_ws.broker", "rcex_ws.callback", "rcex_ws.connection", "rcex_ws.feedme", "rcex_ws.files", "rcex_ws.rest"),
    *("rcex_ws.rtm", "rcex_ws.serving", "rcex_ws.slack", "rcex_ws.websocket", "rcex_ws.wsg"),
]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on both event loops."""
    return str(request.param)


@pytest.fixture
def ms() -> float:
    """One scaled millisecond, in seconds."""
    return 0.001 * TIME_FACTOR


def pytest_configure() -> None:
    """Let what a test makes stay young until the test is over, to collect it then takes a millisecond; time no test."""
    gc.set_threshold(700, 1_000_000)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a job in the background; programs that tests run inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.register_profile("ours", deadline=None)  # a busy machine is no failure
    hypothesis.settings.load_profile("ours")


@pytest.fixture(autouse=True, scope="module")
def old_garbage_is_charged_to_its_module() -> Iterator[None]:
    """Collect everything once per file: what outlives the test that made it."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def garbage_is_charged_to_its_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect what a test left, so that no later test pays for it: an unclosed socket, a task of an ended loop.

    It stands first, so that it is torn down last. pytest's own plugin then raises what the collector could not.
    """
    destroyed: list[str] = []

    class Noted(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "was destroyed but it is pending" in record.msg:
                destroyed.append(record.getMessage())

    noted = Noted()
    asyncio_logger = logging.getLogger("asyncio")
    asyncio_logger.addHandler(noted)
    yield
    request.node.funcargs.clear()  # pytest does so only when the test is over
    gc.collect(1)
    asyncio_logger.removeHandler(noted)
    assert not destroyed


@pytest.fixture(autouse=True)
def blocking_calls_fail(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the asyncio run when the library blocks the loop (the gateway and testing run in their own thread)."""
    if "anyio_backend_name" not in request.fixturenames:
        yield
        return
    blockbuster = BlockBuster(scanned_modules=NEVER_BLOCKING)
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
def need() -> Callable[..., None]:
    """Skip with the reason where something is missing, unless RCEX_REQUIRE_PEERS=1 makes that a failure."""

    def need(present: bool, what: str, how: str = "tests/peers/setup.sh installs it") -> None:
        if not present:
            reason = f"{what} is missing; {how}"
            if os.environ.get("RCEX_REQUIRE_PEERS") == "1":
                pytest.fail(reason)
            pytest.skip(reason)

    return need


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A WebSocket server that misbehaves on command."""
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The authority that signed the certificate of `tls_peer`."""
    return trustme.CA()


@pytest.fixture
def tls_peer(authority: trustme.CA) -> Iterator[Peer]:
    """Such a server for wss:// only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with Peer(context) as peer:
        yield peer


@pytest.fixture
def until() -> Callable[..., Coroutine[Any, Any, None]]:
    """Wait until a condition holds, also one that another thread brings about."""

    async def until(condition: Callable[[], object], *, within: float = 10.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, "the condition never came"
            await anyio.sleep(0.002)

    return until


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy
