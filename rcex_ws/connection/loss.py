"""How a connection ended. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct, field

from rcex_ws.readers import printable

__all__ = ["Loss", "LossKind", "utc_now"]


def utc_now() -> datetime:
    """Return the wall-clock time, aware."""
    return datetime.now(UTC)


class LossKind(StrEnum):
    """How a connection ended."""

    CLOSED = "closed"  #: the peer sent a close frame
    REFUSED = "refused"  #: the peer ended it with a message of its protocol
    DROPPED = "dropped"  #: reset or end of stream, without a close frame
    SILENT = "silent"  #: no answer to a heartbeat in time
    UNREADABLE = "unreadable"  #: the peer sent something invalid, for example a frame over the size limit
    ABORTED = "aborted"  #: dropped by this side


class Loss(Struct, frozen=True, gc=False):
    """How and when a connection was lost.

    Attributes:
        kind: how it ended.
        code: the close code, or the peer's own error code; None if there was none.
        text: details, for people.
        at: when the loss was noticed.
    """

    kind: LossKind
    code: int | str | None = None
    text: str = ""
    at: datetime = field(default_factory=utc_now)

    @property
    def announced(self) -> bool:
        """Whether the peer announced the end, so that nothing it sent before that is missing."""
        return self.kind in (LossKind.CLOSED, LossKind.REFUSED)

    def __str__(self) -> str:
        text = printable(self.text)
        if text and self.kind in (LossKind.ABORTED, LossKind.SILENT):
            return text  # the kind would add nothing
        how = str(self.kind) if self.code in (None, "") else f"{self.kind} {printable(self.code)}"
        return f"{how}: {text}" if text else how
