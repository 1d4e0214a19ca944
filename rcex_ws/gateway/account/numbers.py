"""Phone numbers as people write them, and the one form in which they are compared. Pure functions.

Used wherever a number of a client meets a number of the account. RingCentral takes numbers without the country code as
those of the caller's country, which is the United States here.
"""

from __future__ import annotations

import re

__all__ = ["e164", "same_number"]

_NUMBER = re.compile(r"(?P<plus>\+?)(?P<digits>[0-9][0-9 ().\-/]{1,30})")
_NATIONAL, _WITH_COUNTRY_CODE, _LONGEST = 10, 11, 15
_EXIT_CODE = "011"


def e164(text: str) -> str | None:
    """Return a phone number in E.164 with a plus sign; short codes stay without; None if it is no phone number.

    Args:
        text: the number, such as "+16505550101", "1 650 555 0101", "(650) 555-0101" or "011 44 20 7946 0000".
    """
    stripped = text.strip()
    found = _NUMBER.fullmatch(stripped.removeprefix("(")) if stripped.isascii() else None
    if found is None:
        return None
    digits = re.sub(r"[^0-9]", "", found["digits"])
    if not found["plus"] and digits.startswith(_EXIT_CODE):
        digits = digits.removeprefix(_EXIT_CODE)
    elif not found["plus"] and len(digits) == _NATIONAL:
        digits = f"1{digits}"
    elif not found["plus"] and len(digits) < _NATIONAL:
        return digits
    return f"+{digits}" if len(digits) <= _LONGEST else None


def same_number(one: str | None, other: str | None) -> bool:
    """Return whether two texts are the same phone number, however they are written."""
    return one is not None and other is not None and (number := e164(one)) is not None and number == e164(other)
