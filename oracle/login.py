"""The OAuth half of the model: logins, rotation of refresh tokens, and the single-use tokens of the WebSocket. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Login", "Logins"]

ACCESS_LIFETIME = 3600
REFRESH_LIFETIME = 604800
WSTOKEN_LIFETIME = 60
# A used refresh token still gives the same pair for so long, DOC: about 10 s.
GRACE = 10.0


@dataclass
class Login:
    """One OAuth session, from a login to its end."""

    number: int
    access: str = ""
    access_until: float = 0.0
    refresh: str = ""
    refresh_until: float = 0.0
    used: dict[str, float] = field(default_factory=dict)
    ended: bool = False


class Logins:
    """Know who is logged in.

    Args:
        new_token: gives a new secret.
    """

    def __init__(self, new_token: Callable[[str], str]) -> None:
        self.logins: list[Login] = []
        self._new_token = new_token
        self._wstokens: dict[str, tuple[Login, float]] = {}

    def log_in(self, now: float) -> dict[str, object]:
        """Begin an OAuth session and give the endpoint's answer."""
        login = Login(len(self.logins) + 1)
        self.logins.append(login)
        return self._rotate(login, now)

    def refresh(self, token: str, now: float) -> dict[str, object] | None:
        """Exchange a refresh token; None when it is not good."""
        for login in self.logins:
            if login.ended:
                continue
            if token == login.refresh and now < login.refresh_until:
                login.used[token] = now
                return self._rotate(login, now)
            if now - login.used.get(token, -GRACE) < GRACE:
                return self._answer(login, now)
        return None

    def revoke(self, token: str) -> Login | None:
        """End the session of an access or refresh token."""
        for login in self.logins:
            if not login.ended and token in {login.access, login.refresh}:
                login.ended = True
                return login
        return None

    def who(self, access: str, now: float) -> Login | None:
        """Give the session of an access token that is good now."""
        for login in self.logins:
            if login.access == access and now < login.access_until and not login.ended:
                return login
        return None

    def give_wstoken(self, login: Login, now: float) -> dict[str, object]:
        """Give a token for one WebSocket; the address is the server's to add."""
        token = self._new_token("ws")
        self._wstokens[token] = (login, now + WSTOKEN_LIFETIME)
        return {"ws_access_token": token, "expires_in": WSTOKEN_LIFETIME}

    def take_wstoken(self, token: str, now: float) -> Login | None:
        """Use up a token of `give_wstoken`."""
        login, until = self._wstokens.pop(token, (None, 0.0))
        return login if login is not None and now < until and not login.ended else None

    def _rotate(self, login: Login, now: float) -> dict[str, object]:
        login.access, login.refresh = self._new_token("access"), self._new_token("refresh")
        login.access_until, login.refresh_until = now + ACCESS_LIFETIME, now + REFRESH_LIFETIME
        return self._answer(login, now)

    def _answer(self, login: Login, now: float) -> dict[str, object]:
        return {
            "access_token": login.access,
            "token_type": "bearer",
            "expires_in": max(0, round(login.access_until - now)),
            "refresh_token": login.refresh,
            "refresh_token_expires_in": round(login.refresh_until - now),
            "scope": "ReadAccounts WebSocketsSubscriptions",
            "owner_id": "500",
            "endpoint_id": f"endpoint-{login.number}",
        }
