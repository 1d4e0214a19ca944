"""Failures found around the end of a process: what it leaves to the next must be true, doubts included."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from rcex_ws import Events, RcexError, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway
from tests.found.lost import Program, covering, extension, logged_in, until, utc_now
from tests.found.peer import MESSAGES, PRESENCE, Peer
from tests.told import Told

# -- L1: closing while an attempt is under way ---------------------------------------------------------------------


class Close:
    """A handler of any kind: it waits until an attempt waits for its upgrade, and closes."""

    def __init__(self, peer: Peer, rc: RingCentral, ext: WebSocketExtension, how: str = "detach") -> None:
        self.called, self.done = anyio.Event(), anyio.Event()
        self._peer = peer
        self._close = {"detach": ext.detach, "aclose": ext.aclose, "rc.aclose": rc.aclose}[how]

    async def __call__(self, _: object) -> None:
        self.called.set()
        await until(lambda: self._peer.waiting and not self._peer.connected)
        await self._close()
        self.done.set()

    async def while_connecting(self) -> None:
        """Lose the connection, have the close happen while the next is under way, and 8 events."""
        before = self._peer.upgrades
        self._peer.hold()
        self._peer.reset()
        for number in range(1, 9):
            self._peer.notify(number)
        with anyio.fail_after(5):
            await self.done.wait()
        self._peer.let_in()
        await until(lambda: not self._peer.waiting)
        assert self._peer.upgrades == before, "the closed extension has connected"


async def _the_next_life_gets_all(peer: Peer, folder: Path) -> None:
    upgrades = peer.upgrades
    told = Told()
    async with logged_in(peer, folder) as rc:
        ext = extension(told, folder / "session.json")
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        await told.number(8)
    assert told.numbers == list(range(1, 9))
    assert peer.upgrades == upgrades + 1, "somebody else has connected"


@pytest.mark.parametrize("how", ["detach", "aclose", "rc.aclose"])
@pytest.mark.parametrize("event", [Events.DISCONNECTED, Events.AUTO_RECOVER_ERROR, Events.CONNECTION_READY])
async def test_l1_a_close_from_a_lifecycle_handler_ends_the_attempt(
    peer: Peer, tmp_path: Path, told: Told, event: Events, how: str
) -> None:
    async with logged_in(peer, tmp_path) as rc:
        ext = extension(told, tmp_path / "session.json", attempt_timeout=0.2 if event == "autoRecoverError" else 5)
        close = Close(peer, rc, ext, how)
        ext.on(event, close)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        await close.while_connecting()
        await _the_next_life_gets_all(peer, tmp_path)


async def test_l1_a_close_from_the_callback_ends_the_attempt(peer: Peer, tmp_path: Path, told: Told) -> None:
    async with logged_in(peer, tmp_path) as rc:
        ext = extension(told, tmp_path / "session.json")
        close = Close(peer, rc, ext)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], close)
        peer.notify(0)
        with anyio.fail_after(4):
            await close.called.wait()
        await close.while_connecting()
        await _the_next_life_gets_all(peer, tmp_path)


async def test_l1_nor_does_it_go_on_when_its_life_began_in_a_handler(peer: Peer, tmp_path: Path, told: Told) -> None:
    began = anyio.Event()
    async with logged_in(peer, tmp_path) as rc:
        ext = extension(told, tmp_path / "session.json")

        async def begin_anew(_: object) -> None:
            off()
            await ext.connect()
            await ext.subscribe([MESSAGES], told.on_notification)
            began.set()

        off = ext.on(Events.DISCONNECTED, begin_anew)
        await rc.install_extension(ext)
        peer.reset()
        with anyio.fail_after(4):
            await began.wait()
        close = Close(peer, rc, ext)
        ext.on(Events.DISCONNECTED, close)
        await close.while_connecting()
        await _the_next_life_gets_all(peer, tmp_path)


# -- L2: other filters at the server than in the store -------------------------------------------------------------


def _changes(gateway: Gateway) -> list[list[str]]:
    """Give the filters of each subscription call that the gateway has carried out."""
    return [entry["filters"] for entry in gateway.log() if entry["kind"] in ("subscribe", "resubscribe")]


async def _the_next_life_is_served(gateway: Gateway, folder: Path, wanted: str) -> Told:
    """Subscribe as the next process, and see that what it asks for comes."""
    told = Told()
    async with logged_in(gateway, folder) as rc:
        ext = extension(told, folder / "session.json")
        await rc.install_extension(ext)
        await ext.subscribe([wanted], told.on_notification)
        gateway.notify(wanted, {"i": 100})
        await told.number(100)
    return told


UPDATE_RETURNED = """
async def use(ext):
    subscription = await ext.subscribe([MESSAGES], hang)
    await subscription.update([PRESENCE])
    kill()
"""

UPDATE_IN_FLIGHT = """
async def use(ext):
    subscription = await ext.subscribe([MESSAGES], hang)
    say("subscribed")
    await subscription.update([PRESENCE])
"""

SUBSCRIBE_IN_FLIGHT = """
async def use(ext):
    await ext.subscribe([MESSAGES], hang)
    say("subscribed")
    await ext.subscribe([PRESENCE], hang)
"""


@pytest.mark.parametrize("wanted", [MESSAGES, PRESENCE], ids=["old filters", "new filters"])
async def test_l2_update_has_returned_and_the_process_is_killed(
    gateway: Gateway, tmp_path: Path, anyio_backend_name: str, wanted: str
) -> None:
    async with Program(anyio_backend_name, gateway, tmp_path, UPDATE_RETURNED) as program:
        await program.killed()
    assert len(_changes(gateway)) == 2
    await _the_next_life_is_served(gateway, tmp_path, wanted)


@pytest.mark.parametrize("change", [UPDATE_IN_FLIGHT, SUBSCRIBE_IN_FLIGHT], ids=["update", "subscribe"])
async def test_l2_a_change_has_reached_the_server_and_the_process_is_killed(
    gateway: Gateway, tmp_path: Path, anyio_backend_name: str, change: str
) -> None:
    gateway.answer_fault("PUT /restapi/v1.0/subscription/*", drop=True)
    proven = utc_now()
    async with Program(anyio_backend_name, gateway, tmp_path, change) as program:
        await program.hear("subscribed")
        await until(lambda: len(_changes(gateway)) == 2)
        await program.kill()
    lost = utc_now()
    gateway.notify(MESSAGES, {"i": 1})  # the server has the new filters, so this goes nowhere
    told = await _the_next_life_is_served(gateway, tmp_path, MESSAGES)
    assert covering(told.gaps, lost, proven=proven)


@pytest.mark.parametrize("way", ["update", "subscribe"])
@pytest.mark.parametrize("cancelled", [False, True], ids=["detached", "cancelled and detached"])
async def test_l2_a_change_has_reached_the_server_and_the_extension_is_detached(
    gateway: Gateway, tmp_path: Path, told: Told, way: str, cancelled: bool
) -> None:
    proven = utc_now()
    async with logged_in(gateway, tmp_path) as rc, anyio.create_task_group() as group:
        ext = extension(told, tmp_path / "session.json")
        await rc.install_extension(ext)
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        gateway.answer_fault("PUT /restapi/v1.0/subscription/*", drop=True, times=None)
        change = anyio.CancelScope()

        async def make_the_change() -> None:
            with change:
                try:
                    if way == "update":
                        await subscription.update([PRESENCE])
                    else:
                        await ext.subscribe([PRESENCE], told.on_notification)
                except RcexError:
                    return  # it was closed meanwhile, and says so

        group.start_soon(make_the_change)
        await until(lambda: len(_changes(gateway)) == 2)
        if cancelled:
            change.cancel()
        await ext.detach()
    gateway.clear_faults()
    lost = utc_now()
    gateway.notify(MESSAGES, {"i": 1})
    then = await _the_next_life_is_served(gateway, tmp_path, MESSAGES)
    # The server may have been told the old filters again in time; else it had the new ones.
    assert 1 in then.numbers or covering(then.gaps, lost, proven=proven)


# -- L5: killed while notifications are being dropped --------------------------------------------------------------

OVERFLOWING = """
async def use(ext):
    ext.on("error", lambda error: say(type(error).__name__))
    await ext.subscribe([MESSAGES], hang)
    say("subscribed")
    await anyio.sleep(60)
"""


async def test_l5_killed_while_the_queue_overflows(peer: Peer, tmp_path: Path, anyio_backend_name: str) -> None:
    async with Program(anyio_backend_name, peer, tmp_path, OVERFLOWING) as program:
        await program.hear("subscribed")
        proven = peer.date()
        peer.notify(0)
        await program.hear("got 0")
        dropped = peer.notify(1)
        # So much later that no margin hides it when the gap begins with what still waits.
        peer.ahead += 60
        for number in range(2, 8):
            peer.notify(number)
        await program.hear("SlowConsumer")
        await program.stored()
        await program.kill()
    await until(lambda: not peer.connected)
    told = await _the_next_life_goes_on(peer, tmp_path)
    assert any(gap.certain for gap in covering(told.gaps, dropped, proven=proven)), told.gaps


async def _the_next_life_goes_on(peer: Peer, folder: Path) -> Told:
    """Recover the session as the next process; give what it was told until the first new notification."""
    told = Told()
    async with logged_in(peer, folder) as rc:
        ext = extension(told, folder / "session.json")
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        peer.notify(100)
        await told.number(100)
    return told


# -- L9: ended with notifications that no consumer has got ---------------------------------------------------------

WAITING = """
async def use(ext):
    subscription = await ext.subscribe([MESSAGES], hang)
    say("subscribed")
    while subscription.pending < 2:
        await anyio.sleep(0.01)
    say("2 wait")
    await anyio.sleep(60)
"""


@pytest.mark.parametrize("ahead", [-30, 0])
async def test_l9_killed_with_notifications_not_delivered(
    tmp_path: Path, anyio_backend_name: str, ahead: float
) -> None:
    with Peer(ahead=ahead) as peer:
        async with Program(anyio_backend_name, peer, tmp_path, WAITING) as program:
            await program.hear("subscribed")
            proven = peer.date()
            peer.notify(0)
            await program.hear("got 0")
            undelivered = peer.notify(1)
            peer.ahead += 60  # as above
            peer.notify(2)
            await program.hear("2 wait")
            await program.stored()
            await program.kill()
        await until(lambda: not peer.connected)
        told = await _the_next_life_goes_on(peer, tmp_path)
    assert covering(told.gaps, undelivered, proven=proven), told.gaps


@pytest.mark.parametrize("ahead", [-30, 0, 30])
async def test_l9_closed_with_notifications_not_delivered(tmp_path: Path, told: Told, ahead: float) -> None:
    with Peer(ahead=ahead) as peer:
        async with logged_in(peer, tmp_path) as rc:
            taken = anyio.Event()

            async def hang(_: object) -> None:
                taken.set()
                await anyio.sleep_forever()

            ext = extension(told, tmp_path / "session.json", close_timeout=1.0)
            await rc.install_extension(ext)
            subscription = await ext.subscribe([MESSAGES], hang)
            proven = peer.date()
            peer.notify(0)
            with anyio.fail_after(4):
                await taken.wait()
            undelivered = [peer.notify(1), peer.notify(2)]
            await until(lambda: subscription.pending == 2)
            await ext.detach()
        then = await _the_next_life_goes_on(peer, tmp_path)
    for stamp in undelivered:
        assert any(gap.certain for gap in covering(told.gaps, stamp, proven=proven)), told.gaps
        assert covering(then.gaps, stamp, proven=proven), then.gaps
