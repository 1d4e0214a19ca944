"""What belongs to one pair of connections to Redis, and is thrown away whole when either is lost."""

from __future__ import annotations

import re
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from anyio.abc import TaskGroup
from msgspec import Struct

from rcex_ws.broker.interface import BrokerUnavailable
from rcex_ws.broker.positions import START, LogEntry, LogPart, Position
from rcex_ws.broker.redis_address import RedisAddress
from rcex_ws.broker.redis_errors import ScriptForgotten
from rcex_ws.broker.redis_link import Answer, RedisLink
from rcex_ws.broker.scripts import HEARTBEAT, READ, Names
from rcex_ws.loop import Signal, now

__all__ = ["RedisSession", "Settings"]

#: How many entries of a log are read at once.
READ_ENTRIES = 200


class Settings(Struct, frozen=True):
    """What all parts of a `RedisBroker` know.

    Attributes:
        node: the id of the node.
        names: of keys and channels.
        max_entries: how many entries a log keeps.
        max_age: how long a log keeps an entry, in seconds.
        time_to_live: how long a node counts as alive without a sign, in seconds.
        command_timeout: how long Redis has for each answer, in seconds.
    """

    node: str
    names: Names
    max_entries: int
    max_age: float
    time_to_live: float
    command_timeout: float


class RedisSession:
    """Two connections, for commands and for what followers are sent.

    Attributes:
        commands: the one for commands.
        feed: the one that followers are sent entries and signals on.
        lost: set when either is lost.
        error: why.
        proven_at: when both were last known to work, by the loop's clock.
        run_id: of the Redis.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.lost = Signal()
        self.error = BrokerUnavailable("the connection to Redis was lost")
        self.proven_at = now()
        self.run_id = ""

    async def open(self, group: TaskGroup, address: RedisAddress, context: ssl.SSLContext | None) -> None:
        """Open both, and find out whether this Redis will do and which it is.

        Raises:
            BrokerUnavailable: one cannot be opened, or Redis cannot be used.
        """
        settings = self._settings
        self.commands = await RedisLink.open(group, address, context, settings.command_timeout)
        self.feed = await RedisLink.open(group, address, context, settings.command_timeout)
        await self.commands.load_scripts()
        info = cast("bytes", await self.commands.call(b"INFO", "server"))
        found = re.search(rb"run_id:(\w+)", info)
        self.run_id = "" if found is None else found[1].decode()
        await self.heartbeat()
        self.feed.post(b"SUBSCRIBE", settings.names.channel("node", settings.node))
        await self.feed.call(b"PING")
        self.proven_at = now()

    def fail(self, error: BrokerUnavailable) -> None:
        """Note that a connection is lost; the first reason counts."""
        if not self.lost.is_set():
            self.error = error
            self.lost.set()

    async def guard(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run a part of the session; the session is lost when it cannot go on."""
        try:
            await step()
        except BrokerUnavailable as exc:
            self.fail(exc)

    @property
    def identity(self) -> tuple[str, str]:
        """What scripts are told of Redis: its run id, and the epoch that begins if it is another one than before."""
        return self.run_id, secrets.token_hex(5)

    async def heartbeat(self) -> bool:
        """Show that the node lives, and find out whether both connections do; return whether it was known to live.

        Raises:
            BrokerUnavailable: one of them is lost.
        """
        moment, names = now(), self._settings.names
        keys = names.key("epoch"), names.key("alive", self._settings.node)
        ping = self.feed.send(b"PING")
        answer = await self.commands.run_script(
            HEARTBEAT, keys, *self.identity, round(self._settings.time_to_live * 1000)
        )
        await self.feed.wait(ping)
        self.proven_at = moment
        return bool(cast("list[int]", answer)[1])

    async def read(self, topic: str, after: str) -> LogPart:
        """Read a part of a log.

        Args:
            topic: the name of the topic.
            after: the id of an entry; empty to learn the end alone.

        Raises:
            BrokerUnavailable: there is no answer, or it is an error.
        """
        return read_log_part(await self.commands.run_script(READ, *self._reading(topic, after)))

    async def read_all(self, wanted: Sequence[tuple[str, str]]) -> list[LogPart]:
        """Read a part of several logs, as `read` does of one, in one round trip."""
        requests = [self.commands.send_script(READ, *self._reading(topic, after)) for topic, after in wanted]
        try:
            return [read_log_part(await self.commands.wait(request)) for request in requests]
        except ScriptForgotten:
            return [await self.read(topic, after) for topic, after in wanted]

    def _reading(self, topic: str, after: str) -> tuple[Sequence[str], str, str, str, int, int]:
        names = self._settings.names
        keys = names.key("epoch"), names.key("log", topic)
        return keys, *self.identity, after, READ_ENTRIES, round(self._settings.max_age * 1000)


def read_log_part(answer: Answer) -> LogPart:
    """Decode the answer of the script READ."""
    epoch, last, last_before, oldest, raw = cast(
        "tuple[bytes, bytes, bytes, bytes, list[tuple[bytes, list[bytes]]]]", answer
    )
    entries: list[LogEntry] = []
    for id_, fields in raw:
        before = _before(fields[1])
        entries.append(LogEntry(id_.decode(), before.epoch, before.id, fields[3]))
    complete = len(entries) < READ_ENTRIES
    return LogPart(epoch.decode(), last.decode(), _before(last_before).epoch, f"{oldest.decode()}-0", entries, complete)


def _before(field: bytes) -> Position:
    """Decode the field of an entry that says what it follows."""
    return Position.read(field.decode()) or Position("", START)
