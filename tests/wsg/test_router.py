"""Which filter can have caused a notification; pure."""

from __future__ import annotations

import msgspec
import pytest

from rcex_ws.wsg.frames import read_envelope
from rcex_ws.wsg.models import Notification
from rcex_ws.wsg.own import is_own
from rcex_ws.wsg.router import Selector

OWN = "/restapi/v1.0/account/1/extension/2"
ANY = "/restapi/v1.0/account/~/extension/~"


def notification(event: str, body: str = "{}") -> Notification:
    raw = msgspec.Raw(f'{{"uuid":"u","event":"{event}","body":{body}}}'.encode())
    return Notification("u", event, 0.0, read_envelope(raw), raw, 0.0)


@pytest.mark.parametrize(
    ("event_filter", "event", "owner_id", "selected"),
    [
        (f"{ANY}/presence", f"{OWN}/presence", "2", True),
        (f"{ANY}/presence", f"{OWN}/presence?detailedTelephonyState=true", "2", True),
        (f"{ANY}/presence?detailedTelephonyState=true", f"{OWN}/presence", "2", True),
        (f"{ANY}/presence", f"{OWN}/presence", "3", False),
        (f"{ANY}/presence", f"{OWN}/presence", None, True),
        (f"{ANY}/presence", f"{ANY}/presence/", "3", True),
        (f"{OWN}/presence", f"{OWN}/presence", "3", True),
        ("/restapi/v1.0/account/~/presence", f"{OWN}/presence", "3", True),
        (f"{ANY}/message-store", f"{OWN}/message-store/instant", "2", False),
        (f"{ANY}/message-store?type=SMS", f"{OWN}/message-store?type=SMS&direction=Inbound", "2", True),
        (f"{ANY}/message-store?type=SMS", f"{OWN}/message-store?type=Fax", "2", False),
        ("/team-messaging/v1/posts", "/team-messaging/v1/posts", "2", True),
    ],
)
def test_paths_and_queries(event_filter, event, owner_id, selected):
    assert Selector(event_filter).selects(notification(event), owner_id) is selected


@pytest.mark.parametrize(
    ("body", "selected"),
    [
        ('{"type":"SMS"}', True),
        ('{"type":"Fax"}', False),
        ('{"changes":[{"type":"Fax"},{"type":"SMS"}]}', True),
        ('{"changes":[{"type":"Fax"}]}', False),
        ('{"changes":[5]}', True),
        ('{"type":["SMS"]}', True),
        ('{"changes":[{"type":{}},{"type":"Fax"}]}', False),
        ("[]", True),
        ("", True),
    ],
)
def test_the_body_decides_what_the_name_leaves_open(body, selected):
    event = notification(f"{OWN}/message-store", body or "{}")
    if not body:
        event._envelope.body = msgspec.Raw(b'{"half')
    assert Selector(f"{ANY}/message-store", type="SMS").selects(event, "2") is selected


def test_the_text_of_a_filter_with_a_query():
    assert Selector("/a?b=1", c=True, d=["x", "y"]).text == "/a?b=1&c=true&d=x&d=y"
    assert Selector("/a").text == "/a"


def test_a_body_that_cannot_be_read_is_nobody_s_own():
    event = notification("/team-messaging/v1/posts")
    event._envelope.body = msgspec.Raw(b'{"half')
    assert is_own(event, "2") is False
