"""The methods that users call: log in and send calls, delegated to `auth` and `calls`.

Base class of `RingCentral` in `rcex_ws.rest.client`, which builds these parts; also called by `rcex_ws.rest.paths` and
by extensions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Unpack, cast

from rcex_ws.home import Home
from rcex_ws.options import Credential, Name, Password, checked, refusal, required_constraint, trimmed
from rcex_ws.rest import oauth
from rcex_ws.rest.calls import Calls
from rcex_ws.rest.https import StreamedResponse
from rcex_ws.rest.lifecycle import Lifecycle
from rcex_ws.rest.message import Options, Params, Request, Response, Send
from rcex_ws.rest.token import Token
from rcex_ws.rest.token_owner import AnySession

__all__ = ["ClientMethods"]


class ClientMethods:
    """Client of an OAuth-protected REST API, assembled from its parts.

    Args:
        server: URL of the API without trailing slash.
        client_id: id of the application.
        home: refuses calls from another event loop, thread or process.
        auth: the OAuth session.
        calls: sender of calls.
        lifecycle: knows whether the client is closed.
        timeout: seconds for one call, unless the call has its own.

    Attributes:
        server: URL of the API without trailing slash.
        client_id: the argument of that name.
        home: the event loop that the client belongs to: the first that uses it.
    """

    def __init__(
        self,
        *,
        server: str,
        client_id: str | None,
        home: Home,
        auth: AnySession,
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
            code: a code from the login page, with the redirect_uri and code_verifier given to `authorize_uri`; it
                always logs in, even if there is a session to continue.
            redirect_uri: needed with `code`.
            code_verifier: PKCE verifier, with `code`.
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
        """Return the URL of the login page, which sends the user back with a code.

        Args:
            redirect_uri: URL to send the user back to, as registered for the application.
            state: returned with the code, to be compared.
            code_verifier: PKCE verifier from `generate_code_verifier()`; keep it for `authorize`.
            params: further parameters of the page, such as prompt or brandId.

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

    # Calls

    def send(self, request: Request, *, transport: Send | None = None) -> Coroutine[Any, Any, Response]:
        """Send a call through middlewares, rate gate and a transport; after a 401 renew the token and repeat it once.

        The time-out applies inside the middlewares: it starts again each time a middleware passes the call on.

        Args:
            request: the call.
            transport: replaces the transports of the extensions and HTTPS.

        Raises:
            RestError: an answer other than 2xx.
            RequestTimeout: no answer within `request.timeout`.
            RateLimited: the rate limit holds the call back for longer than that; it was not sent.
            TransportError: no answer came.
            ConfigurationError: nobody is logged in, or the call cannot be sent as it is.
        """
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance] - cheaper than @checked
            raise refusal("request", _REQUEST, request)
        if transport is not None and not _TRANSPORT.admits(transport):
            raise refusal("transport", _TRANSPORT, transport)
        self._lifecycle.raise_if_ended()
        request.check()
        return self._calls.send(request, transport)

    def request(self, method: str, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a call.

        Args:
            method: GET, POST, ...
            path: "/restapi/..." or an absolute http(s) URL; other hosts than RingCentral's never receive the token.
            **options: params, json, data, files, content, headers, timeout; see `Request`.

        Raises:
            ConfigurationError: an argument cannot be sent; the message names it.
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
        """Send a call by HTTPS, around the extensions, and yield the answer before its body; use with `async with`.

        The time-out applies until the headers have come, then to each read of the body.

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
        """Number of calls sent by HTTPS so far, OAuth's own not counted."""
        return self._calls.https_calls

    def _request(self, method: str, path: str, options: Options) -> Request:
        self._lifecycle.raise_if_ended()
        options.setdefault("timeout", self._timeout)
        headers: Any = options.get("headers")
        if headers is None:
            options["headers"] = {}
        elif isinstance(headers, Mapping):  # anything else `Request` refuses
            options["headers"] = dict(cast("Mapping[str, str]", headers))  # a copy, for middlewares may change it
        return Request(method, path, **options)


_REQUEST = required_constraint(Request)
_TRANSPORT = required_constraint(Send | None)
