"""The owner of a stored session: the server, the application, and who logged in. Pure.

Used by `rcex_ws.rest.keeper`, and by `rcex_ws.wsg` for the session that an extension stores. The owner is recorded in
the token itself, so every token store keeps it. Without it a changed credential would continue as the old user, and a
changed server would receive the old bearer token.
"""

from __future__ import annotations

import base64

import msgspec

from rcex_ws.rest.oauth import Grant
from rcex_ws.rest.token import Token

__all__ = ["Owner", "login_of", "mismatch", "owner_of"]


class Owner(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Owner of a session; holds no secret. Unknown fields are None.

    Attributes:
        server: URL of the API.
        client_id: id of the application.
        login: who logged in; see `login_of`.
        owner_id: the server's id of who logged in.
    """

    server: str | None = None
    client_id: str | None = None
    login: str | None = None
    owner_id: str | None = None


class _Claims(msgspec.Struct):
    sub: str | int


def login_of(grant: Grant, *, server: str, client_id: str | None) -> str:
    """Return a name for the user whom a grant logs in; it reveals no secret.

    JWTs with the same readable `sub` have the same name, so a new JWT of the same user matches. Any other JWT is named
    by a hash, salted with server and application so that records of different applications cannot be linked.
    """
    if "assertion" in grant:
        jwt = grant["assertion"]
        subject = _subject(jwt)
        if subject is not None:
            return f"sub:{subject}"
        import hashlib  # here, for it loads OpenSSL

        salted = "\n".join((server, client_id or "", jwt))
        return f"jwt:{hashlib.sha256(salted.encode(errors='surrogatepass')).hexdigest()}"
    if "username" in grant:
        return ":".join(("user", grant["username"], *([grant["extension"]] if "extension" in grant else [])))
    return "code"  # only the browser knows the user


def owner_of(token: Token) -> Owner:
    """Return the owner recorded in a token."""
    return Owner(server=token.server, client_id=token.client_id, login=token.login, owner_id=token.owner_id)


def mismatch(stored: Owner, present: Owner) -> str | None:
    """Return the name of the first field that differs between two owners, else None. Unknown fields match."""
    compared = (
        ("server", stored.server, present.server),
        ("client_id", stored.client_id, present.client_id),
        ("user", stored.login, present.login),
        ("user", stored.owner_id, present.owner_id),  # the only mark of a user who logged in with a code
    )
    return next((name for name, made_for, now in compared if None not in (made_for, now) and made_for != now), None)


def _subject(jwt: str) -> str | None:
    """Return the `sub` of a JWT (RFC 7519, 4.1.2), or None; the signature is left to the server."""
    parts = jwt.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return str(msgspec.json.decode(payload, type=_Claims).sub) or None
    except (ValueError, RecursionError, msgspec.DecodeError):
        return None
