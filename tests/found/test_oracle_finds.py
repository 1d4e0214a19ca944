"""Faults that the oracle found beyond the rows of the issue: each is mended, and has its test here.

The oracle simulates long lives and judges what was told, so it finds what no single life shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from rcex_ws import Events, Gap, SubscriptionState
from rcex_ws.gateway import Gateway
from tests.found.lost import Told, covering, extension, logged_in, until, utc_now
from tests.found.peer import MESSAGES


class Shelf:
    """Keep a session in memory, as a store of an application's own.

    Args:
        kept: what an earlier process has left.

    Attributes:
        kept: what was saved last.
        broken: whether saving fails.
        tried: how many writes failed.
        is_open: whether an extension has it.
        closing_takes: seconds that it takes to close it.
    """

    def __init__(self, kept: Any = None) -> None:
        self.kept: Any = kept
        self.broken = self.is_open = False
        self.tried = 0
        self.closing_takes = 0.0

    async def open(self) -> Any:
        self.is_open = True
        return self.kept

    async def save(self, session: Any) -> None:
        if self.broken:
            self.tried += 1
            raise OSError(28, "No space left on device")
        self.kept = session

    async def clear(self) -> None:
        self.kept = None

    async def close(self) -> None:
        await anyio.sleep(self.closing_takes)
        self.is_open = False


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def quick_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the session be written as soon as something changes, not once a second."""
    monkeypatch.setattr("rcex_ws.wsg.keeper._PAUSE", 0.01)


# -- the writer of the session -------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["handed over", "adopted"])
async def test_the_session_is_written_again_after_subscribe_has_written_it(
    gateway: Gateway, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr("rcex_ws.wsg.keeper._PAUSE", 0)  # so that a writer that is blocked waits for a change
    shelf = Shelf()
    if first == "adopted":
        async with logged_in(gateway, tmp_path) as rc:
            ext = extension(Told(), session_store=shelf)
            await rc.install_extension(ext)
            await ext.subscribe([MESSAGES])
    async with logged_in(gateway, tmp_path) as rc:
        ext = extension(told, session_store=shelf)
        await rc.install_extension(ext)
        if first == "handed over":
            await ext.subscribe([MESSAGES])
        await anyio.wait_all_tasks_blocked()
        await ext.subscribe([MESSAGES], told.on_notification)
        await anyio.wait_all_tasks_blocked()
        (uuid,) = gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)
        await until(lambda: uuid in shelf.kept.uuids, within=1)


@pytest.mark.usefixtures("quick_writer")
async def test_a_write_that_failed_is_tried_again_though_nothing_changes(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    shelf = Shelf()
    async with logged_in(gateway, tmp_path) as rc:
        ext = extension(told, session_store=shelf)
        await rc.install_extension(ext)
        shelf.broken = True
        await ext.subscribe([MESSAGES], told.on_notification)
        await told.until(lambda: any(isinstance(error, OSError) for error in told.of(Events.ERROR)))
        shelf.broken = False
        await until(lambda: shelf.kept is not None, within=1)
        assert shelf.kept.subscription.wanted == (MESSAGES,)


# -- what ends while the connection is lost ------------------------------------------------------------------------


async def _lose(gateway: Gateway, told: Told) -> None:
    """Lose the connection for as long as there are faults."""
    gateway.refuse("upgrade", 503, times=None)
    gateway.cut()
    await told.until(lambda: told.of(Events.DISCONNECTED))


def _certain(gaps: list[Gap]) -> list[Gap]:
    return [gap for gap in gaps if gap.certain]


@pytest.mark.parametrize("what", ["subscription", "extension"])
@pytest.mark.parametrize("stored", [False, True], ids=["no store", "store"])
async def test_revoking_while_the_connection_is_lost_tells_a_certain_gap(
    gateway: Gateway, tmp_path: Path, told: Told, what: str, stored: bool
) -> None:
    async with logged_in(gateway, tmp_path) as rc:
        ext = extension(told, session_store=Shelf() if stored else None)
        await rc.install_extension(ext)
        proven = utc_now()
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        await _lose(gateway, told)
        gateway.notify(MESSAGES, {"i": 1})
        lost = utc_now()
        await (subscription.revoke() if what == "subscription" else ext.revoke())
        await told.until(lambda: told.gaps)
        assert _certain(covering(told.gaps, lost, proven=proven, over=utc_now())), told.gaps
        assert len(told.gaps) == 1
        assert subscription.state is SubscriptionState.REVOKED
        assert ext.subscription is None
    assert told.numbers == []


async def test_detaching_without_a_store_while_the_connection_is_lost_tells_a_certain_gap(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with logged_in(gateway, tmp_path) as rc:
        ext = extension(told)
        await rc.install_extension(ext)
        proven = utc_now()
        await ext.subscribe([MESSAGES], told.on_notification)
        await _lose(gateway, told)
        gateway.notify(MESSAGES, {"i": 1})
        lost = utc_now()
        await ext.detach()
        assert _certain(covering(told.gaps, lost, proven=proven, over=utc_now())), told.gaps


async def test_detaching_with_a_store_while_the_connection_is_lost_leaves_it_to_the_next_process(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    shelf, then = Shelf(), Told()
    async with logged_in(gateway, tmp_path) as rc:
        ext = extension(told, session_store=shelf)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        await _lose(gateway, told)
        gateway.notify(MESSAGES, {"i": 1})
        await ext.detach()
    assert told.gaps == []
    gateway.clear_faults()
    async with logged_in(gateway, tmp_path) as rc:
        ext = extension(then, session_store=shelf)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], then.on_notification)
        await then.number(1)
