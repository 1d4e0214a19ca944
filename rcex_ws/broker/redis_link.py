"""One connection to Redis: what coredis gives, with a time-out for each answer and with errors that say what to do.

Used by redis_session.py, which has two: for commands, and for what followers are sent. Of coredis it uses the class of
a single connection: its pool and client would try again by themselves, when and as often as they like.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from typing import TypeAlias, cast

import anyio
from anyio.abc import ByteStream, TaskGroup
from coredis.connection import BaseConnection, TCPLocation
from coredis.exceptions import RedisError

from rcex_ws.broker.interface import BrokerRefused
from rcex_ws.broker.redis_address import RedisAddress
from rcex_ws.broker.redis_errors import ScriptForgotten, explain
from rcex_ws.broker.scripts import SCRIPTS, Script
from rcex_ws.readers import read_digits

__all__ = ["Answer", "RedisLink"]

Argument: TypeAlias = str | bytes | int
Answer: TypeAlias = "bytes | int | Sequence[Answer] | None"

#: The oldest Redis whose commands suffice: XTRIM MINID and exclusive ranges came with it.
_OLDEST = (6, 2)


class _Connection(BaseConnection):
    """A connection over a stream that is open: what coredis makes of one that cannot be opened is never closed."""

    def __init__(self, stream: ByteStream, address: RedisAddress, timeout: float) -> None:
        super().__init__(
            TCPLocation(address.host, address.port),
            stream_timeout=timeout,
            username=address.username,
            password=address.password,
            db=address.db,
        )
        self._opened = stream

    async def _connect(self) -> ByteStream:
        return self._opened

    def describe(self) -> str:
        return f"Connection<{self.location!r}>"


class RedisLink:
    """An open connection.

    Args:
        connection: what coredis opened.
        place: host and port of the server, for messages.
        timeout: how long Redis has for each answer, in seconds.
    """

    def __init__(self, connection: BaseConnection, place: str, timeout: float) -> None:
        self._connection = connection
        self._place = place
        self._timeout = timeout

    @classmethod
    async def open(
        cls, group: TaskGroup, address: RedisAddress, context: ssl.SSLContext | None, timeout: float
    ) -> RedisLink:
        """Open a connection.

        Args:
            group: where it runs, until that is cancelled.
            address: of the server; its host is resolved anew.
            context: for TLS.
            timeout: how long it may take, and how long each answer may take, in seconds.

        Raises:
            BrokerUnavailable: it cannot be opened, or this is no Redis that will do.
        """
        place = str(address)
        deadline = anyio.current_time() + timeout
        try:
            with anyio.fail_after(timeout):
                if context is None:
                    stream: ByteStream = await anyio.connect_tcp(address.host, address.port)
                else:
                    stream = await anyio.connect_tcp(
                        address.host, address.port, ssl_context=context, tls_standard_compatible=False
                    )
                connection = _Connection(stream, address, timeout)
                try:
                    await group.start(connection.run)
                except BaseException:
                    await anyio.aclose_forcefully(stream)
                    raise
        except (OSError, UnicodeError, anyio.EndOfStream, anyio.BrokenResourceError, RedisError) as exc:
            # coredis may take the cancellation for a failure of its own.
            raise explain(TimeoutError() if anyio.current_time() >= deadline else exc, place) from None
        version = str(connection.server_version)
        if tuple(read_digits(part) or 0 for part in version.split(".")[:2]) < _OLDEST:
            raise BrokerRefused(f"Redis at {place} is {version}: it has to be 6.2 or newer")
        return cls(connection, place, timeout)

    def send(self, command: bytes, *args: Argument) -> Awaitable[object]:
        """Send a command without waiting; what is returned goes to `wait`.

        Raises:
            BrokerUnavailable: the connection is lost.
        """
        try:
            return self._connection.create_request(command, *args, timeout=self._timeout)
        except RedisError as exc:
            raise explain(exc, self._place) from None

    async def wait(self, request: Awaitable[object]) -> Answer:
        """Wait for the answer to `send`.

        Raises:
            BrokerUnavailable: there is none, or it is an error.
        """
        try:
            return cast("Answer", await request)
        except (RedisError, TimeoutError) as exc:
            raise explain(exc, self._place) from None

    async def call(self, command: bytes, *args: Argument) -> Answer:
        """Send a command and return the answer; raises what `wait` does."""
        return await self.wait(self.send(command, *args))

    def send_script(self, script: Script, keys: Sequence[str], *args: Argument) -> Awaitable[object]:
        """Send a call of a script, as `send` does."""
        return self.send(b"EVALSHA", script.sha, len(keys), *keys, *args)

    async def run_script(self, script: Script, keys: Sequence[str], *args: Argument) -> Answer:
        """Run a script, also if Redis has forgotten it; raises what `wait` does."""
        try:
            return await self.wait(self.send_script(script, keys, *args))
        except ScriptForgotten:
            await self.load_scripts()
            return await self.wait(self.send_script(script, keys, *args))

    async def load_scripts(self) -> None:
        """Bring all scripts to Redis; raises what `wait` does."""
        for request in [self.send(b"SCRIPT LOAD", script.source) for script in SCRIPTS]:
            await self.wait(request)

    def post(self, command: bytes, *args: Argument) -> None:
        """Send a command that is answered by what is pushed: SUBSCRIBE and UNSUBSCRIBE.

        Raises:
            BrokerUnavailable: the connection is lost.
        """
        try:
            self._connection.send_command(command, *args)
        except RedisError as exc:
            raise explain(exc, self._place) from None

    async def pushed(self) -> AsyncGenerator[list[bytes]]:
        """Yield what Redis sends by itself, until the connection is lost.

        Raises:
            BrokerUnavailable: it is lost.
        """
        try:
            async with aclosing(self._connection.push_messages) as messages:
                async for message in messages:
                    yield cast("list[bytes]", message)
        except RedisError as exc:
            raise explain(exc, self._place) from None
