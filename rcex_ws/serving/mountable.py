"""The base class of public servers: what they do however their protocol goes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Protocol, Self

from rcex_ws.home import Home
from rcex_ws.serving.mount import AsgiMount

__all__ = ["MountableServer"]


class _ServerRun(Protocol):
    async def start(self, *, listen: bool) -> None: ...
    async def close(self) -> None: ...


class MountableServer:
    """A server that listens on a port of its own, or is mounted into an application.

    Args:
        home: the event loop that it belongs to.
        run: its one run.
        asgi: what is mounted.
    """

    def __init__(self, home: Home, run: _ServerRun, asgi: AsgiMount) -> None:
        self._home = home
        self._run = run
        self._asgi = asgi

    async def start(self) -> None:
        """Listen, until `aclose`. A subclass says what it raises."""
        self._home.check()
        await self._run.start(listen=True)

    @asynccontextmanager
    async def mounted(self) -> AsyncGenerator[Self]:
        """Run without listening, for a server that is mounted; for the lifespan of the application.

        ::

            @asynccontextmanager
            async def lifespan(app):
                async with server.mounted():
                    yield

            app = Starlette(routes=[WebSocketRoute("/events", server.asgi)], lifespan=lifespan)

        Raises:
            RcexError: as for `start`.
        """
        self._home.check()
        await self._run.start(listen=False)
        try:
            yield self
        finally:
            await self.aclose()

    @property
    def asgi(self) -> AsgiMount:
        """The ASGI application to mount, see `mounted`; it takes WebSockets on any path."""
        return self._asgi

    async def aclose(self) -> None:
        """Disconnect all clients, let handlers finish, and cancel what takes too long. Idempotent."""
        self._home.check()
        await self._run.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
