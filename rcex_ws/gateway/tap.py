"""What passes through the gateway, for the console while a page of it is open: frames, which the log does not keep.

Fed by `websocket.py` and `api/control.py`; costs them next to nothing while nobody watches. What is shown is redacted
as in the log, and besides that by the names of members.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from rcex_ws.gateway.journal import Journal, Watcher, redacted

__all__ = ["FrameTap"]

_LONGEST = 2000
"""Characters of a frame that are shown; twice as many are looked at."""
_MEMBER = re.compile(
    r'(?i)("(?:(?:ws_)?access_?|refresh_?|id_?)?(?:token|client_?secret|password|assertion|jwt|code_?verifier|code)"'
    r'\s*:\s*)"(?:[^"\\]|\\.)*"?'
)
"""A member of a JSON object that contains a credential."""


class FrameTap:
    """The frames of all WebSockets, for whoever watches.

    Args:
        journal: gives the time.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._watchers: list[Watcher] = []

    def __len__(self) -> int:
        """Return how many watch."""
        return len(self._watchers)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call a function with each frame from now on, as with an entry of the log; return what ends that.

        It is also called with `{"kind": "changed"}` when the state may have changed without an entry of the log.
        """
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def show(self, connection: int, direction: str, frames: Iterable[bytes]) -> None:
        """Show frames.

        Args:
            connection: the number of the connection.
            direction: "in" or "out".
            frames: their payloads.
        """
        if not self._watchers:
            return
        for frame in frames:
            text = _MEMBER.sub(r'\1"***"', frame[: 4 * _LONGEST].decode("utf-8", "replace"))
            self._tell(
                {
                    "time": self._journal.time(),
                    "kind": "wire",
                    "connection": connection,
                    "direction": direction,
                    "size": len(frame),
                    "text": redacted(text, _LONGEST),
                }
            )

    def changed(self) -> None:
        """Say that the state may have changed without an entry of the log."""
        self._tell({"kind": "changed"})

    def _tell(self, entry: dict[str, object]) -> None:
        for watcher in tuple(self._watchers):
            watcher(entry)
