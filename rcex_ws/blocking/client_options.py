"""Generated from `rcex_ws.rest.client.RingCentral` by `python -m tests.blocking.generate`."""

from __future__ import annotations

import ssl
from typing import Self

import rcex_ws.rest
from rcex_ws.blocking.loop_thread import run_sync
from rcex_ws.blocking.path_methods import BlockingPathMethods
from rcex_ws.options import Bytes, Credential, HeaderText, Seconds, ServerUrl, checked
from rcex_ws.rest.client import PRODUCTION
from rcex_ws.rest.http_library import HTTPClient
from rcex_ws.rest.sdk import OfficialSdk
from rcex_ws.rest.store import TokenStore
from rcex_ws.rest.token import TokenChoice
from rcex_ws.rest.token_owner import TokenOwner
from rcex_ws.websocket.proxies import ProxyChoice

__all__ = ["BlockingClientOptions"]


class BlockingClientOptions(BlockingPathMethods):
    """Client of RingCentral's REST API that extensions can be installed into."""

    @property
    def proxy(self) -> ProxyChoice:
        """The argument of that name."""
        return self._inner.proxy

    @property
    def user_agent(self) -> str:
        """What names the application to the server, by HTTPS and by WebSocket."""
        return self._inner.user_agent

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
        super().__init__(
            rcex_ws.rest.RingCentral(
                server=server,
                client_id=client_id,
                client_secret=client_secret,
                token=token,
                bot_token=bot_token,
                token_store=token_store,
                token_owner=token_owner,
                app_name=app_name,
                app_version=app_version,
                timeout=timeout,
                max_response_bytes=max_response_bytes,
                http=http,
                ssl_context=ssl_context,
                proxy=proxy,
            )
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
        client = cls.__new__(cls)
        client._inner = rcex_ws.rest.RingCentral.from_sdk(
            sdk,
            app_name=app_name,
            app_version=app_version,
            timeout=timeout,
            http=http,
            ssl_context=ssl_context,
            proxy=proxy,
        )
        return client

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The TLS context shared by HTTPS and WebSocket; created on first use."""
        return run_sync(lambda: self._inner.ssl_context)
