"""The knobs of the fake Slack."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FakeSlackOptions"]


@dataclass(slots=True, kw_only=True)
class FakeSlackOptions:
    """Be the knobs; each may be changed while the fake Slack runs.

    Attributes:
        url_lifetime: seconds for which a URL of rtm.connect is good; Slack gives 30.
        hello_with_upgrade: send hello in the TCP segment of the 101, so that the client gets both from one read.
        replay_last_reply: after the hello of a reconnect, send the reply to the last accepted message of the same
            token once more, as `{"reply_to": N, "type": "message", ...}`.
        echo_to_sender: send the event of a message to the connection it came from, too.
        public_ws_url: what URLs of rtm.connect begin with instead of `ws_url`; for a proxy before the WebSockets.
    """

    url_lifetime: float = 30.0
    hello_with_upgrade: bool = False
    replay_last_reply: bool = False
    echo_to_sender: bool = False
    public_ws_url: str | None = None
