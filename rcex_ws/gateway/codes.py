"""Authorization codes, with PKCE (RFC 7636). Pure: the clock is injected, no I/O.

Issued by `api/oauth.py` when a user has allowed an application to act for them, and redeemed there for a login.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field

from rcex_ws.gateway.account.apps import AppRecord
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.clock import Clock
from rcex_ws.gateway.problem import Problem

__all__ = ["AuthorizationCodes", "CodeRequest"]

_LIFE = 600
"""Seconds; RFC 6749, section 4.1.2, recommends ten minutes at most."""
_MOST = 100


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """What an application has asked for, and the token request has to repeat or prove.

    Args:
        app: the application.
        redirect_uri: where the user is sent back to.
        challenge: the PKCE challenge, None without PKCE.
        challenge_method: "S256" or "plain", which is also meant by None.
    """

    app: AppRecord
    redirect_uri: str
    challenge: str | None = None
    challenge_method: str | None = None

    def is_proven_by(self, verifier: str | None) -> bool:
        """Return whether a PKCE verifier matches the challenge."""
        if self.challenge is None:
            return True
        if verifier is None:
            return False
        if self.challenge_method == "S256":
            digest = hashlib.sha256(verifier.encode()).digest()
            verifier = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return verifier == self.challenge


@dataclass(frozen=True, slots=True)
class _IssuedCode:
    owner: ExtensionRecord
    request: CodeRequest = field(repr=False)
    expires_at: float


class AuthorizationCodes:
    """The codes that were not redeemed yet.

    Args:
        clock: the source of time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: dict[str, _IssuedCode] = {}

    def __len__(self) -> int:
        self._drop_old()
        return len(self._all)

    def issue(self, owner: ExtensionRecord, request: CodeRequest) -> str:
        """Return a single-use code with which an application can log in as this user."""
        code = secrets.token_urlsafe(24)
        self._all[code] = _IssuedCode(owner, request, self._clock.now() + _LIFE)
        self._drop_old()
        return code

    def redeem(self, code: str, app: AppRecord, redirect_uri: str, verifier: str | None) -> ExtensionRecord:
        """Return the user that a code was issued for.

        Raises:
            Problem: 400 invalid_grant for a wrong code, application, redirect URI or PKCE verifier.
        """
        self._drop_old()
        issued = self._all.pop(code, None)
        asked = None if issued is None else issued.request
        good = asked is not None and asked.app is app and asked.redirect_uri == redirect_uri
        if issued is None or asked is None or not good or not asked.is_proven_by(verifier):
            raise Problem(400, "OAU-211", "Authorization code is invalid or expired", oauth_error="invalid_grant")
        return issued.owner

    def _drop_old(self) -> None:
        now = self._clock.now()
        self._all = {code: one for code, one in self._all.items() if now < one.expires_at}
        for code in list(self._all)[: max(0, len(self._all) - _MOST)]:
            del self._all[code]
