"""Tells extensions of logins, refreshes and logouts.

`rcex_ws.rest.auth` reports them here, `ClientMethods.watch_session` is the way in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

from msgspec import Struct

from rcex_ws.options import Rule
from rcex_ws.rest.token import Token

__all__ = ["SessionChange", "SessionPhase", "SessionStep", "SessionWatcher", "SessionWatchers"]


class SessionStep(StrEnum):
    """A call that begins, renews or ends an OAuth session."""

    LOGIN = "login"
    REFRESH = "refresh"
    LOGOUT = "logout"


class SessionPhase(StrEnum):
    """A phase of such a call; one that is cancelled has neither success nor error."""

    BEFORE = "before"
    SUCCESS = "success"
    ERROR = "error"


class SessionChange(Struct, frozen=True):
    """One phase of one step.

    Attributes:
        step: login, refresh or logout.
        phase: before, success or error.
        token: at a success the new token, or the one that was revoked; else None.
        error: at an error its cause; else None.
    """

    step: SessionStep
    phase: SessionPhase
    token: Token | None = None
    error: Exception | None = None


SessionWatcher = Annotated[Callable[[SessionChange], None], Rule("a function that takes a SessionChange")]
"""Called in the middle of a login, so it must neither wait nor raise."""


class SessionWatchers:
    """The watchers of one client."""

    def __init__(self) -> None:
        self._watchers: tuple[Callable[[SessionChange], None], ...] = ()

    def add(self, watcher: Callable[[SessionChange], None]) -> Callable[[], None]:
        """Add a watcher, and return a function that removes it."""

        def tell(change: SessionChange) -> None:  # a function of its own, in case the same watcher is added twice
            watcher(change)

        def remove() -> None:
            self._watchers = tuple(one for one in self._watchers if one is not tell)

        self._watchers = (*self._watchers, tell)
        return remove

    @contextmanager
    def report(self, step: SessionStep) -> Generator[Callable[[Token], None]]:
        """Report the step that is done in the block, which calls the function that it gets with the token."""
        tokens: list[Token] = []
        self._tell(SessionChange(step, SessionPhase.BEFORE))
        try:
            yield tokens.append
        except Exception as exc:
            self._tell(SessionChange(step, SessionPhase.ERROR, error=exc))
            raise
        self._tell(SessionChange(step, SessionPhase.SUCCESS, token=tokens[0]))

    def _tell(self, change: SessionChange) -> None:
        for watcher in self._watchers:
            watcher(change)
