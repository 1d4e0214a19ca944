"""What is there at a moment: sessions and their buffers, faults, nodes."""

from __future__ import annotations

import json

import pytest

from tests.gateway.api.conftest import Events

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"


@pytest.fixture
def state(get):
    return lambda: json.loads(get("/_gateway/state").text)


def test_nobody_is_there_at_first(state):
    assert state() == {"sessions": [], "session_count": 0, "faults": [], "fault_count": 0, "nodes": []}


def test_the_buffer_of_a_session_fills_while_its_client_is_away(state, app, ada):
    events = ada.subscribe(PRESENCE)
    (one,) = state()["sessions"]
    assert (one["owner"], one["connection"], one["recoverable_for"]) == ({"name": "Ada Ring", "number": "101"}, 1, None)
    assert [text.rpartition("/")[2] for text in one["filters"]] == ["presence"]
    app.core.sessions.lose(events)
    ada.json("PUT", "/restapi/v1.0/account/~/extension/~/presence", {"userStatus": "Busy"})
    (one,) = state()["sessions"]
    assert (one["connection"], one["buffered"], one["buffer_size"]) == (None, 1, 100)
    assert 0 < one["recoverable_for"] <= 180


@pytest.mark.parametrize("gateway_options", [{"recovery_timeout": 0}])
def test_a_session_that_is_gone_is_shown_no_more(state, app, ada):
    app.core.sessions.lose(ada.subscribe(PRESENCE))
    assert state()["sessions"] == []


def test_a_lost_session_without_a_subscription_is_gone(state, app, ada):
    events = Events()
    app.core.sessions.open(ada.login, events)
    assert len(state()["sessions"]) == 1
    app.core.sessions.lose(events)
    assert state()["sessions"] == []


def test_only_the_newest_sessions_and_the_first_filters_are_shown(state, app, ada):
    for _ in range(120):
        app.core.sessions.open(ada.login, Events())
    ada.subscribe(*[f"{PRESENCE}?n={number}" for number in range(60)])
    shown = state()
    assert (len(shown["sessions"]), shown["session_count"]) == (100, 121)
    newest = shown["sessions"][-1]
    assert (len(newest["filters"]), newest["filter_count"]) == (50, 60)


def test_faults_that_are_pending(state, app):
    app.refuse("upgrade", "rst", times=None)
    app.answer_fault("wstoken", delay=1.5, notify={"event": "/a", "body": {}})
    app.fail_recovery()
    first, second, third = state()["faults"]
    assert {**first, "kind": "refuse", "where": "upgrade", "times": None, "status": "rst"} == first
    assert (second["where"], second["delay"]) == ("POST /restapi/oauth/wstoken", 1.5)
    assert second["notify"] == "{'event': '/a', 'body': {}}"
    assert third == {"kind": "fail_recovery", "where": "recovery", "times": 1, "code": "WSG-1003"}
    app.clear_faults()
    assert state()["fault_count"] == 0
