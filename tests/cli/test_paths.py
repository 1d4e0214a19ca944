from __future__ import annotations

import pytest

from rcex_ws.cli.paths import full_path, probably_meant


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/a", "/a"),
        ("https://example.com/a", "https://example.com/a"),
        ("message-store", "/restapi/v1.0/account/~/extension/~/message-store"),
        ("restapi/v1.0/account/~", "/restapi/v1.0/account/~"),
        ("team-messaging/v1/posts", "/team-messaging/v1/posts"),
    ],
)
def test_a_path_without_a_slash(given: str, path: str) -> None:
    assert full_path(given) == path


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
