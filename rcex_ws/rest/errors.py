"""Errors that carry an answer, with code and message read from RingCentral's error body.

Raised by `rcex_ws.rest.calls` and `rcex_ws.rest.auth`; handled by users and by `rcex_ws.wsg`, which looks at
`.retryable` and `.retry_after` before it tries again. Only method and path of the request are kept, so no token can
leak through an error.
"""

from __future__ import annotations

import time
from typing import cast

from rcex_ws.errors import NotJSON, RcexError
from rcex_ws.readers import printable, read_retry_after
from rcex_ws.rest.hints import hint_for
from rcex_ws.rest.message import Response

__all__ = ["LoginRefused", "PagingError", "RestError"]


class RestError(RcexError):
    """Answer with a status other than 2xx.

    Args:
        response: the answer.
        method: method of the request.
        path: path or URL of the request; its query is left out of the message.
        grant_type: OAuth's name for the way to log in; None for any other call.
        hint: what to do about it; by default from the codes of OAuth.

    Attributes:
        response: the answer.
        error_code: `errors[0].errorCode`, else `errorCode`, else OAuth's `error`, else None.
        message: text from the server in one line, or None.
        hint: what to do about it, which is also part of the text of the error; None if there is nothing to add.
        retryable: True for 408, 429 and 5xx.
        retry_after: seconds from the Retry-After header, or None.
    """

    def __init__(
        self, response: Response, *, method: str, path: str, grant_type: str | None = None, hint: str | None = None
    ) -> None:
        self.response = response
        self.error_code, self.message, oauth_error = _read_error_body(response)
        self.hint: str | None = hint or hint_for(self.error_code, oauth_error, grant_type)
        self.retryable = response.status_code in {408, 429} or response.status_code >= 500
        self.retry_after = read_retry_after(response.headers.get("Retry-After"), now=time.time())
        reason = ": ".join(part for part in (self.error_code, self.message) if part) or "no reason given"
        text = f"{method} {path.partition('?')[0]} was answered {response.status_code}: {reason}"
        super().__init__(text if self.hint is None else f"{text}; {self.hint}")

    @property
    def status_code(self) -> int:
        """The HTTP status of the answer."""
        return self.response.status_code


class LoginRefused(RestError):
    """Refusal of credentials, grant or permission by OAuth; trying again cannot help."""

    def __init__(
        self, response: Response, *, method: str, path: str, grant_type: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(response, method=method, path=path, grant_type=grant_type, hint=hint)
        self.retryable = False


class PagingError(RcexError):
    """A list cannot be read to its end: its next page is at another host or has come before, or it has no end."""


def _read_error_body(response: Response) -> tuple[str | None, str | None, str | None]:
    """Return code, text and OAuth's error; `errors[0]` comes first, for the top level sometimes has a legacy code."""
    try:
        top = _object(response.json())
    except NotJSON:
        return None, None, None
    inner = _object(_first(top.get("errors")))
    code = inner.get("errorCode") or top.get("errorCode") or top.get("error")
    text = inner.get("message") or top.get("message") or top.get("error_description")
    error = top.get("error")
    return (
        printable(code) if code else None,
        printable(text) if text else None,
        error if isinstance(error, str) else None,
    )


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _first(value: object) -> object:
    return cast("list[object]", value)[0] if isinstance(value, list) and value else None
