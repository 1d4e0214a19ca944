"""The error answers of the gateway, in RingCentral's format.

Raised anywhere below the REST application, which turns them into bodies; nothing else in the gateway knows the format.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Problem"]


class Problem(Exception):
    """An error to answer a request with.

    Args:
        status: HTTP status of the answer.
        code: RingCentral's error code, such as "CMN-102".
        message: the error message for the client.
        oauth_error: the `error` member that the OAuth endpoints add.
        retry_after: seconds for the Retry-After header.
        older_code: the word that RingCentral has at the top level instead of `code`, where it has kept an older one.
        details: more members of the single entry of `errors`, such as `permissionName`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        oauth_error: str | None = None,
        retry_after: float | None = None,
        older_code: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.oauth_error = oauth_error
        self.retry_after = retry_after
        self.older_code = older_code
        self.details = details

    def body(self) -> dict[str, Any]:
        """Return the JSON body; the top-level members repeat the only entry of `errors`."""
        entry = {"errorCode": self.code, "message": self.message, **self.details}
        body: dict[str, Any] = {**entry, "errorCode": self.older_code or self.code, "errors": [entry]}
        if self.oauth_error is not None:
            body |= {"error": self.oauth_error, "error_description": self.message}
        return body

    def headers(self) -> dict[str, str]:
        """Return the headers of the answer besides Content-Type."""
        return {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
