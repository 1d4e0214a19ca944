"""The names of events, and what a sent message turns into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Events", "MessageOutcome", "MessageReply"]


class Events(StrEnum):
    """The lifecycle events, named as in `@slack/client` 3.x; plain strings are accepted everywhere.

    Beside these, every event of the team is emitted by its `type`, and by `type::subtype`.
    """

    CONNECTING = "connecting"  #: (): rtm.connect or rtm.start is called
    AUTHENTICATED = "authenticated"  #: (data): its answer
    UNABLE_TO_RTM_START = "unable_to_rtm_start"  #: (error): it was refused or failed
    RATE_LIMITED = "rate_limited"  #: (seconds): Slack asks to wait
    WS_OPENING = "ws_opening"  #: (): the WebSocket is opened
    WS_OPENED = "ws_opened"  #: (): it is open
    OPEN = "open"  #: (): hello came; messages can be sent
    WS_ERROR = "ws_error"  #: (error): it could not be opened
    WS_CLOSE = "ws_close"  #: (code, reason): it was closed, not by this side; 1006 without a close frame
    ATTEMPTING_RECONNECT = "attempting_reconnect"  #: (): the next attempt follows, by the schedule
    DISCONNECT = "disconnect"  #: (reason, error or code): for good
    RAW_MESSAGE = "raw_message"  #: (text): every frame, also one that is no JSON
    SLACK_EVENT = "slack_event"  #: (type, event): every event of the team
    CLIENT_ERROR = "client_error"  #: (error): a handler or the store raised, a frame cannot be read, events are dropped


class MessageOutcome(StrEnum):
    """What became of a message."""

    ACKNOWLEDGED = "acknowledged"  #: Slack said so
    ASSUMED = "assumed"  #: Slack acknowledged a later one of the same connection, so it had this one, too
    WRITTEN = "written"  #: given to the connection; Slack does not answer this type


@dataclass(frozen=True, slots=True)
class MessageReply:
    """What a sent message turned into.

    Attributes:
        id: the number it was sent under.
        outcome: how that is known.
        message: the message as Slack's clients give it ({"type", "channel", "user", "text", "ts"}); for another type
            of message the answer as it came. Without "ts" if the message is only assumed to be delivered.
    """

    id: int
    outcome: MessageOutcome
    message: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def ts(self) -> str | None:
        """The time stamp that names the message in its channel; None if Slack did not say."""
        ts = self.message.get("ts")
        return ts if isinstance(ts, str) else None
