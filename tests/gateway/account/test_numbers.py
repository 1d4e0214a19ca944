"""Phone numbers as people write them."""

from __future__ import annotations

import pytest

from rcex_ws.gateway.account.numbers import e164, same_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+16505550101", "+16505550101"),
        ("16505550101", "+16505550101"),
        ("6505550101", "+16505550101"),
        (" (650) 555-0101 ", "+16505550101"),
        ("+1 650.555.0101", "+16505550101"),
        ("011 44 20 7946 0000", "+442079460000"),
        ("+442079460000", "+442079460000"),
        ("12345", "12345"),
        ("", None),
        ("+", None),
        ("nobody", None),
        ("+1650555010a", None),
        ("+1234567890123456", None),
        ("\uff11\uff12\uff13\uff14\uff15", None),
    ],
)
def test_a_number_has_one_form(text, number):
    assert e164(text) == number


def test_numbers_are_compared_in_that_form():
    assert same_number("(650) 555-0101", "+1 650 555 0101")
    assert not same_number("+16505550101", "+16505550102")
    assert not same_number("nobody", "nobody")
    assert not same_number(None, "+16505550101")
