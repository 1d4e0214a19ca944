"""The authorization page: a user allows an application to act for them, and is sent back with a code.

A browser (`Accept: text/html`) gets a page with the users to choose from, unless it says `prompt=none`; a program is
sent back at once. Every value in the page is escaped, and it has no script.
"""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rcex_ws.gateway.account.apps import AppRecord
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.api.operation import Ask, RestArea
from rcex_ws.gateway.codes import CodeRequest
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.origin import cross_site_reason
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_PATH = "/restapi/oauth/authorize"
_LONGEST_FORM = 2**16
_NO_TARGETS = ("", "javascript", "data", "vbscript", "file")
"""Schemes that a browser would execute or open itself."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}

area = RestArea("OAuth")


class AuthorizeQuery(msgspec.Struct):
    """What an application asks for (RFC 6749, section 4.1.1, and RFC 7636)."""

    client_id: str = ""
    redirect_uri: str = ""
    state: str = ""
    code_challenge: str | None = None
    code_challenge_method: str | None = None
    prompt: str = ""
    login_hint: str = ""


@area.get(_PATH)
def authorize(ask: Ask[AuthorizeQuery, None]) -> Response:
    """Ask the user, if there is one, and send them back with a code."""
    asked = ask.query
    app = _checked(ask.core, asked)
    headers = ask.request.headers
    if "text/html" in headers.get("accept", "") and asked.prompt != "none":
        return HTMLResponse(_page(ask.core, app, asked), headers=_HEADERS)
    return _with_code(ask.core, asked, _user(ask.core, asked.login_hint) or ask.core.people.first)


@area.post(_PATH, consumes=("application/x-www-form-urlencoded",))
def decide(ask: Ask[None, bytes]) -> Response:
    """Take the user's decision, and send them back."""
    why = cross_site_reason(ask.request.headers)
    if why is not None:
        raise Problem(403, "CMN-401", why)
    if len(ask.body) > _LONGEST_FORM:
        raise Problem(413, "CMN-100", "The form is too large")
    form = dict(parse_qsl(ask.body.decode("utf-8", "replace"), keep_blank_values=True))
    asked = msgspec.convert(form, AuthorizeQuery)
    app = _checked(ask.core, asked)
    user = _user(ask.core, form.get("user", ""))
    is_allowed = form.get("decision") == "allow" and user is not None
    ask.core.journal.add("consent", app=app.name, owner=None if user is None else user.id, allowed=is_allowed)
    if user is None or not is_allowed:
        return _back(asked, {"error": "access_denied", "error_description": "The user has denied the request"})
    return _with_code(ask.core, asked, user)


def _checked(core: GatewayCore, asked: AuthorizeQuery) -> AppRecord:
    """Return the application, if the redirect URI is a web address, or one with an app's own scheme.

    Raises:
        Problem: 401 for an unknown application, 400 OAU-109 for an address that is not registered, or that must not
            reach a browser.
    """
    app, redirect_uri = core.oauth.check_client_id(asked.client_id), asked.redirect_uri
    try:
        target = urlsplit(redirect_uri)
    except ValueError:
        target = urlsplit("")
    good = target.netloc if target.scheme in ("http", "https") else target.scheme not in _NO_TARGETS
    if app.redirect_uris and redirect_uri not in app.redirect_uris:
        good = False
    if not good or any(ord(letter) <= 32 for letter in redirect_uri):
        raise Problem(400, "OAU-109", "Redirect URIs do not match", oauth_error="invalid_request")
    return app


def _with_code(core: GatewayCore, asked: AuthorizeQuery, user: ExtensionRecord) -> Response:
    app = _checked(core, asked)
    wanted = CodeRequest(app, asked.redirect_uri, asked.code_challenge, asked.code_challenge_method)
    return _back(asked, {"code": core.oauth.codes.issue(user, wanted)})


def _back(asked: AuthorizeQuery, found: dict[str, str]) -> Response:
    target = urlsplit(asked.redirect_uri)
    members = found | ({"state": asked.state} if asked.state else {})
    query = "&".join(filter(None, (target.query, urlencode(members))))
    return RedirectResponse(urlunsplit(target._replace(query=query)), 302)


def _user(core: GatewayCore, text: str) -> ExtensionRecord | None:
    """Return the user with this id, extension number, phone number or e-mail address."""
    named = core.people.by_id(text) or core.people.by_phone(text)
    return named or next((one for one in core.people.extensions if one.username == text), None)


def _page(core: GatewayCore, app: AppRecord, asked: AuthorizeQuery) -> str:
    chosen = _user(core, asked.login_hint) or core.people.first
    kept = {name: value for name, value in msgspec.to_builtins(asked).items() if value}
    hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in kept.items())
    users = "".join(
        f'<label><input type="radio" name="user" value="{escape(one.id)}"{" checked" if one is chosen else ""}> '
        f"{escape(one.name)} <small>{escape(one.number)} {escape(one.username)}</small></label>"
        for one in core.people.extensions
    )
    permissions = "".join(f"<li>{escape(one)}</li>" for one in app.scope)
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Allow {escape(app.name)}?</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem }}
label {{ display: block; padding: .3rem 0 }}
ul {{ columns: 2 }}
small {{ opacity: .7 }}
button {{ font: inherit; padding: .4rem 1.2rem; margin: 1rem 1rem 0 0 }}
</style></head>
<body>
<h1>Allow {escape(app.name)}?</h1>
<p>It wants to act for you at this local RingCentral. It will send you back to
<code>{escape(asked.redirect_uri)}</code>.</p>
<form method="post" action="{_PATH}">{hidden}
<fieldset><legend>Who are you?</legend>{users}</fieldset>
<p>It may use:</p><ul>{permissions}</ul>
<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button>
</form>
</body></html>
"""
