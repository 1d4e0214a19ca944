"""The options of the local gateway: every interval, limit and switch of its rules.

Read by every other module of the gateway; set by whoever starts one (`Gateway(...)`, tests). The defaults are
RingCentral's own, from recorded frames and its developer guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.account.apps import PERMISSIONS
from rcex_ws.options import Count, Credential, HeaderValue, Number, Seconds, Wait, WebSocketUrl, check_fields

__all__ = ["GatewayOptions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayOptions:
    """Options of the local gateway. All times are in seconds.

    Args:
        access_token_expires_in: lifetime of an access token; a WebSocket is closed when its token expires.
        refresh_token_expires_in: lifetime of a refresh token.
        refresh_token_grace: how long a used refresh token still returns the pair it was exchanged for.
        max_oauth_sessions: concurrent logins per user and app; one more ends the oldest, with its WebSockets.
        wstoken_expires_in: lifetime of a wstoken, the token that opens a WebSocket.
        logout_grace: how long the WebSockets of a login stay open after it was revoked or superseded; requests over
            them are answered with 401 meanwhile.
        single_use_wstoken: whether a wstoken opens only one WebSocket. The documentation says so, yet the official
            JavaScript client reuses its token for every reconnect and works, hence the default.
        recovery_timeout: how long a session can be recovered after its connection was lost.
        recovery_buffer_size: notifications buffered for a lost session; the oldest are dropped first.
        idle_timeout: after so long without a message a WebSocket gets WSG-902 and is closed.
        absolute_timeout: at this age a WebSocket gets WSG-903 and is closed.
        max_active_requests: requests in flight on one WebSocket; one more is answered with 429.
        max_connections_per_session: WebSockets of one OAuth session; one more is refused with 403.
        max_subscriptions: subscriptions of one user and app; one more is refused with SUB-505.
        ping_interval: how often the server pings each WebSocket.
        pong_timeout: how long the server waits for a pong before it considers the WebSocket lost.
        rate_limits: requests per window and user for the groups "light", "medium", "heavy" and "auth".
        rate_window: length of the sliding window, and of the penalty that each request during it restarts.
        coalesce: write frames that are ready together in one segment; otherwise each alone, a few milliseconds apart.
        wsc_every_n: put a newer wsc into every n-th frame after ConnectionDetails; 0 for none.
        disabled_filters: event filters that subscriptions are silently not granted (`disabledFilters`).
        public_ws_uri: the WebSocket address given to clients, if there is a proxy in front of the real one.
        client_id: client id of the one application; generated at each start unless set.
        client_secret: its client secret; generated likewise. If empty, it is a public client without a secret;
            otherwise the application must send it.
        permissions: permissions of the application, such as "ReadMessages"; None for all. What needs another one is
            refused by 403.
        jwt: JWT credential of the first user; generated likewise.
        second_jwt: JWT credential of the second user; generated likewise.

    Raises:
        ConfigurationError: an option has an invalid value; the message names it.
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
    permissions: tuple[str, ...] | None = None
    jwt: Credential | None = field(default=None, repr=False)
    second_jwt: Credential | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_fields(self)
        unknown = sorted(set(self.permissions or ()) - set(PERMISSIONS))
        if unknown:
            raise ConfigurationError(f"permissions: there is no {unknown[0]!r}; there are {', '.join(PERMISSIONS)}")
