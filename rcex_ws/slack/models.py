"""The names of events, and the outcomes of sent messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Events", "MessageOutcome", "MessageReply"]


class Events(StrEnum):
    """Names of the lifecycle events, as in `@slack/client` 3.x; plain strings are accepted everywhere.

    Every event of the team is emitted under its `type`, and under `type::subtype`.
    """

    CONNECTING = "connecting"  #: (): rtm.connect or rtm.start is being called
    AUTHENTICATED = "authenticated"  #: (data): the answer to it
    UNABLE_TO_RTM_START = "unable_to_rtm_start"  #: (error): it was refused or failed
    RATE_LIMITED = "rate_limited"  #: (seconds): Slack asks to wait
    WS_OPENING = "ws_opening"  #: (): the WebSocket is being opened
    WS_OPENED = "ws_opened"  #: (): it is open
    OPEN = "open"  #: (): hello was received; messages can be sent
    WS_ERROR = "ws_error"  #: (error): it could not be opened
    WS_CLOSE = "ws_close"  #: (code, reason): Slack or the network closed it; 1006 without a close frame
    ATTEMPTING_RECONNECT = "attempting_reconnect"  #: (): another attempt follows, by the schedule
    DISCONNECT = "disconnect"  #: (reason, error or code): for good
    RAW_MESSAGE = "raw_message"  #: (text): every frame, including invalid JSON
    SLACK_EVENT = "slack_event"  #: (type, event): every event of the team
    CLIENT_ERROR = "client_error"  #: (error): a handler or the store raised, a frame cannot be read, events are dropped


class MessageOutcome(StrEnum):
    """How a message was settled."""

    ACKNOWLEDGED = "acknowledged"  #: Slack replied to it
    ASSUMED = "assumed"  #: Slack acknowledged a later one of the same connection, so it received this one, too
    WRITTEN = "written"  #: handed to the connection; Slack does not reply to this type


@dataclass(frozen=True, slots=True)
class MessageReply:
    """The result of a sent message.

    Attributes:
        id: the id it was sent with.
        outcome: how it was settled.
        message: the message as Slack's clients return it ({"type", "channel", "user", "text", "ts"}); for a frame of
            another type, the reply as received. Without "ts" if the message is only assumed to be delivered.
    """

    id: int
    outcome: MessageOutcome
    message: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def ts(self) -> str | None:
        """The timestamp that identifies the message in its channel; None if it is not known."""
        ts = self.message.get("ts")
        return ts if isinstance(ts, str) else None
