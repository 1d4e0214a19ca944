"""A Redis that will not do: what is said, and that it is tried again."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from coredis import exceptions

from rcex_ws.broker.redis_errors import CommandRefused, explain
from tests.redis_server import RedisServer, redis_is_installed


class Impostor:
    """Answers the first command of each connection with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                client.recv(10_000)
                client.sendall(self._answer)
                while self._answer and client.recv(10_000):
                    pass

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def own(need: Any) -> Iterator[RedisServer]:
    need(redis_is_installed(), "redis-server", "Debian's package has that name")
    with RedisServer() as server:
        yield server


async def test_a_replica_is_refused_until_it_is_the_primary(redis: Any, own: RedisServer, until: Any) -> None:
    async with redis(url=own.url) as service:
        node = await service.node()
        own.command("REPLICAOF", "127.0.0.1", "1")
        node.send("t", b"1")
        await until(lambda: False in node.changes)
        assert "read-only replica" in str(node.errors[node.changes.index(False)])
        own.command("REPLICAOF", "NO", "ONE")
        await until(lambda: len(node.outcomes) == 1)
        assert [entry.data for entry in (await node.broker.read("t", "")).entries] == [b"1"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("+@all -eval -evalsha -script", "allows this user too little"),
        ("+@all -info", "allows this user too little"),
        ("resetkeys ~other:* +@all", "allows this user too little"),
    ],
)
async def test_a_user_who_may_too_little_is_told_what_to_allow(
    redis: Any, own: RedisServer, until: Any, rules: str, said: str
) -> None:
    own.command("ACL", "SETUSER", "bob", "on", ">s3cret", "allkeys", "allchannels", *rules.split(" "))
    async with redis(url=f"redis://bob:s3cret@127.0.0.1:{own.port}") as service:
        node = await service.node(connected=False)
        await until(lambda: node.errors)
        assert said in str(node.errors[0])
        assert "s3cret" not in str(node.errors)
        own.command("ACL", "SETUSER", "bob", "allkeys", "+@all")
        await until(lambda: node.broker.connected)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "Redis at 127.0.0.1"),
        (b"-ERR unknown command 'HELLO'\r\n", "6.2 or newer"),
        (b"-NOPROTO unsupported protocol version\r\n", "6.2 or newer"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "still loading"),
        (
            b"%3\r\n$7\r\nversion\r\n$5\r\n6.0.9\r\n$2\r\nid\r\n:1\r\n$5\r\nproto\r\n:3\r\n",
            "is 6.0.9: it has to be 6.2",
        ),
        (b"", "cannot be reached: "),
    ],
)
async def test_what_is_no_redis_that_will_do(redis: Any, until: Any, answer: bytes, said: str) -> None:
    impostor = Impostor(answer)
    try:
        async with redis(url=f"redis://127.0.0.1:{impostor.port}") as service:
            node = await service.node(connected=False)
            await until(lambda: len(node.errors) > 1)
            assert said in str(node.errors[0])
            assert not any(node.changes)
    finally:
        impostor.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70])
async def test_a_host_that_cannot_be_found(redis: Any, until: Any, host: str) -> None:
    async with redis(url=f"redis://{host}") as service:
        node = await service.node(connected=False)
        await until(lambda: node.errors)
        assert f"Redis at {host}:6379 cannot be reached" in str(node.errors[0])


async def test_a_host_that_does_not_answer_is_given_up_in_time(redis: Any, until: Any, ms: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        async with redis(url=f"redis://127.0.0.1:{mute.getsockname()[1]}", command_timeout=100 * ms) as service:
            node = await service.node(connected=False)
            await until(lambda: node.errors)
            assert "did not answer in time" in str(node.errors[0])


def test_what_errors_mean() -> None:
    assert isinstance(explain(exceptions.ResponseError("OOM\nno"), "h:1"), CommandRefused)
    group = ExceptionGroup("several", [OSError(111, "refused"), OSError(113, "no route")])
    failed = OSError("All connection attempts failed")
    failed.__cause__ = group
    assert "refused" in str(explain(failed, "h:1"))
    assert "TimeoutError" not in str(explain(TimeoutError(), "h:1"))
    assert "the connection was lost" in str(explain(anyio.EndOfStream(), "h:1"))


def test_without_coredis_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['coredis'] = None\n"
        "import rcex_ws.broker\n"
        "try: rcex_ws.broker.RedisBroker\n"
        "except ModuleNotFoundError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "rcex_ws[redis]" in result.stdout


def test_the_import_of_the_folder_or_of_rtm_loads_no_coredis() -> None:
    imports = "import sys, rcex_ws.broker, rcex_ws.rtm.server"
    program = f"{imports}; print(*(name for name in sys.modules if name.startswith('coredis')))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
