"""The options of the fake Slack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rcex_ws.options import Number, Seconds, WebSocketUrl, check_fields

__all__ = ["FakeSlackOptions"]


@dataclass(slots=True, kw_only=True)
class FakeSlackOptions:
    """Options of `FakeSlack`; each may be changed while it runs.

    Attributes:
        rtm_start: the answer to rtm.start: "connect" for that of rtm.connect, as at Slack since September 2022; "full"
            for the older one, with users, channels and so on; "refused" for the error for apps since December 2021.
        per_minute: calls of each method accepted within a minute, by method name with `*` for any text, such as
            {"rtm.*": 1} for Slack's Tier 1; one more is answered by 429 and Retry-After.
        minute: length of that minute in seconds.
        url_lifetime: seconds for which a URL from rtm.connect is valid; at Slack 30.
        hello_with_upgrade: send hello in the same TCP segment as the 101, so that the client gets both in one read.
        replay_last_reply: after the hello of a reconnect, repeat the reply to the last accepted message of the same
            token, as `{"reply_to": N, "type": "message", ...}`.
        echo_to_sender: send the event of a message also to the connection that the message came from.
        public_ws_url: prefix of the URLs from rtm.connect instead of `ws_url`; for a proxy in front of the WebSockets.
    """

    rtm_start: Literal["full", "connect", "refused"] = "connect"
    per_minute: dict[str, Number] = field(default_factory=dict[str, int])
    minute: Seconds = 60.0
    url_lifetime: Seconds = 30.0
    hello_with_upgrade: bool = False
    replay_last_reply: bool = False
    echo_to_sender: bool = False
    public_ws_url: WebSocketUrl | None = None

    def __post_init__(self) -> None:
        check_fields(self)
