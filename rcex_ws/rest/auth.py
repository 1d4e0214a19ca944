"""The OAuth session of one client: log in, renew one at a time, keep fresh, revoke.

Called by `rcex_ws.rest.client` only. Touches the token endpoint, and by `keeper` the token store; what to send is in
`oauth`, when to renew in `token`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import anyio
import msgspec

from rcex_ws.errors import ConfigurationError, NotJSON, RcexError, TransportError
from rcex_ws.loop import Signal, now
from rcex_ws.rest import oauth
from rcex_ws.rest.errors import LoginRefused, RestError
from rcex_ws.rest.keeper import TokenKeeper
from rcex_ws.rest.message import Request, Response
from rcex_ws.rest.token import Token, token_from_answer
from rcex_ws.secret import hide

__all__ = ["Auth"]

logger = logging.getLogger("rcex_ws.rest")

# The old refresh token works for about 10 s after its use, so one lost answer must be noticed early.
_GRANT_TIMEOUT = 15.0

_PROXY_HINT = "; something in between may have answered, such as a captive portal or a proxy: check `server`"


class Auth:
    """Own the token.

    Args:
        client_id: of the application.
        client_secret: None for a public client.
        token: a session to begin with.
        keeper: keeps the session where it survives the process.
        timeout: seconds for one call, at most.
        send: sends a call of the application, without bearer; returns any answer.

    Attributes:
        token: the session's, None when nobody is logged in.
        token_changed: set when the token is replaced; then there is a new one.
    """

    def __init__(
        self,
        *,
        client_id: str | None,
        client_secret: str | None,
        token: Token | None,
        keeper: TokenKeeper,
        timeout: float,
        send: Callable[[Request], Awaitable[Response]],
    ) -> None:
        self.token = token
        self._client_id = client_id
        self._client_secret = hide(client_secret)
        self._keeper = keeper
        self._timeout = min(timeout, _GRANT_TIMEOUT)
        self._send = send
        self._jwt: str | None = None
        self._login: str | None = None  # who logged in, None = not known
        self._granted_at: float | None = None  # by the loop's clock; None for a token that was not granted here
        self._lock = anyio.Lock()  # one login, refresh or revoke at a time
        self.token_changed = Signal()
        self._failures = 0  # renewals that failed
        self._failure: RcexError | None = None  # why the last one did; LoginRefused stays until the token changes

    async def authorize(self, grant: oauth.Grant | None, *, force: bool) -> Token:
        """Continue the session that is there if it is of the same server, application and user, or log in.

        Raises:
            ConfigurationError: there is no session to continue and no credential.
            LoginRefused: OAuth said no.
        """
        async with self._lock:
            # A code is good once and some seconds old: who has one means to be that user.
            anew = force or (grant is not None and "code" in grant)
            if anew:
                await self._keeper.check_store()
            token = None if anew else await self._find_session(grant)
            if token is not None:
                if not token.expires_soon(time.time()):
                    return token
                try:
                    return await self._refresh_or_adopt(token)
                except (LoginRefused, ConfigurationError) as exc:
                    if grant is None:
                        raise
                    logger.info("the kept session cannot be continued, logging in anew: %s", exc)
            if grant is None:
                raise ConfigurationError("authorize() needs jwt, code or username: there is no session to continue")
            return await self._request_token(grant, previous=None)

    async def ensure_token(self) -> Token:
        """Return a token that is good for a call now, renewed when it is about to end.

        Raises:
            ConfigurationError: nobody logged in.
            LoginRefused: the session has ended and cannot be renewed.
            RcexError: it has surely ended, and the renewal failed.
        """
        token = self._require_token()
        if not token.expires_soon(time.time()) or not self.can_renew(token):
            return token
        try:
            return await self.renew(token)
        except RcexError as exc:
            if (not exc.retryable and token.expired(time.time())) or self._surely_expired(token):
                raise
            logger.info("renewing the token failed, it may still be good for now: %s", exc)
            return token

    def can_renew(self, token: Token) -> bool:
        """Tell whether there is a way to replace the token without the user."""
        return self._jwt is not None or token.refreshable

    async def renew(self, stale: Token) -> Token:
        """Replace a token; callers at the same time share one attempt and its outcome.

        Args:
            stale: the token the caller was about to use, or used in vain.

        Raises:
            LoginRefused: the grant is dead and no JWT is at hand.
            RcexError: the attempt failed; see `.retryable`.
        """
        failures = self._failures
        async with self._lock:
            token = self._require_token()
            if token is not stale:
                return token
            failure = self._failure
            if failure is not None and self._failures != failures:
                raise failure
            try:
                if isinstance(failure, LoginRefused):  # not asked again; only somebody else can have mended it
                    return await self._adopt_stored(token, failure)
                return await self._renew(token)
            except RcexError as exc:
                self._failures += 1
                self._failure = exc
                raise

    async def revoke(self) -> None:
        """End the session at the server and forget it here, also when the server cannot be reached.

        Raises:
            RcexError: the server did not confirm; here everything is forgotten.
        """
        async with self._lock:
            token, self._jwt, self._login = self.token, None, None
            if token is None:
                return
            self._set_token(None)
            try:
                await self._post(oauth.REVOKE_PATH, {"token": hide(token.access_token)})
            finally:
                await self._keeper.clear()

    async def renew_now(self) -> Token:
        """Renew the token now.

        Raises:
            ConfigurationError: nobody logged in.
            RcexError: as in `renew`.
        """
        return await self.renew(self._require_token())

    def _require_token(self) -> Token:
        if self.token is None:
            raise ConfigurationError("nobody is logged in: call authorize() first")
        return self.token

    async def _find_session(self, grant: oauth.Grant | None) -> Token | None:
        """Return the session to continue, from memory or the store; None if there is none of this caller."""
        token = self.token or await self._keeper.load()
        login = None if grant is None else self._keeper.login_of(grant)
        if token is None or self._keeper.warn_if_foreign(token, login):
            return None
        if grant is not None:  # a password may belong to another user than the JWT of before
            self._jwt, self._login = grant.get("assertion"), login
        if token is self.token:
            return token
        owned = self._keeper.with_owner(token, self._login)
        self._set_token(owned)
        if owned != token and not owned.expires_soon(time.time()):  # a file from before; a refresh would write it, too
            await self._keeper.save(owned)
        return owned

    async def _renew(self, token: Token) -> Token:
        try:
            return await self._refresh_or_adopt(token)
        except (LoginRefused, ConfigurationError) as exc:
            if self._jwt is None:
                raise
            logger.info("the session has ended, logging in anew: %s", exc)
            return await self._request_token(oauth.jwt_grant(self._jwt), previous=None)

    async def _refresh_or_adopt(self, token: Token) -> Token:
        """Refresh the session, or go on with what somebody else has made of it.

        Raises:
            LoginRefused: the refresh token is no longer good.
            ConfigurationError: there is none.
        """
        if not token.refreshable:
            why = "the session has ended and has no refresh token: call authorize() with jwt, code or username"
            return await self._adopt_stored(token, ConfigurationError(why))
        try:
            return await self._refresh(token)
        except LoginRefused as exc:
            return await self._adopt_stored(token, exc)

    async def _adopt_stored(self, token: Token, refusal: RcexError) -> Token:
        """Go on with the token that somebody else has put into the store.

        Raises:
            RcexError: the refusal, if there is none; or theirs has ended and cannot be refreshed.
        """
        stored = await self._keeper.load_replacement(token)
        if stored is None:
            raise refusal
        logger.info("somebody else has renewed the stored token, going on with theirs")
        stored = self._keeper.with_owner(stored, self._login)
        self._set_token(stored)
        return await self._refresh(stored) if stored.expires_soon(time.time()) and stored.refreshable else stored

    async def _refresh(self, token: Token) -> Token:
        form = oauth.refresh_grant(token.refresh_token or "")
        try:
            return await self._request_token(form, previous=token)
        except TransportError:
            # The server may have answered. It gives the same pair again for about 10 s (developer guide).
            return await self._request_token(form, previous=token)

    async def _request_token(self, form: oauth.Grant, *, previous: Token | None) -> Token:
        answer = await self._post(oauth.TOKEN_PATH, form)
        try:
            token = token_from_answer(answer.json(), now=time.time(), previous=previous)
        except (NotJSON, msgspec.ValidationError):  # its text may be anything
            raise TransportError(
                f"the token endpoint answered {answer.describe()} without a token{_PROXY_HINT}"
            ) from None
        if previous is None:
            self._jwt, self._login = form.get("assertion"), self._keeper.login_of(form)
        token = self._keeper.with_owner(token, self._login)
        self._set_token(token, granted_at=now())
        await self._keeper.save(token)
        return token

    async def _post(self, path: str, form: dict[str, str]) -> Response:
        request = oauth.application_request(
            path, form, client_id=self._client_id, client_secret=self._client_secret, timeout=self._timeout
        )
        response = await self._send(request)
        if response.is_success:
            return response
        if 300 <= response.status_code < 400:
            raise TransportError(f"POST {path} was redirected with HTTP {response.status_code}{_PROXY_HINT}")
        kind = LoginRefused if response.status_code in {400, 401, 403} else RestError
        raise kind(response, method=request.method, path=path)

    def _surely_expired(self, token: Token) -> bool:
        """Tell whether a token has ended by the clock that nobody can set; the wall clock alone decides nothing."""
        granted_at = self._granted_at if token is self.token else None
        return granted_at is not None and now() >= granted_at + token.lifetime

    def _set_token(self, token: Token | None, *, granted_at: float | None = None) -> None:
        self.token, self._failure, self._granted_at = token, None, granted_at
        self.token_changed.set()
        self.token_changed = Signal()
