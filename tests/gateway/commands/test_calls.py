"""Phone calls that commands drive: which notifications come, in which order, for whom."""

from __future__ import annotations

import pytest

from rcex_ws import ConfigurationError

SESSIONS = "/restapi/v1.0/account/~/extension/~/telephony/sessions"
OF_ACCOUNT = "/restapi/v1.0/account/~/telephony/sessions"
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
NUMBER = "+14155550100"


def codes(events):
    """Return the statuses in notifications of telephony sessions, with what is said of a missed call."""
    parties = [party for event in events for party in event["body"]["parties"]]
    return [party["status"]["code"] + ("!" if party["missedCall"] else "") for party in parties]


def test_an_inbound_call_that_is_answered(app, ada):
    events = ada.subscribe(SESSIONS)
    session = app.ring(from_number=NUMBER, from_name="Carol")
    app.answer(session)
    app.hold()
    app.unhold()
    app.hang_up()
    told = events.take()
    assert codes(told) == ["Setup", "Proceeding", "Answered", "Hold", "Answered", "Disconnected"]
    assert [event["body"]["sequence"] for event in told] == [1, 2, 3, 4, 5, 6]
    body = told[0]["body"]
    assert body["telephonySessionId"] == session
    assert body["origin"] == {"type": "Call"}
    assert body["eventTime"].endswith("Z")
    (party,) = body["parties"]
    assert party["direction"] == "Inbound"
    assert party["from"] == {"phoneNumber": NUMBER, "name": "Carol"}
    assert party["to"] == {
        "phoneNumber": ada.extension.phone_number,
        "name": ada.extension.name,
        "extensionId": ada.extension.id,
    }


def test_a_missed_call_says_so_at_its_end(app, ada):
    events = ada.subscribe(f"{SESSIONS}?missedCall=true")
    app.ring()
    app.miss()
    app.ring()
    app.answer()
    app.hang_up()
    assert codes(events.take()) == ["Disconnected!"]


def test_a_voicemail_is_stored_and_told(app, ada):
    events = ada.subscribe(SESSIONS)
    store = ada.subscribe("/restapi/v1.0/account/~/extension/~/message-store")
    whole = ada.subscribe("/restapi/v1.0/account/~/extension/~/voicemail")
    app.ring()
    app.miss(voicemail=True)
    assert codes(events.take()) == ["Setup", "Proceeding", "VoiceMail!", "Disconnected!"]
    (summary,) = store.take()
    (message,) = whole.take()
    assert summary["body"]["changes"][0]["newMessageIds"] == [message["body"]["id"]]
    (record,) = ada.json("GET", "/restapi/v1.0/account/~/extension/~/call-log")["records"]
    assert (record["result"], record["message"]["id"]) == ("Voicemail", str(message["body"]["id"]))


def test_a_transfer_makes_a_party_of_the_colleague(app, ada, bob):
    hers, his = ada.subscribe(SESSIONS), bob.subscribe(SESSIONS)
    app.ring()
    app.answer()
    hers.take()
    app.transfer("102")
    (gone,) = hers.take()
    (party,) = gone["body"]["parties"]
    assert party["status"]["code"] == "Gone"
    assert party["status"]["reason"] == "BlindTransfer"
    told = his.take()
    assert codes(told) == ["Setup", "Proceeding"]
    assert told[0]["body"]["telephonySessionId"] == gone["body"]["telephonySessionId"]
    (new,) = told[0]["body"]["parties"]
    assert party["status"]["peerId"]["partyId"] == new["id"]
    assert new["from"]["phoneNumber"] == NUMBER
    app.answer()
    app.hang_up()
    assert codes(his.take()) == ["Answered", "Disconnected"]
    assert hers.take() == []


def test_an_outbound_call(app, ada):
    events = ada.subscribe(f"{SESSIONS}?direction=Outbound")
    app.ring(NUMBER, direction="Outbound")
    app.answer()
    app.hang_up()
    told = events.take()
    assert codes(told) == ["Setup", "Proceeding", "Answered", "Disconnected"]
    assert told[0]["body"]["parties"][0]["to"]["phoneNumber"] == NUMBER


def test_a_call_between_colleagues_has_a_party_for_each(app, ada, bob):
    hers, his, all_of_them = ada.subscribe(SESSIONS), bob.subscribe(SESSIONS), ada.subscribe(OF_ACCOUNT)
    app.ring("102")
    app.answer()
    app.hang_up()
    assert codes(hers.take()) == codes(his.take()) == ["Setup", "Proceeding", "Answered", "Disconnected"]
    told = all_of_them.take()
    assert len(told) == 8
    assert {event["body"]["parties"][0]["direction"] for event in told} == {"Inbound", "Outbound"}
    assert [event["body"]["sequence"] for event in told] == list(range(1, 9))


def test_a_parked_call_is_picked_up(app, ada, bob):
    events, his, presence = ada.subscribe(SESSIONS), bob.subscribe(SESSIONS), ada.subscribe(PRESENCE)
    app.ring()
    app.answer()
    app.park()
    assert presence.take()[-1]["body"]["telephonyStatus"] == "ParkedCall"
    parked = events.take()[-1]["body"]["parties"][0]
    assert (parked["status"]["code"], parked["park"]["id"]) == ("Parked", parked["status"]["parkData"])
    app.pick_up("102")
    assert codes(events.take()) == ["Gone"]
    assert codes(his.take()) == ["Setup", "Proceeding", "Answered"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("direction=Inbound", 4),
        ("direction=Outbound", 0),
        ("direction=Inbound&direction=Outbound", 4),
        ("statusCode=Answered", 1),
        ("statusCode=Answered&statusCode=Disconnected", 2),
        ("phoneNumber=%2B14155550100", 4),
        ("phoneNumber=+14155550100", 4),
        ("phoneNumber=14155550100", 4),
        ("phoneNumber=14155550199", 0),
        ("missedCall=true", 0),
        ("missedCall=false", 4),
    ],
)
def test_the_filter_of_a_subscription_is_heeded(app, ada, query, count):
    events = ada.subscribe(f"{SESSIONS}?{query}")
    app.ring()
    app.answer()
    app.hang_up()
    assert len(events.take()) == count


def test_more_is_told_to_who_asks_for_it(app, ada):
    plain = ada.subscribe(SESSIONS)
    more = ada.subscribe(f"{SESSIONS}?sipData=true&withRecordings=true")
    app.ring()
    assert {"sipData", "recordings"} & plain.take()[0]["body"]["parties"][0].keys() == set()
    assert {"sipData", "recordings"} <= more.take()[0]["body"]["parties"][0].keys()


def test_presence_follows_the_calls(app, ada):
    plain = ada.subscribe(PRESENCE)
    detailed = ada.subscribe(f"{PRESENCE}?detailedTelephonyState=true&sipData=true")
    session = app.ring()
    app.answer()
    app.hold()
    app.hang_up()
    told = [event["body"] for event in plain.take()]
    assert [body["telephonyStatus"] for body in told] == ["Ringing", "CallConnected", "OnHold", "NoCall"]
    assert [body["presenceStatus"] for body in told] == ["Busy", "Busy", "Busy", "Available"]
    assert "activeCalls" not in told[0]
    first, *_, last = [event["body"] for event in detailed.take()]
    (call,) = first["activeCalls"]
    assert (call["telephonySessionId"], call["telephonyStatus"], call["from"]) == (session, "Ringing", NUMBER)
    assert call["sipData"]["remoteUri"].startswith("sip:14155550100@")
    assert (first["totalActiveCalls"], last["totalActiveCalls"]) == (1, 0)
    assert [(call["telephonyStatus"], call["terminationType"]) for call in last["activeCalls"]] == [("NoCall", "final")]


def test_colleagues_watch_the_presence_on_their_lines_and_of_their_favorites(app, ada, bob):
    lines = ada.subscribe(f"{PRESENCE}/line", f"{PRESENCE}/line/presence")
    app.watch_lines(["102"])
    assert lines.take()[0]["event"].endswith("/presence/line")
    favorite = "/restapi/v1.0/account/~/extension/~/favorite"
    favorites = ada.subscribe(favorite, f"{favorite}/presence")
    ada.json("PUT", favorite, {"records": [{"extensionId": "102"}]})
    assert favorites.take()[0]["event"].endswith("/favorite")
    app.ring(to_extension="102")
    (on_line,), (of_favorite,) = lines.take(), favorites.take()
    assert on_line["event"].endswith("/line/presence")
    assert of_favorite["event"].endswith("/favorite/presence")
    assert on_line["body"]["extensionId"] == of_favorite["body"]["extensionId"] == bob.extension.id
    assert on_line["body"]["telephonyStatus"] == "Ringing"


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (lambda app: app.answer(), "there is no call"),
        (lambda app: app.answer("s-1"), "telephonySessionId"),
        (lambda app: app.ring(to_extension="999"), "there are 101, 102"),
        (lambda app: app.ring("101"), "cannot call itself"),
        (lambda app: (app.ring(), app.hold()), "Proceeding"),
        (lambda app: (app.ring(), app.answer(), app.answer()), "The call does not ring"),
        (lambda app: (app.ring(), app.answer(), app.miss()), "the call does not ring"),
        (lambda app: (app.ring(), app.answer(), app.hold(extension="102")), "takes no part"),
        (lambda app: (app.ring(), app.answer(), app.transfer("101")), "already"),
        (lambda app: (session := app.ring(), app.hang_up(session), app.hang_up(session)), "has ended"),
        (lambda app: app.watch_lines(["7"]), "extensions: "),
        (lambda app: app.ring("1" * 65), "from_number: "),
        (lambda app: app.ring("\ud800"), "from_number: .*control character"),
        (lambda app: app.ring(from_name="a\nb"), "from_name: .*control character"),
    ],
)
def test_a_step_that_cannot_be_is_refused(app, order, said):
    with pytest.raises(ConfigurationError, match=said):
        order(app)
