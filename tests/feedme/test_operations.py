"""What each operation does, and when it cannot."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rcex_ws.feedme.deltas import Delta, DeltaError, apply_deltas
from rcex_ws.feedme.operations import CHANGES_OF_CHILDREN, CHANGES_OF_CONTAINERS
from rcex_ws.feedme.values import JSNumber, JSText, freeze

DATA: dict[str, Any] = {
    "text": "old",
    "half": "\ud83d",
    "n": 1,
    "big": 2**53,
    "huge": 1.7976931348623157e308,
    "on": True,
    "none": None,
    "list": ["a", "b", "c"],
    "empty": [],
    "object": {"x": 1, "y": {"z": 0}},
    "mixed": [1, True, 1.0, "1", [1], [True], {"a": 1, "b": [0]}, {"b": [False], "a": 1}, None],
    "named": {"one": 1, "true": True, "again": 1, "object": {"a": 1}},
}

#: A delta, and what then stands at a place.
EFFECTS: list[tuple[Delta, tuple[str | int, ...], Any]] = [
    (Delta("Set", (), {"new": 1}), (), {"new": 1}),
    (Delta("Set", ("n",), [2]), ("n",), [2]),
    (Delta("Set", ("none",), 0), ("none",), 0),
    (Delta("Set", ("new",), {"a": {}}), ("new", "a"), {}),
    (Delta("Set", ("object", "y", "z"), None), ("object", "y"), {"z": None}),
    (Delta("Set", ("list", 0), "A"), ("list",), ["A", "b", "c"]),
    (Delta("Set", ("list", 3), "d"), ("list",), ["a", "b", "c", "d"]),
    (Delta("Set", ("empty", 0), 1), ("empty",), [1]),
    (Delta("Set", ("__proto__",), 1), ("__proto__",), 1),
    (Delta("Delete", ("object", "x")), ("object",), {"y": {"z": 0}}),
    (Delta("Delete", ("list", 1)), ("list",), ["a", "c"]),
    (Delta("DeleteValue", ("list",), "b"), ("list",), ["a", "c"]),
    (Delta("DeleteValue", ("list",), "missing"), ("list",), ["a", "b", "c"]),
    (Delta("DeleteValue", ("mixed",), 1), ("mixed", 0), True),
    (Delta("DeleteValue", ("mixed",), True), ("mixed", 1), 1),
    (Delta("DeleteValue", ("mixed",), [1]), ("mixed", 4), [True]),
    (Delta("DeleteValue", ("mixed",), {"b": [0.0], "a": 1}), ("mixed", 6), {"b": [False], "a": 1}),
    (Delta("DeleteValue", ("mixed",), None), ("mixed",), DATA["mixed"][:-1]),
    (Delta("DeleteValue", ("named",), 1.0), ("named",), {"true": True, "object": {"a": 1}}),
    (Delta("DeleteValue", ("named",), {"a": 1}), ("named",), {"one": 1, "true": True, "again": 1}),
    (Delta("DeleteValue", (), None), (), {name: value for name, value in DATA.items() if name != "none"}),
    (Delta("Prepend", ("text",), "very "), ("text",), "very old"),
    (Delta("Append", ("text",), "er"), ("text",), "older"),
    (Delta("Append", ("half",), "\ude00"), ("half",), "\U0001f600"),
    (Delta("Prepend", ("half",), "\ude00"), ("half",), "\ude00\ud83d"),
    (Delta("Increment", ("n",), 1.5), ("n",), 2.5),
    (Delta("Increment", ("n",), -1), ("n",), 0),
    (Delta("Increment", ("big",), 1), ("big",), 2**53),
    (Delta("Increment", ("big",), 3), ("big",), 2**53 + 4),
    (Delta("Increment", ("huge",), 1e308), ("huge",), math.inf),
    (Delta("Decrement", ("n",), 0.9), ("n",), 0.09999999999999998),
    (Delta("Decrement", ("big",), 1), ("big",), 2**53 - 1),
    (Delta("Toggle", ("on",)), ("on",), False),
    (Delta("Toggle", ("mixed", 1)), ("mixed", 1), False),
    (Delta("InsertFirst", ("list",), 0), ("list",), [0, "a", "b", "c"]),
    (Delta("InsertLast", ("list",), 0), ("list",), ["a", "b", "c", 0]),
    (Delta("InsertLast", ("mixed", 4), 2), ("mixed", 4), [1, 2]),
    (Delta("InsertBefore", ("list", 2), 0), ("list",), ["a", "b", 0, "c"]),
    (Delta("InsertAfter", ("list", 2), 0), ("list",), ["a", "b", "c", 0]),
    (Delta("InsertAfter", ("list", 0), 0), ("list",), ["a", 0, "b", "c"]),
    (Delta("DeleteFirst", ("list",)), ("list",), ["b", "c"]),
    (Delta("DeleteLast", ("list",)), ("list",), ["a", "b"]),
]

#: A delta, and why it cannot be applied.
FAILURES: list[tuple[Delta, str]] = [
    (Delta("Set", (), []), "the root is an object that nothing contains"),
    (Delta("Set", (0,), 1), "an object has names, not indexes"),
    (Delta("Set", ("list", 4), 1), "there is no element 4"),
    (Delta("Set", ("list", "0"), 1), "an array has indexes, not names"),
    (Delta("Set", ("list", "length"), 1), "an array has indexes, not names"),
    (Delta("Set", ("object", 0), 1), "an object has names, not indexes"),
    (Delta("Set", ("n", "a"), 1), "the path leads to what is neither an object nor an array"),
    (Delta("Set", ("none", "a"), 1), "the path leads to what is neither an object nor an array"),
    (Delta("Set", ("text", 0), "x"), "the path leads to what is neither an object nor an array"),
    (Delta("Set", ("missing", "a"), 1), "there is no member 'missing'"),
    (Delta("Set", ("list", 3, "a"), 1), "there is no element 3"),
    (Delta("Delete", ()), "the root is an object that nothing contains"),
    (Delta("Delete", ("toString",)), "there is no member 'toString'"),
    (Delta("Delete", ("list", 3)), "there is no element 3"),
    (Delta("DeleteValue", ("text",), "o"), "the path leads to what is neither an object nor an array"),
    (Delta("Prepend", ("n",), "x"), "the target is not a string"),
    (Delta("Append", ("none",), "x"), "the target is not a string"),
    (Delta("Append", ("missing",), "x"), "there is no member 'missing'"),
    (Delta("Increment", ("on",), 1), "the target is not a finite number"),
    (Delta("Decrement", ("text",), 1), "the target is not a finite number"),
    (Delta("Increment", (), 1), "the root is an object that nothing contains"),
    (Delta("Toggle", ("n",)), "the target is not a boolean"),
    (Delta("InsertFirst", ("object",), 1), "the target is not an array"),
    (Delta("InsertLast", (), 1), "the target is not an array"),
    (Delta("InsertBefore", ("empty", 0), 1), "there is no element 0"),
    (Delta("InsertAfter", ("list", 3), 1), "there is no element 3"),
    (Delta("InsertAfter", ("object", "x"), 1), "the target is not an element of an array"),
    (Delta("InsertBefore", ("object", "q"), 1), "there is no member 'q'"),
    (Delta("DeleteFirst", ("empty",)), "the array is empty"),
    (Delta("DeleteLast", ("object",)), "the target is not an array"),
    (Delta("DeleteLast", ("n",)), "the path leads to what is neither an object nor an array"),
]


@pytest.mark.parametrize(("delta", "place", "expected"), EFFECTS)
def test_effects(delta: Delta, place: tuple[str | int, ...], expected: Any) -> None:
    data = freeze(DATA)
    found: Any = apply_deltas(data, [delta])
    for step in place:
        found = found[step]

    wanted = freeze(expected, infinite=True)
    assert (found, type(found)) == (wanted, type(wanted))
    assert data == freeze(DATA)


@pytest.mark.parametrize(("delta", "why"), FAILURES)
def test_failures(delta: Delta, why: str) -> None:
    data = freeze(DATA)

    with pytest.raises(DeltaError) as caught:
        apply_deltas(data, [delta])
    assert str(caught.value) == f"{delta.operation} at {list(delta.path)}: {why}"
    assert data == freeze(DATA)


def test_every_operation_has_an_effect_and_a_failure_among_these() -> None:
    names = {*CHANGES_OF_CHILDREN, *CHANGES_OF_CONTAINERS}

    assert len(names) == 14
    assert {delta.operation for delta, _, _ in EFFECTS} == names
    assert {delta.operation for delta, _ in FAILURES} == names


def test_a_number_that_became_infinite_can_be_replaced_but_not_added_to() -> None:
    overflow = Delta("Decrement", ("n",), 1.7976931348623157e308)
    data = apply_deltas(freeze({"n": -1.7976931348623157e308}), [overflow])

    assert data == {"n": -math.inf}
    assert type(data["n"]) is JSNumber
    with pytest.raises(DeltaError, match="the target is not a finite number"):
        apply_deltas(data, [overflow])
    assert apply_deltas(data, [Delta("Set", ("n",), 1)]) == {"n": 1}
    assert apply_deltas(data, [Delta("DeleteValue", (), -math.inf)]) == {}


def test_a_string_gains_and_loses_half_of_a_pair() -> None:
    half = apply_deltas(freeze({"t": "a"}), [Delta("Append", ("t",), "\ud83d")])
    whole = apply_deltas(half, [Delta("Append", ("t",), "\ude00")])

    assert (half["t"], type(half["t"])) == ("a\ud83d", JSText)
    assert (whole["t"], type(whole["t"])) == ("a\U0001f600", str)
