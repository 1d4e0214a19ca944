"""The error of the data stores."""

from __future__ import annotations

from rcex_ws.errors import RcexError

__all__ = ["DataStoreError"]


class DataStoreError(RcexError):
    """An event cannot be applied, or the store cannot be used; the model is unchanged.

    Args:
        message: what is wrong.
        event_type: the type of the event, or the name of the call ("rtm.start", "upsert user").
        field: dotted path of the field that is missing or of the wrong type; None if no field is at fault.
        retryable: whether the same call can succeed later (another process has locked the file).
    """

    def __init__(
        self, message: str, *, event_type: str | None = None, field: str | None = None, retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.event_type = event_type
        self.field = field
        self.retryable = retryable
