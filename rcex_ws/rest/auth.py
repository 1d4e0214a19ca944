"""The OAuth session of one client: log in, renew the token (one attempt at a time), revoke.

Used by `methods`, `calls` and `renewal`. Talks to the token endpoint and, through `keeper`, to the token store; the
requests are defined in `oauth`, the time to renew in `token`.
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
from rcex_ws.rest.watchers import SessionStep, SessionWatchers
from rcex_ws.secret import hide

__all__ = ["Auth"]

logger = logging.getLogger("rcex_ws.rest")

# A used refresh token stays valid for about 10 s, so a lost answer must be noticed within that time.
_GRANT_TIMEOUT = 15.0

_PROXY_HINT = "; something in between may have answered, such as a captive portal or a proxy: check `server`"


class Auth:
    """OAuth session of one client; owns the token.

    Args:
        client_id: id of the application.
        client_secret: secret of the application; None for a public client.
        token: token of an existing session to start with.
        keeper: stores the session across restarts.
        timeout: upper limit in seconds for one call.
        send: sends a call as the application, without bearer token; returns any answer.

    Attributes:
        token: token of the session; None when nobody is logged in.
        token_changed: signal that is set when the token is replaced; a new signal takes its place.
        watchers: are told of logins, refreshes and logouts.
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
        self.watchers = SessionWatchers()
        self._client_id = client_id
        self._client_secret = hide(client_secret)
        self._keeper = keeper
        self._timeout = min(timeout, _GRANT_TIMEOUT)
        self._send = send
        self._jwt: str | None = None
        self._login: str | None = None  # who logged in; None if unknown
        self._granted_at: float | None = None  # on the loop's clock; None if the token was not granted here
        self._lock = anyio.Lock()  # one login, refresh or revoke at a time
        self.token_changed = Signal()
        self._failures = 0  # failed renewals so far
        self._failure: RcexError | None = None  # of the last renewal; LoginRefused stays until the token changes

    @property
    def is_public(self) -> bool:
        """Whether the application has no secret."""
        return self._client_secret is None

    async def authorize(self, grant: oauth.Grant | None, *, force: bool) -> Token:
        """Continue the existing session if it has the same server, application and user; else log in.

        Raises:
            ConfigurationError: there is neither a session to continue nor a credential.
            LoginRefused: the server refused the credential.
        """
        async with self._lock:
            # A code is fresh and works once: whoever passes one wants to log in as that user.
            log_in = force or (grant is not None and "code" in grant)
            if log_in:
                await self._keeper.check_store()
            token = None if log_in else await self._find_session(grant)
            if token is not None:
                if not token.expires_soon(time.time()):
                    return token
                try:
                    return await self._refresh_or_adopt(token)
                except (LoginRefused, ConfigurationError) as exc:
                    if grant is None:
                        raise
                    logger.info("the existing session cannot be continued, logging in again: %s", exc)
            if grant is None:
                raise ConfigurationError("authorize() needs jwt, code or username: there is no session to continue")
            return await self._request_token(grant, previous=None)

    async def ensure_token(self) -> Token:
        """Return a token that is valid for a call now; renew it first if it is about to expire.

        Raises:
            ConfigurationError: nobody is logged in.
            LoginRefused: the session has ended and cannot be renewed.
            RcexError: the token has certainly expired, and its renewal failed.
        """
        token = self._require_token()
        if not token.expires_soon(time.time()) or not self.can_renew(token):
            return token
        try:
            return await self.renew(token)
        except RcexError as exc:
            if (not exc.retryable and token.expired(time.time())) or self._surely_expired(token):
                raise
            logger.info("renewing the token failed, the old one may still be valid: %s", exc)
            return token

    def can_renew(self, token: Token) -> bool:
        """Return whether the token can be replaced without the user."""
        return self._jwt is not None or token.refreshable

    async def renew(self, stale: Token) -> Token:
        """Replace a token; concurrent callers share one attempt and its outcome.

        Args:
            stale: the token that the caller was about to use, or that the server has rejected.

        Raises:
            LoginRefused: the session has ended and there is no JWT to log in with.
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
                if isinstance(failure, LoginRefused):  # final: only another process can have renewed
                    return await self._adopt_stored(token, failure)
                return await self._renew(token)
            except RcexError as exc:
                self._failures += 1
                self._failure = exc
                raise

    async def revoke(self) -> None:
        """End the session at the server and forget it locally, even when the server cannot be reached.

        Raises:
            RcexError: the server did not confirm; locally the session is forgotten.
        """
        async with self._lock:
            token, self._jwt, self._login = self.token, None, None
            if token is None:
                return
            self._set_token(None)
            with self.watchers.report(SessionStep.LOGOUT) as done:
                try:
                    await self._post(oauth.REVOKE_PATH, {"token": hide(token.access_token)})
                finally:
                    await self._keeper.clear()
                done(token)

    async def renew_now(self) -> Token:
        """Renew the token now, however long it is still valid.

        Raises:
            ConfigurationError: nobody is logged in.
            RcexError: as in `renew`.
        """
        return await self.renew(self._require_token())

    def rejected(self, response: Response, *, method: str, path: str) -> RestError:
        """Return the error of a call whose token the server has rejected, after all that could be done about it."""
        return RestError(response, method=method, path=path)

    def _require_token(self) -> Token:
        if self.token is None:
            raise ConfigurationError("nobody is logged in: call authorize() first")
        return self.token

    async def _find_session(self, grant: oauth.Grant | None) -> Token | None:
        """Return the token of the session to continue, from memory or the store; None if this caller has none."""
        token = self.token or await self._keeper.load()
        login = None if grant is None else self._keeper.login_of(grant)
        if token is None or self._keeper.warn_if_foreign(token, login):
            return None
        if grant is not None:  # a JWT kept from before may be another user's
            self._jwt, self._login = grant.get("assertion"), login
        if token is self.token:
            return token
        owned = self._keeper.with_owner(token, self._login)
        self._set_token(owned)
        if owned != token and not owned.expires_soon(time.time()):  # written without owner; a refresh saves anyway
            await self._keeper.save(owned)
        return owned

    async def _renew(self, token: Token) -> Token:
        try:
            return await self._refresh_or_adopt(token)
        except (LoginRefused, ConfigurationError) as exc:
            if self._jwt is None:
                raise
            logger.info("the session has ended, logging in again: %s", exc)
            return await self._request_token(oauth.jwt_grant(self._jwt), previous=None)

    async def _refresh_or_adopt(self, token: Token) -> Token:
        """Refresh the session, or adopt the token that another process has stored.

        Raises:
            LoginRefused: the refresh token is no longer valid.
            ConfigurationError: there is no refresh token.
        """
        if not token.refreshable:
            why = "the session has ended and has no refresh token: call authorize() with jwt, code or username"
            return await self._adopt_stored(token, ConfigurationError(why))
        try:
            return await self._refresh(token)
        except LoginRefused as exc:
            return await self._adopt_stored(token, exc)

    async def _adopt_stored(self, token: Token, refusal: RcexError) -> Token:
        """Adopt the token that another process has stored.

        Raises:
            RcexError: the given refusal, if there is no such token; or that token has expired and its refresh failed.
        """
        stored = await self._keeper.load_replacement(token)
        if stored is None:
            raise refusal
        logger.info("the stored token was renewed elsewhere, using that one")
        stored = self._keeper.with_owner(stored, self._login)
        self._set_token(stored)
        return await self._refresh(stored) if stored.expires_soon(time.time()) and stored.refreshable else stored

    async def _refresh(self, token: Token) -> Token:
        form = oauth.refresh_grant(token.refresh_token or "")
        try:
            return await self._request_token(form, previous=token)
        except TransportError:
            # The answer may have been lost. For about 10 s the server returns the same pair again (developer guide).
            return await self._request_token(form, previous=token)

    async def _request_token(self, form: oauth.Grant, *, previous: Token | None) -> Token:
        with self.watchers.report(SessionStep.LOGIN if previous is None else SessionStep.REFRESH) as done:
            answer = await self._post(oauth.TOKEN_PATH, form)
            try:
                token = token_from_answer(answer.json(), now=time.time(), previous=previous)
            except (NotJSON, msgspec.ValidationError):  # the error may quote the answer
                raise TransportError(
                    f"the token endpoint answered {answer.describe()} without a token{_PROXY_HINT}"
                ) from None
            if previous is None:
                self._jwt, self._login = form.get("assertion"), self._keeper.login_of(form)
            token = self._keeper.with_owner(token, self._login)
            self._set_token(token, granted_at=now())
            await self._keeper.save(token)
            done(token)
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
        raise kind(response, method=request.method, path=path, grant_type=form.get("grant_type"))

    def _surely_expired(self, token: Token) -> bool:
        """Return whether a token has expired by the monotonic clock; the wall clock may be set and proves nothing."""
        granted_at = self._granted_at if token is self.token else None
        return granted_at is not None and now() >= granted_at + token.lifetime

    def _set_token(self, token: Token | None, *, granted_at: float | None = None) -> None:
        self.token, self._failure, self._granted_at = token, None, granted_at
        self.token_changed.set()
        self.token_changed = Signal()
