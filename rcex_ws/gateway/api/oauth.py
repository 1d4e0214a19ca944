"""The OAuth endpoints: token (JWT, refresh, code with PKCE, password), revoke, wstoken.

The rules are in `rcex_ws.gateway.oauth`.
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from rcex_ws.gateway.account.apps import AppRecord
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.api.operation import Ask, Json, RestArea
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.oauth import OAuthSession, TokenLifetimes
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_LONGEST_FORM = 2**16
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_WHOLE = re.compile(r"-?[0-9]{1,10}")
_FORM = ("application/x-www-form-urlencoded",)

area = RestArea("OAuth")


@area.post("/restapi/oauth/token", consumes=_FORM)
def get_token(ask: Ask[None, bytes]) -> Json:
    """Log in, or refresh a session."""
    core, form = ask.core, _form(ask.body)
    app = _check_client(core, ask.request, form)
    grant = form.get("grant_type")
    lifetimes = TokenLifetimes(_lifetime(form, "access_token_ttl"), _lifetime(form, "refresh_token_ttl"))
    if grant == "refresh_token":
        login = core.oauth.refresh(form.get("refresh_token", ""), app, lifetimes)
        core.journal.add("refresh", login=login.id)
    else:
        login = core.oauth.log_in(_owner_of(core, app, grant, form), ask.server, app, lifetimes)
        core.journal.add("token", login=login.id, grant=grant, owner=login.owner.id)
    core.on_login_ended()
    return _token_pair(core, login)


@area.post("/restapi/oauth/revoke", consumes=_FORM)
def revoke_token(ask: Ask[None, bytes]) -> Response:
    """End a session."""
    form = _form(ask.body)
    app = _check_client(ask.core, ask.request, form)
    ended = ask.core.oauth.revoke(form.get("token") or ask.request.query_params.get("token", ""), app)
    ask.core.journal.add("revoke", login=None if ended is None else ended.id)
    ask.core.on_login_ended()
    return Response(status_code=200)


@area.post("/restapi/oauth/wstoken", permission="WebSocketsSubscriptions")
def get_wstoken(ask: Ask[None, None]) -> Json:
    """Return a token that opens a WebSocket."""
    uri = ask.core.ws_uri_for(ask.server)
    issued = ask.core.oauth.issue_wstoken(ask.login)
    return {"uri": uri, "ws_access_token": issued, "expires_in": ask.core.options.wstoken_expires_in}


def _form(content: bytes) -> dict[str, str]:
    if len(content) > _LONGEST_FORM:
        raise Problem(413, "CMN-100", "The form is too large")
    return dict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))


def _check_client(core: GatewayCore, request: Request, form: dict[str, str]) -> AppRecord:
    """Authenticate the application: by HTTP Basic, or `client_id` (and optionally `client_secret`) in the body."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return core.oauth.check_client(form.get("client_id"), form.get("client_secret"))
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as error:  # not base64, not UTF-8, not even ASCII
        raise Problem(401, "OAU-153", "Malformed Basic authorization", oauth_error="invalid_client") from error
    return core.oauth.check_client(client_id, secret)


def _owner_of(core: GatewayCore, app: AppRecord, grant: str | None, form: dict[str, str]) -> ExtensionRecord:
    owner: ExtensionRecord | None = None
    if grant == _JWT_GRANT:
        owner = core.people.by_jwt(form.get("assertion", ""))
    elif grant == "password":
        username, extension = form.get("username", ""), form.get("extension", "")
        owner = core.people.by_password(username, form.get("password", ""), extension)
    elif grant == "authorization_code":
        code, verifier = form.get("code", ""), form.get("code_verifier")
        owner = core.oauth.codes.redeem(code, app, form.get("redirect_uri", ""), verifier)
    else:
        raise Problem(400, "OAU-250", "Grant type is not supported", oauth_error="unsupported_grant_type")
    if owner is None:
        raise Problem(400, "OAU-140", "Invalid resource owner credentials", oauth_error="invalid_grant")
    return owner


def _token_pair(core: GatewayCore, login: OAuthSession) -> dict[str, Any]:
    now = core.clock.now()
    refresh: dict[str, Any] = {}
    if login.refresh_expires_at > now:
        refresh["refresh_token"] = login.refresh_token
        refresh["refresh_token_expires_in"] = _seconds(login.refresh_expires_at - now)
    return {
        "access_token": login.access_token,
        "token_type": "bearer",
        "expires_in": _seconds(login.access_expires_at - now),
        **refresh,
        "scope": " ".join(login.app.scope),
        "owner_id": login.owner.id,
        "endpoint_id": f"endpoint-{login.id}",
        "session_id": f"session-{login.id}",
    }


def _lifetime(form: dict[str, str], name: str) -> float | None:
    """Return a lifetime that the client asks for, None if it asks for none."""
    text = form.get(name)
    if text is None:
        return None
    if not _WHOLE.fullmatch(text):
        raise Problem(400, "CMN-101", f"Parameter [{name}] value is invalid", oauth_error="invalid_request")
    return float(text)


def _seconds(left: float) -> float:
    """Return a lifetime in whole seconds, as RingCentral does, unless it is scaled down for a test."""
    left = max(0.0, round(left, 3))
    return math.ceil(left) if left >= 60 else left
