"""Between one client and the store of its token: whose session a stored token is, and what somebody else has stored.

Called by `rcex_ws.rest.auth` only, for one client, never concurrently. The store belongs to the user and may fail.
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

#: Seconds for a store when its caller is cancelled.
_CANCELLED_TIMEOUT = 1.0


class TokenKeeper:
    """Bring tokens to the store and back.

    Args:
        store: None keeps nothing.
        server: the API's URL; a stored session of another one is not continued.
        client_id: of the application; likewise.
    """

    def __init__(self, store: TokenStore | None, *, server: str, client_id: str | None) -> None:
        self._store = store
        self._server = server
        self._client_id = client_id
        self._complaints = Complaints(logger)

    def login_of(self, grant: Grant) -> str:
        """Name who logs in by a grant."""
        return login_of(grant, server=self._server, client_id=self._client_id)

    def with_owner(self, token: Token, login: str | None) -> Token:
        """Record in a token whose session it is, and who logged in if it does not say."""
        client_id = self._client_id or token.client_id
        return msgspec.structs.replace(token, server=self._server, client_id=client_id, login=token.login or login)

    def warn_if_foreign(self, token: Token, login: str | None) -> bool:
        """Tell, also in the log, that a token was made for another server, application or user.

        Args:
            token: in memory or stored.
            login: who wants to continue it, None = whoever it is.
        """
        other = mismatch(owner_of(token), Owner(server=self._server, client_id=self._client_id, login=login))
        if other is not None:
            logger.warning("the kept session is not continued, it was made for another %s", other)
        return other is not None

    async def load(self) -> Token | None:
        """Return what is stored."""
        return None if self._store is None else await self._store.load()

    async def check_store(self) -> None:
        """See that the store can be used, before a login is spent that could not be kept.

        Raises:
            ConfigurationError: it cannot.
        """
        try:
            await self.load()
        except ConfigurationError:
            raise
        except Exception as exc:  # noqa: BLE001 - a store may raise anything, and what it holds is not asked for
            self._complaints.say("the token store could not be read", exc)

    async def load_replacement(self, token: Token) -> Token | None:
        """Return what somebody else has stored in place of a token; None if it is another session, or of no use.

        A refresh token is good only once, so who shares a store finds here what another made of it.
        """
        if self._store is None or token.server is None:  # given by the user: it never was in the store
            return None
        try:
            stored = await self._store.load()
        except Exception as exc:  # noqa: BLE001 - the caller has a refusal to tell, which says more
            self._complaints.say("the token store could not be read again", exc)
            return None
        if stored is None or stored.access_token == token.access_token:
            return None
        ours = Owner(server=self._server, client_id=self._client_id, login=token.login, owner_id=token.owner_id)
        return stored if mismatch(owner_of(stored), ours) is None else None

    async def save(self, token: Token) -> None:
        """Store a token; that it cannot be stored is logged."""
        if self._store is None:
            return
        store = self._store

        async def save() -> None:
            try:
                await store.save(token)
            except Exception as exc:  # noqa: BLE001 - the session goes on without its copy, so the call is not failed
                self._complaints.repeat("the token could not be saved; after a restart a new login is needed", exc)

        await _finish_call(save)

    async def clear(self) -> None:
        """Forget what is stored; that it cannot be is logged."""
        if self._store is None:
            return
        store = self._store

        async def clear() -> None:
            try:
                await store.clear()
            except Exception as exc:  # noqa: BLE001 - a store may raise anything, and here everything is forgotten
                self._complaints.say("the stored token could not be deleted; delete it by hand", exc)

        await _finish_call(clear)


async def _finish_call(call: Callable[[], Awaitable[None]]) -> None:
    """Call a store; when cancelled, once more, but not for long: no spent refresh token should stay in it."""
    try:
        await call()
    except anyio.get_cancelled_exc_class():
        with anyio.move_on_after(_CANCELLED_TIMEOUT, shield=True):
            await call()
        raise
