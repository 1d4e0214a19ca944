"""Happy eyeballs: which address is tried when, which wins, and that no attempt is left."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import anyio
import pytest

from rcex_ws.errors import ConnectFailed
from rcex_ws.loop import on_trio
from rcex_ws.websocket.eyeballs import AddressInfo, connect_first, interleave, resolve


@pytest.fixture(
    params=[("asyncio", {}), ("asyncio", {"use_uvloop": True}), ("trio", {})], ids=["asyncio", "uvloop", "trio"]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def info(name: str, family: int = socket.AF_INET) -> AddressInfo:
    return (family, socket.SOCK_STREAM, 6, "", (name, 80))


class Fake:
    """A socket that records whether it was closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Network:
    """Connects or fails after a delay; keeps a log.

    Args:
        hosts: for each, the delay in seconds and the exception, or None for success.
    """

    def __init__(self, **hosts: tuple[float, Exception | None]) -> None:
        self.hosts = hosts
        self.tried: list[str] = []
        self.cancelled: list[str] = []
        self.made: list[Fake] = []
        self.running = 0

    async def connect(self, info: AddressInfo) -> Fake:
        name = info[4][0]
        seconds, error = self.hosts[name]
        self.tried.append(name)
        self.running += 1
        try:
            await anyio.sleep(seconds)
        except BaseException:
            self.cancelled.append(name)
            raise
        finally:
            self.running -= 1
        if error is not None:
            raise error
        self.made.append(Fake(name))
        return self.made[-1]

    async def first(self) -> str:
        with anyio.fail_after(5):
            winner = await connect_first([info(name) for name in self.hosts], self.connect)
        assert not winner.closed
        assert [fake.closed for fake in self.made if fake is not winner] == [True] * (len(self.made) - 1)
        assert self.running == 0
        return winner.name


def test_the_families_take_turns_beginning_with_the_preferred_one() -> None:
    six, four = socket.AF_INET6, socket.AF_INET
    infos = [info("a", six), info("b", six), info("c", six), info("1", four), info("2", four)]
    assert [one[4][0] for one in interleave(infos)] == ["a", "1", "b", "2", "c"]
    assert [one[4][0] for one in interleave(infos[3:] + infos[:3])] == ["1", "a", "2", "b", "c"]
    assert list(interleave([])) == []


async def test_the_first_address_wins_if_it_answers_in_time() -> None:
    network = Network(a=(0, None), b=(0, None))
    assert await network.first() == "a"
    assert network.tried == ["a"]


async def test_one_that_fails_is_followed_at_once() -> None:
    network = Network(a=(0, OSError(111, "no")), b=(0, OSError(111, "no")), c=(0, None))
    begin = anyio.current_time()
    assert await network.first() == "c"
    assert anyio.current_time() - begin < 0.2


async def test_one_that_hangs_is_followed_after_a_quarter_of_a_second_and_may_still_win() -> None:
    network = Network(a=(0.4, None), b=(3, None), c=(3, None))
    begin = anyio.current_time()
    assert await network.first() == "a"
    assert 0.35 < anyio.current_time() - begin < 2
    assert network.tried == ["a", "b"]
    assert network.cancelled == ["b"]


async def test_the_later_one_wins_if_it_is_faster() -> None:
    network = Network(a=(3, None), b=(0, None))
    begin = anyio.current_time()
    assert await network.first() == "b"
    assert 0.2 < anyio.current_time() - begin < 2
    assert network.cancelled == ["a"]


async def test_two_that_connect_in_the_same_moment() -> None:
    """The second has connected before its cancellation, so it is closed."""
    both = anyio.Event()
    made: list[Fake] = []

    async def connect(info: AddressInfo) -> Fake:
        if info[4][0] == "a":
            await both.wait()
        else:
            both.set()
        made.append(Fake(info[4][0]))
        return made[-1]

    winner = await connect_first([info("a"), info("b")], connect)
    assert [fake.closed for fake in made if fake is not winner] == [True] * (len(made) - 1)


async def test_if_all_fail_the_cause_has_all_reasons() -> None:
    network = Network(a=(0, OSError(111, "refused")), b=(0, OSError(113, "no route")))
    with pytest.raises(OSError, match="no address") as caught:
        await network.first()
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert [exc.errno for exc in caught.value.__cause__.exceptions if isinstance(exc, OSError)] == [111, 113]


async def test_a_single_address_fails_with_its_own_reason() -> None:
    with pytest.raises(ConnectionRefusedError):
        await Network(a=(0, ConnectionRefusedError(111, "refused"))).first()


async def test_a_refusal_of_a_proxy_counts_more_than_an_address_that_does_not_answer() -> None:
    network = Network(a=(0, OSError(111, "refused")), b=(0, ConnectFailed("the proxy said no")))
    with pytest.raises(ConnectFailed, match="the proxy said no"):
        await network.first()


async def test_another_error_comes_out_and_leaves_nothing() -> None:
    network = Network(a=(3, None), b=(0, KeyError("bug")))
    with pytest.raises(ExceptionGroup) as caught:
        await network.first()
    assert isinstance(caught.value.exceptions[0], KeyError)
    assert network.cancelled == ["a"]


@pytest.mark.parametrize("after", [0.0, 0.1, 0.4])
async def test_a_cancellation_leaves_nothing(after: float) -> None:
    network = Network(a=(3, None), b=(3, None))
    with anyio.move_on_after(after) as scope:
        await network.first()
    assert scope.cancelled_caught
    assert network.running == 0
    assert sorted(network.cancelled) == network.tried


async def test_a_cancellation_in_the_moment_of_winning_leaves_nothing() -> None:
    if on_trio():
        pytest.skip("trio has no other cancellation than anyio's, which comes a moment later then")
    made: list[Fake] = []

    async def connect(info: AddressInfo) -> Fake:
        await anyio.sleep(0.01)
        connecting.cancel()
        made.append(Fake(info[4][0]))
        return made[-1]

    connecting = asyncio.create_task(connect_first([info("a"), info("b")], connect))
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert [fake.closed for fake in made] == [True]


async def test_an_ip_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anyio, "getaddrinfo", None)
    for address in ("127.0.0.1", "::1"):
        (found,) = await resolve(address, 80)
        assert found[4][:2] == (address, 80)
