"""The log of everything that happened at the gateway, in order, for tests in any language.

Written by every other part; read through `Gateway.log()` and `GET /_gateway/log`, or by watchers as it is written. It
never contains a token or secret issued by the gateway, even if a client misplaced one, and its size is bounded.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

from rcex_ws.gateway.clock import Clock

__all__ = ["Journal", "Watcher", "redacted"]

Watcher = Callable[[dict[str, Any]], None]

_MOST_ENTRIES = 100_000
_MOST_CHARACTERS = 2**26
"""A gateway may run for days in a shell; the oldest entries are dropped first."""
_MOST_ITEMS = 100
_LONGEST = 500

_NAMED = re.compile(
    r"(?i)(?<![\w-])((?:(?:ws_)?access_|refresh_|id_)?token|client_secret|password|assertion|jwt|code_verifier|code|wsc)"
    r"=[^&\s]+"
)
"""A query parameter that contains a credential."""
_CREDENTIAL = re.compile(r"[\w-]{40,}(?:\.[\w-]+)*")
"""What looks like a credential: base64url, longer than a UUID. Ours have 64 letters or more, a JWT also has dots."""
_USER_INFO = re.compile(r"(?<=://)[^/?#\s@]*@")
"""The name and password in a URL, such as a webhook's."""
_LAST_WORD = re.compile(r"[\w.=-]+\Z")


class Journal:
    """The log; its entries are `{"time": seconds since the start, "kind": ..., ...}`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.now()
        self._entries: deque[dict[str, Any]] = deque()
        self._characters = 0
        self._watchers: list[Watcher] = []

    def add(self, kind: str, **facts: Any) -> None:
        """Append one entry."""
        entry = {"time": self.time(), "kind": kind}
        entry |= {name: redacted(value) for name, value in facts.items()}
        self._entries.append(entry)
        self._characters += _size(entry)
        while len(self._entries) > _MOST_ENTRIES or self._characters > _MOST_CHARACTERS:
            self._characters -= _size(self._entries.popleft())
        for watcher in tuple(self._watchers):
            watcher(entry)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call a function with each new entry, in the gateway's thread; return what ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def time(self) -> float:
        """Return the seconds since the start."""
        return round(self._clock.now() - self._started, 6)

    def entries(self, most: int = _MOST_ENTRIES) -> list[dict[str, Any]]:
        """Return a copy of the newest entries, oldest first."""
        return [dict(entry) for entry in islice(self._entries, max(0, len(self._entries) - most), None)]

    def clear(self) -> None:
        """Delete all entries."""
        self._entries.clear()
        self._characters = 0


def _size(entry: dict[str, Any]) -> int:
    """Return the approximate characters in an entry: those of its values, and a hundred for the rest."""
    return 100 + sum(len(value) if isinstance(value, str) else len(str(value)) for value in entry.values())


def redacted(value: Any, longest: int = _LONGEST) -> Any:
    """Return a value with everything that looks like a credential masked, and truncated if too long."""
    if isinstance(value, str):
        size = len(value)
        if size > 2 * longest:  # without the last word, which may be half a credential
            value = _LAST_WORD.sub("", value[: 2 * longest])
        value = _CREDENTIAL.sub("***", _NAMED.sub(r"\1=***", _USER_INFO.sub("***@", value)))
        return value if size <= longest else f"{value[:longest]}... ({size} characters)"
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value[:_MOST_ITEMS]]  # pyright: ignore[reportUnknownVariableType]
    return value
