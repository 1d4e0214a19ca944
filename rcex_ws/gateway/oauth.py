"""OAuth sessions, their tokens, and the wstokens that open WebSockets. Pure: the clock is injected, no I/O.

Used by `api_oauth.py` (logins), `front.py` (bearer tokens) and `upgrade.py` (wstokens). Source: RingCentral's developer
guide ("Refresh token flow", tokens.md): a refresh invalidates the old access token at once, while the old refresh token
returns the same new pair for a short time.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from rcex_ws.gateway.account.apps import AppRecord, AppRegistry
from rcex_ws.gateway.account.people import ExtensionDirectory, ExtensionRecord
from rcex_ws.gateway.clock import Clock
from rcex_ws.gateway.codes import AuthorizationCodes
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.problem import Problem

__all__ = ["OAuth", "OAuthSession", "TokenLifetimes"]


@dataclass(slots=True, eq=False)
class OAuthSession:
    """One login: it survives refreshes and ends by revocation, by expiry or after too many newer logins.

    Args:
        id: identifies it in the log.
        owner: the user.
        app: the application that has logged in.
        server: the base URL that the client has used, for URIs in frames.
    """

    id: int
    owner: ExtensionRecord
    app: AppRecord
    server: str
    access_token: str = field(repr=False)
    access_expires_at: float
    refresh_token: str = field(repr=False)
    refresh_expires_at: float
    spent_refresh_token: str | None = field(default=None, repr=False)
    spent_until: float = 0.0
    ended_at: float | None = None

    def alive(self, now: float) -> bool:
        """Return whether the access token is valid."""
        return self.ended_at is None and now < self.access_expires_at

    def sockets_end_at(self, grace: float) -> float:
        """Return when its WebSockets are closed: a grace period after its end, so that a client can finish."""
        return self.access_expires_at if self.ended_at is None else min(self.access_expires_at, self.ended_at + grace)


_MOST_WSTOKENS = 1000
_SHORTEST_ACCESS = 600.0
"""RingCentral's API reference, "Get Token": an access token lives 10 to 60 minutes."""


@dataclass(frozen=True, slots=True)
class TokenLifetimes:
    """What a client asks for when it gets tokens, in seconds; None leaves it to the gateway, which sets the limits.

    Args:
        access: the lifetime of the access token.
        refresh: that of the refresh token; 0 or less for none.
    """

    access: float | None = None
    refresh: float | None = None


_DEFAULT = TokenLifetimes()


@dataclass(slots=True)
class _IssuedWsToken:
    session: OAuthSession
    expires_at: float
    used: bool = False


class OAuth:
    """The logins of all applications.

    Args:
        options: lifetimes and limits of tokens.
        clock: the source of time.
        apps: the applications.
        people: the users.

    Attributes:
        codes: the authorization codes.
    """

    def __init__(self, options: GatewayOptions, clock: Clock, apps: AppRegistry, people: ExtensionDirectory) -> None:
        self._options = options
        self._clock = clock
        self.codes = AuthorizationCodes(clock)
        self._apps = apps
        self._people = people
        self._ids = count(1)
        self._sessions: list[OAuthSession] = []
        self._wstokens: dict[str, _IssuedWsToken] = {}

    def check_client_id(self, client_id: str | None) -> AppRecord:
        """Return the application with a client id, for requests from a browser, which have no secret.

        Raises:
            Problem: 401 for an unknown id.
        """
        app = self._apps.by_id(client_id)
        if app is None:
            raise Problem(401, "OAU-153", "Invalid client", oauth_error="invalid_client")
        return app

    def check_client(self, client_id: str | None, client_secret: str | None) -> AppRecord:
        """Authenticate and return an application; the secret is required unless it is empty.

        Raises:
            Problem: 401 for an unknown id, or a wrong or missing secret.
        """
        app = self.check_client_id(client_id)
        if not secrets.compare_digest((client_secret or "").encode(), app.client_secret.encode()):
            raise Problem(401, "OAU-153", "Invalid client", oauth_error="invalid_client")
        return app

    def log_in(
        self,
        owner: ExtensionRecord,
        server: str = "",
        app: AppRecord | None = None,
        lifetimes: TokenLifetimes = _DEFAULT,
    ) -> OAuthSession:
        """Start an OAuth session, and end the oldest ones of the user and application if there are too many.

        Args:
            owner: the user.
            server: the base URL that the client has used.
            app: the application, by default the first.
            lifetimes: what the client asks for.
        """
        now = self._clock.now()
        self._sessions = [one for one in self._sessions if now < max(one.refresh_expires_at, one.access_expires_at)]
        app = app or self._apps.first
        mine = [one for one in self._sessions if one.owner is owner and one.app is app]
        for oldest in mine[: max(0, len(mine) + 1 - self._options.max_oauth_sessions)]:
            self.end(oldest)
        session = OAuthSession(next(self._ids), owner, app, server, "", now, "", now)
        self._new_pair(session, lifetimes)
        self._sessions.append(session)
        return session

    def refresh(
        self, refresh_token: str, app: AppRecord | None = None, lifetimes: TokenLifetimes = _DEFAULT
    ) -> OAuthSession:
        """Exchange a refresh token; within the grace period a spent one returns the session with its new pair.

        Args:
            refresh_token: the refresh token.
            app: the application, which must be the one that has logged in; by default the first.
            lifetimes: what the client asks for.

        Raises:
            Problem: 400 invalid_grant for an unknown, spent or expired token.
        """
        now = self._clock.now()
        for session in [one for one in self._sessions if one.app is (app or self._apps.first)]:
            if refresh_token == session.refresh_token and now < session.refresh_expires_at:
                session.spent_refresh_token = refresh_token
                session.spent_until = now + self._options.refresh_token_grace
                self._new_pair(session, lifetimes)
                return session
            if refresh_token == session.spent_refresh_token and now < session.spent_until:
                return session
        raise Problem(400, "OAU-210", "Token is invalid or expired", oauth_error="invalid_grant")

    def bearer(self, token: str | None) -> OAuthSession:
        """Return the session of an access token.

        Raises:
            Problem: 401 if the token is missing, unknown, replaced or expired.
        """
        now = self._clock.now()
        for session in self._sessions:
            if session.access_token == token and session.alive(now):
                return session
        raise Problem(401, "OAU-213", "Token not found or expired")

    def revoke(self, token: str, app: AppRecord | None = None) -> OAuthSession | None:
        """End the session that an access or refresh token belongs to; an unknown token is no error (RFC 7009).

        Args:
            token: the token.
            app: the application, to which another one's tokens are unknown; by default the first.
        """
        for session in [one for one in self._sessions if one.app is (app or self._apps.first)]:
            if token in (session.access_token, session.refresh_token):
                self.end(session)
                return session
        return None

    def end(self, session: OAuthSession) -> None:
        """End a session and invalidate its tokens."""
        session.ended_at = self._clock.now()
        self._sessions.remove(session)
        self._wstokens = {token: held for token, held in self._wstokens.items() if held.session is not session}

    def end_all(self, owner: ExtensionRecord) -> None:
        """End every login of a user."""
        for session in [one for one in self._sessions if one.owner is owner]:
            self.end(session)

    def issue_wstoken(self, session: OAuthSession) -> str:
        """Return a token that opens a WebSocket for this session."""
        token = secrets.token_urlsafe(96)
        self._wstokens[token] = _IssuedWsToken(session, self._clock.now() + self._options.wstoken_expires_in)
        self._drop_old()
        return token

    def redeem_wstoken(self, token: str | None) -> OAuthSession:
        """Return the session that a wstoken was issued for.

        Raises:
            Problem: 401 if the wstoken is missing, unknown, expired or already used.
        """
        held = self._wstokens.get(token) if token else None
        now = self._clock.now()
        if held is None or now >= held.expires_at or not held.session.alive(now):
            raise Problem(401, "OAU-213", "WebSocket access token not found or expired")
        if held.used and self._options.single_use_wstoken:
            raise Problem(401, "OAU-213", "WebSocket access token was already used")
        held.used = True
        return held.session

    def held(self) -> dict[str, int]:
        """Return how many logins, wstokens and codes are kept; tests check that this is bounded."""
        self._drop_old()
        return {"logins": len(self._sessions), "wstokens": len(self._wstokens), "codes": len(self.codes)}

    def dump(self) -> list[dict[str, Any]]:
        """Return the logins with their tokens as JSON-ready data; what ends them is a date, not a time of the clock."""
        late = self._clock.wall().timestamp() - self._clock.now()
        return [
            {
                "owner": one.owner.id,
                "app": one.app.client_id,
                "server": one.server,
                "access_token": one.access_token,
                "access_expires": one.access_expires_at + late,
                "refresh_token": one.refresh_token,
                "refresh_expires": one.refresh_expires_at + late,
            }
            for one in self._sessions
        ]

    def load(self, saved: list[dict[str, Any]]) -> None:
        """Take back the logins that `dump` has returned; those of users and applications that are gone are dropped."""
        late = self._clock.wall().timestamp() - self._clock.now()
        for one in saved:
            owner, app = self._people.by_id(one["owner"]), self._apps.by_id(one["app"])
            until, refresh_until = float(one["access_expires"]) - late, float(one["refresh_expires"]) - late
            if owner is not None and app is not None:
                access, refresh, number = str(one["access_token"]), str(one["refresh_token"]), next(self._ids)
                session = OAuthSession(number, owner, app, one["server"], access, until, refresh, refresh_until)
                self._sessions.append(session)

    def _drop_old(self) -> None:
        now = self._clock.now()
        _prune(self._wstokens, _MOST_WSTOKENS, now)

    def _new_pair(self, session: OAuthSession, wanted: TokenLifetimes) -> None:
        now, access, refresh = self._clock.now(), wanted.access, wanted.refresh
        longest, longest_refresh = self._options.access_token_expires_in, self._options.refresh_token_expires_in
        session.access_token = secrets.token_urlsafe(48)
        session.access_expires_at = now + (longest if access is None else min(longest, max(access, _SHORTEST_ACCESS)))
        session.refresh_token = secrets.token_urlsafe(48)
        session.refresh_expires_at = now + (
            longest_refresh if refresh is None else max(0.0, min(longest_refresh, refresh))
        )


def _prune(held: dict[str, _IssuedWsToken], most: int, now: float) -> None:
    """Drop what has expired, and the oldest if there are still more than `most`."""
    for key in [key for key, one in held.items() if now >= one.expires_at]:
        del held[key]
    for key in list(held)[: max(0, len(held) - most)]:
        del held[key]
