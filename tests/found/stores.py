"""Both stores of the library under one hat, and processes that use them where the machine is not as it should be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from rcex_ws import FileSessionStore, FileTokenStore, SessionUnreadable, Token, Wsc
from rcex_ws.wsg.stored import ServerHas, StoredGap, StoredSession, StoredSubscription

__all__ = ["KINDS", "Kind", "SessionKind", "TokenKind", "as_nobody", "bad", "fill", "in_own_mounts", "session", "token"]

ROOT = Path(__file__).parents[2]
NOBODY = 65534


def token(secret: str) -> Token:
    return Token(access_token=secret, expires_at=1_700_000_000.0)


def session(secret: str) -> StoredSession:
    return StoredSession(
        wsc=Wsc(secret),
        subscription=StoredSubscription(wanted=(), info=None, certainty=ServerHas.NOTHING),
        unfinished=StoredGap(since=1.0),
        recovery_timeout=600.0,
        clean=True,
    )


def bad(path: Path) -> Path:
    """Where a store keeps what it cannot read."""
    return path.with_name(path.name + ".bad")


class TokenKind:
    """The token store, each call as by a new process."""

    name = "token_store"

    def content(self, secret: str) -> bytes:
        return msgspec.json.encode(token(secret))

    async def keep(self, path: Path, secret: str) -> None:
        await FileTokenStore(path).save(token(secret))

    async def keep_over(self, path: Path, secret: str) -> None:
        """Save a token instead of one that could not be read."""
        await self.keep(path, secret)

    async def kept(self, path: Path) -> str | None:
        found = await FileTokenStore(path).load()
        return None if found is None else found.access_token

    async def forget(self, path: Path) -> None:
        await FileTokenStore(path).clear()

    async def is_unreadable(self, path: Path) -> bool:
        return await self.kept(path) is None and bad(path).exists()


class SessionKind:
    """The session store, likewise."""

    name = "session_store"

    def content(self, secret: str) -> bytes:
        return msgspec.json.encode(session(secret))

    async def keep(self, path: Path, secret: str) -> None:
        store = FileSessionStore(path)
        await store.open()
        try:
            await store.save(session(secret))
        finally:
            await store.close()

    async def keep_over(self, path: Path, secret: str) -> None:
        """Save a session instead of one that cannot be read, which is said as long as none is saved (L13)."""
        store = FileSessionStore(path)
        with pytest.raises(SessionUnreadable):
            await store.open()
        await store.save(session(secret))
        await store.close()

    async def kept(self, path: Path) -> str | None:
        store = FileSessionStore(path)
        try:
            found = await store.open()
        finally:
            await store.close()
        return None if found is None or found.wsc is None else found.wsc.token

    async def forget(self, path: Path) -> None:
        store = FileSessionStore(path)
        await store.open()
        try:
            await store.clear()
        finally:
            await store.close()

    async def is_unreadable(self, path: Path) -> bool:
        try:
            await self.kept(path)
        except SessionUnreadable:
            return bad(path).exists()
        return False


Kind = TokenKind | SessionKind
KINDS: list[Kind] = [TokenKind(), SessionKind()]


def fill(ballast: Path) -> None:
    """Write a file until the disk is full."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1024))


def _run(command: list[str], body: Callable[..., None], *arguments: str) -> None:
    """Run a function of a test module in a process of its own; what it prints last says why it failed."""
    name = body.__qualname__
    code = f"import sys; from {body.__module__} import {name} as body; body(*sys.argv[1:])"
    done = subprocess.run(
        [*command, sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def in_own_mounts(body: Callable[..., None], *arguments: str) -> None:
    """Run a function where it may mount what it likes, which ends with its process."""
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        probe = [*command, "mount", "-t", "tmpfs", "-o", "size=16k", "none", "/mnt"]
        try:
            allowed = subprocess.run(probe, capture_output=True, check=False).returncode == 0
        except OSError:
            allowed = False
        if allowed:
            _run(command, body, *arguments)
            return
    pytest.skip("this user may not mount anything here, not even in a name space of its own")


def as_nobody(body: Callable[..., None], *arguments: str) -> None:
    """Run a function as a user who is not root, here if we are none: root may write everywhere."""
    if os.geteuid() != 0:
        _run([], body, *arguments)
        return
    setpriv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    try:
        probe = subprocess.run([*setpriv, sys.executable, "-c", "import rcex_ws, tests"], cwd=ROOT, capture_output=True)
        allowed = probe.returncode == 0
    except OSError:
        allowed = False
    if not allowed:
        pytest.skip("we are root, and nobody else may read this checkout")
    _run(setpriv, body, *arguments)
