"""What users call: log in, and send calls. The parts that do it are given.

The base of `rcex_ws.rest.client`, which makes the parts; called by users, by `rcex_ws.rest.paths` and by extensions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Unpack, cast

from rcex_ws.home import Home
from rcex_ws.options import Credential, Name, Password, checked, refusal, required_constraint, trimmed
from rcex_ws.rest import oauth
from rcex_ws.rest.auth import Auth
from rcex_ws.rest.calls import Calls
from rcex_ws.rest.https import StreamedResponse
from rcex_ws.rest.lifecycle import Lifecycle
from rcex_ws.rest.message import Options, Params, Request, Response, Send
from rcex_ws.rest.token import Token

__all__ = ["CoreClient"]


class CoreClient:
    """Log in, and send calls.

    Args:
        server: the API's URL without trailing slash.
        client_id: of the application.
        home: refuses calls from elsewhere.
        auth: has the OAuth session.
        calls: sends calls.
        lifecycle: knows whether the client is closed.
        timeout: seconds for one call, unless the call says otherwise.

    Attributes:
        server: the API's URL without trailing slash.
        client_id: as given.
        home: the event loop that the client lives in: the first that uses it.
    """

    def __init__(
        self,
        *,
        server: str,
        client_id: str | None,
        home: Home,
        auth: Auth,
        calls: Calls,
        lifecycle: Lifecycle,
        timeout: float,
    ) -> None:
        self.server = server
        self.client_id = client_id
        self.home = home
        self._auth = auth
        self._calls = calls
        self._lifecycle = lifecycle
        self._timeout = timeout

    # The OAuth session

    @property
    def token(self) -> Token | None:
        """The OAuth session's token, None when nobody is logged in."""
        return self._auth.token

    @checked
    async def authorize(
        self,
        *,
        jwt: Credential | None = None,
        code: Credential | None = None,
        redirect_uri: Name | None = None,
        code_verifier: Credential | None = None,
        username: Name | None = None,
        password: Password | None = None,
        extension: Name | None = None,
        force: bool = False,
    ) -> Token:
        """Continue the kept session if it is usable or can be refreshed, else log in.

        A new login would make every stored WebSocket session useless (WSG-1003). A kept session that was made for
        another server, client_id or user than now is not continued, with a warning; without a credential any user's is.

        Args:
            jwt: a JWT credential; kept in memory to log in anew when the session ends.
            code: from the login page, with the same redirect_uri and code_verifier as in `authorize_uri`; always logs
                in, whatever session is kept.
            redirect_uri: with code.
            code_verifier: with code, for PKCE.
            username: a phone number, with password (legacy).
            password: with username.
            extension: an extension number, with username.
            force: log in anew in any case.

        Raises:
            ConfigurationError: no way to log in, or more than one; or no session to continue and no credential.
            LoginRefused: OAuth said no; trying again cannot help.
            RestError: another answer than 2xx.
            TransportError: no answer came.
            WrongEventLoop: the client lives in another event loop, thread or process; so for all that follows.
        """
        self.home.check()
        self._lifecycle.check_open()
        grant = oauth.login_grant(
            jwt=trimmed("jwt", jwt),
            code=trimmed("code", code),
            redirect_uri=redirect_uri,
            code_verifier=trimmed("code_verifier", code_verifier),
            username=username,
            password=password,
            extension=extension,
        )
        return await self._auth.authorize(grant, force=force)

    @checked
    def authorize_uri(
        self,
        *,
        redirect_uri: Name,
        state: str | None = None,
        code_verifier: Credential | None = None,
        params: Params | None = None,
    ) -> str:
        """Return the address of the login page, which sends the user back with a code.

        Args:
            redirect_uri: where to, as registered for the application.
            state: comes back with the code; compare it.
            code_verifier: of `generate_code_verifier()`, for PKCE; keep it for `authorize`.
            params: more of the page's parameters, such as prompt or brandId.

        Raises:
            ConfigurationError: the client has no client_id.
        """
        return oauth.authorize_uri(
            self.server,
            client_id=self.client_id,
            redirect_uri=redirect_uri,
            state=state,
            code_verifier=trimmed("code_verifier", code_verifier),
            params=params,
        )

    async def ensure_token(self) -> Token:
        """Return a token good for a call now; renew it when it is about to end, by the wall clock at this moment.

        Raises:
            ConfigurationError: nobody is logged in.
            LoginRefused: the session has ended and cannot be renewed.
            RcexError: the renewal failed and the token has ended; see `.retryable`.
        """
        self.home.check()
        self._lifecycle.check_open()
        return await self._auth.ensure_token()

    async def refresh(self) -> Token:
        """Renew the token now; callers at the same time share one renewal.

        Raises:
            ConfigurationError: nobody is logged in.
            LoginRefused: the session has ended and cannot be renewed.
            RcexError: the renewal failed; see `.retryable`.
        """
        self.home.check()
        self._lifecycle.check_open()
        return await self._auth.renew_now()

    async def revoke(self) -> None:
        """End the session at the server and forget it, in the store too; do nothing when nobody is logged in.

        Raises:
            RcexError: the server did not confirm; here it is forgotten all the same.
        """
        self.home.check()
        self._lifecycle.check_open()
        await self._auth.revoke()

    # Calls

    def send(self, request: Request, *, transport: Send | None = None) -> Coroutine[Any, Any, Response]:
        """Send a call the whole way: middlewares, rate gate, transport; a 401 refreshes the token and repeats once.

        The time-out bounds what is inside of the middlewares: one that repeats a call gives it a new one.

        Args:
            request: the call.
            transport: instead of the extensions' transports and HTTPS.

        Raises:
            RestError: an answer other than 2xx.
            RequestTimeout: no answer within `request.timeout`.
            RateLimited: the rate limit closes the call for longer than that; it was not sent.
            TransportError: no answer came.
            ConfigurationError: nobody is logged in, or the path is no path.
        """
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance] - for each call
            raise refusal("request", _REQUEST, request)
        if transport is not None and not _TRANSPORT.admits(transport):
            raise refusal("transport", _TRANSPORT, transport)
        self._lifecycle.check_open()
        request.check()
        return self._calls.send(request, transport)

    def request(self, method: str, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a call.

        Args:
            method: GET, POST, ...
            path: "/restapi/..." or an absolute http(s) URL; hosts other than RingCentral's never get the token.
            **options: params, json, data, files, content, headers, timeout: see `Request`.

        Raises:
            ConfigurationError: an argument cannot be sent; it is named.
            RcexError: as in `send`.
        """
        return self._calls.send(self._request(method, path, options))

    def get(self, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a GET; options and errors as in `request`."""
        return self._calls.send(self._request("GET", path, options))

    def post(self, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a POST; options and errors as in `request`."""
        return self._calls.send(self._request("POST", path, options))

    def put(self, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a PUT; options and errors as in `request`."""
        return self._calls.send(self._request("PUT", path, options))

    def patch(self, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a PATCH; options and errors as in `request`."""
        return self._calls.send(self._request("PATCH", path, options))

    def delete(self, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a DELETE; options and errors as in `request`."""
        return self._calls.send(self._request("DELETE", path, options))

    @asynccontextmanager
    async def stream(self, method: str, path: str, **options: Unpack[Options]) -> AsyncGenerator[StreamedResponse]:
        """Send a call by HTTPS, past the extensions, and give the answer before its body; use under `async with`.

        The time-out bounds the way to the headers, then each read of the body.

        Args:
            method: GET, POST, ...
            path: as in `request`.
            **options: as in `request`.

        Raises:
            RcexError: as in `send`.
        """
        async with self._calls.stream(self._request(method, path, options)) as answer:
            yield answer

    @property
    def https_calls(self) -> int:
        """How many calls went by HTTPS so far; those of OAuth's own are not counted."""
        return self._calls.https_calls

    def _request(self, method: str, path: str, options: Options) -> Request:
        self._lifecycle.check_open()
        options.setdefault("timeout", self._timeout)
        headers: Any = options.get("headers")
        if headers is None:
            options["headers"] = {}
        elif isinstance(headers, Mapping):  # else it is refused
            options["headers"] = dict(cast("Mapping[str, str]", headers))  # which a middleware may change
        return Request(method, path, **options)


_REQUEST = required_constraint(Request)
_TRANSPORT = required_constraint(Send | None)
