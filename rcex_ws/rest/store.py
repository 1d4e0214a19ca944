"""Token stores, which keep the OAuth session across restarts of the process.

Without one, no WebSocket session can be recovered after a restart: the gateway refuses the token of a WebSocket session
that belongs to another OAuth session (WSG-1003). Used by `rcex_ws.rest.keeper`; accesses one file, in its own thread.
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
    """Store of one token; a client never calls its methods concurrently.

    It must keep all fields: they record the owner of the session, without which a changed credential would continue
    the old session. A store may be shared by several clients: it is read again when the server refuses to refresh the
    token. A `save` or `clear` that is cancelled is called once more and given a second to finish.
    """

    async def load(self) -> Token | None:
        """Return the stored token, or None."""
        ...

    async def save(self, token: Token) -> None:
        """Replace the stored token."""
        ...

    async def clear(self) -> None:
        """Delete the stored token."""
        ...


class FileTokenStore:
    """Token store in a file that only its owner can read (mode 0600), replaced atomically where possible.

    A cancelled method returns without waiting for a slow disk, and its work is still done in order. Symbolic links are
    followed. What a killed process leaves half-written is removed by the next.

    Args:
        path: path of the file; its folder is created if needed.
    """

    @checked
    def __init__(self, path: FilePath) -> None:
        self.path: Path = Path(path)
        self._file = StateFile(self.path, what="token_store", kind=OAUTH_TOKEN)
        # Shared by all stores of this file, so that pending work of an old client cannot undo a write of the next.
        self._thread = _threads.setdefault(self.path, FileThread(f"token store {self.path}"))

    async def load(self) -> Token | None:
        """Return the stored token; None if there is no file, or an unreadable one, which is set aside as `.bad`.

        Raises:
            ConfigurationError: the file cannot be used: it belongs to another user or another kind of store, cannot
                be read or written, or is not a regular file.
        """
        return await self._thread.do(self._load)

    @checked
    async def save(self, token: Token) -> None:
        """Write the token.

        Raises:
            ConfigurationError: as in `load`.
            OSError: the file cannot be written.
        """
        data = SecretBytes(msgspec.json.encode(token))
        await self._thread.write(lambda: self._save(data))

    async def clear(self) -> None:
        """Delete the file; errors as in `save`."""
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
        self._file.open()  # each time: there is no first use to hook into, and others may use the file, too
        self._file.save(data)

    def _clear(self) -> None:
        self._file.open()
        self._file.clear()
