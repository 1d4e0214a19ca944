"""Access of one client to its token store: checks the owner of a stored token, finds tokens of other processes.

Used by `rcex_ws.rest.auth` only, never concurrently. The store is the user's and may raise anything.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
import msgspec

from rcex_ws.errors import ConfigurationError
from rcex_ws.files import Complaints
from rcex_ws.rest.oauth import Grant
from rcex_ws.rest.owner import Owner, login_of, mismatch, owner_of
from rcex_ws.rest.store import TokenStore
from rcex_ws.rest.token import Token

__all__ = ["TokenKeeper"]

logger = logging.getLogger("rcex_ws.rest")

#: Seconds that a call to the store may take once its caller is cancelled.
_CANCELLED_TIMEOUT = 1.0


class TokenKeeper:
    """Token store of one client, with the owner recorded in each token.

    Args:
        store: the user's store; None keeps nothing.
        server: URL of the API; a stored session of another server is not continued.
        client_id: id of the application; likewise.
    """

    def __init__(self, store: TokenStore | None, *, server: str, client_id: str | None) -> None:
        self._store = store
        self._server = server
        self._client_id = client_id
        self._complaints = Complaints(logger)

    def login_of(self, grant: Grant) -> str:
        """Return a name for the user whom a grant logs in; see `rcex_ws.rest.owner`."""
        return login_of(grant, server=self._server, client_id=self._client_id)

    def with_owner(self, token: Token, login: str | None) -> Token:
        """Return the token with server and application recorded, and `login` if it names nobody yet."""
        client_id = self._client_id or token.client_id
        return msgspec.structs.replace(token, server=self._server, client_id=client_id, login=token.login or login)

    def warn_if_foreign(self, token: Token, login: str | None) -> bool:
        """Return whether a token belongs to another server, application or user; log it if so.

        Args:
            token: from memory or from the store.
            login: who wants to continue the session; None accepts any user.
        """
        other = mismatch(owner_of(token), Owner(server=self._server, client_id=self._client_id, login=login))
        if other is not None:
            logger.warning("the existing session is not continued, it belongs to another %s", other)
        return other is not None

    async def load(self) -> Token | None:
        """Return the stored token, or None."""
        return None if self._store is None else await self._store.load()

    async def check_store(self) -> None:
        """Check that the store is usable, before logging in for a token that could not be kept.

        Raises:
            ConfigurationError: it is not usable.
        """
        try:
            await self.load()
        except ConfigurationError:
            raise
        except Exception as exc:  # noqa: BLE001 - a store may raise anything, and its content does not matter here
            self._complaints.report("the token store could not be read", exc)

    async def load_replacement(self, token: Token) -> Token | None:
        """Return the token that another process has stored in place of this one, if it has the same owner; else None.

        A refresh token works only once, so clients that share a store pick up each other's renewed tokens here.
        """
        if self._store is None or token.server is None:  # passed in by the user, never stored
            return None
        try:
            stored = await self._store.load()
        except Exception as exc:  # noqa: BLE001 - the caller raises the server's refusal, which says more
            self._complaints.report("the token store could not be read again", exc)
            return None
        if stored is None or stored.access_token == token.access_token:
            return None
        ours = Owner(server=self._server, client_id=self._client_id, login=token.login, owner_id=token.owner_id)
        return stored if mismatch(owner_of(stored), ours) is None else None

    async def save(self, token: Token) -> None:
        """Store a token; log a failure."""
        if self._store is None:
            return
        store = self._store

        async def save() -> None:
            try:
                await store.save(token)
            except Exception as exc:  # noqa: BLE001 - the session works without a stored copy, so the call succeeds
                self._complaints.report_repeated(
                    "the token could not be saved; after a restart a new login is needed", exc
                )

        await _finish_call(save)

    async def clear(self) -> None:
        """Delete the stored token; log a failure."""
        if self._store is None:
            return
        store = self._store

        async def clear() -> None:
            try:
                await store.clear()
            except Exception as exc:  # noqa: BLE001 - a store may raise anything; memory is already cleared
                self._complaints.report("the stored token could not be deleted; delete it manually", exc)

        await _finish_call(clear)


async def _finish_call(call: Callable[[], Awaitable[None]]) -> None:
    """Call the store; when cancelled, repeat the call for a moment, so that no used refresh token stays in it."""
    try:
        await call()
    except anyio.get_cancelled_exc_class():
        with anyio.move_on_after(_CANCELLED_TIMEOUT, shield=True):
            await call()
        raise
