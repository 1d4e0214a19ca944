"""What Slack knows of a client from one start to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oracle.slack.rtm import RTM


@dataclass
class Life:
    """What Slack knows of one life of the client; a later life starts with nothing.

    Attributes:
        number: as the client told it by the options of rtm.connect.
        connections: those that are open.
        last: the last message that was done, with its answer.
        ids: all ids seen, to find one that is used twice.
    """

    number: int
    connections: list[RTM] = field(default_factory=list)
    last: tuple[int, dict[str, Any]] | None = None
    ids: set[int] = field(default_factory=set)

    @property
    def current(self) -> RTM | None:
        """The newest connection that was greeted."""
        return next((rtm for rtm in reversed(self.connections) if rtm.greeted and not rtm.given_up), None)
