"""Where a token survives the process, so that the next one continues the same OAuth session.

Without that no WebSocket session can be recovered after a restart: the gateway answers a session token of another OAuth
session with WSG-1003. Called by `rcex_ws.rest.auth`; touches one file, in a thread of its own.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec

from rcex_ws.files import OAUTH_TOKEN, FileThread, StateFile, Unreadable
from rcex_ws.options import FilePath, checked
from rcex_ws.rest.token import Token
from rcex_ws.secret import SecretBytes

__all__ = ["FileTokenStore", "TokenStore"]

logger = logging.getLogger("rcex_ws.rest")

_threads: WeakValueDictionary[Path, FileThread] = WeakValueDictionary()


class TokenStore(Protocol):
    """Keep one token; the methods are never called concurrently by one client.

    Keep it whole: it records whose session it is, and without that a changed credential continues the old session.
    A store can be shared: it is read again when the server refuses to refresh what was read before. A method that is
    cancelled is called once more, and has a second to end.
    """

    async def load(self) -> Token | None:
        """Return the kept token, or None."""
        ...

    async def save(self, token: Token) -> None:
        """Keep this token instead of the old one."""
        ...

    async def clear(self) -> None:
        """Forget the token."""
        ...


class FileTokenStore:
    """Keep the token in a file that only its owner can read (mode 0600), replaced atomically where that can be.

    No method waits for a slow disk when it is cancelled; what was asked for is done in its order all the same. A link
    is followed. What a killed process was writing is swept up by the next.

    Args:
        path: the file; its folder is made when needed.
    """

    @checked
    def __init__(self, path: FilePath) -> None:
        self.path = Path(path)
        self._file = StateFile(self.path, what="token_store", kind=OAUTH_TOKEN)
        # Of all that use the file here: what a client has left behind must not undo what the next one writes.
        self._thread = _threads.setdefault(self.path, FileThread(f"token store {self.path}"))

    async def load(self) -> Token | None:
        """Return the kept token; None when there is no file, or an unreadable one, which is set aside as `.bad`.

        Raises:
            ConfigurationError: the file cannot be used: it is somebody else's, or of another store, or cannot be read
                or written, or is no file.
        """
        return await self._thread.do(self._load)

    @checked
    async def save(self, token: Token) -> None:
        """Write the token.

        Raises:
            ConfigurationError: as for `load`.
            OSError: it cannot be written.
        """
        data = SecretBytes(msgspec.json.encode(token))
        await self._thread.write(lambda: self._save(data))

    async def clear(self) -> None:
        """Delete the file; raises as `save`."""
        await self._thread.write(self._clear)

    def _load(self) -> Token | None:
        self._file.open()
        try:
            return self._file.load(Token)
        except Unreadable as exc:
            unreadable = exc
        try:
            logger.warning("%s; kept as %s", unreadable, self._file.set_aside())
        except OSError as exc:
            logger.warning("%s, and could not be kept as .bad: %s", unreadable, exc)
        return None

    def _save(self, data: bytes) -> None:
        self._file.open()  # each time: nobody says when it is used for the first time, and others may use it, too
        self._file.save(data)

    def _clear(self) -> None:
        self._file.open()
        self._file.clear()
