"""Failures found in gaps: they began too late, or were not told, so that what was lost was in none."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
import time_machine

from rcex_ws import WebSocketExtension
from rcex_ws.testing import FaultProxy
from tests.found.lost import MARGIN, SLACK, covering, installed, until
from tests.found.peer import MESSAGES, Peer
from tests.told import Told


@asynccontextmanager
async def subscribed(peer: Peer, folder: Path, told: Told, **options: Any) -> AsyncGenerator[WebSocketExtension]:
    """Be subscribed, with a store."""
    async with installed(peer, folder, told, folder / "session.json", **options) as ext:
        await ext.subscribe([MESSAGES], told.on_notification)
        yield ext


async def proof(peer: Peer, told: Told) -> datetime:
    """Have the first notification arrive, and with it the proof that nothing is missing; return the server's time."""
    peer.notify(1)
    await told.number(1)
    return peer.date()


async def later(peer: Peer) -> datetime:
    """Lose a notification on the way, later than anything that came; return its stamp."""
    await anyio.sleep(0.02)
    return peer.lose()


async def back(peer: Peer, told: Told) -> datetime:
    """Wait until the client is back and was told all that it is told of the outage; return the server's time then."""
    await until(lambda: peer.connected and peer.filters)
    peer.notify(100)
    await told.number(100)
    return peer.date()


@contextmanager
def killed(peer: Peer, folder: Path) -> Generator[Path]:
    """Let a client count as killed: what it had stored is all that is left of it; give the folder of the next one."""
    then = folder / "next"
    then.mkdir()
    shutil.copy(folder / "session.json", then)
    peer.reset()
    yield then


# -- L6: a replay that is as large as the server's buffer ----------------------------------------------------------


class Replay:
    """A recovery after a close that the server announced: only the replay can show that something is missing."""

    def __init__(self, peer: Peer, ext: WebSocketExtension, told: Told) -> None:
        self.ext = ext
        self._peer, self._told = peer, told

    async def begin(self) -> None:
        """Lose the connection, and an event that the buffer has no room for."""
        peer = self._peer
        peer.notify(1, uuid="before")
        await self._told.number(1)
        self.proven = peer.date()
        peer.hold()
        peer.close(1001)
        self.lost = await later(peer)
        peer.ahead += 60  # a minute later, for the server
        self.created = peer.creation_time = peer.now()

    def kept(self, number: int, before: float = 10.0, **changes: Any) -> dict[str, Any]:
        """Make a notification of so many seconds before the new connection."""
        return self._peer.made(number, self.created - before, **changes)

    async def end(self, *frames: dict[str, Any]) -> None:
        """Recover with these frames."""
        self._peer.buffer = deque(frames)
        self._peer.let_in()
        await until(lambda: self._peer.recovered)

    async def is_told_to_be_full(self) -> None:
        await self._told.until(lambda: self._told.gaps, within=2)
        assert all(not gap.certain for gap in self._told.gaps)
        assert covering(self._told.gaps, self.lost, proven=self.proven), self._told.gaps


@asynccontextmanager
async def replay_to_come(folder: Path, told: Told) -> AsyncGenerator[Replay]:
    """Be subscribed at a peer that buffers 5 notifications, and lose the connection; the replay is up to the test."""
    with Peer(buffer_size=5) as peer:
        async with subscribed(peer, folder, told) as ext:
            replay = Replay(peer, ext, told)
            await replay.begin()
            yield replay


async def test_l6_a_full_replay_with_a_duplicate_in_it(tmp_path: Path, told: Told) -> None:
    async with replay_to_come(tmp_path, told) as replay:
        await replay.end(replay.kept(1, uuid="before"), *(replay.kept(number) for number in (2, 3, 4, 5)))
        await replay.is_told_to_be_full()


@pytest.mark.parametrize("after", [0.05, 10])
async def test_l6_a_full_replay_with_a_live_event_between(tmp_path: Path, told: Told, after: float) -> None:
    async with replay_to_come(tmp_path, told) as replay:
        live = replay.kept(50, before=-after)
        frames = [replay.kept(number) for number in range(2, 7)]
        await replay.end(*frames[:3], live, *frames[3:])
        await replay.is_told_to_be_full()


@pytest.mark.parametrize("after", [0.001, 1])
async def test_l6_a_full_replay_stamped_just_after_the_creation_time(tmp_path: Path, told: Told, after: float) -> None:
    async with replay_to_come(tmp_path, told) as replay:
        await replay.end(*(replay.kept(number, before=-after) for number in range(2, 7)))
        await replay.is_told_to_be_full()


async def test_l6_a_full_replay_without_stamps(tmp_path: Path, told: Told) -> None:
    async with replay_to_come(tmp_path, told) as replay:
        await replay.end(*(replay.kept(number, timestamp=None) for number in range(2, 7)))
        await replay.is_told_to_be_full()


@pytest.mark.parametrize("stamped", [True, False], ids=["stamped", "without stamps"])
async def test_l6_what_comes_after_a_replay_does_not_make_it_full(tmp_path: Path, told: Told, stamped: bool) -> None:
    async with replay_to_come(tmp_path, told) as replay:
        live = [replay.kept(number, before=-20) for number in range(6, 12)]
        if not stamped:
            live[1:] = [frame | {"timestamp": ""} for frame in live[1:]]
        await replay.end(*(replay.kept(number) for number in range(2, 6)), *live)
        await told.number(11)
        await replay.ext.detach()  # all is told by then
    assert told.numbers == list(range(1, 12))
    assert not told.gaps


# -- L7: a replay that is cut --------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [0, 2])
async def test_l7_an_announced_close_and_its_replay_cut_by_rst(
    peer: Peer, tmp_path: Path, told: Told, frames: int
) -> None:
    async with subscribed(peer, tmp_path, told):
        proven = await proof(peer, told)
        peer.hold()
        peer.close(1001)
        await anyio.sleep(0.02)
        stamps = [peer.notify(number) for number in range(2, 6)]
        peer.ahead += 60
        peer.replay_only = frames
        peer.let_in()
        await until(lambda: peer.recovered == 2)
        over = await back(peer, told)
        assert told.numbers == [*range(1, 2 + frames), 100]
        for lost in stamps[frames:]:
            assert covering(told.gaps, lost, proven=proven, over=over), told.gaps


async def test_l7_killed_while_the_replay_comes(peer: Peer, tmp_path: Path, told: Told) -> None:
    file, then = tmp_path / "session.json", Told()
    async with subscribed(peer, tmp_path, told, auto_recover=False) as ext:
        proven = await proof(peer, told)
        peer.close(1001)
        await until(lambda: ext.ws is None)
        await anyio.sleep(0.02)
        stamps = [peer.notify(number) for number in range(2, 6)]
        peer.ahead += 60
        peer.replay_only, peer.replay_ends_in_reset = 2, False
        before = file.stat()
        await ext.recover()
        await told.number(3)
        await until(lambda: file.stat().st_mtime_ns != before.st_mtime_ns)
        with killed(peer, tmp_path) as folder:
            async with subscribed(peer, folder, then):
                over = await back(peer, then)
                for lost in stamps[2:]:
                    assert covering(then.gaps, lost, proven=proven, over=over), then.gaps


# -- L8: what a proof proves, and by which clock -------------------------------------------------------------------


@pytest.fixture
def slow(peer: Peer, fault_proxy: Callable[[str], FaultProxy]) -> FaultProxy:
    """Return the network between client and peer."""
    proxy = fault_proxy(peer.ws_uri)
    peer.told_uri = proxy.url(peer.ws_uri)
    return proxy


async def cut(slow: FaultProxy, peer: Peer, told: Told) -> datetime:
    """End a slow connection and all that is on its way; wait as in `back`."""
    slow.reset()
    slow.delay(0)
    await until(lambda: peer.upgrades == 2)
    return await back(peer, told)


def block(seconds: float) -> None:
    """Block the event loop: whatever comes is read later."""
    time.sleep(seconds)


def clock_set(by: float) -> AbstractContextManager[Any]:
    """Set this machine's clock; the peer keeps the right time, and so do all monotonic clocks."""
    return time_machine.travel(time.time() + by, tick=True)


async def during_a_call(ext: WebSocketExtension, peer: Peer, lose: Callable[[], Awaitable[datetime]]) -> datetime:
    """Lose a notification after the server has taken a call, and wait for its answer; return the stamp."""
    stamps: list[datetime] = []
    async with anyio.create_task_group() as group:
        group.start_soon(ext.request, "GET", "/restapi/v1.0/account/~")
        await until(lambda: peer.calls[-1][0] == "GET")
        stamps.append(await lose())
    return stamps[0]


async def test_l8_a_slow_link_and_a_notification(peer: Peer, slow: FaultProxy, tmp_path: Path, told: Told) -> None:
    async with subscribed(peer, tmp_path, told):
        slow.delay(0.4, "down")
        proven = peer.notify(1)
        lost = await later(peer)  # it leaves the server before the client reads the one before it, and never comes
        await told.number(1)
        over = await cut(slow, peer, told)
        assert covering(told.gaps, lost, proven=proven, over=over), told.gaps


async def test_l8_a_slow_link_and_an_answer(peer: Peer, slow: FaultProxy, tmp_path: Path, told: Told) -> None:
    async with subscribed(peer, tmp_path, told) as ext:
        slow.delay(0.4, "down")
        proven = peer.date()
        lost = await during_a_call(ext, peer, lambda: later(peer))
        over = await cut(slow, peer, told)
        assert covering(told.gaps, lost, proven=proven, over=over), told.gaps


async def test_l8_a_slow_link_and_a_heartbeat(peer: Peer, slow: FaultProxy, tmp_path: Path, told: Told) -> None:
    async with subscribed(peer, tmp_path, told, heartbeat_interval=0.3):
        proven = peer.date()
        slow.delay(0.4, "down")
        await until(lambda: peer.heartbeats)
        lost = await later(peer)
        # Comes after the answer and proves less, so that we know when the answer is there.
        peer.notify(1, timestamp=proven.isoformat())
        await told.number(1)
        over = await cut(slow, peer, told)
        assert covering(told.gaps, lost, proven=proven, over=over), told.gaps


async def test_l8_a_blocked_loop_and_a_notification(peer: Peer, tmp_path: Path, told: Told) -> None:
    async with subscribed(peer, tmp_path, told):
        proven = peer.notify(1)
        block(0.2)
        lost = peer.lose()
        block(0.2)
        await told.number(1)
        peer.reset()
        over = await back(peer, told)
        assert covering(told.gaps, lost, proven=proven, over=over), told.gaps


async def test_l8_a_blocked_loop_and_an_answer(peer: Peer, tmp_path: Path, told: Told) -> None:
    async def lose() -> datetime:
        block(0.3)  # the server answers meanwhile
        lost = peer.lose()
        block(0.1)
        return lost

    async with subscribed(peer, tmp_path, told) as ext:
        proven = peer.date()
        peer.answer_delay = 0.1
        lost = await during_a_call(ext, peer, lose)
        peer.reset()
        over = await back(peer, told)
        assert covering(told.gaps, lost, proven=proven, over=over), told.gaps


def minute(peer: Peer) -> datetime:
    """Let a minute pass for the server, and a notification be lost in the middle of it; return its stamp."""
    peer.ahead += 30
    lost = peer.lose()
    peer.ahead += 30
    return lost


async def test_l8_a_suspend_and_a_notification(peer: Peer, tmp_path: Path, told: Told) -> None:
    async with subscribed(peer, tmp_path, told):
        proven = peer.notify(1)
        lost = minute(peer)
        with clock_set(60):  # the machine was suspended before it could read the first one
            await told.number(1)
            peer.reset()
            over = await back(peer, told)
        assert covering(told.gaps, lost, proven=proven, over=over), told.gaps


async def test_l8_a_suspend_and_an_answer(peer: Peer, tmp_path: Path, told: Told) -> None:
    with ExitStack() as clock:

        async def lose() -> datetime:
            block(0.3)  # the server answers meanwhile
            lost = minute(peer)
            clock.enter_context(clock_set(60))
            return lost

        async with subscribed(peer, tmp_path, told) as ext:
            proven = peer.date()
            peer.answer_delay = 0.1
            lost = await during_a_call(ext, peer, lose)
            peer.reset()
            over = await back(peer, told)
            assert covering(told.gaps, lost, proven=proven, over=over), told.gaps


@pytest.mark.parametrize("refused", [None, "WSG-1003"], ids=["recovered", "refused"])
@pytest.mark.parametrize("ahead", [-30, 30], ids=["ahead", "behind"])
async def test_l8_the_client_s_clock_is_wrong_by_30_s(
    tmp_path: Path, told: Told, ahead: float, refused: str | None
) -> None:
    with Peer(ahead=ahead) as peer:
        async with subscribed(peer, tmp_path, told):
            proven = await proof(peer, told)
            lost = await later(peer)
            peer.refuse_recovery = refused
            peer.reset()
            await until(lambda: peer.upgrades == 2)
            over = await back(peer, told)
            found = covering(told.gaps, lost, proven=proven, over=over)
            assert found, told.gaps
            assert found[0].certain == (refused is not None)


@pytest.mark.parametrize("ahead", [-30, 30], ids=["ahead", "behind"])
async def test_l8_the_client_s_clock_is_wrong_and_a_notification_cannot_be_read(
    tmp_path: Path, told: Told, ahead: float
) -> None:
    with Peer(ahead=ahead) as peer:
        async with subscribed(peer, tmp_path, told):
            proven = await proof(peer, told)
            await anyio.sleep(0.02)
            lost = peer.notify(2, event=None)
            await told.until(lambda: told.gaps)
            found = covering(told.gaps, lost, proven=proven, over=peer.date())
            assert any(gap.certain for gap in found), told.gaps


@pytest.mark.parametrize("refused", [None, "WSG-1003"], ids=["recovered", "refused"])
@pytest.mark.parametrize("by", [-3600, 3600], ids=["back", "ahead"])
async def test_l8_the_clock_is_set_by_an_hour_during_the_outage(
    peer: Peer, tmp_path: Path, told: Told, by: float, refused: str | None
) -> None:
    async with subscribed(peer, tmp_path, told):
        proven = await proof(peer, told)
        lost = await later(peer)
        peer.refuse_recovery = refused
        peer.hold()
        peer.reset()
        await until(lambda: peer.waiting)
        with clock_set(by):
            peer.let_in()
            await until(lambda: peer.upgrades == 2)
            over = await back(peer, told)
        assert covering(told.gaps, lost, proven=proven, over=over), told.gaps


@pytest.mark.parametrize("refused", [None, "WSG-1003"], ids=["recovered", "refused"])
async def test_l8_the_clock_of_the_server_is_set_back_during_the_outage(
    peer: Peer, tmp_path: Path, told: Told, refused: str | None
) -> None:
    async with subscribed(peer, tmp_path, told):
        proven = await proof(peer, told)
        before = await later(peer)
        peer.refuse_recovery = refused
        peer.hold()
        peer.reset()
        await until(lambda: peer.waiting)
        peer.ahead -= 60
        after = peer.lose()
        peer.let_in()
        await until(lambda: peer.upgrades == 2)
        over = await back(peer, told)
        assert covering(told.gaps, before, proven=proven - timedelta(minutes=1)), told.gaps
        assert covering(told.gaps, after, proven=proven - timedelta(minutes=1)), told.gaps
        assert max(gap.until for gap in told.gaps) <= over + timedelta(minutes=1) + MARGIN + SLACK


@pytest.mark.parametrize("refused", [None, "WSG-1003"], ids=["recovered", "refused"])
@pytest.mark.parametrize("by", [-3600, 3600], ids=["back", "ahead"])
async def test_l8_the_clock_is_set_by_an_hour_between_two_processes(
    peer: Peer, tmp_path: Path, told: Told, by: float, refused: str | None
) -> None:
    file, then = tmp_path / "session.json", Told()
    async with subscribed(peer, tmp_path, told, auto_recover=False):
        before = file.stat()
        peer.notify(1)
        await told.number(1)
        await until(lambda: file.stat().st_mtime_ns != before.st_mtime_ns)
        proven = peer.date()
        lost = await later(peer)
        with killed(peer, tmp_path) as folder, clock_set(by):
            peer.refuse_recovery = refused
            async with subscribed(peer, folder, then):
                over = await back(peer, then)
                assert covering(then.gaps, lost, proven=proven, over=over), then.gaps


async def test_l8_a_gap_begins_no_earlier_than_it_must_after_a_suspend(peer: Peer, tmp_path: Path, told: Told) -> None:
    async with subscribed(peer, tmp_path, told, wait=0.1) as ext:
        peer.notify(1)
        await told.number(1)
        peer.ahead += 60
        with clock_set(60):  # the machine was suspended for a minute: monotonic clocks stood still
            await ext.request("GET", "/restapi/v1.0/account/~")
            proven = peer.date()
            lost = await later(peer)
            peer.reset()
            over = await back(peer, told)
        assert covering(told.gaps, lost, proven=proven, over=over), told.gaps
