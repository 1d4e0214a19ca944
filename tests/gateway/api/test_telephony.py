"""Call Control over REST: both sides of a call, each step by the party that takes it."""

from __future__ import annotations

import pytest

TELEPHONY = "/restapi/v1.0/account/~/telephony"
SESSIONS = "/restapi/v1.0/account/~/extension/~/telephony/sessions"
RING_OUT = "/restapi/v1.0/account/~/extension/~/ring-out"
NUMBER = "+14155550100"


class Call:
    """A call that a user looks at by REST."""

    def __init__(self, person, session):
        self.person = person
        self.path = f"{TELEPHONY}/sessions/{session}"

    @property
    def parties(self):
        return self.person.json("GET", self.path)["parties"]

    @property
    def codes(self):
        return [party["status"]["code"] for party in self.parties]

    def party_of(self, person):
        own = [party for party in self.parties if party.get("extensionId") == person.extension.id]
        return f"{self.path}/parties/{own[-1]['id']}"

    def step(self, name, body=None):
        return self.person.json("POST", f"{self.party_of(self.person)}/{name}", body)


@pytest.fixture
def call(app, ada):
    return Call(ada, app.ring(NUMBER))


def test_a_call_out_is_answered_by_the_colleague(app, ada, bob):
    his = bob.subscribe(SESSIONS)
    session = ada.json("POST", f"{TELEPHONY}/call-out", {"from": {"deviceId": "1"}, "to": {"extensionNumber": "102"}})
    call = Call(bob, session["session"]["id"])
    assert session["session"]["origin"] == {"type": "CallOut"}
    assert call.codes == ["Proceeding", "Proceeding"]
    assert call.step("answer", {"deviceId": "2"})["status"]["code"] == "Answered"
    assert call.codes == ["Answered", "Answered"]
    assert ada.json("DELETE", call.path) is None
    assert [event["body"]["parties"][0]["status"]["code"] for event in his.take()] == [
        "Setup",
        "Proceeding",
        "Answered",
        "Disconnected",
    ]
    assert bob.refused("GET", call.path) == (404, "CMN-102")


def test_the_steps_of_a_call(ada, call):
    assert call.step("answer")["owner"]["extensionId"] == ada.extension.id
    assert call.step("hold", {"proto": "Auto"})["status"]["code"] == "Hold"
    assert call.step("unhold")["status"]["code"] == "Answered"
    assert call.step("flip", {"callFlipId": "1"}) is None
    own = call.party_of(ada)
    assert ada.json("PATCH", own, {"party": {"muted": True}})["muted"] is True
    assert ada.json("GET", own)["muted"] is True
    assert call.step("park")["park"]["id"].startswith("*")
    ada.json("DELETE", own)
    assert ada.refused("GET", call.path) == (404, "CMN-102")


def test_a_transfer_names_the_party_that_comes(ada, bob, call):
    call.step("answer")
    gone = call.step("transfer", {"extensionNumber": "102"})
    assert gone["status"]["reason"] == "BlindTransfer"
    assert call.party_of(bob).endswith(gone["status"]["peerId"]["partyId"])
    assert call.codes == ["Answered", "Gone", "Proceeding"]
    assert bob.json("POST", f"{call.party_of(bob)}/answer", {})["status"]["code"] == "Answered"


@pytest.mark.parametrize(
    ("step", "body", "codes"),
    [
        ("forward", {"extensionId": "102"}, ["Proceeding", "Gone", "Proceeding"]),
        ("forward", {"phoneNumber": "+14155550199"}, ["Proceeding", "Gone", "Proceeding"]),
        ("forward", {"voicemail": "102"}, ["Answered", "Gone", "VoiceMail"]),
        ("forward", {"voicemail": "101"}, ["Answered", "VoiceMail"]),
        ("reject", None, ["Answered", "VoiceMail"]),
    ],
)
def test_a_call_that_rings_is_sent_elsewhere(call, step, body, codes):
    call.step(step, body)
    assert call.codes == codes


@pytest.mark.parametrize(("step", "result"), [("ignore", "Rejected"), ("reply", "Reply")])
def test_a_call_that_is_refused_is_missed(ada, call, step, result):
    events = ada.subscribe(f"{SESSIONS}?missedCall=true")
    call.step(step, {"replyWithText": "Later"})
    assert len(events.take()) == 1
    (record,) = ada.json("GET", "/restapi/v1.0/account/~/extension/~/call-log")["records"]
    assert record["result"] == result


def test_a_colleague_picks_up(ada, bob, call):
    assert bob.json("POST", f"{call.party_of(ada)}/pickup", {})["status"]["code"] == "Answered"
    assert call.codes == ["Answered", "Gone", "Answered"]


def test_a_stranger_takes_no_step(ada, bob, call):
    assert bob.refused("POST", f"{call.party_of(ada)}/answer", {}) == (403, "CMN-404")
    assert bob.refused("DELETE", call.path) == (403, "CMN-404")
    assert call.codes == ["Proceeding", "Proceeding"]


@pytest.mark.parametrize("step", ["hold", "unhold", "flip", "park", "transfer"])
def test_a_step_that_does_not_fit_is_refused(ada, call, step):
    path = f"{call.party_of(ada)}/{step}"
    assert ada.refused("POST", path, {"extensionNumber": "102"}) == (409, "TAS-106")


def test_a_target_must_be_there(ada, call):
    assert ada.refused("POST", f"{TELEPHONY}/call-out", {"to": {}}) == (400, "CMN-101")
    assert ada.refused("POST", f"{TELEPHONY}/call-out", {"to": {"extensionNumber": "101"}}) == (400, "CMN-101")
    assert ada.refused("POST", f"{call.party_of(ada)}/forward", {"extensionNumber": "9"}) == (404, "CMN-102")
    assert ada.refused("GET", f"{call.path}/parties/p-1") == (404, "CMN-102")


def test_a_call_is_recorded(ada, call):
    events = ada.subscribe(f"{SESSIONS}?withRecordings=true")
    call.step("answer")
    started = call.step("recordings")
    assert started["active"] is True
    path = f"{call.party_of(ada)}/recordings"
    assert ada.json("PATCH", f"{path}/{started['id']}", {"active": False}) == started | {"active": False}
    assert ada.refused("PATCH", f"{path}/1", {"active": True}) == (404, "CMN-102")
    told = [event["body"]["parties"][0]["recordings"] for event in events.take()]
    assert told == [[], [started], [started | {"active": False}]]


def test_a_ring_out_from_its_start_to_its_end(app, ada):
    asked = {"from": {"phoneNumber": ada.extension.phone_number}, "to": {"phoneNumber": NUMBER}, "playPrompt": False}
    one = ada.json("POST", RING_OUT, asked)
    assert one["status"] == {"callStatus": "InProgress", "callerStatus": "Success", "calleeStatus": "InProgress"}
    path = one["uri"].removeprefix("http://gateway.test")
    app.answer(one["id"])
    assert ada.json("GET", path)["status"]["callStatus"] == "Success"
    assert ada.refused("DELETE", path) == (409, "TAS-106")
    app.hang_up(one["id"])
    assert ada.json("GET", path)["status"]["callStatus"] == "Finished"


def test_a_ring_out_is_cancelled(app, ada):
    asked = {"from": {"phoneNumber": "101"}, "to": {"phoneNumber": NUMBER}}
    one = ada.json("POST", RING_OUT, asked)
    ada.json("DELETE", f"{RING_OUT}/{one['id']}")
    assert ada.json("GET", f"{RING_OUT}/{one['id']}")["status"]["callStatus"] == "NoAnswer"
    assert app.core.calls.live() == []
    assert ada.refused("GET", f"{RING_OUT}/{app.ring()}") == (404, "CMN-102")
