"""What connects several servers to one service: topics as logs, membership, signals. In the process, or over Redis.

Used by rtm/, which uses nothing else of Redis; imports nothing of websocket/ and connection/.

interface.py   what a broker does
memory.py      a broker within the process
hub.py         what several of these share
queue.py       the appends that wait for the service
redis.py       a broker over Redis: what outlives a connection, and which part does what
redis_session.py  the two connections to it, until either is lost
redis_link.py, redis_errors.py  one connection; what its errors mean
redis_appends.py, redis_topics.py, redis_signals.py, redis_members.py  the parts
redis_address.py  the URL
scripts.py     what runs inside Redis
positions.py   positions in a log of Redis, and how holes show
"""

from typing import TYPE_CHECKING

from rcex_ws.broker.hub import MemoryHub
from rcex_ws.broker.interface import (
    Appended,
    Broker,
    BrokerError,
    BrokerFull,
    BrokerRefused,
    BrokerUnavailable,
    Entry,
    Hole,
    Reader,
    Stretch,
)
from rcex_ws.broker.memory import MemoryBroker
from rcex_ws.lazy import lazy_names

if TYPE_CHECKING:
    from rcex_ws.broker.redis import RedisBroker
else:
    __getattr__ = lazy_names(
        __name__,
        {"RedisBroker": ".redis"},
        extra={"coredis"},
        advice="RedisBroker needs an extra: pip install 'rcex_ws[redis]'",
    )

__all__ = [
    "Appended",
    "Broker",
    "BrokerError",
    "BrokerFull",
    "BrokerRefused",
    "BrokerUnavailable",
    "Entry",
    "Hole",
    "MemoryBroker",
    "MemoryHub",
    "Reader",
    "RedisBroker",
    "Stretch",
]
