"""Where a token survives the process, so that the next one continues the same OAuth session.

Without that no WebSocket session can be recovered after a restart: the gateway answers a session token of another OAuth
session with WSG-1003. Called by `rcex_ws.rest.auth`; touches one file, in a worker thread.
"""

from __future__ import annotations

import logging
from os import PathLike
from pathlib import Path
from typing import Protocol

import anyio.to_thread
import msgspec

from rcex_ws.errors import ConfigurationError
from rcex_ws.rest.files import set_aside, write_private
from rcex_ws.rest.token import Token

__all__ = ["FileTokenStore", "TokenStore"]

logger = logging.getLogger("rcex_ws.rest")


class TokenStore(Protocol):
    """Keep one token; the methods are never called concurrently by one client.

    Keep it whole: it records whose session it is, and without that a changed credential continues the old session.
    A store can be shared: it is read again when the server refuses to refresh what was read before.
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

    Args:
        path: the file; its folder is made when needed.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)

    async def load(self) -> Token | None:
        """Return the kept token; None when there is no file, or an unreadable one, which is set aside as `.bad`.

        Raises:
            ConfigurationError: the path is a folder.
        """
        return await anyio.to_thread.run_sync(self._load)

    async def save(self, token: Token) -> None:
        """Write the token."""
        await anyio.to_thread.run_sync(write_private, self.path, msgspec.json.encode(token))

    async def clear(self) -> None:
        """Delete the file."""
        await anyio.to_thread.run_sync(self._clear)

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

    def _clear(self) -> None:
        self.path.unlink(missing_ok=True)
