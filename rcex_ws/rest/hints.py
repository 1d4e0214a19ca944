"""What to do about a refusal by OAuth, in words. Pure.

Used by `rcex_ws.rest.errors`. Sources: RingCentral developer guide, "API error codes" (OAU-101 to OAU-168) and the
answers of its staff in the developer community (OAU-153, OAU-210, OAU-213, OAU-250, OAU-251); RFC 6749, 5.2.
"""

from __future__ import annotations

__all__ = ["hint_for"]

_CLIENT = (
    "check client_id and client_secret, and that `server` is the one they belong to: the sandbox and production"
    " have different ones"
)
_WAY = "the application is not set up for this way to log in: choose it in the Developer Console, under Auth"
_CODE = "a code works once, soon, and for the application it was given to: send the user to the login page again"
_REDIRECT = "pass the redirect_uri that the login page was given, which must be registered for the application"
_USER = "this user or account may not log in: ask the administrator of the account"
_LOCKED = "too many wrong passwords: wait, or let the administrator unlock the user, before anything is tried again"
_PASSWORD = "check username, extension and password"  # noqa: S105 - a text
_NO_PASSWORD = "passwords are not accepted here: log in with a JWT, or by the login page"  # noqa: S105
_TOKEN = "the token has ended, was revoked, or belongs to another server: log in again"  # noqa: S105

_BY_CODE = {
    "OAU-102": _CODE,
    "OAU-105": _USER,
    "OAU-106": _CODE,
    "OAU-108": _CODE,
    "OAU-109": _REDIRECT,
    "OAU-110": _CODE,
    "OAU-112": _WAY,
    "OAU-113": "register a redirect URI for the application in the Developer Console",
    "OAU-116": _WAY,
    "OAU-119": _USER,
    "OAU-120": _CLIENT,
    "OAU-121": _CLIENT,
    "OAU-123": _CLIENT,
    "OAU-125": _WAY,
    "OAU-128": _TOKEN,
    "OAU-129": _TOKEN,
    "OAU-134": _CLIENT,
    "OAU-136": _USER,
    "OAU-140": _PASSWORD,
    "OAU-141": _USER,
    "OAU-142": _USER,
    "OAU-146": _CLIENT,
    "OAU-147": _LOCKED,
    "OAU-148": _LOCKED,
    "OAU-149": _TOKEN,
    "OAU-151": _WAY,
    "OAU-153": _CLIENT,
    "OAU-168": _NO_PASSWORD,
    "OAU-213": _TOKEN,
    "OAU-250": _WAY,
    "OAU-251": _WAY,
}
_BY_ERROR = {
    "invalid_client": _CLIENT,
    "unauthorized_client": _WAY,
    "unsupported_grant_type": _WAY,
}
#: `invalid_grant` says that the credential is wrong, which is another thing for each way to log in.
_BY_GRANT = {
    "authorization_code": f"{_CODE}, and pass the redirect_uri and code_verifier of that page",
    "password": _PASSWORD,
    "refresh_token": "the session has ended, or another process has used this refresh token: log in again",
    "urn:ietf:params:oauth:grant-type:jwt-bearer": (
        "the JWT has expired, was revoked, or is for another application or server: make a new one in the Developer"
        " Console, under Credentials"
    ),
}


def hint_for(code: str | None, error: str | None, grant_type: str | None) -> str | None:
    """Return what to do about an error; None if its own text must do.

    Args:
        code: RingCentral's error code.
        error: OAuth's error.
        grant_type: OAuth's name for the way to log in; None for any other call.
    """
    by_code = _BY_CODE.get(code or "")
    if by_code is _WAY and grant_type == "password":
        return _NO_PASSWORD
    if by_code is _PASSWORD and grant_type in _BY_GRANT:  # what is wrong are the credentials, whichever they are
        return _BY_GRANT[grant_type]
    if by_code is not None:
        return by_code
    if grant_type is None:
        return None
    if error == "invalid_grant":
        return _BY_GRANT.get(grant_type)
    if error == "unauthorized_client" and grant_type == "password":
        return _NO_PASSWORD
    return _BY_ERROR.get(error or "")
