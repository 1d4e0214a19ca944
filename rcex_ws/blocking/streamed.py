"""Generated from `rcex_ws.rest.https.StreamedResponse` by `python -m tests.blocking.generate`."""

from __future__ import annotations

from collections.abc import Iterator

import rcex_ws.rest.https
from rcex_ws.blocking.facade import Facade
from rcex_ws.blocking.iteration import Iteration
from rcex_ws.blocking.loop_thread import run, run_sync
from rcex_ws.rest.headers import Headers
from rcex_ws.rest.message import Via

__all__ = ["StreamedResponse"]


class StreamedResponse(Facade[rcex_ws.rest.https.StreamedResponse], of=rcex_ws.rest.https.StreamedResponse):
    """Answer whose body has not been read yet."""

    @property
    def via(self) -> Via:
        """How it came."""
        return self._inner.via

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self._inner.status_code

    @property
    def headers(self) -> Headers:
        """The headers."""
        return self._inner.headers

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield the body as it arrives, decompressed.

        Raises:
            TransportError: the connection was lost, or nothing came within the time-out of the call.
        """
        return Iteration(run_sync(lambda: self._inner.aiter_bytes()))

    def read(self) -> bytes:
        """Read the whole body.

        Raises:
            TransportError: as in `iter_bytes`.
        """
        return run(lambda: self._inner.aread())
