"""Who gets the console, and its credentials."""

from __future__ import annotations

import json

import pytest

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
OWN = ["/_gateway/events", "/_gateway/state", "/_gateway/console/credentials", "/_gateway/console/console.js"]


def test_a_browser_gets_the_page_and_a_program_what_can_be_ordered(get):
    page = get("/", accept=HTML)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "127.0.0.1:8080" in page.text
    assert "/_gateway/cut" in json.loads(get("/", accept="*/*").text)["commands"]
    assert "/_gateway/cut" in json.loads(get("/").text)["commands"]


@pytest.mark.parametrize("path", ["/", "/_gateway/console/console.js", "/_gateway/console/console.css"])
def test_the_page_may_load_its_own_files_alone(get, path):
    answer = get(path, accept=HTML)
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["page.py", "page.html", "..", "../page.py", "console.js/"])
def test_other_files_are_not_there(get, name):
    assert get(f"/_gateway/console/{name}").status in (404, 307)


@pytest.mark.parametrize("path", ["/", *OWN])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"host": "evil.test:8080"},
    ],
)
def test_a_page_of_another_origin_gets_none_of_it(get, path, headers):
    answer = get(path, accept=HTML, **headers)
    assert (answer.status, json.loads(answer.text)["errorCode"]) == (403, "CMN-401")


@pytest.mark.parametrize(("client", "host"), [("127.0.0.1", "localhost:8080"), ("::1", "[::1]:8080")])
def test_credentials_for_a_browser_of_this_machine(get, app, client, host):
    answer = get("/_gateway/console/credentials", client=client, host=host)
    lines = dict(line.split("=", 1) for line in answer.text.splitlines())
    assert lines["RINGCENTRAL_SERVER_URL"] == f"http://{host}"
    jwts = [lines["RINGCENTRAL_JWT"], lines["RINGCENTRAL_SECOND_JWT"]]
    assert jwts == [one.jwt for one in app.core.people.extensions]
    assert list(lines) == [
        f"RINGCENTRAL_{name}" for name in ("SERVER_URL", "CLIENT_ID", "CLIENT_SECRET", "JWT", "SECOND_JWT")
    ]


@pytest.mark.parametrize(("client", "host"), [("172.17.0.1", "127.0.0.1:8080"), ("127.0.0.1", "gateway:8080")])
def test_no_credentials_for_other_machines(get, app, client, host):
    answer = get("/_gateway/console/credentials", client=client, host=host)
    assert answer.status == 403
    assert app.core.people.first.jwt not in answer.text


def test_no_secret_is_on_the_page_or_in_its_state(get, app, ada):
    app.refuse("token", message=f"access_token={ada.login.access_token}")
    ada.subscribe("/restapi/v1.0/account/~/extension/~/presence")
    shown = get("/", accept=HTML).text + get("/_gateway/state").text + get("/_gateway/events").text
    assert "refuse" in shown
    for secret in (
        ada.login.access_token,
        ada.login.refresh_token,
        ada.extension.jwt,
        app.core.apps.first.client_secret,
    ):
        assert secret not in shown
