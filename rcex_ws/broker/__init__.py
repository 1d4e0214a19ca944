"""What connects several servers to one service: topics as logs, membership, signals. In the process, or over Redis.

Used by rtm/, which uses nothing else of Redis; imports nothing of websocket/ and connection/.

interface.py   what a broker does
memory.py      a broker within the process
hub.py         what several of these share
queue.py       the appends that wait for the service
"""

from rcex_ws.broker.hub import MemoryHub
from rcex_ws.broker.interface import (
    Appended,
    Broker,
    BrokerError,
    BrokerFull,
    BrokerUnavailable,
    Entry,
    Hole,
    Reader,
    Stretch,
)
from rcex_ws.broker.memory import MemoryBroker

__all__ = [
    "Appended",
    "Broker",
    "BrokerError",
    "BrokerFull",
    "BrokerUnavailable",
    "Entry",
    "Hole",
    "MemoryBroker",
    "MemoryHub",
    "Reader",
    "Stretch",
]
