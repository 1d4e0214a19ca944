"""Sessions that belong to somebody else: another SDK, a vault, a service that hands out tokens.

`RingCentral(token_owner=...)` uses `BorrowedSession` in the place of `rcex_ws.rest.auth.Auth`: one owner of the token,
so that two clients never refresh the same session, which would end it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Protocol, TypeAlias

import anyio

from rcex_ws.errors import ConfigurationError, RcexError, TransportError
from rcex_ws.loop import Signal
from rcex_ws.rest import oauth
from rcex_ws.rest.auth import Auth
from rcex_ws.rest.errors import RestError
from rcex_ws.rest.message import Response
from rcex_ws.rest.token import Token
from rcex_ws.rest.watchers import SessionStep, SessionWatchers

__all__ = ["AnySession", "BorrowedSession", "TokenOwner"]

_OWNED_ELSEWHERE = "the session belongs to the token_owner: log in and out there"


class TokenOwner(Protocol):
    """Who owns the OAuth session: it alone refreshes it."""

    async def current(self) -> Token:
        """Return the token as it is now; renew it first if it has expired.

        Raises:
            ConfigurationError: nobody is logged in.
            LoginRefused: the session has ended.
            RcexError: it cannot be told now; see `.retryable`.
        """
        ...

    async def renew(self, stale: Token) -> Token:
        """Return another token than this one, which the server has rejected or which is about to expire.

        Raises:
            LoginRefused: the session has ended.
            RcexError: the renewal failed; see `.retryable`.
        """
        ...


class BorrowedSession:
    """The session of a `TokenOwner`, with the methods of `Auth`.

    Args:
        owner: who owns the session.

    Attributes:
        token: the newest token known here; None before the first.
        token_changed: signal that is set when the token is replaced; a new signal takes its place.
        watchers: are told of renewals; logging in and out is the owner's.
    """

    def __init__(self, owner: TokenOwner) -> None:
        self.token: Token | None = None
        self.token_changed = Signal()
        self.watchers = SessionWatchers()
        self._owner = owner
        self._lock = anyio.Lock()  # one renewal at a time

    @property
    def is_public(self) -> bool:
        """Whether the application has no secret: as far as it is known here."""
        return True

    async def authorize(self, grant: oauth.Grant | None, *, force: bool) -> Token:
        """Return the owner's token.

        Raises:
            ConfigurationError: there are arguments: it is the owner who logs in.
        """
        if grant is not None or force:
            raise ConfigurationError(f"authorize: {_OWNED_ELSEWHERE}; call authorize() without arguments")
        return await self.ensure_token()

    async def ensure_token(self) -> Token:
        """Return a token that is valid for a call now.

        Raises:
            RcexError: the owner has none.
        """
        token = await _asked(self._owner.current())
        if token.expires_soon(time.time()):
            return await self.renew(token)
        return self._keep(token)

    def can_renew(self, token: Token) -> bool:
        """Return whether the token can be replaced without the user: only the owner knows."""
        return True

    async def renew(self, stale: Token) -> Token:
        """Let the owner replace a token; concurrent callers share one renewal.

        Raises:
            RcexError: the owner has no other.
        """
        async with self._lock:
            if self.token is not None and self.token.access_token != stale.access_token:
                return self.token
            with self.watchers.report(SessionStep.REFRESH) as done:
                token = self._keep(await _asked(self._owner.renew(stale)))
                done(token)
            return token

    async def renew_now(self) -> Token:
        """Let the owner renew the token now.

        Raises:
            RcexError: the owner has no other.
        """
        return await self.renew(self.token or await _asked(self._owner.current()))

    async def revoke(self) -> None:
        """Refuse to end a session that belongs to somebody else.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(f"revoke: {_OWNED_ELSEWHERE}")

    def rejected(self, response: Response, *, method: str, path: str) -> RestError:
        """Return the error of a call whose token the server has rejected, after all that could be done about it."""
        return RestError(response, method=method, path=path)

    def _keep(self, token: Token) -> Token:
        if self.token is None or self.token.access_token != token.access_token:
            self.token = token
            self.token_changed.set()
            self.token_changed = Signal()
        return self.token


AnySession: TypeAlias = Auth | BorrowedSession
"""The OAuth session of a client: its own, or somebody else's."""


async def _asked(answer: Awaitable[Token]) -> Token:
    """Return what the owner answers; its own exceptions become one that says that a retry may help."""
    try:
        token = await answer
    except RcexError:
        raise
    except Exception as exc:  # noqa: BLE001 - it may be anything, and quote a token
        raise TransportError(f"the token_owner raised {type(exc).__name__}") from None
    if not isinstance(token, Token):  # pyright: ignore[reportUnnecessaryIsInstance] - it is somebody else's code
        raise ConfigurationError(f"token_owner: it has to return a Token, and returned {_described(token)}")
    return token


def _described(value: object) -> str:
    """Return what a value is, without itself: it may be the token as text."""
    return "None" if value is None else f"an object of the type {type(value).__name__}"
