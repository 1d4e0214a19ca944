"""The methods that users call to send calls, delegated to `calls`; those for the session are in `session_methods`.

Base class of `RingCentral` in `rcex_ws.rest.client`, which builds these parts; also called by `rcex_ws.rest.paths` and
by extensions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Unpack, cast

from rcex_ws.home import Home
from rcex_ws.options import check_argument, keywords_only, refusal, required_constraint
from rcex_ws.rest.calls import Calls
from rcex_ws.rest.https import StreamedResponse
from rcex_ws.rest.lifecycle import Lifecycle
from rcex_ws.rest.message import Options, Request, Response, Send
from rcex_ws.rest.session_methods import SessionMethods
from rcex_ws.rest.stats import RestStats
from rcex_ws.rest.token_owner import AnySession

__all__ = ["ClientMethods"]

_OPTIONS = tuple(Options.__annotations__)


class ClientMethods(SessionMethods):
    """Client of an OAuth-protected REST API, assembled from its parts.

    Args:
        server: URL of the API without trailing slash.
        client_id: id of the application.
        home: refuses calls from another event loop, thread or process.
        auth: the OAuth session.
        calls: sender of calls.
        lifecycle: knows whether the client is closed.
        timeout: seconds for one call, unless the call has its own.
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
        super().__init__(server=server, client_id=client_id, home=home, auth=auth, lifecycle=lifecycle)
        self._calls = calls
        self._timeout = timeout

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

    @keywords_only
    def get(self, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a GET; options and errors as in `request`."""
        return self._calls.send(self._request("GET", path, options))

    @keywords_only
    def post(self, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a POST; options and errors as in `request`."""
        return self._calls.send(self._request("POST", path, options))

    @keywords_only
    def put(self, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a PUT; options and errors as in `request`."""
        return self._calls.send(self._request("PUT", path, options))

    @keywords_only
    def patch(self, path: str, **options: Unpack[Options]) -> Coroutine[Any, Any, Response]:
        """Send a PATCH; options and errors as in `request`."""
        return self._calls.send(self._request("PATCH", path, options))

    @keywords_only
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

    @property
    def stats(self) -> RestStats:
        """Counters of the calls so far; JSON-ready by `msgspec.to_builtins`; readable in any thread."""
        return self._calls.counter.stats()

    def _request(self, method: str, path: str, options: Options) -> Request:
        self._lifecycle.raise_if_ended()
        options.setdefault("timeout", self._timeout)
        headers: Any = options.get("headers")
        if headers is None:
            options["headers"] = {}
        elif isinstance(headers, Mapping):  # anything else `Request` refuses
            options["headers"] = dict(cast("Mapping[str, str]", headers))  # a copy, for middlewares may change it
        try:
            return Request(method, path, **options)
        except TypeError:
            for name in options:
                check_argument(name, _OPTIONS)
                if name not in _OPTIONS:
                    raise TypeError(f"{name}: a call has no such argument; it has {', '.join(_OPTIONS)}") from None
            raise


_REQUEST = required_constraint(Request)
_TRANSPORT = required_constraint(Send | None)
