"""The token and when it must be renewed."""

from __future__ import annotations

import msgspec
import pytest

from rcex_ws.rest import Token
from rcex_ws.rest.token import token_from_answer


def test_from_grant():
    answer = {
        "access_token": "A",
        "refresh_token": "R",
        "expires_in": "3600",
        "refresh_token_expires_in": 604800,
        "owner_id": 7,
        "scope": "a b",
    }
    token = token_from_answer(answer, now=1000.0)
    assert token == Token(
        access_token="A",
        refresh_token="R",
        expires_at=4600.0,
        refresh_expires_at=605800.0,
        lifetime=3600.0,
        scope="a b",
        owner_id="7",
    )


def test_a_refresh_keeps_what_the_answer_leaves_out():
    old = Token(access_token="A", refresh_token="R", refresh_expires_at=9.0, scope="s", owner_id="7", endpoint_id="e")
    new = token_from_answer({"access_token": "B", "expires_in": 60}, now=0.0, previous=old)
    assert (new.access_token, new.refresh_token, new.refresh_expires_at) == ("B", "R", 9.0)
    assert (new.scope, new.owner_id, new.endpoint_id) == ("s", "7", "e")
    newer = token_from_answer({"access_token": "C", "refresh_token": "Q"}, now=0.0, previous=old)
    assert (newer.refresh_token, newer.refresh_expires_at) == ("Q", None)


@pytest.mark.parametrize("answer", [None, [], {}, {"access_token": 1}, {"access_token": ""}, {"access_token": "A\nB"}])
def test_no_token(answer):
    with pytest.raises(msgspec.ValidationError):
        token_from_answer(answer, now=0.0)


@pytest.mark.parametrize(("lifetime", "margin"), [(3600.0, 60.0), (600.0, 60.0), (100.0, 10.0), (1.0, 0.1)])
def test_renewed_in_time(lifetime, margin):
    token = Token(access_token="A", expires_at=5000.0, lifetime=lifetime)
    assert not token.expires_soon(5000.0 - margin - 0.01)
    assert token.expires_soon(5000.0 - margin)
    assert not token.expired(4999.0)
    assert token.expired(5000.0)


def test_an_unknown_end_never_comes():
    token = Token(access_token="A", refresh_token="R")
    assert token.renew_at is None
    assert not token.expires_soon(1e12)
    assert not token.expired(1e12)
    assert token.refreshable


def test_refreshable():
    assert Token(access_token="A", refresh_token="R", refresh_expires_at=1.0).refreshable, "the server judges"
    assert not Token(access_token="A").refreshable


def test_no_secret_in_the_repr():
    token = Token(access_token="SECRET", refresh_token="SECRET", owner_id="7")
    assert "SECRET" not in repr(token) + str(token) + str(list(token.__rich_repr__()))
