"""Records what is done to a draft, as deltas. Pure."""

from __future__ import annotations

from rcex_ws.feedme.deltas import Delta, Editor, Operation
from rcex_ws.feedme.errors import InvalidState
from rcex_ws.feedme.values import FrozenDict

__all__ = ["Recorder"]


class Recorder:
    """Records the changes of a draft as deltas.

    Args:
        data: the data to start from; it is never changed.

    Attributes:
        deltas: the changes so far.
    """

    def __init__(self, data: FrozenDict) -> None:
        self._editor = Editor(data)
        self._ended = False
        self.deltas: list[Delta] = []

    @property
    def data(self) -> FrozenDict:
        """The data as it is now; later changes do not reach it."""
        return self._editor.data

    @property
    def current(self) -> FrozenDict:
        """The data as it is now, to look at before the next change."""
        return self._editor.current

    def record(self, operation: Operation, path: tuple[str | int, ...], *value: object) -> None:
        """Make a change.

        Raises:
            DeltaError: it is not possible.
            InvalidState: the block of the change is over.
        """
        self.check_not_ended()
        delta = Delta(operation, path, *value)
        self._editor.apply(delta)
        self.deltas.append(delta)

    def check_not_ended(self) -> None:
        """Check that the block of the change is not over.

        Raises:
            InvalidState: it is over.
        """
        if self._ended:
            raise InvalidState("this change is over; a draft can be used only within its block")

    def end(self) -> None:
        """End the change."""
        self._ended = True
