"""Extensions beside the WebSocket one: retries, rate limits, events, debug output.

Small, and each works without the others. For users, who install them with `rc.install_extension`; the last installed is
outermost. They are made of what any extension has: `handle`, the client's gate and `watch_session`.

retry.py        repeats calls that failed in passing
rate_limit.py   lets calls wait for the rate limit, and repeats those that reached it
events.py       events before and after calls, logins, refreshes and logouts
debug.py        shows calls and answers, without secrets
repeatable.py   pure: whether a call may be sent again
"""

from rcex_ws.rest.extensions.debug import DebugExtension
from rcex_ws.rest.extensions.events import EventsExtension, RestEvents
from rcex_ws.rest.extensions.rate_limit import RateLimitExtension
from rcex_ws.rest.extensions.retry import RetryExtension, default_retry_delay

__all__ = [
    "DebugExtension",
    "EventsExtension",
    "RateLimitExtension",
    "RestEvents",
    "RetryExtension",
    "default_retry_delay",
]
