"""Replacing a connection: the next one is opened beside the current one."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import anyio
import pytest

from rcex_ws.connection import LossKind, State
from rcex_ws.errors import UpgradeRefused


async def in_thread(func: Any, *args: Any) -> None:
    await anyio.to_thread.run_sync(func, *args)


def gated(talk_class: Any) -> Any:
    """Make a class of conversations; all but the first wait for the gate before they count as ready."""

    class Gated(talk_class):
        made = 0
        gate: anyio.Event

        def __init__(self, link: Any) -> None:
            super().__init__(link)
            Gated.made += 1
            self.number = Gated.made
            if self.number == 1:
                Gated.gate = anyio.Event()

        async def prepare(self) -> None:
            if self.number > 1:
                await Gated.gate.wait()

    return Gated


async def test_the_next_is_open_before_the_last_is_closed(
    peer: Any, supervise: Any, until: Any, talk_class: Any
) -> None:
    talk = gated(talk_class)
    async with supervise(peer.url, talk=talk) as rig:
        await rig.supervisor.wait_ready()
        first = rig.link
        rig.supervisor.replace()
        await until(lambda: len(rig.driver.talks) == 2)
        await until(lambda: len(peer.open) == 2)
        assert rig.supervisor.link is first, "the last one serves until the next is ready"
        assert rig.supervisor.is_ready
        await in_thread(peer.send, "both")
        await until(lambda: all(talk.messages == [b"both"] for talk in rig.driver.talks))
        talk.gate.set()
        await until(lambda: rig.supervisor.link is not first)
        assert rig.supervisor.status.state is State.READY
        await until(lambda: rig.driver.talks[0].losses)
        assert rig.driver.talks[0].losses[0].kind is LossKind.CLOSED
        assert not rig.driver.talks[1].losses
        await until(lambda: len(peer.open) == 1)
        assert rig.supervisor.is_ready
        assert len(peer.upgrades) == 2


async def test_what_the_last_sends_until_it_answers_the_close_is_read(
    peer: Any, supervise: Any, until: Any, talk_class: Any
) -> None:
    late: list[Any] = []

    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        (connection,) = peer.open

        async def send_a_burst() -> None:
            for n in range(2000):
                await connection.send(str(n))

        rig.supervisor.replace()
        with contextlib.suppress(Exception):  # the close may come in the midst of it
            await in_thread(lambda: peer.run(send_a_burst()))
        await until(lambda: rig.driver.talks[0].losses)
        late = rig.driver.talks[0].messages
        assert rig.driver.talks[0].losses[0].kind is LossKind.CLOSED
    assert late == [str(n).encode() for n in range(len(late))]


async def test_a_renewal_that_fails_keeps_the_last(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        first = rig.link
        peer.refusals += [(503, {}), (503, {})]
        rig.supervisor.replace()
        await until(lambda: len(rig.driver.failures) == 2)
        assert rig.supervisor.is_ready
        assert first.loss is None
        await until(lambda: rig.supervisor.link is not first)
        assert rig.supervisor.is_ready
        assert len(peer.upgrades) == 4


async def test_the_last_is_lost_while_the_next_is_opened(
    peer: Any, supervise: Any, until: Any, talk_class: Any
) -> None:
    talk = gated(talk_class)
    async with supervise(peer.url, talk=talk) as rig:
        await rig.supervisor.wait_ready()
        rig.supervisor.replace()
        await until(lambda: len(rig.driver.talks) == 2)
        rig.driver.talks[0].link.abort()
        await until(lambda: not rig.supervisor.is_ready)
        assert rig.supervisor.status.state is State.CONNECTING
        talk.gate.set()
        await rig.supervisor.wait_ready()
        assert rig.link is rig.driver.talks[1].link
        assert len(peer.upgrades) == 2, "no third attempt was made for the loss"


async def test_the_last_is_lost_and_the_renewal_fails(peer: Any, supervise: Any, until: Any) -> None:
    peer_url = peer.url
    async with supervise(peer_url, attempt_timeout=0.3) as rig:
        await rig.supervisor.wait_ready()
        peer.hang = True
        rig.supervisor.replace()
        await until(lambda: len(peer.upgrades) == 2)
        rig.link.abort()
        await until(lambda: rig.driver.failures)
        peer.hang = False
        await rig.supervisor.wait_ready()
        assert rig.supervisor.status.state is State.READY


@pytest.mark.parametrize("state", ["connecting", "waiting"])
async def test_renew_does_nothing_while_not_connected(peer: Any, supervise: Any, until: Any, state: str) -> None:
    if state == "connecting":
        peer.hang = True
    else:
        peer.refusals.append((503, {}))
    async with supervise(peer.url, reconnect_delays=lambda _: 1000.0) as rig:
        rig.supervisor.replace()
        await until(lambda: rig.supervisor.status.state == state)
        await until(lambda: peer.upgrades)
        rig.supervisor.replace()
        await anyio.sleep(0.05)
        assert rig.supervisor.status.state == state
        assert len(peer.upgrades) == 1


async def test_renew_again_and_again(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url) as rig:
        for count in range(1, 6):
            await rig.supervisor.wait_ready()
            rig.supervisor.replace()
            rig.supervisor.replace()
            await until(lambda count=count: len(rig.driver.talks) == count + 1)
            await until(lambda count=count: rig.supervisor.link is rig.driver.talks[count].link)
        await until(lambda: len(peer.open) == 1)
        assert rig.supervisor.is_ready


async def test_close_during_a_renewal(peer: Any, supervise: Any, until: Any, talk_class: Any) -> None:
    async with supervise(peer.url, talk=gated(talk_class)) as rig:
        await rig.supervisor.wait_ready()
        rig.supervisor.replace()
        await until(lambda: len(rig.driver.talks) == 2)
        await rig.aclose()
        assert rig.supervisor.status.state is State.CLOSED
        await until(lambda: not peer.open)
        assert rig.child.done


@pytest.fixture(autouse=True)
def quiet(caplog: Any) -> None:
    caplog.set_level(logging.ERROR, "rcex_ws.connection")


async def test_a_server_that_wants_to_be_left_at_once_makes_no_hot_loop(
    peer: Any, supervise: Any, until: Any, talk_class: Any, ms: float
) -> None:
    class Leaving(talk_class):
        async def after_ready(self) -> None:
            rig.supervisor.replace()

    async with supervise(peer.url, talk=Leaving, reconnect_delays=lambda n: 400 * ms) as rig:
        await rig.supervisor.wait_ready()
        await anyio.sleep(200 * ms)  # long enough for dozens
        assert len(rig.driver.talks) == 1
        await until(lambda: len(rig.driver.talks) == 2)


async def test_the_application_replaces_a_connection_at_once(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url, reconnect_delays=lambda n: 60.0) as rig:
        await rig.supervisor.wait_ready()
        rig.supervisor.replace(at_once=True)
        await until(lambda: len(rig.driver.talks) == 2, within=5)
        await until(lambda: rig.supervisor.link is rig.driver.talks[1].link)


async def test_a_renewal_that_waits_is_hurried_by_the_application(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url, reconnect_delays=lambda n: 60.0) as rig:
        await rig.supervisor.wait_ready()
        peer.refusals.append((503, {}))
        rig.supervisor.replace(at_once=True)
        await until(lambda: rig.driver.failures)
        rig.supervisor.replace(at_once=True)
        await until(lambda: rig.supervisor.link is not rig.driver.talks[0].link, within=5)


async def test_long_lived_connections_that_are_replaced_count_no_failures(
    peer: Any, supervise: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rcex_ws.schedule.STABLE_AFTER", 0.0)
    counted: list[int] = []

    def delays(failures: int) -> float:
        counted.append(failures)
        return 0.01

    async with supervise(peer.url, reconnect_delays=delays) as rig:
        await rig.supervisor.wait_ready()
        for number in range(1, 4):
            peer.refusals.append((503, {}))
            rig.supervisor.replace()
            await until(lambda number=number: len(rig.driver.talks) == number + 1)
            await until(lambda: rig.supervisor.link is rig.driver.talks[-1].link)
    assert counted == [1, 1, 1]


async def test_a_fatal_refusal_of_the_next_leaves_the_last(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        first = rig.link
        peer.refusals.append((403, {}))
        rig.supervisor.replace()
        await until(lambda: len(peer.upgrades) == 2)
        await until(lambda: not peer.refusals)
        await anyio.wait_all_tasks_blocked()
        assert rig.supervisor.status.state is State.READY
        assert first.loss is None
        peer.refusals.append((403, {}))
        first.abort()  # only now it is the end
        await until(lambda: rig.supervisor.status.state is State.FAILED)
        assert isinstance(rig.driver.fatal[0], UpgradeRefused)


async def test_by_hand_a_connection_can_be_replaced_too(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url, reconnect_hint="call attempt_now()") as rig:
        await rig.supervisor.wait_ready()
        rig.supervisor.replace()
        await until(lambda: len(rig.driver.talks) == 2)


async def test_a_link_that_ends_before_it_could_open_the_replacement_is_reconnected(
    peer: Any, supervise: Any, until: Any
) -> None:
    """The link opens it in its own task, which may have been cancelled by then; so nobody may count on that."""
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        rig.link.do_soon = lambda errand: None
        rig.supervisor.replace()
        rig.link.abort()
        await until(lambda: len(rig.driver.talks) == 2)
        with anyio.fail_after(5):
            await rig.supervisor.wait_ready()
