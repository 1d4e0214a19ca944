"""The address of a callback client: what it may be."""

from __future__ import annotations

import pytest

from rcex_ws.callback.settings import text_url
from rcex_ws.errors import ConfigurationError


def test_an_address_is_text_or_its_bytes() -> None:
    assert text_url("ws://x/") == text_url(b"ws://x/") == "ws://x/"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (5, "next_url: expected an address, got an object of the type int"),
        (b"ws://\xff/", "next_url: the bytes of an address are ASCII"),
    ],
)
def test_anything_else_is_refused_without_being_quoted(url: object, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        text_url(url, "next_url")
    assert str(caught.value) == says
