"""One attempt to connect over real sockets: how it succeeds, and every way in which it fails."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import pytest

from rcex_ws.connection import Endpoint, LossKind, State
from rcex_ws.errors import ConnectFailed, ConnectTimeout, UpgradeRefused


async def test_it_connects_and_talks(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        assert (rig.supervisor.status.state, rig.supervisor.is_ready) == (State.READY, True)
        rig.link.send("grüß dich".encode())
        await until(lambda: rig.talk.messages)
        assert peer.received == ["grüß dich"], "sent as a text frame"
        assert rig.talk.messages == ["grüß dich".encode()]
    assert rig.supervisor.status.state is State.CLOSED


async def test_headers_of_the_endpoint_are_sent(peer: Any, supervise: Any) -> None:
    async with supervise(Endpoint(peer.url, headers={"X-Test": "yes"})) as rig:
        await rig.supervisor.wait_ready()
    assert peer.upgrades[0].headers["X-Test"] == "yes"


async def test_messages_of_one_burst_come_in_order(peer: Any, supervise: Any, until: Any) -> None:
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        await until(lambda: peer.open)
        await anyio.to_thread.run_sync(peer.send, *map(str, range(500)))
        await until(lambda: len(rig.talk.messages) == 500)
        assert rig.talk.messages == [str(number).encode() for number in range(500)]


async def test_a_refused_connection_is_tried_again(peer: Any, supervise: Any, until: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with supervise(f"ws://127.0.0.1:{port}/") as rig:
        await until(lambda: len(rig.driver.failures) == 2)
        error = rig.driver.failures[0]
        assert isinstance(error, ConnectFailed)
        assert (error.retryable, error.upgrade_sent) == (True, False)
        rig.driver.to = Endpoint(peer.url)
        await rig.supervisor.wait_ready()


async def test_a_name_that_does_not_resolve_is_tried_again(supervise: Any, until: Any) -> None:
    async with supervise("ws://nowhere.invalid/") as rig:
        await until(lambda: rig.driver.failures)
        assert rig.driver.failures[0].retryable


@pytest.mark.parametrize("status", [401, 403])
async def test_a_fatal_refusal_is_final(peer: Any, supervise: Any, status: int) -> None:
    peer.refusals = [(status, {})]
    async with supervise(peer.url) as rig:
        with pytest.raises(UpgradeRefused, match=str(status)) as caught:
            await rig.supervisor.wait_ready()
        with anyio.fail_after(5):
            await rig.child.wait()
        assert rig.supervisor.status.state is State.FAILED
        assert rig.driver.fatal == [caught.value]
        assert rig.driver.failures == []
        with pytest.raises(UpgradeRefused):
            await rig.supervisor.attempt_now()
    assert len(peer.upgrades) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_of_a_refusal_holds_the_next_attempt_back(peer: Any, supervise: Any, status: int) -> None:
    peer.refusals = [(status, {"Retry-After": "1"})]
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        (error,) = rig.driver.failures
        assert (error.status, error.retry_after, error.upgrade_sent) == (status, 1.0, True)
        first, second = rig.driver.asked
        assert second - first >= 1.0


async def test_a_refusal_without_retry_after_goes_by_schedule(peer: Any, supervise: Any) -> None:
    peer.refusals = [(503, {}), (503, {"Retry-After": "soon"})]
    async with supervise(peer.url) as rig:
        await rig.supervisor.wait_ready()
        assert [error.retry_after for error in rig.driver.failures] == [None, None]


@pytest.mark.parametrize("location", ["https://maintenance.example/", "http://portal.example/login"])
async def test_a_redirect_to_a_page_for_people_is_tried_again(
    peer: Any, supervise: Any, until: Any, location: str
) -> None:
    """A captive portal or a load balancer in maintenance does this; it passes."""
    peer.refusals = [(302, {"Location": location})]
    async with supervise(peer.url) as rig:
        await until(lambda: rig.driver.failures or rig.driver.fatal)
        assert rig.driver.fatal == []
        await rig.supervisor.wait_ready()


@pytest.mark.parametrize("retry_after", ["9" * 400, "-5", "nan", "inf"])
async def test_a_senseless_retry_after_does_not_stop_us(
    peer: Any, supervise: Any, until: Any, retry_after: str
) -> None:
    peer.refusals = [(503, {"Retry-After": retry_after})]
    async with supervise(peer.url) as rig:
        await until(lambda: rig.driver.failures)
        wait = rig.driver.failures[0].retry_after
        assert wait is None or 0 <= wait < 10**9


async def test_retry_after_may_be_a_date(peer: Any, supervise: Any, until: Any) -> None:
    peer.refusals = [(503, {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)})]
    async with supervise(peer.url) as rig:
        await until(lambda: rig.driver.failures)
        assert rig.driver.failures[0].retry_after == pytest.approx(90.0, abs=5.0)


async def test_an_address_that_can_never_work_is_final(supervise: Any) -> None:
    async with supervise("https://localhost/") as rig:
        with pytest.raises(ConnectFailed, match="not a valid ws"):
            await rig.supervisor.wait_ready()
        assert rig.supervisor.status.state is State.FAILED


async def test_an_upgrade_without_an_answer_times_out(peer: Any, supervise: Any, until: Any, ms: float) -> None:
    peer.hang = True
    async with supervise(peer.url, attempt_timeout=80 * ms) as rig:
        await until(lambda: rig.driver.failures)
        assert isinstance(rig.driver.failures[0], ConnectTimeout)
        assert "no connection within" in str(rig.driver.failures[0])
        assert rig.driver.failures[0].upgrade_sent
        peer.hang = False
        await rig.supervisor.wait_ready()


async def test_a_handshake_without_an_end_times_out(
    peer: Any, supervise: Any, until: Any, talk_class: Any, ms: float
) -> None:
    class Endless(talk_class):
        async def handshake(self) -> None:
            await anyio.sleep_forever()

    async with supervise(peer.url, talk=Endless, attempt_timeout=80 * ms) as rig:
        await until(lambda: len(rig.driver.failures) >= 2)
        assert all(talk.losses for talk in rig.driver.talks[:2])
        await until(lambda: len(peer.open) <= 1)


async def test_the_time_of_an_attempt_ends_with_the_handshake(
    peer: Any, supervise: Any, talk_class: Any, ms: float
) -> None:
    class SlowToPrepare(talk_class):
        async def prepare(self) -> None:
            await anyio.sleep(250 * ms)

    async with supervise(peer.url, talk=SlowToPrepare, attempt_timeout=200 * ms) as rig:
        await rig.supervisor.wait_ready()
        assert rig.driver.failures == []


async def test_a_reset_during_the_upgrade_may_have_been_seen_by_the_server(
    peer: Any, supervise: Any, until: Any
) -> None:
    peer.reset_upgrade = True
    async with supervise(peer.url) as rig:
        await until(lambda: rig.driver.failures)
        assert rig.driver.failures[0].upgrade_sent


async def test_an_error_in_the_handshake_is_a_failed_attempt(
    peer: Any, supervise: Any, until: Any, talk_class: Any
) -> None:
    error = ConnectFailed("the session was refused")

    class Refused(talk_class):
        async def handshake(self) -> None:
            raise error

    async with supervise(peer.url, talk=Refused) as rig:
        await until(lambda: len(rig.driver.failures) >= 2)
        assert rig.driver.failures[0] is error
        assert rig.driver.talks[0].losses[0].kind is LossKind.ABORTED
