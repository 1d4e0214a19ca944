"""Generated from `rcex_ws.rest.session_methods.SessionMethods` by `python -m tests.blocking.generate`."""

from __future__ import annotations

from collections.abc import Callable

import rcex_ws.rest
from rcex_ws.blocking.facade import Facade
from rcex_ws.blocking.loop_thread import run, run_sync
from rcex_ws.options import Credential, Name, Password, checked
from rcex_ws.rest.message import Params
from rcex_ws.rest.token import Token
from rcex_ws.rest.watchers import SessionWatcher

__all__ = ["BlockingSessionMethods"]


class BlockingSessionMethods(Facade[rcex_ws.rest.RingCentral]):
    """The OAuth session of a client."""

    @property
    def server(self) -> str:
        """URL of the API without trailing slash."""
        return self._inner.server

    @property
    def client_id(self) -> str | None:
        """The argument of that name."""
        return self._inner.client_id

    @property
    def token(self) -> Token | None:
        """The token of the OAuth session; None when nobody is logged in."""
        return run_sync(lambda: self._inner.token)

    @checked
    def authorize(
        self,
        *,
        jwt: Credential | None = None,
        code: Credential | None = None,
        redirect_uri: Name | None = None,
        code_verifier: Credential | None = None,
        state: Name | None = None,
        username: Name | None = None,
        password: Password | None = None,
        extension: Name | None = None,
        force: bool = False,
    ) -> Token:
        """Continue the existing session if it is valid or can be refreshed, else log in.

        A new login would invalidate every stored WebSocket session (WSG-1003). A stored session of another server,
        client_id or user is not continued, and a warning is logged; without a credential any user's is.

        Args:
            jwt: a JWT credential; kept in memory to log in again when the session ends.
            code: a code from the login page; it always logs in, even if there is a session to continue.
            redirect_uri: with `code`; by default that of the login page, if this client has made its address.
            code_verifier: PKCE verifier, likewise.
            state: with `code`: as it came with it, to tell login pages apart; a forged or used one is refused.
            username: a phone number, with `password` (legacy).
            password: needed with `username`.
            extension: an extension number, with `username`.
            force: always log in.

        Raises:
            ConfigurationError: the arguments are not one way to log in, or there is no session and no credential.
            LoginRefused: the server refused the login; trying again cannot help.
            RestError: another answer than 2xx.
            TransportError: no answer came.
            WrongEventLoop: the client belongs to another process; every method may raise it.
        """
        return run(
            lambda: self._inner.authorize(
                jwt=jwt,
                code=code,
                redirect_uri=redirect_uri,
                code_verifier=code_verifier,
                state=state,
                username=username,
                password=password,
                extension=extension,
                force=force,
            )
        )

    @checked
    def authorize_uri(
        self,
        *,
        redirect_uri: Name,
        state: Name | None = None,
        pkce: bool | None = None,
        code_verifier: Credential | None = None,
        params: Params | None = None,
    ) -> str:
        """Return the URL of the login page, which sends the user back with a code and the state.

        The client remembers redirect_uri and verifier of its last 1,000 pages for `authorize(code=..., state=...)`.

        Args:
            redirect_uri: URL to send the user back to, as registered for the application.
            state: comes back with the code, and tells the pages of several users apart; by default a random text.
            pkce: whether to use PKCE; by default if the client has no secret.
            code_verifier: PKCE verifier to use instead of a new one; see `generate_code_verifier()`.
            params: further parameters of the page, such as prompt or brandId.

        Raises:
            ConfigurationError: the client has no client_id, or an argument is invalid.
        """
        return run_sync(
            lambda: self._inner.authorize_uri(
                redirect_uri=redirect_uri, state=state, pkce=pkce, code_verifier=code_verifier, params=params
            )
        )

    def ensure_token(self) -> Token:
        """Return a token that is valid for a call now; renew it first if it is about to expire by the wall clock.

        Raises:
            ConfigurationError: nobody is logged in.
            LoginRefused: the session has ended and cannot be renewed.
            RcexError: the renewal failed and the token has expired; see `.retryable`.
        """
        return run(lambda: self._inner.ensure_token())

    def refresh(self) -> Token:
        """Renew the token now; concurrent callers share one renewal.

        Raises:
            ConfigurationError: nobody is logged in.
            LoginRefused: the session has ended and cannot be renewed.
            RcexError: the renewal failed; see `.retryable`.
        """
        return run(lambda: self._inner.refresh())

    def revoke(self) -> None:
        """End the session at the server and forget it, also in the store; do nothing when nobody is logged in.

        Raises:
            RcexError: the server did not confirm; the session is forgotten all the same.
        """
        run(lambda: self._inner.revoke())

    @checked
    def watch_session(self, watcher: SessionWatcher) -> Callable[[], None]:
        """Call a function when the session is begun, renewed or ended, and at each failure to; return its remover."""
        undo = run_sync(lambda: self._inner.watch_session(watcher))
        return lambda: run_sync(undo)
