"""When the client connects again, with which authentication, and when it gives up: in time that a test turns."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import trio
from trio.testing import MockClock

from rcex_ws.connection import LossKind, State
from rcex_ws.errors import ConfigurationError, ConnectFailed, ConnectTimeout, RequestTimeout
from rcex_ws.rtm import AuthenticationRefused
from tests.rtm.scripted import InMemory, Rig, Scripted, session


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Only trio has a clock that tests can turn."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@asynccontextmanager
async def memory(prepare: Callable[[Scripted], None] = lambda _: None, **options: Any) -> AsyncGenerator[Rig]:
    """Give a client that is not started, and a server without a network between them."""
    server = Scripted("ws://virtual.example/rtm")
    prepare(server)
    async with anyio.create_task_group() as group:
        it = Rig(server, **options)
        it.client.open_socket = opener = InMemory(server, group)
        it.opened = opener.opened  # type: ignore[attr-defined]
        try:
            yield it
        finally:
            await it.client.aclose()
            group.cancel_scope.cancel()


def attempts(it: Any) -> list[float]:
    """Return the times of all attempts, from the first one on."""
    return [round(when - it.opened[0], 6) for when in it.opened]


async def test_attempts_count_from_one_and_anew_after_a_success() -> None:
    async with memory(reconnect_delays=lambda n: n) as it:
        it.server.refusal = 503
        await it.client.start(wait=False)
        await trio.sleep(4)
        assert attempts(it) == [0, 1, 3]
        it.server.refusal = None
        await it.client.wait_ready()
        await trio.sleep(40)
        it.server.refusal = 503
        it.server.peer.abort()
        await trio.sleep(0.5)
        assert it.told.of("reconnecting") == [1, 2, 3, 1]
        assert it.told.names[:6] == ["error", "reconnecting"] * 3
        assert all(isinstance(error, ConnectFailed) for error in it.told.of("error"))
        assert it.told.names[6:] == ["open", "close", "reconnecting", "error"]


async def test_a_connection_that_has_lasted_is_opened_again_at_once_and_a_short_one_by_the_schedule() -> None:
    async with memory(reconnect_delays=lambda n: 7) as it:
        await it.client.start()
        await trio.sleep(29)
        it.server.peer.abort()
        await trio.sleep(8)
        assert attempts(it) == [0, 36]
        await trio.sleep(34)
        it.server.peer.abort()
        await it.told.wait("open", 3)
        assert attempts(it) == [0, 36, 71]


async def test_a_server_that_restarts_is_tried_soon_but_only_once_in_a_row() -> None:
    async with memory(reconnect_delays=lambda n: 100) as it:
        await it.client.start()
        for count in (2, 3):
            it.server.peer.close(1012)
            await it.told.wait("open", count)
        assert attempts(it)[-1] <= 2
    async with memory(reconnect_delays=lambda n: 100, authentication="a") as it:
        await it.client.start()
        it.server.accepts = ...
        it.server.peer.close(1012)
        await it.server.until(lambda: len(it.server.received) == 2)
        it.server.peer.close(1012)
        await trio.sleep(99)
        assert len(attempts(it)) == 2
        await trio.sleep(2)
        assert len(attempts(it)) == 3


async def test_no_wait_steps_over_the_last_moment_at_which_the_session_can_be_resumed() -> None:
    async with memory(reconnect_delays=lambda n: 100) as it:
        it.server.greets = lambda number: [session(window=60.0)]
        await it.client.start()
        await trio.sleep(40)
        it.server.refusal = 503
        it.server.peer.abort()
        await trio.sleep(300)
        assert attempts(it)[1] == 40, "it had lasted"
        in_time = [when for when in attempts(it)[2:] if when < 40 + 60]
        assert in_time[0] <= 40 + 30
        assert in_time[-1] >= 40 + 25
        after = [when for when in attempts(it) if when >= 40 + 60]
        assert after[1] - after[0] == pytest.approx(100)


@pytest.mark.parametrize("start", [session(window=0.0), None])
async def test_without_a_session_the_schedule_alone_counts(start: dict[str, Any] | None) -> None:
    async with memory(reconnect_delays=lambda n: 100) as it:
        it.server.greets = lambda number: [] if start is None else [start]
        await it.client.start()
        it.server.refusal = 503
        it.server.peer.abort()
        await trio.sleep(250)
        assert attempts(it) == [0, 100, 200]


async def test_a_first_attempt_that_is_sent_away_is_tried_soon_too() -> None:
    async with memory(
        lambda server: setattr(server, "accepts", ...), reconnect_delays=lambda n: 100, authentication="a"
    ) as it:
        await it.client.start(wait=False)
        await it.server.next()
        it.server.accepts = True
        it.server.peer.close(1012)
        await trio.sleep(1.01)
        assert it.client.connected


async def test_a_server_that_has_too_much_of_this_client_is_left_alone_for_some_seconds() -> None:
    async with memory(reconnect_delays=lambda n: 0) as it:
        await it.client.start()
        await trio.sleep(60)
        it.server.peer.close(4429)
        await it.told.wait("open", 2)
        assert 62 <= attempts(it)[1] <= 66
    async with memory(reconnect_delays=lambda n: 50) as it:
        await it.client.start()
        it.server.peer.close(4429)
        await trio.sleep(51)
        assert attempts(it) == [0, 50]


async def test_a_silent_server_is_lost_after_the_times_of_the_heartbeat() -> None:
    async with memory(heartbeat_interval=20, heartbeat_timeout=5) as it:
        it.subscribe("x")
        await it.client.start()
        await trio.sleep(1000)
        assert it.told.names == ["open"]
        it.server.peer.freeze()
        await trio.sleep(26)
        assert it.told.names == ["open", "close", "reconnecting", "gap", "open"]
        assert it.told.losses[0].kind is LossKind.SILENT
        (gap,) = it.told.gaps
        assert gap.published


async def test_an_attempt_whose_first_ping_is_not_answered_fails() -> None:
    async with memory(attempt_timeout=8) as it:
        it.server.deaf = True
        await it.client.start(wait=False)
        await trio.sleep(7)
        assert it.told.names == []
        it.server.deaf = False
        await it.told.wait("open")
        assert isinstance(it.told.of("error")[0], ConnectTimeout)


async def test_without_reconnect_it_ends_with_the_first_loss() -> None:
    async with memory(reconnect=False) as it:
        it.subscribe("x")
        await it.client.start()
        it.server.event("x", 1)
        await it.settle()
        it.server.peer.abort()
        await it.client.wait_closed()
        assert it.client.state is State.CLOSED
        assert it.told.names == ["open", "x", "close"]
        await trio.sleep(1000)
        assert attempts(it) == [0]


async def test_without_reconnect_a_later_start_resumes_and_tells_the_gap() -> None:
    async with memory(lambda server: setattr(server, "greets", lambda n: [session(f"s{n}")]), reconnect=False) as it:
        it.subscribe("x")
        await it.client.start()
        it.server.event("x", 1)
        await it.settle()
        it.server.peer.abort()
        await it.client.wait_closed()
        await it.client.start()
        await it.settle()
        assert it.server.upgrades == ["new", "s1;1;"]
        assert len(it.told.gaps) == 1
        await it.client.aclose()
        await it.client.start()
        await it.settle()
        assert it.server.upgrades[2] == "new"
        assert len(it.told.gaps) == 1, "what the application closes it does not miss"


async def test_without_reconnect_a_failed_attempt_is_final() -> None:
    async with memory(lambda server: setattr(server, "refusal", 503), reconnect=False) as it:
        with pytest.raises(ConnectFailed):
            await it.client.start()
        assert it.client.state is State.FAILED
        assert it.told.names == ["error"]


async def test_start_gives_up_after_its_time_and_leaves_nothing_running() -> None:
    async with memory(
        lambda server: setattr(server, "refusal", 503), open_timeout=20, reconnect_delays=lambda n: 3
    ) as it:
        begun = trio.current_time()
        with pytest.raises(ConnectFailed, match="no connection within 20 s; trying again can help"):
            await it.client.start()
        assert trio.current_time() == begun + 20
        count = len(it.server.upgrades)
        await trio.sleep(1000)
        assert len(it.server.upgrades) == count
        it.server.refusal = None
        await it.client.start()
        assert it.client.connected


async def test_a_wrong_schedule_is_reported() -> None:
    async with memory(reconnect_delays=lambda n: "x") as it:
        await it.client.start()
        it.server.peer.abort()
        assert isinstance(await it.told.wait("error"), ConfigurationError)


async def test_the_time_out_of_a_call_runs_while_there_is_no_connection() -> None:
    async with memory(
        lambda server: setattr(server, "refusal", 503), call_timeout=15, reconnect_delays=lambda n: 9
    ) as it:
        await it.client.start(wait=False)
        begun = trio.current_time()
        with pytest.raises(RequestTimeout):
            await it.client.call_wait("f")
        assert trio.current_time() == begun + 15


# -- authentication ----------------------------------------------------------------------------------------------------


async def test_a_function_gives_the_authentication_of_each_connection() -> None:
    count = 0

    async def fresh() -> Any:
        nonlocal count
        count += 1
        await trio.sleep(1)
        return {"token": count}

    async with memory(authentication=fresh) as it:
        await it.client.start()
        await it.lose()
        assert [frame["data"] for frame in it.server.received] == [[{"token": 1}], [{"token": 2}]]


async def test_a_function_may_be_sync_and_may_give_none_for_no_authentication() -> None:
    given = iter(["a", None])
    async with memory(authentication=lambda: next(given)) as it:
        await it.client.start()
        assert it.client.authenticated
        await it.lose()
        assert not it.client.authenticated
        assert len(it.server.received) == 1


async def test_a_function_that_raises_fails_the_attempt() -> None:
    failures: list[Exception] = [OSError("secret"), ConnectFailed("later")]

    def give() -> str:
        if failures:
            raise failures.pop(0)
        return "a"

    async with memory(authentication=give) as it:
        await it.client.start()
        await it.settle()
        first, second = it.told.of("error")
        assert (str(first), repr(first.__cause__)) == (
            "authentication: the function raised OSError",
            "OSError('secret')",
        )
        assert str(second) == "later"
        assert it.told.of("reconnecting") == [1, 2]


@pytest.mark.parametrize("last", [ConfigurationError("no grant"), AuthenticationRefused("gone")], ids=str)
async def test_an_error_of_the_function_that_cannot_be_retried_is_final(last: Exception) -> None:
    def give() -> str:
        raise last

    async with memory(authentication=give) as it:
        with pytest.raises(type(last)):
            await it.client.start()
        assert it.client.state is State.FAILED
        assert it.told.of("error") == [last]
        assert it.opened == []  # type: ignore[attr-defined]


async def test_what_is_not_json_is_final_too() -> None:
    async with memory(authentication=object) as it:
        with pytest.raises(ConfigurationError, match="authentication: JSON cannot express it"):
            await it.client.start()


async def test_a_refused_reconnect_is_final() -> None:
    async with memory(authentication="a") as it:
        await it.client.start()
        it.server.accepts = None
        it.server.peer.abort()
        with pytest.raises(AuthenticationRefused):
            await it.client.wait_closed()
        assert it.client.state is State.FAILED
        assert it.told.names[-3:] == ["authenticating", "close", "error"]
        assert it.told.losses[-1].kind is LossKind.REFUSED
        await trio.sleep(1000)
        assert len(it.server.upgrades) == 2
