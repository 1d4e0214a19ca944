"""What was asked that is not there, and what is closest to it."""

from __future__ import annotations

import httpx
import pytest

from rcex_ws.gateway import Gateway
from rcex_ws.gateway.api.application import AREAS
from rcex_ws.gateway.clock import Clock
from rcex_ws.gateway.journal import Journal
from rcex_ws.gateway.near_misses import NearMisses

EXTENSION = "/restapi/v1.0/account/~/extension/~"
TEMPLATE = "/restapi/v1.0/account/{accountId}/extension/{extensionId}"
SUBSCRIPTION = "/restapi/v1.0/subscription"


@pytest.fixture
def journal() -> Journal:
    return Journal(Clock(lambda: 0.0))


@pytest.fixture
def misses(journal: Journal) -> NearMisses:
    misses = NearMisses(journal)
    misses.serve((operation.method, operation.path) for area in AREAS for operation in area)
    return misses


@pytest.mark.parametrize(
    ("method", "path", "why", "closest"),
    [
        ("GET", f"{EXTENSION}/mesage-store", "path", f"GET {TEMPLATE}/message-store"),
        ("GET", f"{EXTENSION[:-1]}62264425016/presense", "path", f"GET {TEMPLATE}/presence"),
        ("PUT", "/restapi/v1.0/client-inf", "path", "GET /restapi/v1.0/client-info"),
        ("PATCH", f"{SUBSCRIPTION}/0c3b5d0e-1111-4222-8333-1234", "method", f"GET {SUBSCRIPTION}/{{subscriptionId}}"),
        ("GET", "/", "path", None),
        ("GET", "/wp-login.php", "path", None),
    ],
)
def test_the_closest_path_is_found(misses: NearMisses, method: str, path: str, why: str, closest: str | None) -> None:
    misses.add(method, path, why)
    (miss,) = misses.entries()
    assert (miss["closest"], miss["missing"], miss["count"]) == (closest, why, 1)


def test_each_is_counted_and_logged_once(misses: NearMisses, journal: Journal) -> None:
    for number in (5, 6, 7):
        misses.add("GET", f"/restapi/v1.0/account/~/extension/{number}/presense", "path")
    misses.add("PUT", f"{EXTENSION}/presense", "path")
    assert [(miss["method"], miss["path"], miss["count"]) for miss in misses.entries()] == [
        ("GET", f"{EXTENSION}/presense", 3),
        ("PUT", f"{EXTENSION}/presense", 1),
    ]
    assert [entry["kind"] for entry in journal.entries()] == ["near_miss", "near_miss"]


def test_a_token_in_a_path_is_not_shown(misses: NearMisses) -> None:
    misses.add("GET", f"/restapi/v1.0/{'x' * 64}", "path")
    assert [miss["path"] for miss in misses.entries()] == ["/restapi/v1.0/***"]


def test_they_are_bounded(journal: Journal) -> None:
    misses = NearMisses(journal)
    for number in range(1010):
        misses.add("GET", f"/x{number}/" + "y/" * 150, "path")
    entries = misses.entries()
    assert len(entries) == 1000
    assert max(len(miss["path"]) for miss in entries) == 200


def test_a_gateway_reports_them_and_says_that_it_is_ready() -> None:
    with Gateway() as gateway, httpx.Client(base_url=gateway.server) as http:
        assert http.get("/_gateway/ready").json() == {"ready": True}
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": gateway.jwt}
        tokens = http.post("/restapi/oauth/token", data=form, auth=(gateway.client_id, gateway.client_secret)).json()
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert http.get(f"{EXTENSION}/presense", headers=bearer).status_code == 404
        assert http.patch(EXTENSION, headers=bearer).status_code == 405
        reported = http.get("/_gateway/near_misses").json()
        assert [(miss["method"], miss["missing"]) for miss in reported] == [("GET", "path"), ("PATCH", "method")]
        assert gateway.near_misses() == reported
    assert gateway.near_misses() == reported
