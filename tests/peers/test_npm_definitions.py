"""Answers of the gateway have the form that `@rc-ex/core` declares for RingCentral's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from rcex_ws.gateway import Gateway
from tests.peers.definitions import Definitions

PACKAGE = Path(__file__).parent / "node/node_modules/@rc-ex/core"
ACCOUNT, TEAM = "/restapi/v1.0/account/~", "/team-messaging/v1"
OWN = f"{ACCOUNT}/extension/~"

#: What RingCentral answers otherwise than its description says: members of a post are null, and only messages that were
#: left to several extensions name these.
KNOWN = re.compile(r".*posts.*: None is no string|.*posts.*: no list|.*vmSideRecipients: is missing")


class Client:
    """The first user; every answer is compared with its declared type."""

    def __init__(self, gateway: Gateway, definitions: Definitions, http: httpx.Client) -> None:
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": gateway.jwt}
        self._definitions = definitions
        self._http = http
        self.faults: set[str] = set()
        self.compared: set[tuple[str, str]] = set()
        basic = (gateway.client_id, gateway.client_secret)
        answer = self._http.post("/restapi/oauth/token", data=form, auth=basic)
        self._compare("POST", "/restapi/oauth/token", answer.json())
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = self._http.request(method, path, json=body, params=query)
        assert answer.is_success, (path, answer.text)
        found = answer.json() if answer.content else None
        self._compare(method, path, found)
        return found

    def _compare(self, method: str, path: str, found: Any) -> None:
        name = "/".join("*" if part == "~" or re.search(r"\d{3}|^\d+$", part) else part for part in path.split("/"))
        kind = self._definitions.answers[method, name]
        self.compared.add((method, name))
        self.faults.update(self._definitions.faults(found, kind, f"{method} {path}"))


@pytest.fixture
def definitions(need: Callable[[bool, str], None]) -> Definitions:
    need(PACKAGE.is_dir(), "the npm package @rc-ex/core")
    return Definitions(PACKAGE)


def use_account(ask: Client) -> None:
    me = ask("GET", OWN)
    for name in ("", "/service-info", "/business-address", "/extension", "/phone-number", "/directory/entries"):
        ask("GET", f"{ACCOUNT}{name}")
    for name in ("phone-number", "device", "caller-id", "answering-rule", "authz-profile", "favorite"):
        ask("GET", f"{OWN}/{name}")
    ask("PUT", OWN, {"contact": {"firstName": "Ada"}})
    ask("GET", f"{ACCOUNT}/directory/entries/{me['id']}")
    ask("POST", f"{ACCOUNT}/directory/entries/search", {"searchString": "Bob"})
    contact = ask("POST", f"{OWN}/address-book/contact", {"firstName": "Charles", "businessPhone": "+442071234567"})
    ask("GET", f"{OWN}/address-book/contact/{contact['id']}")
    ask("GET", f"{OWN}/address-book/contact")
    ask("GET", f"{OWN}/address-book-sync", syncType="FSync")
    ask("GET", f"{ACCOUNT}/ivr-prompts")
    for name in ("country", "state", "timezone", "language", "fax-cover-page"):
        ask("GET", f"/restapi/v1.0/dictionary/{name}")


def use_messages(ask: Client, gateway: Gateway) -> None:
    own, other = (user.phone_number for user in gateway.users[:2])
    gateway.receive_sms("hello", attachments=[{"contentType": "image/png", "content": b"png"}])
    gateway.receive_fax()
    gateway.receive_voicemail(transcription="call me")
    sent = ask("POST", f"{OWN}/sms", {"from": {"phoneNumber": own}, "to": [{"phoneNumber": other}], "text": "hi"})
    gateway.set_message_status(sent["id"], "DeliveryFailed", "SMS-UP-410")
    ask("POST", f"{OWN}/company-pager", {"to": [{"extensionNumber": "102"}], "text": "hi"})
    records = ask("GET", f"{OWN}/message-store")["records"]
    assert {one["type"] for one in records} == {"SMS", "Fax", "VoiceMail", "Pager"}
    for one in records:
        ask("GET", f"{OWN}/message-store/{one['id']}")
    ask("PUT", f"{OWN}/message-store/{sent['id']}", {"readStatus": "Unread"})
    ask("GET", f"{OWN}/message-sync", syncType="FSync")


def use_calls(ask: Client, gateway: Gateway) -> None:
    session = gateway.ring("+14155550100")
    gateway.answer()
    ask("GET", f"{OWN}/presence", detailedTelephonyState=True, sipData=True)
    ask("GET", f"{ACCOUNT}/presence", detailedTelephonyState=True)
    ask("GET", f"{OWN}/active-calls", view="Detailed")
    party = ask("GET", f"{ACCOUNT}/telephony/sessions/{session}")["parties"][-1]["id"]
    ask("GET", f"{ACCOUNT}/telephony/sessions/{session}/parties/{party}")
    ask("POST", f"{ACCOUNT}/telephony/sessions/{session}/parties/{party}/hold")
    gateway.record()
    gateway.hang_up()
    (record,) = ask("GET", f"{OWN}/call-log", view="Detailed")["records"]
    ask("GET", f"{OWN}/call-log/{record['id']}", view="Detailed")
    ask("GET", f"{ACCOUNT}/recording/{record['recording']['id']}")
    for path in (f"{ACCOUNT}/call-log", f"{OWN}/call-log-sync", f"{ACCOUNT}/active-calls"):
        ask("GET", path)
    ask("PUT", f"{OWN}/presence", {"userStatus": "Busy"})
    ask("POST", f"{OWN}/ring-out", {"from": {"phoneNumber": "+16505550101"}, "to": {"phoneNumber": "+14155550100"}})


def use_team(ask: Client, gateway: Gateway) -> None:
    both = [{"id": user.id} for user in gateway.users[:2]]
    chat = ask("POST", f"{TEAM}/conversations", {"members": both})["id"]
    team = ask("POST", f"{TEAM}/teams", {"name": "Team", "public": True, "members": both})["id"]
    post = ask("POST", f"{TEAM}/chats/{chat}/posts", {"text": "hi"})["id"]
    ask("PATCH", f"{TEAM}/chats/{chat}/posts/{post}", {"text": "hello"})
    ask("GET", f"{TEAM}/chats/{chat}/posts")
    note = ask("POST", f"{TEAM}/chats/{chat}/notes", {"title": "Note"})["id"]
    task = ask("POST", f"{TEAM}/chats/{chat}/tasks", {"subject": "Task", "assignees": both})["id"]
    ask("GET", f"{TEAM}/notes/{note}")
    ask("GET", f"{TEAM}/tasks/{task}")
    event = {"title": "Review", "startTime": "2030-01-02T10:00:00Z", "endTime": "2030-01-02T11:00:00Z"}
    ask("GET", f"{TEAM}/events/{ask('POST', f'{TEAM}/events', event)['id']}")
    for name in ("", "/notes", "/tasks"):
        ask("GET", f"{TEAM}/chats/{chat}{name}")
    for name in ("chats", "recent/chats", "favorites", "conversations", "everyone", "teams", f"teams/{team}", "events"):
        ask("GET", f"{TEAM}/{name}")
    ask("GET", f"{TEAM}/persons/{gateway.users[1].id}")


def test_answers_have_their_declared_form(gateway: Gateway, definitions: Definitions) -> None:
    with httpx.Client(base_url=gateway.server) as http:
        ask = Client(gateway, definitions, http)
        use_account(ask)
        use_messages(ask, gateway)
        use_calls(ask, gateway)
        use_team(ask, gateway)
    assert sorted(fault for fault in ask.faults if not KNOWN.fullmatch(fault)) == []
    assert len(ask.compared) >= 70
    assert gateway.near_misses() == []


def test_a_wrong_answer_would_be_found(definitions: Definitions) -> None:
    kind = definitions.answers["GET", "/restapi/v1.0/account/*/extension/*/call-log"]
    leg = {"direction": "Sideways", "legType": "Accept", "master": "yes"}
    answer = {"records": [{"id": 7, "legs": [leg]}], "navigation": [], "paging": {}, "uri": ""}
    found = sorted(fault for fault in definitions.faults(answer, kind) if "missing" not in fault)
    assert found[0] == ".navigation: no object"
    assert ".records.id: 7 is no string" in found
    assert ".records.legs.direction: 'Sideways' is not allowed" in found
    assert ".records.legs.master: 'yes' is no boolean" in found
