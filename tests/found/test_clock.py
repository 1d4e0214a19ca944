"""Failures found when the wall clock is set, before or during a run: it never decides alone, the server judges."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

from rcex_ws import Events, FileSessionStore, FileTokenStore, Gap, Outcome, RestError, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway

INFO = "/restapi/v1.0/account/~/extension/~"
MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"
DAY = 86400.0
JUMPS = [30 * DAY, 3600.0, -3600.0, -30 * DAY]
MODULES = [
    "rest.auth",
    "rest.renewal",
    "rest.keeper",
    "rest.errors",
    "rest.gate",
    "wsg.runtime",
    "connection.link",
    "websocket.handshake",
]

Jump = Callable[[float], None]


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Jump:
    """Set the wall clock of the library; the gateway keeps the right time."""

    def jump(seconds: float) -> None:
        shifted = SimpleNamespace(time=lambda: time.time() + seconds, monotonic=time.monotonic)
        for module in MODULES:
            monkeypatch.setattr(f"rcex_ws.{module}.time", shifted, raising=False)
        now = lambda: datetime.fromtimestamp(shifted.time(), UTC)  # noqa: E731
        monkeypatch.setattr("rcex_ws.connection.link.utc_now", now)

    return jump


@asynccontextmanager
async def process(gateway: Gateway, folder: Path) -> AsyncIterator[RingCentral]:
    async with RingCentral(
        server=gateway.server,
        client_id=gateway.client_id,
        client_secret=gateway.client_secret,
        token_store=FileTokenStore(folder / "token.json"),
    ) as rc:
        yield rc


@pytest.mark.parametrize("seconds", JUMPS)
async def test_e8_a_stored_login_is_offered_whatever_the_clock_says(
    gateway: Gateway, tmp_path: Path, jump: Jump, seconds: float
) -> None:
    async with process(gateway, tmp_path) as rc:
        await rc.authorize(jwt=gateway.jwt)
    jump(seconds)
    async with process(gateway, tmp_path) as rc:
        await rc.authorize()  # no credential: the stored login is all there is
        assert (await rc.get(INFO)).is_success


@pytest.mark.parametrize("seconds", JUMPS)
async def test_e8_a_stored_session_is_offered_whatever_the_clock_says(
    gateway: Gateway, tmp_path: Path, jump: Jump, seconds: float
) -> None:
    got: list[str] = []
    for life in range(2):
        async with process(gateway, tmp_path) as rc:
            await rc.authorize(jwt=gateway.jwt)
            ext = WebSocketExtension(session_store=FileSessionStore(tmp_path / "session.json"))
            await rc.install_extension(ext)
            await ext.subscribe([MESSAGES], lambda notification: got.append(notification.body["text"]))
            if life == 1:
                assert ext.last_recovery is not None
                assert ext.last_recovery.outcome is Outcome.RECOVERED
                assert ext.last_recovery.outage is not None
                assert ext.last_recovery.outage >= 0
        jump(seconds)
        gateway.notify(MESSAGES, {"text": f"after life {life}"})
    assert got == ["after life 0"]


@pytest.mark.parametrize("seconds", JUMPS)
async def test_e8_the_clock_is_set_during_a_run(gateway: Gateway, tmp_path: Path, jump: Jump, seconds: float) -> None:
    async with process(gateway, tmp_path) as rc:
        await rc.authorize(jwt=gateway.jwt)
        ext = WebSocketExtension(reconnect_delays=lambda _: 0.01)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES])
        recovered = anyio.Event()
        ext.on(Events.AUTO_RECOVER_SUCCESS, lambda _: recovered.set())
        jump(seconds)
        gateway.cut()
        with anyio.fail_after(10):
            await recovered.wait()
        recovery = ext.last_recovery
        assert recovery is not None
        assert recovery.outcome is Outcome.RECOVERED
        assert recovery.outage is not None
        assert 0 <= recovery.outage < 60
        assert (await rc.get(INFO)).is_success


async def test_e8_a_token_is_used_when_only_the_clock_says_that_it_has_ended(
    gateway: Gateway, tmp_path: Path, jump: Jump
) -> None:
    async with process(gateway, tmp_path) as rc:
        await rc.authorize(jwt=gateway.jwt)
    jump(30 * DAY)
    async with process(gateway, tmp_path) as rc:
        gateway.refuse("token", 503, times=None)
        with pytest.raises(RestError):
            await rc.authorize()
        assert (await rc.get(INFO)).is_success


@pytest.mark.parametrize("again", [False, True], ids=["in one process", "over a restart"])
async def test_e8_a_gap_never_ends_before_it_begins(gateway: Gateway, tmp_path: Path, jump: Jump, again: bool) -> None:
    gaps: list[Gap] = []

    def extension() -> WebSocketExtension:
        store = FileSessionStore(tmp_path / "session.json")
        return WebSocketExtension(reconnect_delays=lambda _: 0.2, session_store=store, on_gap=gaps.append)

    async with process(gateway, tmp_path) as rc:
        await rc.authorize(jwt=gateway.jwt)
        await rc.install_extension(ext := extension())
        await ext.subscribe([MESSAGES])
        gateway.fail_recovery()
        if not again:
            gateway.cut()
            while ext.ws is not None:
                await anyio.sleep(0.01)
            jump(-3600.0)
            with anyio.fail_after(10):
                while not gaps:
                    await anyio.sleep(0.01)
    if again:
        jump(-3600.0)
        async with process(gateway, tmp_path) as rc:
            await rc.authorize(jwt=gateway.jwt)
            await rc.install_extension(extension())
            with anyio.fail_after(10):
                while not gaps:
                    await anyio.sleep(0.01)
    assert gaps[0].certain
    assert gaps[0].since is None or gaps[0].since <= gaps[0].until
