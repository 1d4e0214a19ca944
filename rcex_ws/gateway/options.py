"""The knobs of the local gateway: every time, size and switch of its rules, in one place.

Read by every other module of the gateway; written by whoever starts one (`Gateway(...)`, tests). The defaults are what
RingCentral itself shows in recorded frames and in its developer guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rcex_ws.options import Count, Credential, HeaderValue, Number, Seconds, Wait, WebSocketUrl, check_fields

__all__ = ["GatewayOptions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayOptions:
    """Set what the gateway does. All times are in seconds.

    Args:
        access_token_expires_in: Life of an access token; a WebSocket is closed when its token dies unrefreshed.
        refresh_token_expires_in: Life of a refresh token.
        refresh_token_grace: How long a used refresh token still returns the pair it was exchanged for.
        max_oauth_sessions: Parallel logins per user and app; one more ends the oldest, with its WebSockets.
        wstoken_expires_in: Life of a wstoken, the token that opens a WebSocket.
        logout_grace: How long the WebSockets of a login that was revoked, or pushed out by a newer one, stay open;
            what is asked over them meanwhile is answered with 401.
        single_use_wstoken: Whether a wstoken opens only one WebSocket. The documentation says so, yet the official
            JavaScript client reuses its token for every reconnect and works, hence the default.
        recovery_timeout: How long after its loss a session can be recovered.
        recovery_buffer_size: Notifications kept for a lost session; the oldest go first.
        idle_timeout: Without a message for so long, the WebSocket gets WSG-902 and is closed.
        absolute_timeout: At this age the WebSocket gets WSG-903 and is closed.
        max_active_requests: Requests in flight on one WebSocket; one more is answered with 429.
        max_connections_per_session: WebSockets of one OAuth session; one more is refused with 403.
        max_subscriptions: Subscriptions of one user and app; one more is refused with SUB-505.
        ping_interval: How often the server pings each WebSocket.
        pong_timeout: Without a pong for so long, the server takes the WebSocket for lost.
        rate_limits: Requests per window and user for the groups "light", "medium", "heavy" and "auth".
        rate_window: Length of the sliding window, and of the penalty that each request in it restarts.
        coalesce: Write what is ready at once in one segment; otherwise each frame alone, a few milliseconds apart.
        wsc_every_n: Every n-th frame after ConnectionDetails bears a newer wsc; 0 for none.
        disabled_filters: Event filters that a subscription is silently not granted (`disabledFilters`).
        public_ws_uri: The WebSocket address told to clients, when a proxy stands before the real one.
        client_id: Of the one application; generated at each start unless given.
        client_secret: Of the one application; generated likewise. An empty one makes it a public client, which has
            none; otherwise the application must tell it.
        jwt: The credential that logs in as the first user; generated likewise.
        second_jwt: The credential that logs in as the second user; generated likewise.

    Raises:
        ConfigurationError: A knob has a value that cannot be; it is named.
    """

    access_token_expires_in: Wait = 3600
    refresh_token_expires_in: Wait = 604800
    refresh_token_grace: Wait = 10
    max_oauth_sessions: Count = 5
    wstoken_expires_in: Wait = 60
    logout_grace: Wait = 5
    single_use_wstoken: bool = False
    recovery_timeout: Wait = 180
    recovery_buffer_size: Number = 100
    idle_timeout: Seconds = 1800
    absolute_timeout: Seconds = 86400
    max_active_requests: Count = 10
    max_connections_per_session: Count = 50
    max_subscriptions: Count = 30
    ping_interval: Seconds = 30
    pong_timeout: Seconds = 10
    rate_limits: Mapping[str, Number] = field(default_factory=dict[str, int])
    rate_window: Seconds = 60
    coalesce: bool = True
    wsc_every_n: Number = 0
    disabled_filters: tuple[str, ...] = ()
    public_ws_uri: WebSocketUrl | None = None
    client_id: Credential | None = None
    client_secret: HeaderValue | None = field(default=None, repr=False)
    jwt: Credential | None = field(default=None, repr=False)
    second_jwt: Credential | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_fields(self)
