"""Where a token survives the process, so that the next one continues the same OAuth session.

Without that no WebSocket session can be recovered after a restart: the gateway answers a session token of another OAuth
session with WSG-1003. Called by `rcex_ws.rest.auth`; touches one file, in a thread of its own.
"""

from __future__ import annotations

import logging
from os import PathLike
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec

from rcex_ws.errors import ConfigurationError
from rcex_ws.rest.file_thread import FileThread
from rcex_ws.rest.files import set_aside, write_private
from rcex_ws.rest.token import Token

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
    """Keep the token in a file that only its owner can read (mode 0600), replaced atomically.

    No method waits for a slow disk when it is cancelled; what was asked for is done in its order all the same.

    Args:
        path: the file; its folder is made when needed.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        # Of all that use the file here: what a client has left behind must not undo what the next one writes.
        self._thread = _threads.setdefault(self.path, FileThread(f"token store {self.path}"))

    async def load(self) -> Token | None:
        """Return the kept token; None when there is no file, or an unreadable one, which is set aside as `.bad`.

        Raises:
            ConfigurationError: the path is a folder.
        """
        return await self._thread.do(self._load)

    async def save(self, token: Token) -> None:
        """Write the token."""
        data = msgspec.json.encode(token)
        await self._thread.write(lambda: write_private(self.path, data))

    async def clear(self) -> None:
        """Delete the file."""
        await self._thread.write(lambda: self.path.unlink(missing_ok=True))

    def _load(self) -> Token | None:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Token)
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise ConfigurationError(f"token_store: {self.path} is a folder, expected a file") from None
        except (msgspec.DecodeError, UnicodeDecodeError):  # their text could quote the content: not logged
            logger.warning("the token file %s is unreadable; kept as %s", self.path, set_aside(self.path).name)
            return None
