"""A broker over Redis, for a service of several servers.

Used by rtm/ and by applications, which make it; of coredis it knows nothing. What outlives a connection is here and in
the parts that it owns; what belongs to one is a `RedisSession`.
"""

from __future__ import annotations

import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar, cast

import anyio
from anyio.abc import TaskGroup

from rcex_ws.broker.interface import BrokerUnavailable, Entry, Reader, Stretch
from rcex_ws.broker.positions import Missing, Position, Reading, is_after
from rcex_ws.broker.queue import AppendQueue, OnDone
from rcex_ws.broker.redis_address import RedisAddress, RedisUrl
from rcex_ws.broker.redis_appends import AppendWriter
from rcex_ws.broker.redis_errors import CommandRefused
from rcex_ws.broker.redis_link import RedisLink
from rcex_ws.broker.redis_members import Memberships
from rcex_ws.broker.redis_session import RedisSession, Settings
from rcex_ws.broker.redis_signals import Signals, unpack
from rcex_ws.broker.redis_topics import Topics
from rcex_ws.broker.scripts import MEMBERS, Names
from rcex_ws.errors import RcexError
from rcex_ws.loop import Signal, now
from rcex_ws.options import Bytes, Count, Name, Seconds, checked
from rcex_ws.readers import read_digits
from rcex_ws.schedule import ReconnectDelays, Schedule, default_delays

__all__ = ["RedisBroker", "short_delays"]

logger = logging.getLogger("rcex_ws.broker")

T = TypeVar("T")

_LONGEST_DELAY = 5.0


def short_delays(failures: int) -> float:
    """Return the delay of `default_delays`, but 5 seconds at most."""
    return min(default_delays(failures), _LONGEST_DELAY)


class RedisBroker:
    """One node of a service whose nodes are connected by a Redis, of version 6.2 or newer.

    Args:
        url: redis://host:port/db, or rediss:// for TLS; with user name and password before the host if needed.
        prefix: what all keys and channels begin with: services with different ones do not meet.
        ssl_context: for TLS; by default one that checks the server's certificate.
        max_entries: how many entries a log keeps; at times some more.
        max_age: how long a log keeps an entry, in seconds.
        time_to_live: how long a node that was killed counts as a member, in seconds.
        command_timeout: how long Redis has for each answer, in seconds.
        max_waiting_entries: how many entries may wait for Redis.
        max_waiting_bytes: how many bytes may wait for Redis.
        reconnect_delays: returns the seconds to wait after the n-th failure in a row; by default those of all clients,
            but 5 at most: a service's servers are few, and their users wait.

    Raises:
        ConfigurationError: an argument has an invalid value; the message names it.
    """

    @checked
    def __init__(
        self,
        url: RedisUrl,
        *,
        prefix: Name = "rtm",
        ssl_context: ssl.SSLContext | None = None,
        max_entries: Count = 10_000,
        max_age: Seconds = 300.0,
        time_to_live: Seconds = 5.0,
        command_timeout: Seconds = 3.0,
        max_waiting_entries: Count = 10_000,
        max_waiting_bytes: Bytes = 64_000_000,
        reconnect_delays: ReconnectDelays = short_delays,
    ) -> None:
        self._address = RedisAddress.read(url)
        if self._address.tls and ssl_context is None:
            ssl_context = ssl.create_default_context()
        self._ssl_context = ssl_context if self._address.tls else None
        self._settings = Settings(
            node=secrets.token_hex(8),
            names=Names(prefix, self._address.db),
            max_entries=max_entries,
            max_age=max_age,
            time_to_live=time_to_live,
            command_timeout=command_timeout,
        )
        self._reconnect_delays = reconnect_delays
        self._queue = AppendQueue(max_entries=max_waiting_entries, max_bytes=max_waiting_bytes)
        self._appends = AppendWriter(self._queue, self._settings)
        self._topics = Topics(self._settings)
        self._signals = Signals(self._settings.names)
        self._memberships = Memberships(self._settings)
        self._session: RedisSession | None = None
        self._connected = Signal()
        self._earlier = Signal()  # something fails before the moment that is waited for
        self._used = self._closed = False

    def __repr__(self) -> str:
        return f"RedisBroker({self._address}, prefix={self._settings.names.prefix!r}, node={self.node!r})"

    @property
    def node(self) -> str:
        """The id of this node."""
        return self._settings.node

    @property
    def connected(self) -> bool:
        """Whether Redis can be reached now."""
        return self._session is not None

    async def run(
        self, on_signal: Callable[[bytes], None], on_change: Callable[[bool, RcexError | None], None]
    ) -> None:
        """Connect to Redis, and stay connected until cancelled; see `Broker.run`."""
        schedule = Schedule(self._reconnect_delays, lambda error: logger.error("%s", error))
        async with anyio.create_task_group() as group:
            group.start_soon(self._fail_in_time)
            while True:
                session = RedisSession(self._settings)
                began = await self._hold(session, on_signal, on_change)
                delay = schedule.after_failure() if began is None else schedule.after_loss(now() - began)
                logger.warning("%s; the next attempt follows in %.1f s", session.error, delay)
                on_change(False, session.error)
                await Signal().wait(until=now() + delay)

    async def aclose(self) -> None:
        """Leave all groups; see `Broker.aclose`."""
        if self._closed:
            return
        self._closed = True
        self._queue.close()
        if self._used:
            with anyio.move_on_after(self._settings.command_timeout):
                async with anyio.create_task_group() as group:
                    try:
                        await self._leave(group)
                    except BrokerUnavailable as exc:
                        logger.info("%s; its groups forget this node by themselves", exc)
                    group.cancel_scope.cancel()

    def append(self, topic: str, data: bytes, on_done: OnDone, *, within: float) -> None:
        """Append an entry; see `Broker.append`."""
        if self._closed:
            on_done(BrokerUnavailable("the broker was closed"))
            return
        deadline = now() + within
        earlier = deadline < self._queue.next_search
        self._queue.put(topic, data, on_done, deadline)
        self._appends.wake()
        if earlier:
            self._earlier.set()

    async def follow(self, topic: str, reader: Reader) -> str:
        """Have a reader get what is appended; see `Broker.follow`."""
        return await self._topics.follow(topic, reader)

    def unfollow(self, topic: str) -> None:
        """Undo `follow`."""
        self._topics.unfollow(topic)

    async def read(self, topic: str, after: str) -> Stretch:
        """Read a log from a position up to its end; see `Broker.read`."""
        await self._topics.wait_live(topic)
        reading = Reading(after)
        found: list[Entry | Missing] = []
        complete = False
        while not complete:
            part = await self._ask(partial(RedisSession.read, topic=topic, after=reading.after))
            taken = reading.take(part)
            if taken is not None:
                found += taken
                complete = part.complete
        holes = sorted((one.hole for one in found if isinstance(one, Missing)), key=lambda hole: not hole.certain)
        entries = tuple(one for one in found if isinstance(one, Entry))
        return Stretch(entries, holes[0] if holes else None, str(reading.position))

    def is_after(self, position: str, other: str) -> bool:
        """Return whether a position comes after another one; see `Broker.is_after`."""
        one, two = Position.read(position), Position.read(other)
        return one is None or two is None or is_after(one.id, two.id)

    def is_of_one_log(self, position: str, other: str) -> bool:
        """Return whether two positions are of one epoch; see `Broker.is_of_one_log`."""
        one, two = Position.read(position), Position.read(other)
        return one is not None and two is not None and one.epoch == two.epoch

    def signal(self, node: str, data: bytes) -> None:
        """Send something to a node; see `Broker.signal`."""
        self._signals.put(node, data)

    def set_member(self, group: str, value: int) -> None:
        """Set what this node counts in a group; see `Broker.set_member`."""
        self._memberships.set(group, value)

    async def members(self, group: str) -> Mapping[str, int]:
        """Return what each living node counts in a group; see `Broker.members`."""
        names = self._settings.names
        keys, living = [names.key("group", group)], names.key("alive") + ":"
        answer = await self._ask(lambda session: session.commands.run_script(MEMBERS, keys, living))
        words = [word.decode() for word in cast("list[bytes]", answer)]
        return {node: read_digits(value) or 0 for node, value in zip(words[::2], words[1::2], strict=True)}

    async def _hold(
        self,
        session: RedisSession,
        on_signal: Callable[[bytes], None],
        on_change: Callable[[bool, RcexError | None], None],
    ) -> float | None:
        """Hold a session until it is lost; return when it began, None if it never did."""
        began: float | None = None
        async with anyio.create_task_group() as group:
            try:
                await session.open(group, self._address, self._ssl_context)
            except BrokerUnavailable as exc:
                session.fail(exc)
            else:
                began = now()
                self._begin(session)
                on_change(True, None)
                parts = (
                    partial(self._listen, session, on_signal),
                    partial(self._topics.run, session),
                    partial(self._memberships.run, session),
                    partial(self._memberships.show_life, session),
                    partial(self._append, session),
                    partial(self._signals.run, session.commands),
                )
                for part in parts:
                    group.start_soon(session.guard, part)
                try:
                    await session.lost.wait()
                finally:
                    self._end(session)
            group.cancel_scope.cancel()
        return began

    async def _append(self, session: RedisSession) -> None:
        """Append what has waited, once this node's own readers get it."""
        await self._topics.caught_up.wait()
        await self._appends.run(session)

    def _begin(self, session: RedisSession) -> None:
        logger.info("connected to Redis at %s", self._address)
        self._used = True
        self._session = session
        self._topics.begin(session)
        self._memberships.set_all_again()
        self._signals.begin()
        self._connected.set()

    def _end(self, session: RedisSession) -> None:
        self._session = None
        self._connected = Signal()
        self._topics.end(session.proven_at)
        self._signals.end()

    async def _listen(self, session: RedisSession, on_signal: Callable[[bytes], None]) -> None:
        """Hand on what Redis sends: entries of topics, and signals."""
        inbox = self._settings.names.channel("node", self.node).encode()
        on_message = self._topics.on_message
        async for message in session.feed.pushed():
            if message[0] != b"message":
                continue
            if message[1] == inbox:
                for signal in unpack(message[2]):
                    on_signal(signal)
            else:
                on_message(message[1], message[2])

    async def _fail_in_time(self) -> None:
        """Fail the appends that have waited too long."""
        while True:
            self._earlier = Signal()
            await self._earlier.wait(until=self._queue.next_search)
            self._queue.expire(now())

    async def _ask(self, question: Callable[[RedisSession], Awaitable[T]]) -> T:
        """Ask Redis, also when the connection is lost meanwhile.

        Raises:
            BrokerUnavailable: it did not answer within the command time-out.
        """
        deadline = now() + self._settings.command_timeout
        error = BrokerUnavailable("Redis cannot be reached")
        while True:
            session = self._session
            if session is not None and not session.lost.is_set():
                try:
                    return await question(session)
                except CommandRefused:
                    raise
                except BrokerUnavailable as exc:
                    session.fail(exc)
                    error = exc
            if now() >= deadline:
                raise error
            await self._connected.wait(until=deadline)

    async def _leave(self, group: TaskGroup) -> None:
        link = await RedisLink.open(group, self._address, self._ssl_context, self._settings.command_timeout)
        names = self._settings.names
        requests = [link.send(b"DEL", names.key("alive", self.node), names.key("sent", self.node))]
        requests += [link.send(b"HDEL", names.key("group", name), self.node) for name in self._memberships.groups]
        for request in requests:
            await link.wait(request)
