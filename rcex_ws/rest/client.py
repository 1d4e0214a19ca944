"""`RingCentral`, the REST client that users create.

Extensions receive it in `install`. It builds and connects the parts that do the work: `calls` (the path of a call),
`auth` (the OAuth session), `gate` (rate limits), `https` (the network), `lifecycle` (extensions and closing); the
methods to log in, to send calls and to build paths are inherited from `methods` and `path_methods`.
"""

from __future__ import annotations

import ssl
import warnings
from functools import partial
from types import TracebackType
from typing import Self

from rcex_ws.address import check_server
from rcex_ws.errors import ConfigurationError, WrongEventLoop
from rcex_ws.home import Home
from rcex_ws.options import (
    AttributesOfJavaScript,
    Bytes,
    Credential,
    HeaderText,
    Seconds,
    ServerUrl,
    checked,
    trimmed,
)
from rcex_ws.rest.auth import Auth
from rcex_ws.rest.bot import BotAuth, token_of_bot
from rcex_ws.rest.calls import Calls
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.gate import RateGate
from rcex_ws.rest.http_library import HTTPClient
from rcex_ws.rest.https import HTTPEdge
from rcex_ws.rest.keeper import TokenKeeper
from rcex_ws.rest.lifecycle import Lifecycle
from rcex_ws.rest.message import Request, Response
from rcex_ws.rest.path_methods import PathMethods
from rcex_ws.rest.renewal import keep_fresh, report_crash
from rcex_ws.rest.sdk import OfficialSdk, SdkTokens, server_of_sdk
from rcex_ws.rest.store import TokenStore
from rcex_ws.rest.token import TokenChoice, given_token
from rcex_ws.rest.token_owner import AnySession, BorrowedSession, TokenOwner
from rcex_ws.rest.user_agent import user_agent
from rcex_ws.secret import plain
from rcex_ws.tasks import RootTask
from rcex_ws.websocket.proxies import ProxyChoice

__all__ = ["PRODUCTION", "SANDBOX", "RingCentral"]

PRODUCTION = "https://platform.ringcentral.com"
"""The URL of RingCentral's API: what `RingCentral` takes for `server` by default."""
SANDBOX = "https://platform.devtest.ringcentral.com"
"""The URL of RingCentral's API for applications in development."""


class RingCentral(PathMethods, AttributesOfJavaScript):
    """Client of RingCentral's REST API that extensions can be installed into.

    Use it with `async with`, or close it with `aclose()`.

    Args:
        server: URL of the API.
        client_id: id of the application.
        client_secret: secret of the application; None for a public client (PKCE).
        token: an existing session: a Token, or the answer of the OAuth endpoint as a dict, as other SDKs keep it.
        bot_token: the static token of a bot, instead of `token`; client_id and client_secret are not needed then, and
            there is nothing to log in, to refresh or to store.
        token_store: keeps the session across restarts of the process.
        token_owner: owns the session in the place of this client, which then neither logs in nor refreshes by itself.
        app_name: name of the application, for User-Agent.
        app_version: version of the application, for User-Agent.
        timeout: seconds for one call, unless the call has its own.
        max_response_bytes: largest body accepted by HTTPS, in bytes after decompression; `stream` has no such limit,
            and WebSocket frames have `max_size`.
        http: an existing `httpx.AsyncClient`, or an object with the same methods; it is never closed here.
        ssl_context: TLS context for HTTPS and WebSocket; None trusts what the operating system trusts.
        proxy: proxy for HTTPS and WebSocket: None or True reads the environment, a URL (http, https, socks5, socks5h)
            names one, False uses none.

    Attributes:
        proxy: the argument of that name.
        tasks: owner of the background tasks of the client and its extensions.
        gate: the rate gate, shared by all transports.
        user_agent: what names the application to the server, by HTTPS and by WebSocket.

    Raises:
        ConfigurationError: an argument is invalid; the message names it.
    """

    proxy: ProxyChoice

    @checked
    def __init__(
        self,
        *,
        server: ServerUrl = PRODUCTION,
        client_id: Credential | None = None,
        client_secret: Credential | None = None,
        token: TokenChoice = None,
        bot_token: Credential | None = None,
        token_store: TokenStore | None = None,
        token_owner: TokenOwner | None = None,
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
        bot_token = trimmed("bot_token", bot_token)
        server = check_server(server)
        session = given_token(token)
        if bot_token is not None:
            if session is not None or token_store is not None:
                other = "token" if session is not None else "token_store"
                raise ConfigurationError(f"bot_token: the token of a bot is static, so {other} cannot go with it")
            session = token_of_bot(bot_token, server=server)
        home = Home()
        self.proxy = proxy
        self.tasks: RootTask = RootTask("rcex_ws client")
        self.gate: RateGate = RateGate()
        self._ssl_context = ssl_context
        self._https = HTTPEdge(
            http, proxy=proxy, ssl_context=lambda: self.ssl_context, max_response_bytes=max_response_bytes
        )
        if token_owner is not None and (session is not None or token_store is not None):
            raise ConfigurationError("token_owner: the session is its own; leave out token, bot_token and token_store")
        auth: AnySession
        if token_owner is not None:
            auth = BorrowedSession(token_owner)
        else:
            auth = (Auth if bot_token is None else BotAuth)(
                client_id=client_id,
                client_secret=client_secret,
                token=session,
                keeper=TokenKeeper(token_store, server=server, client_id=client_id),
                timeout=timeout,
                send=self._send_as_application,
            )
        lifecycle = Lifecycle(self.tasks, self.gate, self._https)
        self.user_agent: str = user_agent(app_name, app_version)
        calls = Calls(
            server=server,
            user_agent=self.user_agent,
            auth=auth,
            gate=self.gate,
            https=self._https,
            lifecycle=lifecycle,
            home=home,
        )
        super().__init__(
            server=server, client_id=client_id, home=home, auth=auth, calls=calls, lifecycle=lifecycle, timeout=timeout
        )

    @classmethod
    @checked
    def from_sdk(
        cls,
        sdk: OfficialSdk,
        *,
        app_name: HeaderText = "Unknown",
        app_version: HeaderText = "0.0.1",
        timeout: Seconds = 60.0,
        http: HTTPClient | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: ProxyChoice = None,
    ) -> Self:
        """Return a client that shares the session of RingCentral's official Python SDK (`ringcentral`).

        The SDK logs in, refreshes and logs out; whoever uses it may go on doing so. Its calls run in a worker thread.

        Args:
            sdk: a `ringcentral.SDK`, logged in before the first call.
            app_name: as for the class, like the others.
            app_version: likewise.
            timeout: likewise.
            http: likewise.
            ssl_context: likewise.
            proxy: likewise.

        Raises:
            ConfigurationError: an argument is invalid.
        """
        return cls(
            server=server_of_sdk(sdk),
            token_owner=SdkTokens(sdk),
            app_name=app_name,
            app_version=app_version,
            timeout=timeout,
            http=http,
            ssl_context=ssl_context,
            proxy=proxy,
        )

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The TLS context shared by HTTPS and WebSocket; created on first use."""
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
        return self._ssl_context

    @checked
    async def install_extension(self, extension: Extension) -> None:
        """Install an extension; while one is installed, a timer renews the token before it expires.

        Raises:
            ConfigurationError: the extension is already installed, here or in another client.
            Exception: whatever its `install` raises; it is not installed then.
        """
        self.home.check()
        await self._lifecycle.install(extension, self)
        if len(self._lifecycle.extensions) == 1:
            self.tasks.spawn(partial(keep_fresh, self._auth), name="token renewal", on_crash=report_crash)

    async def aclose(self) -> None:
        """Close the extensions, last installed first, then everything else; concurrent callers share one closing.

        An extension that fails to close is logged, and the others are closed all the same. A handler that calls this
        is allowed to finish. A call by HTTPS that is under way in the end raises a `TransportError`.
        """
        self.home.check()
        await self._lifecycle.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.aclose()
        except WrongEventLoop:
            if exc is None:  # else the exception that ended the block, in a forked child say, counts
                raise

    def __del__(self) -> None:
        lifecycle = getattr(self, "_lifecycle", None)
        if lifecycle is None or lifecycle.closed:
            return
        if self.tasks.running or self._https.is_open:
            warnings.warn(f"{self!r} was not closed: use `async with` or aclose()", ResourceWarning, stacklevel=2)

    def __repr__(self) -> str:
        return f"<RingCentral {self.server}>"

    async def _send_as_application(self, request: Request) -> Response:
        self._lifecycle.raise_if_ended()
        return await self._calls.send_as_application(request)
