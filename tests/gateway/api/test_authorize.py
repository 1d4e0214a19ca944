"""The authorization page: what a browser gets, what a program gets, and what neither may do."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from rcex_ws.gateway.account.apps import AppRecord

PATH = "/restapi/oauth/authorize"
BACK = "http://localhost:5000/back?keep=1"
BROWSER = {"accept": "text/html,*/*", "host": "gateway.test"}


@pytest.fixture
def asked(app):
    app.core.apps.first.name = "<b>Bot</b>"
    return {"client_id": app.core.apps.first.client_id, "redirect_uri": BACK, "state": 'a"b', "response_type": "code"}


def decided(ada, fields, **headers):
    return ada.ask("POST", PATH, urlencode(fields).encode(), headers=BROWSER | headers)


def sent_back(answer):
    assert answer.status == 302, answer.body
    target = urlsplit(answer.headers["location"])
    return {name: values[0] for name, values in parse_qs(target.query).items()}


def test_a_program_is_sent_back_at_once(ada, app, asked):
    found = sent_back(ada.ask("GET", PATH, **asked))
    assert (found["state"], found["keep"], bool(found["code"])) == ('a"b', "1", True)
    assert sent_back(ada.ask("GET", PATH, headers=BROWSER, prompt="none", **asked))["code"]


def test_a_hint_chooses_the_user(ada, bob, app, asked):
    found = sent_back(ada.ask("GET", PATH, login_hint="102", **asked))
    first = app.core.apps.first
    assert app.core.oauth.codes.redeem(found["code"], first, BACK, None) is bob.extension
    page = ada.ask("GET", PATH, headers=BROWSER, login_hint=bob.extension.username, **asked).body.decode()
    assert f'value="{bob.extension.id}" checked' in page


def test_a_browser_gets_a_page_without_script_and_with_all_escaped(ada, app, asked):
    answer = ada.ask("GET", PATH, headers=BROWSER, **asked)
    page = answer.body.decode()
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "&lt;b&gt;Bot&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "<script" not in page
    assert "Bob Central" in page
    assert "ReadMessages" in page
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert {name: html.unescape(value) for name, value in fields.items()} == {
        name: asked[name] for name in ("client_id", "redirect_uri", "state")
    }


def test_who_allows_is_sent_back_with_a_code_of_the_chosen_user(ada, bob, app, asked):
    found = sent_back(decided(ada, asked | {"user": bob.extension.id, "decision": "allow"}))
    assert found["state"] == 'a"b'
    assert app.core.oauth.codes.redeem(found["code"], app.core.apps.first, BACK, None) is bob.extension


@pytest.mark.parametrize("fields", [{"decision": "deny", "user": "101"}, {"decision": "allow"}, {}])
def test_who_does_not_allow_is_sent_back_with_an_error(ada, app, asked, fields):
    found = sent_back(decided(ada, asked | fields))
    assert (found["error"], found["state"]) == ("access_denied", 'a"b')
    assert "code" not in found
    assert len(app.core.oauth.codes) == 0


@pytest.mark.parametrize("headers", [{"origin": "https://evil.test"}, {"sec-fetch-site": "cross-site"}])
def test_no_other_site_decides_for_the_user(ada, asked, headers):
    assert decided(ada, asked | {"user": "101", "decision": "allow"}, **headers).status == 403
    own = {"origin": "http://gateway.test", "sec-fetch-site": "same-origin"}
    assert decided(ada, asked | {"user": "101", "decision": "allow"}, **own).status == 302


def test_only_registered_addresses_are_used_if_there_are_any(ada, app, asked):
    app.core.apps.first.redirect_uris = ["http://localhost:5000/other"]
    assert ada.refused("GET", PATH, **asked) == (400, "OAU-109")
    assert decided(ada, asked | {"user": "101", "decision": "allow"}).status == 400
    asked["redirect_uri"] = "http://localhost:5000/other"
    assert sent_back(ada.ask("GET", PATH, **asked))["code"]


def test_a_code_is_no_use_to_another_application(ada, app, asked):
    code = sent_back(ada.ask("GET", PATH, **asked))["code"]
    app.core.apps.apps.append(AppRecord("other", ""))
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": "other"}
    assert (
        ada.ask("POST", "/restapi/oauth/token", urlencode(form).encode(), headers={"authorization": ""}).status == 400
    )


def test_what_is_no_request_is_refused(ada):
    assert ada.refused("GET", PATH)[0] == 401
    assert ada.ask("POST", PATH, b"x" * 70_000, headers=BROWSER).status == 413
