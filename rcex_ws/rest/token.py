"""The OAuth token, and when to renew it. Pure, except that `Token.from_dict` reads the clock.

Used all over `rcex_ws.rest`, and by users, who may keep tokens themselves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Annotated, Any, Self

import msgspec

from rcex_ws.bounds import REFRESH_LIFETIME, TOKEN_LIFETIME
from rcex_ws.errors import ConfigurationError
from rcex_ws.files import Moment, Seconds
from rcex_ws.headers import is_header_text
from rcex_ws.options import Credential, Rule, check_fields, checked, trimmed
from rcex_ws.readers import read_number
from rcex_ws.secret import SECRET, HiddenFields, plain

__all__ = ["Token", "TokenChoice", "given_token", "token_from_answer"]

_MARGIN = 60.0
_MARGIN_OF_LIFETIME = 0.1

#: A time since the epoch beyond this is in milliseconds: in seconds it would be the year 5138.
_LEAST_MILLISECONDS = 1e11


class Token(HiddenFields, frozen=True, kw_only=True, omit_defaults=True):
    """The tokens of one OAuth session. The repr shows no secret.

    Attributes:
        access_token: bearer token.
        refresh_token: token to refresh the session with; None if it cannot be refreshed.
        expires_at: expiry of the access token in seconds since the epoch; None if unknown.
        refresh_expires_at: expiry of the refresh token; likewise.
        lifetime: lifetime of the access token in seconds (RingCentral: 3600).
        scope: permissions, separated by spaces.
        owner_id: id of the extension that logged in.
        endpoint_id: id of this OAuth endpoint.
        server: URL of the API that issued the token; like the next two, None if unknown.
        client_id: id of the application that the token was issued to.
        login: who logged in: subject of the JWT or a hash of the JWT, user name, or "code"; not a secret.

    Raises:
        ConfigurationError: a field has an invalid value.
    """

    access_token: Annotated[Credential, SECRET]
    refresh_token: Annotated[Credential | None, SECRET] = None
    expires_at: Moment | None = None
    refresh_expires_at: Moment | None = None
    lifetime: Seconds = 3600.0
    scope: str = ""
    owner_id: str | None = None
    endpoint_id: str | None = None
    server: Annotated[str | None, SECRET] = None
    client_id: Annotated[str | None, SECRET] = None
    login: Annotated[str | None, SECRET] = None

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("access_token", "refresh_token", "server", "client_id", "login"):
            text: str | None = getattr(self, name)
            clean = plain(trimmed(name, text) if name.endswith("token") else text)
            if clean is not text:
                msgspec.structs.force_setattr(self, name, clean)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict, secrets included; fields that are None are left out."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}

    @classmethod
    @checked
    def from_dict(cls, token: Annotated[Mapping[str, Any], Rule("a dict", secret=True)]) -> Self:
        """Return the token of a dict: one from `to_dict`, or the answer of the OAuth endpoint as other SDKs keep it.

        Args:
            token: the dict; instead of `expires_at` it may have `expires_in`, in seconds from now, or `expire_time`,
                in seconds or milliseconds since the epoch.

        Raises:
            ConfigurationError: a field is missing or has the wrong type.
        """
        foreign = "expires_in" in token or "expire_time" in token
        try:
            read = _from_other_sdk(token) if foreign else msgspec.convert(dict(token), cls)
        except msgspec.ValidationError as exc:  # the text quotes no values
            raise ConfigurationError(
                f"token: {exc}; pass a Token, its to_dict(), or the OAuth endpoint's answer"
            ) from exc
        return cls(**msgspec.structs.asdict(read))

    @checked
    def expired(self, now: float) -> bool:
        """Return whether the access token has expired by the wall clock, which may be wrong."""
        return self.expires_at is not None and now >= self.expires_at

    @property
    def renew_at(self) -> float | None:
        """Time to renew the token: 60 s before expiry, or 10 % of a short lifetime; None if unknown."""
        if self.expires_at is None:
            return None
        return self.expires_at - min(_MARGIN, self.lifetime * _MARGIN_OF_LIFETIME)

    @checked
    def expires_soon(self, now: float) -> bool:
        """Return whether it is time to renew the token."""
        return self.renew_at is not None and now >= self.renew_at

    @property
    def refreshable(self) -> bool:
        """Whether there is a refresh token to try; only the server knows whether it is still valid."""
        return self.refresh_token is not None


TokenChoice = Annotated[
    Token | Mapping[str, Any] | None,
    Rule("None, a Token, or the answer of the OAuth endpoint as a dict", secret=True),
]
"""An existing session, as `RingCentral` accepts it."""


def given_token(token: Token | Mapping[str, Any] | None) -> Token | None:
    """Return the token for an existing session that a caller has passed in.

    Raises:
        ConfigurationError: a field is missing or has the wrong type.
    """
    return token if token is None or isinstance(token, Token) else Token.from_dict(token)


class _TokenAnswer(HiddenFields, frozen=True):
    """Answer of /restapi/oauth/token (RFC 6749, 5.1, with RingCentral's additions)."""

    access_token: Annotated[str, SECRET]
    refresh_token: Annotated[str | None, SECRET] = None
    expires_in: Any = None
    refresh_token_expires_in: Any = None
    scope: str | None = None
    owner_id: str | int | None = None
    endpoint_id: str | int | None = None


def token_from_answer(answer: Any, *, now: float, previous: Token | None = None) -> Token:
    """Return the token of an answer of the token endpoint.

    Args:
        answer: the decoded JSON.
        now: wall-clock seconds since the epoch at which the answer came.
        previous: the token that was refreshed; it supplies what the answer leaves out (RFC 6749, 6).

    Raises:
        msgspec.ValidationError: the answer has no token, or one that cannot be sent in a header.
    """
    parsed = msgspec.convert(answer, _TokenAnswer, strict=False)
    if not parsed.access_token or not is_header_text(parsed.access_token):
        raise msgspec.ValidationError("access_token: empty, or has characters that cannot be sent in a header")
    lifetime = read_number(parsed.expires_in, TOKEN_LIFETIME)
    refresh_expires_at = None
    if parsed.refresh_token_expires_in is not None:
        refresh_expires_at = now + read_number(parsed.refresh_token_expires_in, REFRESH_LIFETIME)
    try:
        token = _new_token(parsed, lifetime=lifetime, now=now, refresh_expires_at=refresh_expires_at)
    except ConfigurationError as exc:  # the server's mistake here, not a caller's
        raise msgspec.ValidationError(str(exc)) from None
    if previous is None:
        return token
    names = ("scope", "owner_id", "endpoint_id", "login")
    kept = {name: getattr(previous, name) for name in names if not getattr(token, name)}
    if token.refresh_token is None:
        kept |= {"refresh_token": previous.refresh_token, "refresh_expires_at": previous.refresh_expires_at}
    return msgspec.structs.replace(token, **kept)


def _new_token(parsed: _TokenAnswer, *, lifetime: float, now: float, refresh_expires_at: float | None) -> Token:
    return Token(
        access_token=parsed.access_token,
        refresh_token=parsed.refresh_token,
        expires_at=now + lifetime,
        refresh_expires_at=refresh_expires_at,
        lifetime=lifetime,
        scope=parsed.scope or "",
        owner_id=None if parsed.owner_id is None else str(parsed.owner_id),
        endpoint_id=None if parsed.endpoint_id is None else str(parsed.endpoint_id),
    )


def _from_other_sdk(answer: Mapping[str, Any]) -> Token:
    """Return the token of an answer as other SDKs keep it, with their own fields for expiry.

    Raises:
        msgspec.ValidationError: there is no token in it.
    """
    now = time.time()
    clean = {name: trimmed(name, value) if isinstance(value, str) else value for name, value in answer.items()}
    token = token_from_answer(clean, now=now)
    ends = _read_moment(answer, "expire_time") or token.expires_at
    refresh_ends = _read_moment(answer, "refresh_token_expire_time") or token.refresh_expires_at
    return msgspec.structs.replace(token, expires_at=ends, refresh_expires_at=refresh_ends)


def _read_moment(answer: Mapping[str, Any], name: str) -> float | None:
    """Return a time in seconds since the epoch, or None; the JavaScript SDK writes milliseconds."""
    moment = msgspec.convert(answer.get(name), float | None)
    if moment is None or not math.isfinite(moment):
        return None
    return moment / 1000 if moment > _LEAST_MILLISECONDS else moment
