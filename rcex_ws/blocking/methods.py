"""Generated from `rcex_ws.rest.methods.ClientMethods` by `python -m tests.blocking.generate`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Unpack

from rcex_ws.blocking.loop_thread import in_loop, run, run_sync
from rcex_ws.blocking.session_methods import BlockingSessionMethods
from rcex_ws.blocking.streamed import StreamedResponse
from rcex_ws.options import keywords_only
from rcex_ws.rest.message import Options, Request, Response, Send
from rcex_ws.rest.stats import RestStats

__all__ = ["BlockingClientMethods"]


class BlockingClientMethods(BlockingSessionMethods):
    """Client of an OAuth-protected REST API, assembled from its parts."""

    def send(self, request: Request, *, transport: Send | None = None) -> Response:
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
        return run(lambda: self._inner.send(request, transport=transport))

    def request(self, method: str, path: str, **options: Unpack[Options]) -> Response:
        """Send a call.

        Args:
            method: GET, POST, ...
            path: "/restapi/..." or an absolute http(s) URL; other hosts than RingCentral's never receive the token.
            **options: params, json, data, files, content, headers, timeout; see `Request`.

        Raises:
            ConfigurationError: an argument cannot be sent; the message names it.
            RcexError: as in `send`.
        """
        return run(lambda: self._inner.request(method, path, **options))

    @keywords_only
    def get(self, path: str, **options: Unpack[Options]) -> Response:
        """Send a GET; options and errors as in `request`."""
        return run(lambda: self._inner.get(path, **options))

    @keywords_only
    def post(self, path: str, **options: Unpack[Options]) -> Response:
        """Send a POST; options and errors as in `request`."""
        return run(lambda: self._inner.post(path, **options))

    @keywords_only
    def put(self, path: str, **options: Unpack[Options]) -> Response:
        """Send a PUT; options and errors as in `request`."""
        return run(lambda: self._inner.put(path, **options))

    @keywords_only
    def patch(self, path: str, **options: Unpack[Options]) -> Response:
        """Send a PATCH; options and errors as in `request`."""
        return run(lambda: self._inner.patch(path, **options))

    @keywords_only
    def delete(self, path: str, **options: Unpack[Options]) -> Response:
        """Send a DELETE; options and errors as in `request`."""
        return run(lambda: self._inner.delete(path, **options))

    @contextmanager
    def stream(self, method: str, path: str, **options: Unpack[Options]) -> Generator[StreamedResponse]:
        """Send a call by HTTPS, around the extensions, and yield the answer before its body; use with `with`.

        The time-out applies until the headers have come, then to each read of the body.

        Args:
            method: GET, POST, ...
            path: as in `request`.
            **options: as in `request`.

        Raises:
            RcexError: as in `send`.
        """
        with in_loop(self._inner.stream(method, path, **options)) as answer:
            yield StreamedResponse(answer)

    @property
    def https_calls(self) -> int:
        """Number of calls sent by HTTPS so far, OAuth's own not counted."""
        return run_sync(lambda: self._inner.https_calls)

    @property
    def stats(self) -> RestStats:
        """Counters of the calls so far; JSON-ready by `msgspec.to_builtins`; readable in any thread."""
        return run_sync(lambda: self._inner.stats)
