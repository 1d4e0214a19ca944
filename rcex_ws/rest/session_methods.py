"""The methods that users call for the OAuth session: log in, renew, revoke; delegated to `auth`.

Base class of `ClientMethods` in `rcex_ws.rest.methods`; also called by extensions.
"""

from __future__ import annotations

from collections.abc import Callable

from rcex_ws.errors import ConfigurationError
from rcex_ws.home import Home
from rcex_ws.options import Credential, Name, Password, checked, trimmed
from rcex_ws.rest import oauth
from rcex_ws.rest.lifecycle import Lifecycle
from rcex_ws.rest.login_pages import LoginPages
from rcex_ws.rest.message import Params
from rcex_ws.rest.token import Token
from rcex_ws.rest.token_owner import AnySession
from rcex_ws.rest.watchers import SessionWatcher

__all__ = ["SessionMethods"]


class SessionMethods:
    """The OAuth session of a client.

    Args:
        server: URL of the API without trailing slash.
        client_id: id of the application.
        home: refuses calls from another event loop, thread or process.
        auth: the OAuth session.
        lifecycle: knows whether the client is closed.

    Attributes:
        server: URL of the API without trailing slash.
        client_id: the argument of that name.
        home: the event loop that the client belongs to: the first that uses it.
    """

    server: str
    client_id: str | None
    home: Home

    def __init__(
        self, *, server: str, client_id: str | None, home: Home, auth: AnySession, lifecycle: Lifecycle
    ) -> None:
        self.server = server
        self.client_id = client_id
        self.home = home
        self._auth = auth
        self._lifecycle = lifecycle
        self._pages = LoginPages()

    @property
    def token(self) -> Token | None:
        """The token of the OAuth session; None when nobody is logged in."""
        return self._auth.token

    @checked
    async def authorize(
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
            WrongEventLoop: the client belongs to another event loop, thread or process; every method may raise it.
        """
        self.home.check()
        self._lifecycle.raise_if_ended()
        code, code_verifier = trimmed("code", code), trimmed("code_verifier", code_verifier)
        if code is not None:
            redirect_uri, code_verifier, state = self._pages.redemption(
                state, redirect_uri=redirect_uri, code_verifier=code_verifier
            )
        elif state is not None:
            raise ConfigurationError("state: it goes with code, as both came from the login page")
        grant = oauth.login_grant(
            jwt=trimmed("jwt", jwt),
            code=code,
            redirect_uri=redirect_uri,
            code_verifier=code_verifier,
            username=username,
            password=password,
            extension=extension,
        )
        with self._pages.redeeming(state):
            return await self._auth.authorize(grant, force=force)

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
        oauth.check_login_page(client_id=self.client_id, params=params)
        code_verifier = trimmed("code_verifier", code_verifier)
        if pkce is False and code_verifier is not None:
            raise ConfigurationError("pkce: it is False, but there is a code_verifier, which is for PKCE")
        if pkce is None:
            pkce = self._auth.is_public
        state, code_verifier = self._pages.open(redirect_uri, state=state, code_verifier=code_verifier, pkce=pkce)
        return oauth.authorize_uri(
            self.server,
            client_id=self.client_id,
            redirect_uri=redirect_uri,
            state=state,
            code_verifier=code_verifier,
            params=params,
        )

    async def ensure_token(self) -> Token:
        """Return a token that is valid for a call now; renew it first if it is about to expire by the wall clock.

        Raises:
            ConfigurationError: nobody is logged in.
            LoginRefused: the session has ended and cannot be renewed.
            RcexError: the renewal failed and the token has expired; see `.retryable`.
        """
        self.home.check()
        self._lifecycle.raise_if_ended()
        return await self._auth.ensure_token()

    async def refresh(self) -> Token:
        """Renew the token now; concurrent callers share one renewal.

        Raises:
            ConfigurationError: nobody is logged in.
            LoginRefused: the session has ended and cannot be renewed.
            RcexError: the renewal failed; see `.retryable`.
        """
        self.home.check()
        self._lifecycle.raise_if_ended()
        return await self._auth.renew_now()

    async def revoke(self) -> None:
        """End the session at the server and forget it, also in the store; do nothing when nobody is logged in.

        Raises:
            RcexError: the server did not confirm; the session is forgotten all the same.
        """
        self.home.check()
        self._lifecycle.raise_if_ended()
        await self._auth.revoke()

    @checked
    def watch_session(self, watcher: SessionWatcher) -> Callable[[], None]:
        """Call a function when the session is begun, renewed or ended, and at each failure to; return its remover."""
        return self._auth.watchers.add(watcher)
