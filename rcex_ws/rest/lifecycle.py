"""The lifecycle of one client: open, closing, closed; and the extensions installed in between.

Driven by `rcex_ws.rest.client`; `rcex_ws.rest.calls` reads which extensions are installed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from rcex_ws.caller import current_caller, on_behalf_of
from rcex_ws.errors import ConfigurationError, NotConnected
from rcex_ws.loop import Signal
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.gate import RateGate
from rcex_ws.rest.https import HTTPEdge
from rcex_ws.tasks import RootTask, run_to_completion

if TYPE_CHECKING:
    from rcex_ws.rest.client import RingCentral

__all__ = ["Lifecycle"]

#: Seconds that a repeated `aclose` waits for handlers that are still running after the first.
_SECOND_CLOSE_TIMEOUT = 1.0

logger = logging.getLogger("rcex_ws.rest")


class Lifecycle:
    """State of one client and its installed extensions.

    Args:
        tasks: background tasks of the client, started with the first extension.
        gate: rate gate of the client; who waits there when it is closed does not wait longer.
        https: HTTPS edge of the client, closed last.

    Attributes:
        extensions: the installed extensions, in order of installation.
        middlewares: those extensions that override `handle`; replaced, never modified.
        closing: whether the client is being closed, or is closed.
        closed: whether all extensions have been closed.
    """

    def __init__(self, tasks: RootTask, gate: RateGate, https: HTTPEdge) -> None:
        self.extensions: list[Extension] = []
        self.middlewares: Sequence[Extension] = ()
        self.closing = False
        self.closed = False
        self._tasks = tasks
        self._gate = gate
        self._https = https
        self._installing: list[Extension] = []
        self._all_closed = Signal()

    def raise_if_ended(self) -> None:
        """Raise if the client is closed.

        Raises:
            NotConnected: the client is closed.
        """
        if self.closed:
            raise _closed()

    async def install(self, extension: Extension, rc: RingCentral) -> None:
        """Install an extension; see `RingCentral.install_extension`."""
        self.raise_if_ended()
        if extension.client is not None:
            where = "already" if extension.client is rc else "in another client; make one for each"
            raise ConfigurationError(f"this extension is installed {where}")
        extension.client = rc
        self._installing.append(extension)
        try:
            await self._tasks.start()
            self._check_not_closing()  # it may have been closed in the meantime
            await extension.install(rc)
        except BaseException:
            extension.client = None
            if not self.extensions and self._installing == [extension]:
                with anyio.CancelScope(shield=True):
                    await self._tasks.aclose()
            raise
        finally:
            if extension in self._installing:  # closing the client removes it, too
                self._installing.remove(extension)
        if self.closed:  # while it was being installed
            if extension.client is rc:
                await _close(extension)
            self.raise_if_ended()
        self.extensions.append(extension)
        self._find_middlewares()

    async def aclose(self) -> None:
        """Close the extensions, then everything else; see `RingCentral.aclose`."""
        if not self.closing:
            self.closing = True
            with on_behalf_of(current_caller()):  # it runs in another task
                await run_to_completion(self._close_all)
        else:
            with self._tasks.let_caller_finish():
                await self._all_closed.wait()
            await self._tasks.aclose(within=_SECOND_CLOSE_TIMEOUT)  # for the handler that closed first

    async def _close_all(self) -> None:
        try:
            while self._installing:
                await _close_logged(self._installing.pop())
            while self.extensions:  # calls made while closing still pass the earlier middlewares
                extension = self.extensions.pop()
                self._find_middlewares()
                await _close_logged(extension)
        finally:
            self.closed = True
            self._gate.end()
            try:
                await self._tasks.aclose()
            finally:
                try:
                    await self._https.aclose()
                finally:
                    self._all_closed.set()

    def _check_not_closing(self) -> None:
        if self.closing:
            raise _closed()

    def _find_middlewares(self) -> None:
        self.middlewares = [one for one in self.extensions if type(one).handle is not Extension.handle]


async def _close_logged(extension: Extension) -> None:
    try:
        await _close(extension)
    except Exception:  # the others must be closed, too
        logger.exception("closing %s failed", type(extension).__name__)


async def _close(extension: Extension) -> None:
    try:
        await extension.aclose()
    finally:
        extension.client = None


def _closed() -> NotConnected:
    error = NotConnected("the client is closed; make a new one")
    error.retryable = False
    return error
