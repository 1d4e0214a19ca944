"""The URL of a Redis: its parts, its faults, and what is never shown."""

from __future__ import annotations

import pytest

from rcex_ws import ConfigurationError
from rcex_ws.broker import RedisBroker
from rcex_ws.broker.redis_address import RedisAddress


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("redis://", ("localhost", 6379, 0, False, None, None)),
        ("redis://h", ("h", 6379, 0, False, None, None)),
        ("REDISS://H:1/7", ("h", 1, 7, True, None, None)),
        ("redis://:p%40ss@h/", ("h", 6379, 0, False, None, "p@ss")),
        ("redis://b%3Aob:p%2Fss@[::1]:2", ("::1", 2, 0, False, "b:ob", "p/ss")),
    ],
)
def test_parts(url: str, parts: tuple[object, ...]) -> None:
    address = RedisAddress.read(url)
    assert (address.host, address.port, address.db, address.tls, address.username, address.password) == parts
    assert "p@ss" not in f"{address!r} {address}"


def test_the_name_of_the_place() -> None:
    assert str(RedisAddress.read("redis://u:p@[::1]:2/3")) == "[::1]:2"
    assert str(RedisAddress.read("redis://u:p@host")) == "host:6379"


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("localhost:6379", "redis://"),
        ("http://h", "redis://"),
        ("redis://s3cret:s3cret@h:x", "no valid URL"),
        ("redis://[::1", "no valid URL"),
        ("redis://h:0", "port"),
        ("redis://:s3cret@h/x", "number of a database"),
        ("redis://:s3cret@h/-1", "number of a database"),
        ("redis://:s3cret@h?db=1", "query"),
        ("redis://:s3cret@h#1", "fragment"),
        ("redis://s3cret@h", "no password"),
        ("redis://:s3cret@h h", "space"),
        ("redis://:s3cret@h\x00", "control"),
    ],
)
def test_faults(url: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^url: ") as caught:
        RedisBroker(url)
    assert fault in str(caught.value)
    assert "s3cret" not in str(caught.value)
