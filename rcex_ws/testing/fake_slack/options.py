"""The knobs of the fake Slack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rcex_ws.options import Number, Seconds, WebSocketUrl, check_fields

__all__ = ["FakeSlackOptions"]


@dataclass(slots=True, kw_only=True)
class FakeSlackOptions:
    """Be the knobs; each may be changed while the fake Slack runs.

    Attributes:
        rtm_start: what rtm.start answers: "connect" as rtm.connect does, which Slack does since September 2022; "full"
            with users, channels and so on, as before; "refused" with the error for apps made since December 2021.
        per_minute: how many calls of each method are taken within a minute, by the name of the method with `*` for any
            text, such as {"rtm.*": 1} for Slack's Tier 1; one more is answered by 429 and Retry-After.
        minute: seconds of that minute.
        url_lifetime: seconds for which a URL of rtm.connect is good; Slack gives 30.
        hello_with_upgrade: send hello in the TCP segment of the 101, so that the client gets both from one read.
        replay_last_reply: after the hello of a reconnect, send the reply to the last accepted message of the same
            token once more, as `{"reply_to": N, "type": "message", ...}`.
        echo_to_sender: send the event of a message to the connection it came from, too.
        public_ws_url: what URLs of rtm.connect begin with instead of `ws_url`; for a proxy before the WebSockets.
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
