"""Every kind of notification that RingCentral sends can be caused: by a request, or by a command where others act."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rcex_ws.gateway.filters import SERVED_FILTERS

ACCOUNT = "/restapi/v1.0/account/~"
EXTENSION = f"{ACCOUNT}/extension/~"

#: A kind as its filter; what causes it, given the first two users and the gateway; members of the body.
Kind = tuple[str, Callable[..., Any], set[str]]


def texts(ada, bob, app):
    app.receive_sms("hi")


def mail(ada, bob, app):
    app.receive_voicemail()


def fax(ada, bob, app):
    app.receive_fax()


def pager(ada, bob, app):
    bob.json("POST", f"{EXTENSION}/company-pager", {"text": "hi", "to": [{"extensionNumber": "101"}]})


def busy(ada, bob, app):
    ada.json("PUT", f"{EXTENSION}/presence", {"userStatus": "Busy"})


def undisturbed(ada, bob, app):
    ada.json("PUT", f"{EXTENSION}/presence", {"dndStatus": "DoNotAcceptAnyCalls"})


def watched(ada, bob, app):
    app.watch_lines(["102"])
    bob.json("PUT", f"{EXTENSION}/presence", {"userStatus": "Busy"})


def favorite(ada, bob, app):
    ada.json("PUT", f"{EXTENSION}/favorite", {"records": [{"extensionId": bob.extension.id}]})
    bob.json("PUT", f"{EXTENSION}/presence", {"userStatus": "Busy"})


def call(ada, bob, app):
    app.ring()


def post(ada, bob, app):
    app.receive_post("hi")


def team(ada, bob, app):
    bob.json("POST", "/team-messaging/v1/teams", {"name": "us", "members": [{"id": ada.extension.id}]})


def batch(ada, bob, app):
    message = {"from": ada.extension.phone_number, "text": "hi", "messages": [{"to": ["+14155550100"]}]}
    ada.json("POST", f"{ACCOUNT}/a2p-sms/batches", message)


def renamed(ada, bob, app):
    ada.json("PUT", EXTENSION, {"contact": {"firstName": "Grace"}})


KINDS: list[Kind] = [
    (f"{EXTENSION}/message-store", pager, {"accountId", "extensionId", "lastUpdated", "changes"}),
    (f"{EXTENSION}/message-store?type=SMS&direction=Inbound", texts, {"changes"}),
    (f"{EXTENSION}/message-store/instant?type=SMS", texts, {"id", "to", "from", "type", "subject", "attachments"}),
    (f"{EXTENSION}/message-store/instant?type=Pager", pager, {"id", "to", "from", "type", "subject", "attachments"}),
    (f"{EXTENSION}/voicemail", mail, {"id", "type", "attachments"}),
    (f"{EXTENSION}/fax?direction=Inbound", fax, {"id", "type", "faxPageCount", "attachments"}),
    (f"{EXTENSION}/presence", busy, {"extensionId", "telephonyStatus", "sequence", "presenceStatus", "userStatus"}),
    (f"{EXTENSION}/presence?detailedTelephonyState=true", busy, {"activeCalls", "totalActiveCalls"}),
    (f"{EXTENSION}/presence?detailedTelephonyState=true&sipData=true", call, {"activeCalls", "totalActiveCalls"}),
    (f"{ACCOUNT}/presence", busy, {"extensionId", "presenceStatus"}),
    (f"{EXTENSION}/presence/dnd", undisturbed, {"extensionId", "dndStatus"}),
    (f"{EXTENSION}/presence/line/presence", watched, {"extensionId", "presenceStatus"}),
    (f"{EXTENSION}/favorite/presence", favorite, {"extensionId", "presenceStatus"}),
    (f"{EXTENSION}/telephony/sessions", call, {"sequence", "sessionId", "telephonySessionId", "parties", "origin"}),
    (f"{ACCOUNT}/telephony/sessions", call, {"sequence", "sessionId", "telephonySessionId", "parties", "origin"}),
    ("/team-messaging/v1/posts", post, {"id", "groupId", "text", "creatorId", "eventType"}),
    ("/restapi/v1.0/glip/posts", post, {"id", "groupId", "text", "creatorId", "eventType"}),
    ("/team-messaging/v1/chats", team, {"id", "type", "members", "eventType"}),
    ("/team-messaging/v1/groups", team, {"id", "type", "members", "eventType"}),
    ("/restapi/v1.0/glip/groups", team, {"id", "type", "members", "eventType"}),
    (f"{ACCOUNT}/extension", renamed, {"extensions"}),
    (EXTENSION, renamed, {"extensionId", "eventType", "hints"}),
    (f"{ACCOUNT}/directory/entries", renamed, {"entries"}),
    (f"{ACCOUNT}/a2p-sms/batches", batch, {"id", "from", "batchSize", "status"}),
    (f"{ACCOUNT}/message-threads/sync", texts, {"lastModifiedTime"}),
    (f"{ACCOUNT}/message-threads/entries/sync", texts, {"lastModifiedTime"}),
]


@pytest.mark.parametrize(("event_filter", "cause", "members"), KINDS, ids=[kind[0] for kind in KINDS])
def test_each_kind_of_notification_can_be_caused(ada, bob, app, event_filter, cause, members):
    events = ada.subscribe(event_filter)
    cause(ada, bob, app)
    bodies = [event["body"] for event in events.take()]
    assert bodies
    assert members <= bodies[0].keys()


#: Told when the extensions that somebody watches, or favors, have changed.
LISTS = {f"{EXTENSION}/presence/line", f"{EXTENSION}/favorite"}


def test_the_kinds_are_those_whose_filters_are_no_near_misses():
    paths = {path.replace("{accountId}", "~").replace("{extensionId}", "~") for path in SERVED_FILTERS}
    assert paths == {event_filter.partition("?")[0] for event_filter, _, _ in KINDS} | LISTS


def test_a_misspelled_filter_is_a_near_miss(ada, app, runner):
    asked = {"eventFilters": [f"{EXTENSION}/mesage-store", f"{EXTENSION}/presence"]}
    mode = {"deliveryMode": {"transportType": "WebHook", "address": "http://127.0.0.1:9/"}}
    app.core.webhooks.transport = httpx.MockTransport(
        lambda request: httpx.Response(200, headers={"Validation-Token": request.headers["validation-token"]})
    )
    ada.json("POST", "/restapi/v1.0/subscription", asked | mode)
    (miss,) = app.near_misses()
    closest = "SUBSCRIBE /restapi/v1.0/account/{accountId}/extension/{extensionId}/message-store"
    assert (miss["missing"], miss["closest"]) == ("filter", closest)
