"""The OAuth endpoints: token (JWT, refresh, code with PKCE, password), authorize, revoke, wstoken.

Routes of the REST application; the rules are in `oauth.py`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rcex_ws.gateway.call import login_of, server_of
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.oauth import OAuthSession
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.store import ExtensionRecord

__all__ = ["routes"]

_LONGEST_FORM = 2**16
_NO_TARGETS = ("", "javascript", "data", "vbscript", "file")
"""Schemes that a browser would execute or open itself."""
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def routes(core: GatewayCore, ws_uri: Callable[[str], str], on_login_ended: Callable[[], None]) -> list[Route]:
    """Return the routes.

    Args:
        core: the rules and the state.
        ws_uri: returns the address of the WebSocket for the REST address that the client has used; raises a `Problem`
            if there is none at present.
        on_login_ended: called when logins may have ended or been renewed, so that their WebSockets can be rechecked.
    """

    async def token(request: Request) -> Response:
        form = await _form(request)
        _check_client(core, request, form)
        grant = form.get("grant_type")
        if grant == "refresh_token":
            login = core.oauth.refresh(form.get("refresh_token", ""))
            core.journal.add("refresh", login=login.id)
        else:
            login = core.oauth.log_in(_owner_of(core, grant, form), server_of(request))
            core.journal.add("token", login=login.id, grant=grant, owner=login.owner.id)
        on_login_ended()
        return JSONResponse(_token_pair(core, login))

    async def authorize(request: Request) -> Response:
        query = request.query_params
        core.oauth.check_client_id(query.get("client_id"))
        redirect_uri = query.get("redirect_uri", "")
        target = _target(redirect_uri)
        code = core.oauth.issue_code(
            core.store.extensions[0], redirect_uri, query.get("code_challenge"), query.get("code_challenge_method")
        )
        found = {"code": code} | ({"state": query["state"]} if "state" in query else {})
        asked = "&".join(filter(None, (target.query, urlencode(found))))
        return RedirectResponse(urlunsplit(target._replace(query=asked)), 302)

    async def revoke(request: Request) -> Response:
        form = await _form(request)
        _check_client(core, request, form)
        ended = core.oauth.revoke(form.get("token") or request.query_params.get("token", ""))
        core.journal.add("revoke", login=None if ended is None else ended.id)
        on_login_ended()
        return Response(status_code=200)

    async def wstoken(request: Request) -> Response:
        uri = ws_uri(server_of(request))
        issued = core.oauth.issue_wstoken(login_of(request))
        life = core.options.wstoken_expires_in
        return JSONResponse({"uri": uri, "ws_access_token": issued, "expires_in": life})

    return [
        Route("/restapi/oauth/token", token, methods=["POST"]),
        Route("/restapi/oauth/authorize", authorize, methods=["GET"]),
        Route("/restapi/oauth/revoke", revoke, methods=["POST"]),
        Route("/restapi/oauth/wstoken", wstoken, methods=["POST"]),
    ]


async def _form(request: Request) -> dict[str, str]:
    content = await request.body()
    if len(content) > _LONGEST_FORM:
        raise Problem(413, "CMN-100", "The form is too large")
    return dict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))


def _target(redirect_uri: str) -> SplitResult:
    """Return the parsed redirect URI: a web address, or one with an app's own scheme.

    Raises:
        Problem: 400 OAU-109 for anything else, which must not reach a browser.
    """
    try:
        target = urlsplit(redirect_uri)
    except ValueError:
        target = urlsplit("")
    good = target.netloc if target.scheme in ("http", "https") else target.scheme not in _NO_TARGETS
    if not good or any(ord(letter) <= 32 for letter in redirect_uri):
        raise Problem(400, "OAU-109", "Redirect URIs do not match", oauth_error="invalid_request")
    return target


def _check_client(core: GatewayCore, request: Request, form: dict[str, str]) -> None:
    """Authenticate the application: by HTTP Basic, or `client_id` (and optionally `client_secret`) in the body."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        core.oauth.check_client(form.get("client_id"), form.get("client_secret"))
        return
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as error:  # not base64, not UTF-8, not even ASCII
        raise Problem(401, "OAU-153", "Malformed Basic authorization", oauth_error="invalid_client") from error
    core.oauth.check_client(client_id, secret)


def _owner_of(core: GatewayCore, grant: str | None, form: dict[str, str]) -> ExtensionRecord:
    owner: ExtensionRecord | None = None
    if grant == _JWT_GRANT:
        owner = core.store.by_jwt(form.get("assertion", ""))
    elif grant == "password":
        owner = core.store.by_password(form.get("username", ""), form.get("password", ""))
    elif grant == "authorization_code":
        owner = core.oauth.redeem_code(form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier"))
    else:
        raise Problem(400, "OAU-250", "Grant type is not supported", oauth_error="unsupported_grant_type")
    if owner is None:
        raise Problem(400, "OAU-140", "Invalid resource owner credentials", oauth_error="invalid_grant")
    return owner


def _token_pair(core: GatewayCore, login: OAuthSession) -> dict[str, Any]:
    now = core.clock.now()
    return {
        "access_token": login.access_token,
        "token_type": "bearer",
        "expires_in": _seconds(login.access_expires_at - now),
        "refresh_token": login.refresh_token,
        "refresh_token_expires_in": _seconds(login.refresh_expires_at - now),
        "scope": "ReadAccounts ReadMessages Faxes InternalMessages ReadPresence EditPresence WebSocketsSubscription",
        "owner_id": login.owner.id,
        "endpoint_id": f"endpoint-{login.id}",
    }


def _seconds(left: float) -> float:
    """Return a lifetime in whole seconds, as RingCentral does, unless it is scaled down for a test."""
    left = max(0.0, round(left, 3))
    return math.ceil(left) if left >= 60 else left
