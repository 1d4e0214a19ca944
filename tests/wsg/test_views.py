"""Typed views of notification bodies: what fits, and what is left to `body`."""

from __future__ import annotations

import pytest

from rcex_ws.wsg import views
from rcex_ws.wsg.view_of import view_of

EXTENSION = "/restapi/v1.0/account/1/extension/2"

BODIES = [
    (f"{EXTENSION}/message-store?type=SMS", {"changes": [{"type": "SMS", "newCount": 1, "newMessageIds": [5]}]}),
    (f"{EXTENSION}/message-store/instant?type=SMS", {"id": 1, "type": "SMS", "from": {"phoneNumber": "+1"}}),
    (f"{EXTENSION}/voicemail", {"id": "1", "type": "VoiceMail", "vmTranscriptionStatus": "Completed"}),
    (f"{EXTENSION}/fax?direction=Inbound", {"id": 1, "type": "Fax", "faxPageCount": 2}),
    (f"{EXTENSION}/presence?detailedTelephonyState=true", {"extensionId": 2, "activeCalls": []}),
    (f"{EXTENSION}/telephony/sessions", {"telephonySessionId": "s-1", "parties": [{"id": "p-1", "from": {}}]}),
    ("/team-messaging/v1/posts", {"id": "1", "eventType": "PostRemoved"}),
    ("/restapi/v1.0/glip/groups", {"id": "1", "eventType": "GroupJoined"}),
    ("/restapi/v1.0/account/1/extension", {"extensions": [{"extensionId": 2, "eventType": "Update"}]}),
    (f"{EXTENSION}", {"extensionId": "2", "eventType": "Update", "hints": ["Presence"]}),
    ("/restapi/v1.0/account/1/directory/entries", {"changes": []}),
    ("/restapi/v1.0/account/1/a2p-sms/batches", {"id": "b", "from": "+1", "cost": 0.5}),
]
KINDS = [
    "MessageStoreEvent",
    "InstantMessageEvent",
    "VoicemailEvent",
    "FaxEvent",
    "PresenceEvent",
    "TelephonySessionEvent",
    "PostEvent",
    "ChatEvent",
    "ExtensionsEvent",
    "ExtensionEvent",
    "DirectoryEvent",
    "SmsBatchEvent",
]


@pytest.mark.parametrize(("event", "body", "kind"), [(*pair, kind) for pair, kind in zip(BODIES, KINDS, strict=True)])
def test_the_twelve_commonest_bodies_have_a_view(event, body, kind):
    view = view_of(event, body | {"somethingNew": {"a": 1}})
    assert type(view) is getattr(views, kind)


def test_ids_are_strings_and_fields_have_python_names():
    view = view_of(*BODIES[1])
    assert (view.id, type(view.id)) == ("1", str)  # no subclass, which JSON encoders refuse
    assert view.from_.phone_number == "+1"
    changes = view_of(*BODIES[0]).changes
    assert changes[0].new_message_ids == ["5"]


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("/restapi/v1.0/something/else", {"id": 1}),
        (f"{EXTENSION}/message-store", {"changes": "none"}),
        (f"{EXTENSION}/message-store", None),
        (f"{EXTENSION}/voicemail", {"id": True, "type": "VoiceMail"}),
        (f"{EXTENSION}/voicemail", {"id": 1.5, "type": "VoiceMail"}),
    ],
)
def test_a_body_that_is_not_known_or_does_not_fit_has_none(event, body):
    assert view_of(event, body) is None
