"""What can go wrong with Slack, beside the errors of the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from rcex_ws.errors import RcexError
from rcex_ws.readers import printable
from rcex_ws.slack.refusals import REFUSALS, is_retryable

__all__ = ["MessageRejected", "SlackApiError", "SlackHttpError"]

#: Characters of what Slack says that are shown in a message.
_SHOWN = 200
#: Slack's number for "slow down, too many messages...": the only one of its numbers that says to try again.
_SLOW_DOWN = -1


class SlackApiError(RcexError):
    """Report that a Web API method answered `{"ok": false}`; `rcex_ws.slack.refusals` has what the codes mean.

    Args:
        method: as in "rtm.connect".
        code: Slack's word for it.
        data: the whole answer.
        retry_after: seconds that the answer asks to wait, or None.

    Attributes:
        needed: the scopes of which one is missing, as Slack lists them; None if it did not say.
        provided: the scopes that the token has, likewise.
        warning: what else Slack says is wrong with the call.
        advice: what to do about it; None for a code that we do not know.
    """

    def __init__(self, method: str, code: str, data: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        known = REFUSALS.get(code)
        self.method = method
        self.code = code
        self.data = data
        self.retry_after = retry_after
        self.needed = _words(data.get("needed"))
        self.provided = _words(data.get("provided"))
        self.warning = _words(data.get("warning"))
        self.advice = None if known is None else known.advice
        self.retryable = is_retryable(method, code)
        parts = [("needed", self.needed), ("provided", self.provided), ("warning", self.warning)]
        details = "; ".join(f"{name}: {printable(words, most=_SHOWN)}" for name, words in parts if words is not None)
        message = f"{method}: Slack answered {printable(code, most=_SHOWN)!r}"
        message += f" ({details})" if details else ""
        super().__init__(message if self.advice is None else f"{message}. {self.advice}")


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
    """Report that Slack refused a message; it can be sent again where Slack only said to slow down.

    Args:
        code: Slack's number for it; None if it gave none.
        text: Slack's words.
        frame: the whole answer.
    """

    def __init__(self, code: int | None, text: str, frame: Mapping[str, Any]) -> None:
        super().__init__(f"Slack refused the message: {printable(text, most=_SHOWN)}")
        self.code = code
        self.frame = frame
        self.retryable = code == _SLOW_DOWN


def _words(value: object) -> str | None:
    """Give a text, or the texts of a list, as one; None for anything else and for none."""
    if isinstance(value, list):
        value = ", ".join(one for one in cast("list[object]", value) if isinstance(one, str))
    return value if isinstance(value, str) and value else None
