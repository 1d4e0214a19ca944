"""What the data store raises."""

from __future__ import annotations

from rcex_ws.errors import RcexError

__all__ = ["DataStoreError"]


class DataStoreError(RcexError):
    """Report an event that cannot be applied, or a store that cannot be used; the model is what it was before.

    Args:
        event_type: the type of the event, or the name of the call ("rtm.start", "upsert user").
        field: the field that is missing or of a wrong type, with dots; None when the trouble is not in a field.
        retryable: whether the same call can succeed later (another process holds the file).
    """

    def __init__(
        self, message: str, *, event_type: str | None = None, field: str | None = None, retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.event_type = event_type
        self.field = field
        self.retryable = retryable
