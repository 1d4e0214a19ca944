"""What the tests of lost notifications share: clients with a store, the gaps they are told, processes to be killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from rcex_ws import FileSessionStore, FileTokenStore, Gap, RingCentral, Subscription, WebSocketExtension
from rcex_ws.gateway import Gateway
from tests.found.peer import Peer
from tests.told import Told

__all__ = ["Program", "covering", "delete", "extension", "installed", "logged_in", "until", "utc_now"]

#: What a gap may begin before the last proof: what the library grants a server from an event to its frame.
MARGIN = timedelta(seconds=5)

#: The small times of a test, and the second to which a `Date` header tells the server's time.
SLACK = timedelta(seconds=3)


def utc_now() -> datetime:
    """Tell the time of this machine."""
    return datetime.now(UTC)


async def until(condition: Callable[[], object], within: float = 4) -> None:
    """Wait for something outside of the event loop."""
    with anyio.fail_after(within):
        while not condition():
            await anyio.sleep(0.005)


def covering(gaps: list[Gap], lost: datetime, *, proven: datetime, over: datetime | None = None) -> list[Gap]:
    """Give the gaps that say of a lost notification: they contain its stamp, and are no longer than they must be.

    Args:
        gaps: what was told.
        lost: the stamp of the notification, in the server's time.
        proven: up to when all was proven complete at least, in the server's time.
        over: when all was complete again at the latest, in the server's time.
    """
    return [
        gap
        for gap in gaps
        if gap.since is not None and proven - MARGIN - SLACK <= gap.since <= lost <= gap.until
        if over is None or gap.until <= over + MARGIN + SLACK
    ]


@asynccontextmanager
async def logged_in(server: Peer | Gateway, folder: Path) -> AsyncGenerator[RingCentral]:
    """Be a client with a login that is kept, as a new process would make it."""
    async with RingCentral(
        server=server.server,
        client_id=server.client_id,
        client_secret=server.client_secret,
        token_store=FileTokenStore(folder / "token.json"),
    ) as rc:
        await rc.authorize(jwt=server.jwt)
        yield rc


def extension(told: Told, file: Path | None = None, *, wait: float = 0.02, **options: Any) -> WebSocketExtension:
    """Make an extension whose events are recorded.

    Args:
        told: records them.
        file: where it keeps its session.
        wait: seconds before it tries again.
        **options: others of its options.
    """

    def reconnect_delays(_: int) -> float:
        return wait

    if file is not None:
        options["session_store"] = FileSessionStore(file)
    ext = WebSocketExtension(reconnect_delays=reconnect_delays, **options)
    told.listen(ext)
    return ext


@asynccontextmanager
async def installed(
    server: Peer | Gateway, folder: Path, told: Told, file: Path | None = None, **options: Any
) -> AsyncGenerator[WebSocketExtension]:
    """Be a client with a login that is kept and a connected extension, which takes the options of `extension`."""
    async with logged_in(server, folder) as rc:
        ext = extension(told, file, **options)
        await rc.install_extension(ext)
        yield ext


async def delete(rc: RingCentral, subscription: Subscription) -> None:
    """Delete a subscription at the server, of which its owner hears nothing: another process could do it, too."""
    assert subscription.info is not None
    await rc.delete(f"/restapi/v1.0/subscription/{subscription.info.id}")


_PROGRAM = """
import os, signal, sys
from pathlib import Path
import anyio
from rcex_ws import FileSessionStore, FileTokenStore, RingCentral, WebSocketExtension

backend, server, client_id, secret, jwt, folder = sys.argv[1:]
folder = Path(folder)
MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"


def say(word):
    print(word, flush=True)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


async def hang(notification):
    say(f"got {notification.body['i']}")
    await anyio.sleep(60)


async def main():
    rc = RingCentral(
        server=server, client_id=client_id, client_secret=secret, token_store=FileTokenStore(folder / "token.json")
    )
    await rc.authorize(jwt=jwt)
    ext = WebSocketExtension(session_store=FileSessionStore(folder / "session.json"), max_pending=3)
    await rc.install_extension(ext)
    await use(ext)

"""

_RUN = """

if backend == "trio":
    import trio

    trio.run(main)
else:
    import asyncio

    asyncio.run(main())
"""


class Program:
    """A client in a process of its own, which can be killed; an async context manager.

    Args:
        backend: its event loop.
        server: where it connects.
        folder: where it keeps session.json and token.json.
        use: the source of `async def use(ext)`, which may call `say(word)`, `kill()` and subscribe with `hang`.
    """

    def __init__(self, backend: str, server: Peer | Gateway, folder: Path, use: str) -> None:
        arguments = [backend, server.server, server.client_id, server.client_secret, server.jwt, str(folder)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM + use + _RUN, *arguments], stdout=subprocess.PIPE, text=True
        )
        self._file = folder / "session.json"

    async def __aenter__(self) -> Program:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()

    async def hear(self, word: str) -> None:
        """Wait until it says a word."""
        with anyio.fail_after(20):
            while (line := await self._line()) != f"{word}\n":
                assert line, f"it has ended and never said {word!r}"

    async def _line(self) -> str:
        assert self._process.stdout is not None
        return await anyio.to_thread.run_sync(self._process.stdout.readline, abandon_on_cancel=True)

    async def stored(self) -> None:
        """Wait until what it knows now is stored: it writes once a second at most, and not when nothing changes."""
        before = self._file.stat()
        with anyio.move_on_after(1.5):
            while self._file.stat().st_mtime_ns == before.st_mtime_ns:
                await anyio.sleep(0.005)

    async def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        await self.killed()

    async def killed(self) -> None:
        """Wait for its end."""
        with anyio.fail_after(20):
            await anyio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True)
