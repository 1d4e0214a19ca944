"""Whose session is stored: which server and application it is for, and who logged in. Pure.

Used by `rcex_ws.rest.keeper`, and by `rcex_ws.wsg` for what an extension stores. The record is part of the token, so
whatever stores a token whole stores it too. Without it a changed credential would go on as the old user, and a changed
server would get the old bearer.
"""

from __future__ import annotations

import base64

import msgspec

from rcex_ws.rest.oauth import Grant
from rcex_ws.rest.token import Token

__all__ = ["Owner", "login_of", "mismatch", "owner_of"]


class Owner(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Say whose a session is, without any secret. What is not known is None.

    Attributes:
        server: the API's URL.
        client_id: of the application.
        login: who logged in, see `login_of`.
        owner_id: who that was, in the server's words.
    """

    server: str | None = None
    client_id: str | None = None
    login: str | None = None
    owner_id: str | None = None


class _Claims(msgspec.Struct):
    sub: str | int


def login_of(grant: Grant, *, server: str, client_id: str | None) -> str:
    """Name who logs in by a grant, without any secret of it.

    A renewed JWT of the same user gives the same name if its `sub` can be read, and no other JWT does. One that cannot
    be read is told by a hash, salted so that another application's record of it differs.
    """
    if "assertion" in grant:
        jwt = grant["assertion"]
        subject = _subject(jwt)
        if subject is not None:
            return f"sub:{subject}"
        import hashlib  # brings in OpenSSL's

        salted = "\n".join((server, client_id or "", jwt))
        return f"jwt:{hashlib.sha256(salted.encode(errors='surrogatepass')).hexdigest()}"
    if "username" in grant:
        return ":".join(("user", grant["username"], *([grant["extension"]] if "extension" in grant else [])))
    return "code"  # who that is, only the browser knows


def owner_of(token: Token) -> Owner:
    """Say whose session a token is."""
    return Owner(server=token.server, client_id=token.client_id, login=token.login, owner_id=token.owner_id)


def mismatch(stored: Owner, present: Owner) -> str | None:
    """Name what a session was stored for that is another now; None if nothing is. What is not known, matches."""
    compared = (
        ("server", stored.server, present.server),
        ("client_id", stored.client_id, present.client_id),
        ("user", stored.login, present.login),
        ("user", stored.owner_id, present.owner_id),  # who has logged in by a code is known by that alone
    )
    return next((name for name, made_for, now in compared if None not in (made_for, now) and made_for != now), None)


def _subject(jwt: str) -> str | None:
    """Read the `sub` of a JWT (RFC 7519, 4.1.2); nobody verifies it, the server will."""
    parts = jwt.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return str(msgspec.json.decode(payload, type=_Claims).sub) or None
    except (ValueError, RecursionError, msgspec.DecodeError):
        return None
