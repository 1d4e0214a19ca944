"""What can go wrong with Slack, beside the errors of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rcex_ws.errors import RcexError

__all__ = ["UNRECOVERABLE", "BadFrame", "MessageRejected", "SlackApiError", "SlackHttpError"]

#: The codes of rtm.start and rtm.connect after which no Slack client tries again (`@slack/client` 3.16.0).
UNRECOVERABLE = frozenset({"not_authed", "invalid_auth", "account_inactive", "user_removed_from_team", "team_disabled"})


class SlackApiError(RcexError):
    """Report that a Web API method answered `{"ok": false}`.

    Args:
        method: as in "rtm.connect".
        code: Slack's word for it.

    Attributes:
        data: the whole answer.
    """

    def __init__(self, method: str, code: str, data: Mapping[str, Any]) -> None:
        super().__init__(f"{method}: Slack answered {code!r}")
        self.method = method
        self.code = code
        self.data = data
        self.retryable = code not in UNRECOVERABLE


class SlackHttpError(RcexError):
    """Report an answer of the Web API that is none of its own: an HTTP status, or no JSON.

    Args:
        method: as in "rtm.connect".
        status: the HTTP status.
        retry_after: seconds that the answer asks to wait, or None.
    """

    retryable = True

    def __init__(self, method: str, status: int, problem: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{method}: {problem}")
        self.method = method
        self.status = status
        self.retry_after = retry_after


class MessageRejected(RcexError):
    """Report that Slack refused a message.

    Args:
        code: Slack's number for it; None if it gave none.
        text: Slack's words.
        frame: the whole answer.
    """

    def __init__(self, code: int | None, text: str, frame: Mapping[str, Any]) -> None:
        super().__init__(f"Slack refused the message: {text}")
        self.code = code
        self.frame = frame


class BadFrame(RcexError):
    """Report a frame that is no JSON object; the connection survives it."""
