"""The canonical text, against another way to write it, and against the vectors of the published packages."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rcex_ws.feedme import canonical as canonical_module
from rcex_ws.feedme.canonical import canonical, sorted_names, write_odd
from rcex_ws.feedme.values import FrozenDict, FrozenList, NotExpressible, freeze
from tests.feedme.documents import documents, numbers, texts, values


def written(value: Any) -> str:
    """Write a value, which is not frozen, after the text of the specification."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return written_text(value)
    if isinstance(value, dict):
        named = {joined(name): member for name, member in value.items()}
        names = sorted(named, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{written_text(name)}:{written(named[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return written_number(value)


def joined(text: str) -> str:
    return str(json.loads(json.dumps(text)))


def written_text(text: str) -> str:
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    escaped = [
        short.get(one) or (f"\\u{ord(one):04x}" if one < " " or "\ud800" <= one <= "\udfff" else one)
        for one in joined(text)
    ]
    return f'"{"".join(escaped)}"'


def written_number(number: float) -> str:
    """Write a number after ECMA-262, 6.1.6.1.20, whose names these are."""
    try:
        double = float(number)
    except OverflowError:
        return "null"
    if math.isinf(double):
        return "null"
    if double == 0:
        return "0"
    if double < 0:
        return "-" + written_number(-double)
    _, digits, exponent = Decimal(repr(double)).normalize().as_tuple()
    assert isinstance(exponent, int)
    s = "".join(map(str, digits))
    k, n = len(s), len(s) + exponent
    if k <= n <= 21:
        return s + "0" * (n - k)
    if 0 < n <= 21:
        return s[:n] + "." + s[n:]
    if -6 < n <= 0:
        return "0." + "0" * -n + s
    return s[0] + ("." + s[1:] if k > 1 else "") + ("e+" if n > 0 else "e-") + str(abs(n - 1))


@given(documents)
def test_random_documents(document: dict[str, Any]) -> None:
    assert canonical(freeze(document)).decode() == written(document)


@given(st.lists(numbers, min_size=1))
@example([9.999999999999999e-6, 1e-5, -1e-6, 9.999999999999999e-7, 1e-6])
@example([2**53 - 1, 2**53, 2**53 + 1, -(2**53), 1e20, 999999999999999868928.0, 1e21, 4503599627370496.5])
@example([1.7976931348623157e308, 5e-324, 2.2250738585072014e-308, 10**400])
def test_random_numbers(some: list[float]) -> None:
    assert canonical(freeze(some, infinite=True)).decode() == written(some)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_written_with_the_digits_that_make_it_again(number: float) -> None:
    assert float(canonical(freeze(number))) == number


@given(st.dictionaries(texts, values, min_size=3))
def test_members_are_sorted_by_the_units_of_their_names(document: dict[str, Any]) -> None:
    frozen = freeze(document)
    names = sorted_names(frozen)

    assert [name.encode("utf-16-be", "surrogatepass") for name in names] == sorted(
        name.encode("utf-16-be", "surrogatepass") for name in frozen
    )
    assert list(json.loads(canonical(frozen))) == names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"\U0001f600":1,"\uffee":2}', '{"\U0001f600":1,"\uffee":2}'),
        ('{"\uffee":"\U0001f600","a":[{"\U0001f600":{"\uffee":1,"\U0001f600":2},"\uffee":0}]}', None),
        (r'{"\ud83d":1,"\ude00":2,"a":"\ud83d"}', r'{"a":"\ud83d","\ud83d":1,"\ude00":2}'),
        (r'["\ud83d\ude00\ud83d"]', '["\U0001f600\\ud83d"]'),
        ("[]", "[]"),
        ("1E400", "null"),
        ("-1E400", "null"),
    ],
)
def test_texts_that_msgspec_would_write_differently(text: str, expected: str | None) -> None:
    value = json.loads(text)
    assert canonical(freeze(value, infinite=True)).decode() == (expected or written(value))


@pytest.mark.parametrize(
    ("name", "text", "quick"),
    [("a", "b", True), ("\uffee", "\ue000", True), ("\U0001f600", "\U0010ffff", True), ("\U0001f600", "\uffee", False)],
)
def test_msgspec_writes_everything_but_what_it_may_sort_differently(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, quick: bool
) -> None:
    slow = Mock(wraps=canonical_module._canonical)
    monkeypatch.setattr(canonical_module, "_canonical", slow)

    canonical(freeze({name: text}))
    assert slow.called is not quick


def test_any_msgspec_encoder_writes_odd_values_with_the_hook_and_nothing_else() -> None:
    encoder = msgspec.json.Encoder(enc_hook=write_odd)

    assert (
        encoder.encode(freeze({"n": [1e21, 1e-6, 0.5], "t": "\ud800"})) == b'{"n":[1e+21,0.000001,0.5],"t":"\\ud800"}'
    )
    with pytest.raises(TypeError, match="feed data cannot contain a value of type complex"):
        encoder.encode(1j)


@pytest.mark.parametrize("name", ["a", "\ud800"], ids=["by msgspec", "by the slower way"])
def test_frozen_data_inside_other_frozen_data_can_be_too_deep(name: str) -> None:
    value: Any = 0
    for _ in range(100_000):
        value = FrozenList([value])
    with pytest.raises(NotExpressible, match="nested too deep"):
        canonical(FrozenDict({"deep": value, name: 0}))
