"""The state of a gateway in a file, so that it goes on after a restart where it was.

Read and written by `server.py` for `--state FILE`. The file has credentials, so that only its owner can read it. What
is saved are the parts of `GatewayCore` that have `dump` and `load`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from rcex_ws.errors import ConfigurationError
from rcex_ws.files import Complaints
from rcex_ws.files.lock import FileLock
from rcex_ws.files.private import PrivateFile
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.shapes import as_object
from rcex_ws.loop import Signal

__all__ = ["StateKeeper"]

_logger = logging.getLogger(__name__)

_FORMAT = 1
_PAUSE = 1.0
"""Seconds between two writes at least."""
_SHARE = 10
"""How many times as long as a write took; a large state would otherwise be written all the time."""


class StateKeeper:
    """Keeps the state of one gateway in a file.

    Args:
        path: the file, which is made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = PrivateFile(path, what="state")
        self._lock = FileLock()
        self._changed = Signal()
        self._written = b""
        self._complaints = Complaints(_logger)

    def load(self, core: GatewayCore) -> bool:
        """Put what the file has into a gateway that has just been made; return whether there was anything.

        Raises:
            ConfigurationError: the file cannot be read or written, is that of another gateway, or not the state of one.
        """
        with ExitStack() as failed:
            content = self._open(failed)
            core.on_change = self._changed_now
            for name, saved in ({} if content is None else self._parts(content)).items():
                part = core.parts.get(name)
                if part is None:
                    raise self._broken(f"it has a part {name!r}, which this version does not know")
                try:
                    part.load(saved)
                except (ValueError, TypeError, LookupError, AttributeError, msgspec.MsgspecError) as exc:
                    raise self._broken(f"its part {name!r} cannot be read: {exc}") from exc
            failed.pop_all()
        return content is not None

    async def run(self, core: GatewayCore) -> None:
        """Save whenever something has changed, at most once a second, until cancelled; then a last time."""
        try:
            while True:
                await self._changed.wait()
                self._changed = Signal()
                began = core.clock.now()
                await anyio.to_thread.run_sync(self._save, self._content(core), self._complaints.report_repeated)
                await anyio.sleep(max(_PAUSE, _SHARE * (core.clock.now() - began)))
        finally:
            self._save(self._content(core), self._complaints.report)
            self._lock.free()

    def _open(self, failed: ExitStack) -> bytes | None:
        """Lock the file, as whichever of two gateways writes last would undo what the other has; return the content."""
        try:
            self._file.open()
            target = self._file.target
            path = target if self._file.in_place else target.with_name(f"{target.name}.lock")
            if not self._lock.take(path, what="state", owner_of=target):
                raise ConfigurationError(f"state: another gateway keeps its state in {self._path}")
            failed.callback(self._lock.free)
            return self._file.read()
        except OSError as exc:
            raise ConfigurationError(f"state: cannot use {self._path}: {exc.strerror or exc}") from exc

    def _changed_now(self) -> None:
        self._changed.set()

    def _save(self, content: bytes, complain: Callable[[str, Exception], object]) -> None:
        if content == self._written:
            return
        try:
            self._file.write(content)
            self._written = content
        except (OSError, ConfigurationError) as exc:
            complain("the state of the gateway is not saved", exc)

    def _content(self, core: GatewayCore) -> bytes:
        parts = {name: part.dump() for name, part in core.parts.items()}
        return json.dumps({"gateway": _FORMAT, "saved": iso(core.clock.wall()), "parts": parts}).encode()

    def _parts(self, content: bytes) -> dict[str, Any]:
        try:
            saved = as_object(json.loads(content))
        except ValueError as exc:
            raise self._broken(f"it is not JSON: {exc}") from exc
        parts = as_object((saved or {}).get("parts"))
        if saved is None or parts is None or saved.get("gateway") != _FORMAT:
            raise self._broken(f'expected an object with "gateway": {_FORMAT} and "parts"')
        return parts

    def _broken(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"state: {self._path} is not the state of a gateway: {why}; delete or move it to start anew"
        )
