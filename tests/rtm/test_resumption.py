"""The header with which a client asks for its session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.rtm.resumption import SessionRequest


def test_a_new_session_has_a_word_of_its_own() -> None:
    assert SessionRequest().to_header() == "new"
    assert SessionRequest("", 5, "p").to_header() == "new"
    assert SessionRequest.from_header("new") == SessionRequest()


@given(
    st.text("abc-", min_size=1),
    st.integers(0, 10**17),
    st.text("0123-;", max_size=9),
)
def test_what_is_asked_for_is_read_again(session: str, received: int, position: str) -> None:
    request = SessionRequest(session, received, position)
    assert SessionRequest.from_header(f" {request.to_header()} ") == request


@pytest.mark.parametrize("value", ["", ";", "s", "s;", "s;x;p", "s;-1;p", "s;1.5;p", "s;٣;p", "s;" + "9" * 19 + ";p"])
def test_what_cannot_be_read_asks_for_a_new_session(value: str) -> None:
    assert SessionRequest.from_header(value) == SessionRequest()


def test_a_header_without_a_position_is_read() -> None:
    assert SessionRequest.from_header("s;5") == SessionRequest("s", 5)
