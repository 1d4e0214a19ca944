"""`RingCentral`, the REST client: what users hold.

Users make it; extensions get it in `install`. It ties together the parts that do the work: `calls` (the way of a call),
`auth` (the OAuth session), `gate` (rate limits), `https` (the wire), `extension` (middlewares and other transports).
"""

from __future__ import annotations

import logging
import ssl
import warnings
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, Unpack, cast

import anyio

from rcex_ws.address import check_server
from rcex_ws.errors import ConfigurationError, NotConnected, WrongEventLoop
from rcex_ws.home import Home
from rcex_ws.loop import Signal
from rcex_ws.options import (
    Bytes,
    Credential,
    HeaderText,
    Name,
    NamesOfJavaScript,
    Password,
    Seconds,
    ServerUrl,
    checked,
    refusal,
    required_constraint,
    trimmed,
)
from rcex_ws.rest import oauth
from rcex_ws.rest.auth import Auth
from rcex_ws.rest.calls import Calls
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.gate import RateGate
from rcex_ws.rest.https import HTTPClient, HTTPEdge, StreamedResponse
from rcex_ws.rest.keeper import TokenKeeper
from rcex_ws.rest.message import Options, Params, Request, Response, Send
from rcex_ws.rest.paths import PathBuilder
from rcex_ws.rest.store import TokenStore
from rcex_ws.rest.token import Token, TokenChoice, given_token
from rcex_ws.rest.user_agent import user_agent
from rcex_ws.secret import plain
from rcex_ws.tasks import RootTask, to_the_end
from rcex_ws.websocket.proxies import ProxyChoice

__all__ = ["PRODUCTION", "SANDBOX", "RingCentral"]

#: Seconds that whoever closes once more waits for the handler that has closed first to finish.
_COURTESY = 1.0

logger = logging.getLogger("rcex_ws.rest")

PRODUCTION = "https://platform.ringcentral.com"
SANDBOX = "https://platform.devtest.ringcentral.com"


class RingCentral(NamesOfJavaScript):
    """Call RingCentral's REST API, and carry extensions.

    Use it under `async with`, or end it with `aclose()`.

    Args:
        server: the API's URL.
        client_id: of the application.
        client_secret: None for a public client (PKCE).
        token: a session to begin with: a Token, or the answer of the OAuth endpoint as a dict, as other SDKs keep it.
        token_store: keeps the session over a restart of the process.
        app_name: begins the User-Agent.
        app_version: goes with it.
        timeout: seconds for one call, unless the call says otherwise.
        max_response_bytes: the largest body taken by HTTPS, counted when it is decompressed; `stream` has no such
            bound, and frames have `max_size`.
        http: a ready `httpx.AsyncClient` or one with the same methods; never closed here.
        ssl_context: for HTTPS and WebSocket; None trusts what the operating system trusts.
        proxy: for both: None or True = the environment's, an URL (http, https, socks5, socks5h) = that one, False =
            none.

    Attributes:
        server: the API's URL without trailing slash.
        client_id: as given.
        proxy: as given.
        home: the event loop that the client lives in: the first that uses it.
        tasks: owns the background tasks of the client and its extensions.
        gate: the rate gate, shared by all transports.

    Raises:
        ConfigurationError: an argument cannot work; it is named.
    """

    @checked
    def __init__(
        self,
        *,
        server: ServerUrl = PRODUCTION,
        client_id: Credential | None = None,
        client_secret: Credential | None = None,
        token: TokenChoice = None,
        token_store: TokenStore | None = None,
        app_name: HeaderText = "Unknown",
        app_version: HeaderText = "0.0.1",
        timeout: Seconds = 60.0,
        max_response_bytes: Bytes = 256 * 2**20,
        http: HTTPClient | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: ProxyChoice = None,
    ) -> None:
        client_id = plain(trimmed("client_id", client_id))
        client_secret = trimmed("client_secret", client_secret)
        self.server = check_server(server)
        self.client_id = client_id
        self.proxy = proxy
        self.home = Home()
        self.tasks = RootTask("rcex_ws client")
        self.gate = RateGate()
        self._timeout = timeout
        self._ssl_context = ssl_context
        self._https = HTTPEdge(
            http, proxy=proxy, ssl_context=lambda: self.ssl_context, max_response_bytes=max_response_bytes
        )
        self._auth = Auth(
            client_id=client_id,
            client_secret=client_secret,
            token=given_token(token),
            keeper=TokenKeeper(token_store, server=self.server, client_id=client_id),
            timeout=timeout,
            send=self._send_as_application,
        )
        self._extensions: list[Extension] = []
        self._calls = Calls(
            server=self.server,
            user_agent=user_agent(app_name, app_version),
            auth=self._auth,
            gate=self.gate,
            https=self._https,
            extensions=self._extensions,
            home=self.home,
        )
        self._installing: list[Extension] = []
        self._closed = False
        self._all_closed = Signal()
        self.closing = False

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
        self._check_open()
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
        self._check_open()
        return await self._auth.ensure()

    async def refresh(self) -> Token:
        """Renew the token now; callers at the same time share one renewal.

        Raises:
            ConfigurationError: nobody is logged in.
            LoginRefused: the session has ended and cannot be renewed.
            RcexError: the renewal failed; see `.retryable`.
        """
        self.home.check()
        self._check_open()
        return await self._auth.refresh()

    async def revoke(self) -> None:
        """End the session at the server and forget it, in the store too; do nothing when nobody is logged in.

        Raises:
            RcexError: the server did not confirm; here it is forgotten all the same.
        """
        self.home.check()
        self._check_open()
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
        self._check_open()
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

    def restapi(self, version: Name | None = "v1.0") -> PathBuilder:
        """Begin a path at /restapi and its version; None leaves the version out."""
        if version is not None and (not isinstance(version, str) or not version):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refusal("version", _NAME, version)
        return PathBuilder(self, "/restapi" if version is None else f"/restapi/{version}")

    def path(self, path: Name) -> PathBuilder:
        """Begin a path anywhere: `rc.path("/team-messaging/v1").chats(id).posts().get()`."""
        if not isinstance(path, str) or not path:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refusal("path", _NAME, path)
        return PathBuilder(self, path.rstrip("/"))

    # What belongs to the client

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The one TLS context of HTTPS and WebSocket, made when first needed."""
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
        return self._ssl_context

    @property
    def https_calls(self) -> int:
        """How many calls went by HTTPS so far; those of OAuth's own are not counted."""
        return self._calls.by_https

    @checked
    async def install_extension(self, extension: Extension) -> None:
        """Install an extension; while there is one, a timer renews the token before it ends.

        Raises:
            ConfigurationError: it is installed already, here or in another client.
            Exception: whatever its `install` raises; then it is not installed.
        """
        self.home.check()
        self._check_open()
        if extension.client is not None:
            where = "already" if extension.client is self else "in another client; make one for each"
            raise ConfigurationError(f"this extension is installed {where}")
        extension.client = self
        self._installing.append(extension)
        try:
            await self.tasks.start()
            self._check_not_closing()  # in the meantime
            await extension.install(self)
        except BaseException:
            extension.client = None
            if not self._extensions and self._installing == [extension]:
                with anyio.CancelScope(shield=True):
                    await self.tasks.aclose()
            raise
        finally:
            if extension in self._installing:  # else the client was closed in the meantime
                self._installing.remove(extension)
        if self._closed:  # in the meantime
            if extension.client is self:
                await self._close(extension)
            self._check_open()
        self._extensions.append(extension)
        self._calls.find_middlewares()
        if len(self._extensions) == 1:
            self.tasks.spawn(self._auth.keep_fresh, name="token renewal", on_crash=_report_crash)

    async def aclose(self) -> None:
        """Close the extensions, the last installed first, then everything else; everybody waits for the one closing.

        An extension that fails to close is logged and does not keep the others from closing. A handler that calls this
        is left to finish.
        """
        self.home.check()
        if not self.closing:
            self.closing = True
            await to_the_end(self._close_all)
        else:
            with self.tasks.excuse_caller():
                await self._all_closed.wait()
            await self.tasks.aclose(within=_COURTESY)  # what a handler that closed still does

    async def _close_all(self) -> None:
        try:
            while self._installing:
                await self._close_logged(self._installing.pop())
            while self._extensions:  # one that closes still passes the middlewares that were there before it
                extension = self._extensions.pop()
                self._calls.find_middlewares()
                await self._close_logged(extension)
        finally:
            self._closed = True
            try:
                await self.tasks.aclose()
            finally:
                try:
                    await self._https.aclose()
                finally:
                    self._all_closed.set()

    async def _close_logged(self, extension: Extension) -> None:
        try:
            await self._close(extension)
        except Exception:  # the others must close too
            logger.exception("closing %s failed", type(extension).__name__)

    async def _close(self, extension: Extension) -> None:
        try:
            await extension.aclose()
        finally:
            extension.client = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.aclose()
        except WrongEventLoop:
            if exc is None:  # else a forked child, say, is on its way out
                raise

    def __del__(self) -> None:
        if getattr(self, "_closed", True):
            return
        if self.tasks.running or self._https.is_open:
            warnings.warn(f"{self!r} was not closed: use `async with` or aclose()", ResourceWarning, stacklevel=2)

    def __repr__(self) -> str:
        return f"<RingCentral {self.server}>"

    def _check_not_closing(self) -> None:
        if self.closing:
            raise NotConnected("the client is closed; make a new one")

    def _check_open(self) -> None:
        if self._closed:
            raise NotConnected("the client is closed; make a new one")

    def _request(self, method: str, path: str, options: Options) -> Request:
        self._check_open()
        options.setdefault("timeout", self._timeout)
        headers: Any = options.get("headers")
        if headers is None:
            options["headers"] = {}
        elif isinstance(headers, Mapping):  # else it is refused
            options["headers"] = dict(cast("Mapping[str, str]", headers))  # which a middleware may change
        return Request(method, path, **options)

    async def _send_as_application(self, request: Request) -> Response:
        self._check_open()
        return await self._calls.send_as_application(request)


_NAME = required_constraint(Name)
_REQUEST = required_constraint(Request)
_TRANSPORT = required_constraint(Send | None)


def _report_crash(exc: Exception) -> None:
    logger.error("the renewal of the token has crashed, tokens are renewed on demand only", exc_info=exc)
