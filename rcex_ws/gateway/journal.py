"""The record of what happened at the gateway, in order, for tests in any language.

Written by every other part; read through `Gateway.log()` and `GET /_gateway/log`, or watched as it is written. It
never holds a token or a secret of our making, not even one that a client put where none belongs, and it is bounded.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

from rcex_ws.gateway.clock import Clock

__all__ = ["Journal"]

_MOST_ENTRIES = 100_000
_MOST_CHARACTERS = 2**26
"""A gateway may run for days in a shell; the oldest entries go first."""
_MOST_ITEMS = 100
_LONGEST = 500
_MOST_SCANNED = 1000

_NAMED = re.compile(
    r"(?i)(?<![\w-])((?:(?:ws_)?access_|refresh_|id_)?token|client_secret|password|assertion|jwt|code_verifier|code|wsc)"
    r"=[^&\s]+"
)
"""A parameter of a query that holds a credential."""
_CREDENTIAL = re.compile(r"[\w-]{40,}(?:\.[\w-]+)*")
"""What looks like one: longer than a UUID, letters of base64url. Ours have 64 and more, a JWT has dots between."""
_LAST_WORD = re.compile(r"[\w.=-]+\Z")


class Journal:
    """Keep entries `{"time": seconds since the start, "kind": ..., ...}`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.now()
        self._entries: deque[dict[str, Any]] = deque()
        self._characters = 0
        self._watcher: Callable[[dict[str, Any]], None] | None = None

    def add(self, kind: str, **facts: Any) -> None:
        """Append one entry."""
        entry = {"time": round(self._clock.now() - self._started, 6), "kind": kind}
        entry |= {name: _redacted(value) for name, value in facts.items()}
        self._entries.append(entry)
        self._characters += _size(entry)
        while len(self._entries) > _MOST_ENTRIES or self._characters > _MOST_CHARACTERS:
            self._characters -= _size(self._entries.popleft())
        if self._watcher is not None:
            self._watcher(entry)

    def watch(self, watcher: Callable[[dict[str, Any]], None]) -> None:
        """Have a function called with each entry from now on, in the gateway's thread."""
        self._watcher = watcher

    def entries(self) -> list[dict[str, Any]]:
        """Return a copy of all entries, oldest first."""
        return [dict(entry) for entry in self._entries]

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()
        self._characters = 0


def _size(entry: dict[str, Any]) -> int:
    """Count the characters of what varies; the rest of an entry is about a hundred."""
    return 100 + sum(len(value) if isinstance(value, str) else len(str(value)) for value in entry.values())


def _redacted(value: Any) -> Any:
    """Return a fact without what looks like a credential, and without what takes too much space."""
    if isinstance(value, str):
        size = len(value)
        if size > _MOST_SCANNED:  # without the word that was cut: it may be one half of a credential
            value = _LAST_WORD.sub("", value[:_MOST_SCANNED])
        value = _CREDENTIAL.sub("***", _NAMED.sub(r"\1=***", value))
        return value if size <= _LONGEST else f"{value[:_LONGEST]}... ({size} characters)"
    if isinstance(value, list | tuple):
        return [_redacted(item) for item in value[:_MOST_ITEMS]]  # pyright: ignore[reportUnknownVariableType]
    return value
