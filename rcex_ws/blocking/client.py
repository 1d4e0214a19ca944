"""`RingCentral`, the blocking REST client that extensions can be installed into."""

from __future__ import annotations

import sys
import warnings
from types import TracebackType
from typing import Self

from rcex_ws import rest, wsg
from rcex_ws.blocking.client_options import BlockingClientOptions
from rcex_ws.blocking.events import EventsExtension
from rcex_ws.blocking.facade import inner_of
from rcex_ws.blocking.loop_thread import refuse_in_loop, run, start_soon
from rcex_ws.blocking.websocket_extension import WebSocketExtension
from rcex_ws.errors import ConfigurationError, WrongEventLoop
from rcex_ws.options import checked
from rcex_ws.rest import Extension

__all__ = ["RingCentral"]

#: Keeps clients with extensions alive: their callbacks go on even if the application drops the client.
_running: set[RingCentral] = set()


class RingCentral(BlockingClientOptions):
    """Blocking client of RingCentral's REST API that extensions can be installed into.

    Use it with `with`, or close it with `close()`. Any thread may call it, and several may do so at once. It may be
    created before a process forks, and belongs to the first process that uses it.

    Args:
        **options: those of `rcex_ws.RingCentral`; the methods of `http`, `token_store` and `token_owner` are async.

    Raises:
        ConfigurationError: an argument is invalid; or, like any method, it is called inside a running event loop.
    """

    _closed = False

    @checked
    def install_extension(self, extension: Extension | WebSocketExtension | EventsExtension) -> None:
        """Install an extension; while one is installed, a timer renews the token before it expires.

        Args:
            extension: a blocking one of this package, or an async one whose methods the application does not call, such
                as `rcex_ws.RetryExtension`.

        Raises:
            ConfigurationError: the extension is already installed, here or in another client; or it is an async one
                whose methods the application calls.
            Exception: whatever its `install` raises; it is not installed then.
        """
        if isinstance(extension, wsg.WebSocketExtension | rest.EventsExtension):
            name = type(extension).__name__
            raise ConfigurationError(f"extension: this {name} is async; use the one of rcex_ws.blocking")
        run(lambda: self._inner.install_extension(inner_of(extension)))
        _running.add(self)

    def close(self) -> None:
        """Close the extensions, last installed first, then everything else; concurrent callers share one closing.

        An extension that fails to close is logged, and the others are closed all the same. A handler that calls this
        is allowed to finish.
        """
        run(self._inner.aclose)
        self._closed = True
        _running.discard(self)

    def __enter__(self) -> Self:
        refuse_in_loop()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except WrongEventLoop:
            if exc is None:  # else the exception that ended the block, in a forked child say, counts
                raise

    def __del__(self) -> None:
        inner = self.__dict__.get("_inner")
        if inner is None or inner.token is None or self._closed or sys.is_finalizing():
            return
        warnings.warn(f"{self!r} was not closed: use `with` or close()", ResourceWarning, stacklevel=2)
        start_soon(inner.aclose)  # its connections would stay open as long as the loop runs
