"""The requests of OAuth as plain data: grants, URL of the login page, PKCE. Pure.

Used by `rcex_ws.rest.auth`, which sends them, and by `rcex_ws.rest.session_methods`. None of them carries the bearer
token. Sources: RingCentral developer guide, "Authentication"; RFC 6749; RFC 7636.
"""

from __future__ import annotations

import base64
from typing import Any

from rcex_ws.errors import ConfigurationError
from rcex_ws.rest.message import Params, Request
from rcex_ws.rest.outgoing import check_params
from rcex_ws.rest.url import build_url
from rcex_ws.secret import Secret, hide

__all__ = [
    "Grant",
    "application_request",
    "authorize_uri",
    "check_login_page",
    "generate_code_verifier",
    "jwt_grant",
    "login_grant",
    "refresh_grant",
]

TOKEN_PATH = "/restapi/oauth/token"  # noqa: S105 - a path
REVOKE_PATH = "/restapi/oauth/revoke"
AUTHORIZE_PATH = "/restapi/oauth/authorize"

#: What the address of a login page says of the client, or is needed again to redeem the code.
_OF_THE_CLIENT = frozenset(
    {"response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method"}
)

Grant = dict[str, str]
"""The form fields of one call to the token endpoint."""


def login_grant(
    *,
    jwt: str | None,
    code: str | None,
    redirect_uri: str | None,
    code_verifier: str | None,
    username: str | None,
    password: str | None,
    extension: str | None,
) -> Grant | None:
    """Return the form fields of a login; None if no credential is given.

    Raises:
        ConfigurationError: the arguments are not exactly one way to log in.
    """
    given = [name for name, value in (("jwt", jwt), ("code", code), ("username", username)) if value is not None]
    if len(given) > 1:
        raise ConfigurationError(f"authorize() takes one way to log in, not {' and '.join(given)}")
    if jwt is not None:
        return jwt_grant(jwt)
    if code is not None:
        fields = {"grant_type": "authorization_code", "code": hide(code)}
        return fields | _without_none(redirect_uri=redirect_uri, code_verifier=hide(code_verifier))
    if username is not None:
        if password is None:
            raise ConfigurationError("authorize(username=...) needs password")
        fields = {"grant_type": "password", "username": username, "password": hide(password)}
        return fields | _without_none(extension=extension)
    return None


def jwt_grant(jwt: str) -> Grant:
    """Return the form fields of a login by JWT."""
    return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": hide(jwt)}


def refresh_grant(refresh_token: str) -> Grant:
    """Return the form fields of a refresh."""
    return {"grant_type": "refresh_token", "refresh_token": hide(refresh_token)}


def application_request(
    path: str, form: dict[str, str], *, client_id: str | None, client_secret: str | None, timeout: float
) -> Request:
    """Return a call in the name of the application: HTTP Basic if it has a secret, else its id as a form field.

    Raises:
        ConfigurationError: there is no client_id.
    """
    if client_id is None:
        raise ConfigurationError("client_id is needed to log in, to refresh and to revoke")
    headers = {"Accept": "application/json"}
    if client_secret is None:
        form = form | {"client_id": client_id}
    else:
        pair = Secret(base64.b64encode(f"{client_id}:{client_secret}".encode()).decode())
        headers["Authorization"] = Secret(f"Basic {pair}")
    return Request("POST", path, data=form, headers=headers, timeout=timeout)


def check_login_page(*, client_id: str | None, params: Params | None) -> None:
    """Raise if there can be no URL of a login page.

    Raises:
        ConfigurationError: there is no client_id, or `params` has what the client itself says and later redeems.
    """
    if client_id is None:
        raise ConfigurationError("client_id is needed for authorize_uri()")
    if params is not None:
        check_params("params", params)
        if own := sorted(_OF_THE_CLIENT.intersection(params)):
            raise ConfigurationError(f"params: {own[0]} is set by the client; leave it out")


def authorize_uri(
    server: str,
    *,
    client_id: str | None,
    redirect_uri: str,
    state: str | None,
    code_verifier: str | None,
    params: Params | None,
) -> str:
    """Return the URL of the login page, whose arguments have passed `check_login_page`."""
    query: dict[str, Any] = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": state,
    }
    if code_verifier is not None:
        query |= {"code_challenge": _challenge(code_verifier), "code_challenge_method": "S256"}
    return build_url(server, AUTHORIZE_PATH, query | dict(params or {}))


def generate_code_verifier() -> str:
    """Return a new PKCE verifier (RFC 7636, 4.1), which also does as a `state`: 32 random bytes, 43 characters."""
    import secrets  # here, for it imports hashes and more

    return secrets.token_urlsafe(32)


def _challenge(code_verifier: str) -> str:
    import hashlib  # here, for it loads OpenSSL

    digest = hashlib.sha256(code_verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _without_none(**fields: str | None) -> Grant:
    return {name: value for name, value in fields.items() if value is not None}
