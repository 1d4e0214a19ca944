"""Redis restarts, hangs and goes away: what is appended arrives once and in order, or its loss is told."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import anyio
import pytest

from rcex_ws import ConfigurationError
from rcex_ws.broker import Appended, BrokerFull, BrokerUnavailable, Hole, RedisBroker
from rcex_ws.broker.redis import short_delays
from rcex_ws.rtm.server import RtmServer
from rcex_ws.testing import FaultProxy
from tests.redis_server import RedisServer, redis_is_installed

if tuple(map(int, version("anyio").split(".")[:2])) < (4, 16):
    # connect_tcp then forgets a connection if it is cancelled just when it stands; the collector closes it.
    pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture
def own(need: Any) -> Iterator[RedisServer]:
    """A Redis that the test may do harm to; it keeps its data."""
    need(redis_is_installed(), "redis-server", "Debian's package has that name")
    with RedisServer(("appendonly", "yes")) as server:
        yield server


@pytest.fixture
def via(redis_server: RedisServer) -> Iterator[FaultProxy]:
    """A network between the nodes and the shared Redis."""
    with FaultProxy(redis_server.host, redis_server.port) as proxy:
        yield proxy


def url_of(proxy: FaultProxy) -> str:
    return f"redis://{proxy.host}:{proxy.port}"


async def on_thread(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await anyio.to_thread.run_sync(lambda: call(*args, **kwargs))


@pytest.mark.parametrize("cut", [FaultProxy.cut, FaultProxy.reset])
async def test_a_cut_network_loses_and_repeats_nothing(
    redis: Any, via: FaultProxy, reading: Any, until: Any, cut: Any
) -> None:
    async with redis() as service:
        far, near = await service.node(url=url_of(via)), await service.node()
        here, there = reading(), reading()
        await far.broker.follow("t", there)
        await near.broker.follow("t", here)
        for round_ in range(5):
            for number in range(20):
                far.send("t", b"far %d %d" % (round_, number))
                near.send("t", b"near %d %d" % (round_, number))
            await on_thread(cut, via)
            near.send("t", b"near %d cut" % round_)
            far.send("t", b"far %d cut" % round_)
            await until(lambda seen=2 * round_ + 3: len(far.changes) == seen)
        await until(lambda: len(here.data) == len(there.data) == 2 * 5 * 21)
        assert here.data == there.data
        assert here.holes == there.holes == []
        for name in ("far", "near"):
            own = [data for data in here.data if data.startswith(name.encode())]
            sent = [b"%s %d %d" % (name.encode(), round_, number) for round_ in range(5) for number in range(20)]
            assert [data for data in own if not data.endswith(b"cut")] == sent
        assert all(isinstance(outcome, Appended) for outcome in far.outcomes + near.outcomes)
        assert [change for change in far.changes if change] == [True] * 6
        assert all(isinstance(error, BrokerUnavailable) for error in far.errors if error is not None)


async def test_what_is_appended_while_redis_is_away_is_taken_when_it_is_back(
    redis: Any, own: RedisServer, reading: Any, until: Any
) -> None:
    async with redis(url=own.url) as service:
        one, two = await service.node(), await service.node()
        got = reading()
        await two.broker.follow("t", got)
        await one.append("t", b"1")
        await on_thread(own.kill)
        await until(lambda: not one.broker.connected and not two.broker.connected)
        one.send("t", b"2", b"3")
        one.broker.set_member("g", 2)
        await on_thread(own.start)
        await until(lambda: len(got.data) == 3)
        assert got.data == [b"1", b"2", b"3"]
        assert [hole.certain for hole in got.holes] == [False], "a restart may have lost what was not on the disk yet"
        assert "restarted" in got.holes[0].reason
        await until(lambda: len(one.outcomes) == 2)
        stretch = await two.broker.read("t", got.starts[0])
        assert [entry.data for entry in stretch.entries] == got.data[got.told.index(got.holes[0]) :]
        assert stretch.hole is None
        old = await two.broker.read("t", got.entries[0].position)
        assert [entry.data for entry in old.entries] == [b"2", b"3"]
        while await two.broker.members("g") != {one.broker.node: 2}:
            pass


async def test_a_redis_that_lost_everything_goes_on_with_a_possible_hole(
    redis: Any, own: RedisServer, reading: Any, until: Any
) -> None:
    async with redis(url=own.url) as service:
        one, two = await service.node(), await service.node()
        got, idle = reading(), reading()
        await two.broker.follow("t", got)
        begun = await two.broker.follow("idle", idle)
        one.broker.set_member("g", 1)
        await one.append("t", b"1")
        await until(lambda: got.data)
        await on_thread(own.kill)
        await on_thread(own.start, keep_data=False)
        await one.append("t", b"2")
        await until(lambda: len(got.data) == 2 and idle.holes)
        assert got.holes == [Hole(certain=False, reason="Redis was restarted or has lost data")]
        assert (got.data, idle.data) == ([b"1", b"2"], [])
        stretch = await one.broker.read("idle", begun)
        assert (stretch.entries, stretch.hole.certain) == ((), False)
        assert (await one.broker.read("idle", stretch.position)).hole is None
        while await two.broker.members("g") != {one.broker.node: 1}:
            pass


async def test_data_that_is_flushed_under_open_connections_leaves_a_possible_hole(
    redis: Any, reading: Any, until: Any, redis_server: RedisServer, ms: float
) -> None:
    async with redis(time_to_live=300 * ms) as service:
        one, two = await service.node(), await service.node()
        got = reading()
        await two.broker.follow("t", got)
        one.broker.set_member("g", 1)
        await one.append("t", b"1")
        redis_server.command("FLUSHALL")
        await one.append("t", b"2")
        await until(lambda: len(got.data) == 2)
        assert [hole.certain for hole in got.holes] == [False]
        while await two.broker.members("g") != {one.broker.node: 1}:
            await anyio.sleep(10 * ms)
        assert one.changes == two.changes == [True]


async def test_scripts_that_redis_forgot_are_brought_again(redis: Any, reading: Any, redis_server: RedisServer) -> None:
    async with redis() as service:
        node = await service.node()
        for number in range(3):
            redis_server.command("SCRIPT", "FLUSH")
            if number == 0:
                await node.append("t", b"")
            elif number == 1:
                await node.broker.members("g")
            else:
                await node.broker.follow("t", reading())
        assert node.changes == [True]


async def test_a_redis_that_hangs_is_noticed_and_what_was_sent_is_appended_once(
    redis: Any, own: RedisServer, reading: Any, until: Any, ms: float
) -> None:
    async with redis(url=own.url, command_timeout=250 * ms, time_to_live=600 * ms) as service:
        node = await service.node()
        got = reading()
        await node.broker.follow("t", got)
        await on_thread(own.pause)
        node.send("t", b"1", b"2")
        await until(lambda: not node.broker.connected)
        with pytest.raises(BrokerUnavailable):
            await node.broker.read("t", "")
        await on_thread(own.resume)  # it still runs what the first connection had sent
        await until(lambda: len(got.data) == 2)
        await node.append("t", b"3")
        await until(lambda: len(got.data) == 3)
        assert got.data == [b"1", b"2", b"3"]
        assert got.holes == []
        assert "in time" in str(next(error for error in node.errors if error is not None))


@pytest.mark.parametrize("direction", ["both", "down"])
async def test_a_connection_that_is_half_open_is_noticed_by_an_idle_node(
    redis: Any, via: FaultProxy, until: Any, ms: float, direction: Any
) -> None:
    async with redis(command_timeout=250 * ms, time_to_live=300 * ms) as service:
        node = await service.node(url=url_of(via))
        via.freeze(direction)
        await until(lambda: not node.broker.connected)
        via.thaw()
        await until(lambda: node.broker.connected)


async def test_an_append_fails_in_time_and_says_whether_it_may_have_been_taken(
    redis: Any, via: FaultProxy, until: Any, ms: float
) -> None:
    async with redis(command_timeout=200 * ms) as service:
        node = await service.node(url=url_of(via), reconnect_delays=lambda _: 60.0)
        via.freeze("down")
        with pytest.raises(BrokerUnavailable) as caught:
            await node.append("t", b"sent", 50 * ms)
        assert caught.value.sent
        await until(lambda: not node.broker.connected)
        with pytest.raises(BrokerUnavailable) as caught:
            await node.append("t", b"never sent", 50 * ms)
        assert not caught.value.sent


async def test_the_queue_is_bounded(redis: Any, own: RedisServer, until: Any) -> None:
    async with redis(url=own.url) as service:
        node = await service.node(max_waiting_entries=3)
        await on_thread(own.kill)
        await until(lambda: not node.broker.connected)
        node.send("t", b"1", b"2", b"3")
        with pytest.raises(BrokerFull):
            node.send("t", b"4")
        await on_thread(own.start)
        await until(lambda: len(node.outcomes) == 3)
        assert [type(outcome) for outcome in node.outcomes] == [Appended] * 3


async def test_calls_wait_for_redis_up_to_the_time_out(
    redis: Any, own: RedisServer, reading: Any, until: Any, ms: float
) -> None:
    async with redis(url=own.url, command_timeout=300 * ms) as service:
        node, other = await service.node(), await service.node()
        await on_thread(own.kill)
        await until(lambda: not node.broker.connected and not other.broker.connected)
        late = reading()
        with pytest.raises(BrokerUnavailable):
            await node.broker.follow("t", late)
        with pytest.raises(BrokerUnavailable):
            await node.broker.members("g")
        read = []

        async def read_patiently() -> None:
            while not read:
                with contextlib.suppress(BrokerUnavailable):
                    read.append(await other.broker.read("t", ""))

        async with anyio.create_task_group() as group:
            group.start_soon(read_patiently)
            await on_thread(own.start)
        await until(lambda: late.holes)
        assert late.holes == [Hole(certain=False, reason="the topic could not be followed in time")]
        await other.append("t", b"1")
        await until(lambda: late.data == [b"1"])


async def test_a_call_whose_connection_is_lost_is_asked_again(redis: Any, via: FaultProxy, until: Any) -> None:
    async with redis() as service:
        node = await service.node(url=url_of(via))
        appended = await node.append("t", b"1")
        via.freeze()
        read = []

        async def ask() -> None:
            read.append(await node.broker.read("t", appended.position))
            read.append(await node.broker.members("g"))

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            await on_thread(via.cut)
            via.thaw()
        assert (read[0].hole, read[1]) == (None, {})


async def test_a_redis_that_is_not_there_is_tried_by_schedule(redis: Any, own: RedisServer, until: Any) -> None:
    own.kill()
    asked: list[int] = []

    def delays(failures: int) -> float:
        asked.append(failures)
        return 0.01

    async with redis(url=own.url, reconnect_delays=delays) as service:
        node = await service.node(connected=False)
        await until(lambda: len(node.changes) >= 3)
        assert not any(node.changes)
        assert asked[:3] == [1, 2, 3]
        assert f"127.0.0.1:{own.port} cannot be reached" in str(node.errors[0])
        await on_thread(own.start)
        await until(lambda: node.broker.connected)


async def test_a_schedule_that_raises_is_logged(redis: Any, own: RedisServer, until: Any, caplog: Any) -> None:
    own.kill()

    def delays(_: int) -> float:
        raise ValueError("no")

    async with redis(url=own.url, reconnect_delays=delays) as service:
        await service.node(connected=False)
        await until(lambda: "reconnect_delays" in caplog.text)


async def test_what_is_left_when_redis_is_away_goes_by_itself(
    redis: Any, own: RedisServer, until: Any, ms: float
) -> None:
    async with redis(url=own.url, command_timeout=300 * ms, time_to_live=300 * ms) as service:
        one, two = await service.node(), await service.node()
        one.broker.set_member("g", 1)
        while not await two.broker.members("g"):
            pass
        await on_thread(own.pause)
        await one.stop()
        await one.broker.aclose()
        await on_thread(own.resume)
        await until(lambda: two.broker.connected)
        while True:
            try:
                if not await two.broker.members("g"):
                    break
            except BrokerUnavailable:
                pass
            await anyio.sleep(10 * ms)


async def test_a_node_may_be_closed_when_redis_is_gone_or_was_never_there(
    redis: Any, own: RedisServer, until: Any, ms: float
) -> None:
    async with redis(url=own.url) as service:
        node = await service.node()
        await on_thread(own.kill)
        await until(lambda: not node.broker.connected)
        never = await service.node(connected=False)
        with anyio.fail_after(1000 * ms):
            await node.stop()
            await never.stop()


async def test_a_node_that_left_has_left_nothing(redis: Any, redis_server: RedisServer) -> None:
    async with redis() as service:
        node = await service.node()
        node.broker.set_member("g", 1)
        await node.append("t", b"")
        while await node.broker.members("g") == {}:
            pass
        await node.stop()
        assert sorted(redis_server.command("KEYS", "*")) == [b"rtm:epoch", b"rtm:log:t"]


async def test_services_with_other_prefixes_and_databases_do_not_meet(
    redis: Any, reading: Any, redis_server: RedisServer, until: Any
) -> None:
    async with redis() as service:
        nodes = [
            await service.node(),
            await service.node(prefix="other"),
            await service.node(url=f"{redis_server.url}/3"),
        ]
        readings = [reading() for _ in nodes]
        for number, (node, got) in enumerate(zip(nodes, readings, strict=True)):
            node.broker.set_member("g", number + 1)
            await node.broker.follow("t", got)
        for number, node in enumerate(nodes):
            assert (await node.append("t", b"%d" % number)).followers == 1
        for number, (node, got) in enumerate(zip(nodes, readings, strict=True)):
            await until(lambda got=got: got.data)
            assert (got.data, got.holes) == ([b"%d" % number], [])
            assert (await node.broker.members("g")) == {node.broker.node: number + 1}


async def test_tls_and_a_login(need: Any, redis: Any, authority: Any, tmp_path: Any, until: Any, caplog: Any) -> None:
    need(redis_is_installed(), "redis-server", "Debian's package has that name")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    authority.cert_pem.write_to_path(tmp_path / "ca")
    with RedisServer(("user", "bob on >p@ss:word ~rtm:* &rtm:* +@all"), ("user", "default off")) as server:
        server.tls_port = server.free_port()
        server.restart_with(
            ("tls-port", str(server.tls_port)),
            ("tls-cert-file", str(tmp_path / "cert")),
            ("tls-key-file", str(tmp_path / "key")),
            ("tls-ca-cert-file", str(tmp_path / "ca")),
            ("tls-auth-clients", "no"),
        )
        context = ssl.create_default_context()
        authority.configure_trust(context)
        login = f"bob:p%40ss%3Aword@127.0.0.1:{server.tls_port}"
        async with redis() as service:
            node = await service.node(url=f"rediss://{login}", ssl_context=context)
            await node.append("t", b"1")
            untrusting = await service.node(url=f"rediss://{login}", connected=False)
            plain = await service.node(url=f"redis://{login}", connected=False)
            wrong = await service.node(
                url=f"rediss://bob:s3cret@127.0.0.1:{server.tls_port}", ssl_context=context, connected=False
            )
            nobody = await service.node(
                url=f"rediss://127.0.0.1:{server.tls_port}", ssl_context=context, connected=False
            )
            await until(lambda: untrusting.errors and plain.errors and wrong.errors and nobody.errors)
            assert "ssl_context" in str(untrusting.errors[0])
            assert "refused the login" in str(wrong.errors[0])
            assert "refused the login" in str(nobody.errors[0])
            for one in (node, untrusting, plain, wrong, nobody):
                shown = f"{one.broker!r} {one.errors} {vars(one.broker)}"
                assert "s3cret" not in shown
                assert "p@ss" not in shown
                assert "p%40" not in shown
        assert "s3cret" not in caplog.text
        assert "p@ss" not in caplog.text


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("url", "http://localhost"),
        ("url", 7),
        ("prefix", ""),
        ("ssl_context", True),
        ("max_entries", 0),
        ("max_age", -1.0),
        ("time_to_live", 0),
        ("command_timeout", "3"),
        ("max_waiting_entries", 0),
        ("max_waiting_bytes", 0),
        ("reconnect_delays", 3),
    ],
)
def test_wrong_arguments_are_refused_by_name(option: str, value: object) -> None:
    options: Any = {"url": "redis://localhost", option: value}
    with pytest.raises(ConfigurationError, match=option):
        RedisBroker(options.pop("url"), **options)


def test_it_is_made_before_there_is_an_event_loop() -> None:
    server = RtmServer(authenticate=lambda client, token: token, redis="redis://127.0.0.1:1")  # at the top of a module
    assert server.id


def test_the_wait_for_redis_grows_as_that_of_all_clients_but_ends_at_five_seconds() -> None:
    assert [short_delays(1), short_delays(3), short_delays(9)] == [1.0, 5.0, 5.0]
    assert 2.0 <= short_delays(2) <= 5.0
