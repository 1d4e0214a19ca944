"""The entry points: where an application finds the rest, before and after its login."""

from __future__ import annotations

PATH = "/.well-known/entry-points"
SERVER = "http://gateway.test"


def test_before_a_login_it_says_where_to_log_in(ada):
    answer = ada.ask("GET", f"{PATH}/initial", headers={"authorization": ""}, clientId="bot")
    assert answer.status == 200
    found = ada.json("GET", f"{PATH}/initial")
    assert found["authApi"]["authorizationUri"] == f"{SERVER}/restapi/oauth/authorize"
    assert found["authApi"]["defaultTokenUri"] == f"{SERVER}/restapi/oauth/token"
    assert found["discoveryApi"]["defaultExternalUri"] == f"{SERVER}{PATH}/external"
    assert found["coreApi"]["baseUri"] == SERVER


def test_what_comes_after_needs_a_login(ada):
    assert ada.ask("GET", f"{PATH}/external", headers={"authorization": ""}).status == 401
    found = ada.json("GET", f"{PATH}/external")
    assert found["authApi"]["tokenUri"] == f"{SERVER}/restapi/oauth/token"
    assert found["discoveryApi"] == {"externalUri": f"{SERVER}{PATH}/external", "initialUri": f"{SERVER}{PATH}/initial"}
    assert (found["coreApi"]["baseUri"], found["expiresIn"]) == (SERVER, 86400)
