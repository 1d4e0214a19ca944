"""What a client and a server of ours say to each other so that no event is lost between two connections. Pure.

1. The client asks for a session in the header `HEADER` of its upgrade request: a new one, or the one that it had, with
   the number of events that it has received in it, and the position of the last one that was published to the user.
2. The server's first event is `rtm:session`, before the reply to the authentication and before all other events.
   If the session is resumed, the events that the client has missed follow, and then all others. The server counts what
   it sends, the client what it receives, neither writes the numbers down: so all clients can share one frame.
3. If the session is unknown there, as at another server, the events that were published since the position follow.
   What this server cannot know is told as a gap: see `GapNotice`.

The same idea, with other words, is in XMPP's stream management (XEP-0198). Reserved events are not counted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

__all__ = ["HEADER", "GapNotice", "RtmGap", "SessionRequest", "SessionStart"]

HEADER: Final = "Rtm-Session"
"""The header of the upgrade request."""

_NEW = "new"
_MOST_DIGITS = 18


class SessionRequest(Struct, frozen=True):
    """What a client asks for in the header `HEADER`.

    Attributes:
        session: the session to resume; "" for a new one.
        received: how many events it has received in it.
        position: of the last published event that it has received, or the one that the session began at; "" if there
            is none.
    """

    session: str = ""
    received: int = 0
    position: str = ""

    def to_header(self) -> str:
        """Return the value of the header."""
        return f"{self.session};{self.received};{self.position}" if self.session else _NEW

    @classmethod
    def from_header(cls, value: str) -> SessionRequest:
        """Read the value of the header; one that cannot be read asks for a new session."""
        session, _, rest = value.strip().partition(";")
        received, _, position = rest.partition(";")
        if not received.isascii() or not received.isdecimal() or len(received) > _MOST_DIGITS:
            return cls()
        return cls(session, int(received), position)


class GapNotice(Struct, frozen=True, omit_defaults=True):
    """What a server says of events that may be missing.

    Attributes:
        reason: why, for people.
        certain: whether some are certainly missing.
        published: whether events that were published to the user may be among them; otherwise only such that one server
            has sent to its own clients.
        position: the position from which it goes on; "" if that is not known.
    """

    reason: str
    certain: bool = False
    published: bool = True
    position: str = ""


class SessionStart(Struct, frozen=True, omit_defaults=True):
    """The argument of the event `rtm:session`.

    Attributes:
        session: the session of this connection, a secret.
        resumed: whether it is the one that the client has asked for; otherwise it is new, and counts from 0.
        window: seconds for which it can be resumed after a loss.
        position: the position at which it begins, before the events that follow; "" if the client has no user.
        missed: how many events follow that the client has missed; all others come after them.
        gap: what is missing of the published events, or of those of the session; None if nothing is.
    """

    session: str
    resumed: bool = False
    window: float = 0.0
    position: str = ""
    missed: int = 0
    gap: GapNotice | None = None


class RtmGap(Struct, frozen=True, gc=False):
    """A period for which events may be missing, told by the event `gap` of a client.

    Attributes:
        since: the last moment at which nothing was missing, less 5 s for what was on its way, by this machine's clock.
        until: when the events are complete again.
        certain: whether some are certainly missing.
        published: whether events that were published to the user may be among them; otherwise only such that one server
            has sent to its own clients, by `emit` and `push`.
        reason: why, for people.
    """

    since: datetime
    until: datetime
    certain: bool
    published: bool
    reason: str
