"""The call log: what a call leaves there, which records a request gets, and what a sync tells."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rcex_ws.gateway.account.call_log import CallLog
from rcex_ws.gateway.clock import iso

ACCOUNT = "/restapi/v1.0/account/~"
OWN = f"{ACCOUNT}/extension/~"
LOG = f"{OWN}/call-log"
SYNC = f"{OWN}/call-log-sync"
NUMBER = "+14155550100"


@pytest.fixture
def calls(app):
    """Make a missed call, an answered one and one of Ada's to Bob; return their ids."""
    first = app.ring(NUMBER)
    app.miss()
    second = app.ring("+14155550199")
    app.answer()
    app.hang_up()
    third = app.ring("102", direction="Outbound")
    app.answer()
    app.hang_up()
    return [first, second, third]


def results(answer):
    return [record["result"] for record in answer["records"]]


def test_what_calls_leave(ada, bob, calls):
    answer = ada.json("GET", LOG)
    assert results(answer) == ["Call connected", "Accepted", "Missed"]
    assert [record["telephonySessionId"] for record in answer["records"]] == calls[::-1]
    outbound, _, missed = answer["records"]
    assert missed["from"] == {"phoneNumber": NUMBER, "name": ""}
    assert missed["to"]["extensionNumber"] == "101"
    assert missed["type"] == "Voice"
    assert "legs" not in missed
    assert outbound["extension"]["id"] == int(ada.extension.id)
    assert results(bob.json("GET", LOG)) == ["Accepted"]
    assert len(ada.json("GET", f"{ACCOUNT}/call-log")["records"]) == 4


def test_a_detailed_record_has_its_legs(ada, calls):
    (record,) = ada.json("GET", LOG, view="Detailed", telephonySessionId=calls[2])["records"]
    assert [(leg["direction"], leg["master"]) for leg in record["legs"]] == [("Outbound", True), ("Inbound", False)]
    assert [leg["legType"] for leg in record["legs"]] == ["ExtensionToExtension", "Accept"]
    path = record["uri"].removeprefix("http://gateway.test").partition("?")[0]
    assert ada.json("GET", path, view="Detailed") == record
    assert "legs" not in ada.json("GET", path)
    assert ada.json("GET", f"{ACCOUNT}/call-log/{record['id']}")["id"] == record["id"]


def test_the_legs_of_calls_with_phones_outside(app, ada, calls):
    (inbound,) = ada.json("GET", LOG, view="Detailed", telephonySessionId=calls[1])["records"]
    assert [leg["legType"] for leg in inbound["legs"]] == ["Accept", "PstnToSip"]
    app.ring(NUMBER, direction="Outbound")
    app.hang_up()
    (outbound, *_) = ada.json("GET", LOG, view="Detailed")["records"]
    assert [leg["legType"] for leg in outbound["legs"]] == ["SipToPstnMetered", "Accept"]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"direction": "Inbound"}, ["Accepted", "Missed"]),
        ({"direction": ["Inbound", "Outbound"]}, ["Call connected", "Accepted", "Missed"]),
        ({"type": "Fax"}, []),
        ({"type": ["Voice", "Fax"], "direction": "Outbound"}, ["Call connected"]),
        ({"phoneNumber": NUMBER}, ["Missed"]),
        ({"phoneNumber": NUMBER.lstrip("+")}, ["Missed"]),
        ({"phoneNumber": NUMBER.removeprefix("+1")}, ["Missed"]),
        ({"extensionNumber": "102"}, ["Call connected"]),
        ({"transport": "PSTN"}, []),
        ({"recordingType": "All"}, []),
        ({"perPage": 1, "page": 2}, ["Accepted"]),
        ({"perPage": 2, "page": 2}, ["Missed"]),
        ({"page": 9}, []),
        ({"dateTo": "2020-01-01T00:00:00Z"}, []),
        ({"dateTo": "0001-01-01T00:00:00Z"}, []),
        ({"dateFrom": "2020-01-01"}, ["Call connected", "Accepted", "Missed"]),
        ({"dateFrom": "2020-01-01T00:00:00", "dateTo": "2020-01-02T00:00:00+02:00"}, []),
        ({"sessionId": "1"}, []),
    ],
    ids=str,
)
def test_a_request_gets_what_it_asks_for(ada, calls, query, wanted):
    assert results(ada.json("GET", LOG, **query)) == wanted


def test_a_page_names_its_neighbours(ada, calls):
    answer = ada.json("GET", LOG, perPage=1, page=2, direction=["Inbound", "Outbound"])
    assert answer["paging"] == {
        "page": 2,
        "perPage": 1,
        "totalPages": 3,
        "totalElements": 3,
        "pageStart": 1,
        "pageEnd": 1,
    }
    assert answer["navigation"].keys() == {"firstPage", "previousPage", "nextPage", "lastPage"}
    _, _, query = answer["navigation"]["nextPage"]["uri"].partition("?")
    assert query == "direction=Inbound&direction=Outbound&page=3&perPage=1"


@pytest.mark.parametrize(
    "query", [{"dateFrom": "soon"}, {"dateTo": "2020-13-01"}, {"direction": "Sideways"}, {"view": "Full"}], ids=str
)
def test_a_wrong_query_is_refused(ada, query):
    assert ada.refused("GET", LOG, **query) == (400, "CMN-101")


def test_a_sync_tells_what_is_new_and_what_is_gone(app, ada, calls):
    full = ada.json("GET", SYNC, recordCount=2)
    assert full["syncInfo"]["syncType"] == "FSync"
    assert results(full) == ["Call connected", "Accepted"]
    token = full["syncInfo"]["syncToken"]
    assert ada.json("GET", SYNC, syncType="ISync", syncToken=token)["records"] == []
    app.ring()
    app.miss()
    ada.json("DELETE", LOG, dateTo=iso(app.core.clock.wall() - timedelta(days=1)))  # deletes nothing
    partial = ada.json("GET", SYNC, syncType="ISync", syncToken=token)
    assert results(partial) == ["Missed"]
    ada.json("DELETE", LOG)
    gone = ada.json("GET", SYNC, syncType="ISync", syncToken=partial["syncInfo"]["syncToken"])["records"]
    assert [record["deleted"] for record in gone] == [True] * 4
    assert ada.json("GET", LOG)["records"] == []
    assert len(ada.json("GET", LOG, showDeleted="true")["records"]) == 4
    assert ada.json("GET", SYNC)["records"] == []
    assert len(ada.json("GET", f"{ACCOUNT}/call-log-sync", statusGroup="Missed", showDeleted="true")["records"]) == 2


@pytest.mark.parametrize("token", ["", "cl-", "x", "cl-" + "9" * 40])
def test_a_sync_token_of_somebody_else_is_refused(ada, token):
    assert ada.refused("GET", SYNC, syncType="ISync", syncToken=token) == (400, "CMN-101")


def test_calls_that_go_on(app, ada, bob):
    app.ring("102")
    app.answer()
    (own,) = ada.json("GET", f"{OWN}/active-calls", view="Detailed")["records"]
    assert (own["result"], own["direction"], len(own["legs"])) == ("In Progress", "Inbound", 2)
    assert len(bob.json("GET", f"{ACCOUNT}/active-calls")["records"]) == 2
    assert ada.json("GET", f"{OWN}/active-calls", direction="Outbound")["records"] == []
    app.hang_up()
    assert ada.json("GET", f"{OWN}/active-calls")["records"] == []
    assert ada.json("GET", LOG)["records"][0]["id"] == own["id"]


def test_the_recording_of_a_call_is_read(app, ada, calls):
    app.ring()
    app.answer()
    app.record()
    app.hang_up()
    (record,) = ada.json("GET", LOG, recordingType="All")["records"]
    assert ada.json("GET", LOG, recordingType="Automatic")["records"] == []
    recording = record["recording"]
    path = recording["uri"].removeprefix("http://gateway.test")
    assert ada.json("GET", path)["contentUri"] == recording["contentUri"]
    content = ada.ask("GET", f"{path}/content")
    assert (content.status, content.headers["content-type"], content.body[:2]) == (200, "audio/mpeg", b"\xff\xfb")
    ada.json("DELETE", LOG)
    assert ada.refused("GET", f"{path}/content") == (404, "CMN-102")


def test_another_users_call_log_is_private(ada, bob, calls):
    (record,) = bob.json("GET", LOG)["records"]
    assert bob.refused("GET", f"{ACCOUNT}/extension/101/call-log") == (403, "CMN-404")
    assert ada.refused("GET", f"{LOG}/{record['id']}") == (404, "CMN-102")


def test_the_log_outlives_a_restart(app, ada, calls):
    saved = app.core.call_log.dump()
    again = CallLog(app.core.clock)
    again.load(saved)
    assert again.dump() == saved
    before = [one.body("", detailed=True) for one in app.core.call_log.of(None)]
    assert [one.body("", detailed=True) for one in again.of(None)] == before


def test_the_log_keeps_the_newest(app, ada, monkeypatch):
    monkeypatch.setattr("rcex_ws.gateway.account.call_log._MOST_RECORDS", 2)
    sessions = []
    for _ in range(3):
        sessions.append(app.ring())
        app.hang_up()
    assert [one["telephonySessionId"] for one in ada.json("GET", LOG)["records"]] == [sessions[2], sessions[1]]
