from __future__ import annotations

import pytest

from rcex_ws.cli.paths import full_path, probably_meant

OWN = "/restapi/v1.0/account/~/extension/~"


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("message-store", f"{OWN}/message-store"),
        ("/restapi/v1.0/x", "/restapi/v1.0/x"),
        ("restapi/v1.0/x", "/restapi/v1.0/x"),
        ("https://example.com/x", "https://example.com/x"),
    ],
)
def test_what_begins_with_no_slash_is_of_the_own_extension(short: str, full: str) -> None:
    assert full_path(short) == full


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("mesage-store", "message-store"),
        ("message-stores?type=SMS", "message-store?type=SMS"),
        ("telephony/session", "telephony/sessions"),
        ("pressence", "presence"),
    ],
)
def test_a_misspelt_filter_is_noticed(given: str, meant: str) -> None:
    assert probably_meant(given) == meant


@pytest.mark.parametrize(
    "given", ["message-store", "presence?detailedTelephonyState=true", "reminders", "/mesage-store", "restapi/v1.0/fax"]
)
def test_what_is_known_or_like_nothing_known_is_left_alone(given: str) -> None:
    assert probably_meant(given) is None
