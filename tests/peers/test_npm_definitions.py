"""Answers and notifications of the gateway have the form that `@rc-ex/core` declares for those of RingCentral."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from rcex_ws.gateway import Gateway
from tests.peers.definitions import Definitions

PACKAGE = Path(__file__).parent / "node/node_modules/@rc-ex/core"
ACCOUNT, TEAM = "/restapi/v1.0/account/~", "/team-messaging/v1"
OWN = f"{ACCOUNT}/extension/~"
END = "/restapi/v1.0/glip/posts"

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


#: Filters; the events that come for them, and their types. Those for a whole account are named after an extension.
EVENTS = [
    (
        [],
        {
            f"{OWN}/message-store": "MessageEvent",
            f"{OWN}/message-store/instant?type=SMS": "InstantMessageEvent",
            f"{OWN}/voicemail": "VoicemailMessageEvent",
            f"{OWN}/presence": "ExtensionPresenceEvent",
            f"{OWN}/telephony/sessions": "ExtensionTelephonySessionsEvent",
            f"{OWN}/favorite": "ExtensionFavoritesEvent",
            f"{ACCOUNT}/extension": "ExtensionListEvent",
            OWN: "ExtensionInfoEvent",
        },
    ),
    ([], {f"{OWN}/presence?detailedTelephonyState=true": "DetailedExtensionPresenceEvent"}),
    ([], {f"{OWN}/presence?detailedTelephonyState=true&sipData=true": "DetailedExtensionPresenceWithSIPEvent"}),
    (
        [f"{ACCOUNT}/presence", f"{ACCOUNT}/telephony/sessions"],
        {f"{OWN}/presence": "AccountPresenceEvent", f"{OWN}/telephony/sessions": "AccountTelephonySessionsEvent"},
    ),
]
#: RingCentral's published sample of this notification has "VoiceMail", its description "Voicemail".
SAMPLE = f"{OWN}/voicemail.body.type: 'VoiceMail' is not allowed"


def notifications(gateway: Gateway, ask: Client, filters: list[str]) -> Iterator[dict[str, Any]]:
    """Give what comes for these filters while much happens."""
    wstoken = ask("POST", "/restapi/oauth/wstoken")["ws_access_token"]
    with connect(f"{gateway.ws_uri}?access_token={wstoken}") as socket:
        meta = {"type": "ClientRequest", "messageId": "1", "method": "POST", "path": "/restapi/v1.0/subscription"}
        body = {"eventFilters": [*filters, END], "deliveryMode": {"transportType": "WebSocket"}}
        socket.send(json.dumps([meta, body]))
        while json.loads(socket.recv(timeout=10))[0]["type"] != "ClientRequest":
            pass
        gateway.receive_sms("hello", attachments=[{"contentType": "image/png", "content": b"png"}])
        gateway.receive_voicemail(transcription="call me")
        gateway.ring("+14155550100")
        gateway.answer()
        gateway.hold()
        gateway.unhold()
        gateway.transfer("102")
        gateway.hang_up()
        ask("PUT", f"{OWN}/presence", {"userStatus": "Busy"})
        ask("PUT", f"{OWN}/favorite", {"records": [{"extensionId": gateway.users[1].id}]})
        ask("PUT", OWN, {"contact": {"firstName": "Ada"}})
        gateway.notify(END, {})
        while True:
            _, notification = json.loads(socket.recv(timeout=10))
            if notification["event"] == END:
                return
            yield notification


@pytest.mark.parametrize(("filters", "kinds"), EVENTS, ids=["own", "detailed", "with SIP", "account"])
def test_notifications_have_their_declared_form(
    gateway: Gateway, definitions: Definitions, filters: list[str], kinds: dict[str, str]
) -> None:
    faults: set[str] = set()
    seen: set[str] = set()
    with httpx.Client(base_url=gateway.server) as http:
        for notification in notifications(gateway, Client(gateway, definitions, http), filters or list(kinds)):
            event = re.sub(r"(?<=/)\d+(?=/|$|\?)", "~", notification["event"])
            seen.add(event)
            faults.update(definitions.faults(notification, kinds[event], event))
    assert sorted(faults - {SAMPLE}) == []
    assert seen == kinds.keys()


def test_a_wrong_answer_would_be_found(definitions: Definitions) -> None:
    kind = definitions.answers["GET", "/restapi/v1.0/account/*/extension/*/call-log"]
    leg = {"direction": "Sideways", "legType": "Accept", "master": "yes"}
    answer = {"records": [{"id": 7, "legs": [leg]}], "navigation": [], "paging": {}, "uri": ""}
    found = sorted(fault for fault in definitions.faults(answer, kind) if "missing" not in fault)
    assert found[0] == ".navigation: no object"
    assert ".records.id: 7 is no string" in found
    assert ".records.legs.direction: 'Sideways' is not allowed" in found
    assert ".records.legs.master: 'yes' is no boolean" in found
