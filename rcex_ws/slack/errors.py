"""The errors of Slack's clients, beside those that all clients share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from rcex_ws.errors import RcexError
from rcex_ws.readers import printable
from rcex_ws.slack.refusals import REFUSALS, is_retryable

__all__ = ["MessageRejected", "SlackApiError", "SlackHttpError"]

#: Maximum characters of a text from Slack in an error message.
_SHOWN = 200
#: Slack's code for "slow down, too many messages...", the only one that asks for a retry.
_SLOW_DOWN = -1


class SlackApiError(RcexError):
    """A method of the Web API answered `{"ok": false}`; `rcex_ws.slack.refusals` lists what the codes mean.

    Args:
        method: the name of the method, such as "rtm.connect".
        code: Slack's error code.
        data: the whole answer.
        retry_after: seconds to wait, from the answer; None if it has none.

    Attributes:
        needed: the scopes of which one is missing, as Slack lists them; None if it does not.
        provided: the scopes of the token, likewise.
        warning: Slack's warning about the call, or None.
        advice: what to do, in one sentence; None for an unknown code.
    """

    def __init__(self, method: str, code: str, data: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        known = REFUSALS.get(code)
        self.method = method
        self.code = code
        self.data = data
        self.retry_after = retry_after
        self.needed: str | None = _words(data.get("needed"))
        self.provided: str | None = _words(data.get("provided"))
        self.warning: str | None = _words(data.get("warning"))
        self.advice: str | None = None if known is None else known.advice
        self.retryable = is_retryable(method, code)
        parts = [("needed", self.needed), ("provided", self.provided), ("warning", self.warning)]
        details = "; ".join(f"{name}: {printable(words, most=_SHOWN)}" for name, words in parts if words is not None)
        message = f"{method}: Slack answered {printable(code, most=_SHOWN)!r}"
        message += f" ({details})" if details else ""
        super().__init__(message if self.advice is None else f"{message}. {self.advice}")


class SlackHttpError(RcexError):
    """The answer to a call was not one of the Web API: an HTTP error status, or no valid JSON.

    Args:
        method: the name of the method, such as "rtm.connect".
        status: the HTTP status.
        problem: what is wrong with the answer, for the message.
        retry_after: seconds to wait, from the answer; None if it has none.
    """

    retryable = True

    def __init__(self, method: str, status: int, problem: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{method}: {problem}")
        self.method = method
        self.status = status
        self.retry_after = retry_after


class MessageRejected(RcexError):
    """Slack refused a message; retryable only if Slack asked to slow down.

    Args:
        code: Slack's numeric code; None if the reply has none.
        text: Slack's error text.
        frame: the whole reply.
    """

    def __init__(self, code: int | None, text: str, frame: Mapping[str, Any]) -> None:
        super().__init__(f"Slack refused the message: {printable(text, most=_SHOWN)}")
        self.code = code
        self.frame = frame
        self.retryable = code == _SLOW_DOWN


def _words(value: object) -> str | None:
    """Return a text, or the texts of a list joined by commas; None for anything else, or an empty text."""
    if isinstance(value, list):
        value = ", ".join(one for one in cast("list[object]", value) if isinstance(one, str))
    return value if isinstance(value, str) and value else None
