"""Feed data: what `freeze` takes and what it gives."""

from __future__ import annotations

import copy
import enum
import inspect
import json
import math
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given

from rcex_ws.feedme.values import (
    MAX_NESTING,
    FrozenDict,
    FrozenList,
    JSNumber,
    JSText,
    NotExpressible,
    freeze,
    js_number,
    js_text,
)
from tests.feedme.documents import documents

CHANGES_OF_A_DICT: list[Callable[[Any], object]] = [
    lambda data: data.__setitem__("a", 1),
    lambda data: data.__delitem__("a"),
    lambda data: data.__ior__({"a": 1}),
    lambda data: data.clear(),
    lambda data: data.pop("a"),
    lambda data: data.popitem(),
    lambda data: data.setdefault("b", 1),
    lambda data: data.update(a=1),
]
CHANGES_OF_A_LIST: list[Callable[[Any], object]] = [
    lambda data: data.__setitem__(0, 1),
    lambda data: data.__setitem__(slice(None), []),
    lambda data: data.__delitem__(0),
    lambda data: data.__iadd__([1]),
    lambda data: data.__imul__(2),
    lambda data: data.append(1),
    lambda data: data.clear(),
    lambda data: data.extend([1]),
    lambda data: data.insert(0, 1),
    lambda data: data.pop(),
    lambda data: data.remove(1),
    lambda data: data.reverse(),
    lambda data: data.sort(),
]


def nested(levels: int, innermost: object = 0) -> Any:
    """Return arrays inside each other."""
    value = innermost
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("plain", "changes"), [({"a": 1}, CHANGES_OF_A_DICT), ([1], CHANGES_OF_A_LIST)], ids=["object", "array"]
)
def test_nobody_can_change_it(plain: Any, changes: list[Callable[[Any], object]]) -> None:
    for change in changes:
        change(copy.copy(plain))  # one that a plain container allows

        frozen = freeze(plain)
        with pytest.raises(TypeError, match="read-only; change a copy of it"):
            change(frozen)
        assert frozen == plain


def test_every_method_that_changes_a_container_is_among_those() -> None:
    harmless = {"copy", "count", "fromkeys", "get", "index", "items", "keys", "values"}
    for kind, frozen in ((dict, FrozenDict), (list, FrozenList)):
        public = {name for name in vars(kind) if not name.startswith("_")}
        assert public - harmless == {name for name in vars(frozen) if not name.startswith("_")}


def test_it_equals_plain_containers_and_is_no_bigger_than_a_subclass_must_be() -> None:
    frozen = freeze({"a": [1, {"b": None}]})

    assert frozen == {"a": [1, {"b": None}]}
    assert (type(frozen), type(frozen["a"]), type(frozen["a"][1])) == (FrozenDict, FrozenList, FrozenDict)
    assert not hasattr(frozen, "__dict__")
    assert not hasattr(frozen["a"], "__dict__")


def test_its_copies_can_be_changed() -> None:
    frozen = freeze({"a": [1], "n": 1e300})

    for plain in (frozen.copy(), copy.copy(frozen), frozen | {}):
        assert type(plain) is dict
        assert type(plain["a"]) is FrozenList  # as deep as a copy of a dict goes
    for plain in (frozen["a"].copy(), copy.copy(frozen["a"]), frozen["a"][:], frozen["a"] + []):
        assert type(plain) is list
    deep = copy.deepcopy(frozen)
    deep["a"].append(2)
    assert (deep, frozen) == ({"a": [1, 2], "n": 1e300}, {"a": [1], "n": 1e300})


@given(documents)
def test_it_survives_pickle_and_can_be_encoded_as_json(document: dict[str, Any]) -> None:
    frozen = freeze(document)

    again = pickle.loads(pickle.dumps(frozen))
    assert again == frozen
    assert type(again) is FrozenDict
    assert freeze(json.loads(json.dumps(frozen))) == frozen
    assert msgspec.json.decode(msgspec.json.encode(freeze({"a": [{}], "b": 1.5}))) == {"a": [{}], "b": 1.5}


@given(documents)
def test_frozen_data_is_returned_as_it_is(document: dict[str, Any]) -> None:
    frozen = freeze(document)

    assert freeze(frozen) is frozen
    wrapped = freeze({"data": [frozen]})
    assert wrapped["data"][0] is frozen


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (1.0, 1),
        (-0.0, 0),
        (2.5, 2.5),
        (2**53, 2**53),
        (2.0**53, 2**53),
        (2**53 + 1, 2**53),
        (2**53 + 2, JSNumber(2**53 + 2)),
        (-(2**60), JSNumber(-(2**60))),
        (1e21, JSNumber(1e21)),
        (1e-5, 1e-5),
        (9.99e-6, JSNumber(9.99e-6)),
        (-5e-324, JSNumber(-5e-324)),
        (10**400, JSNumber(math.inf)),
        (-(10**400), JSNumber(-math.inf)),
        (math.inf, JSNumber(math.inf)),
    ],
)
def test_equal_numbers_have_one_form(value: float, form: float) -> None:
    made = [
        js_number(value),
        js_number(js_number(value)),
        freeze(value, infinite=True),
        freeze([value], infinite=True)[0],
        freeze({"a": value}, infinite=True)["a"],
    ]
    assert [(one, type(one)) for one in made] == [(form, type(form))] * 5


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("é", "é"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ude00\ud83d", JSText("\ude00\ud83d")),
        ("\ud83d\ud83d\ude00", JSText("\ud83d\U0001f600")),
    ],
)
def test_equal_strings_have_one_form(value: str, form: str) -> None:
    assert js_text(value) == form
    assert type(js_text(value)) is type(form)
    (name,) = freeze({value: value})
    assert name == form
    assert type(name) is str


def test_what_stands_for_a_json_value_becomes_one() -> None:
    class Colour(enum.StrEnum):
        RED = "red"

    class Level(enum.IntEnum):
        HIGH = 3

    class Ratio(float):
        pass

    class Stored(Mapping[str, int]):
        def __getitem__(self, name: str) -> int:
            return len(name)

        def __iter__(self) -> Any:
            return iter(["a", "bb"])

        def __len__(self) -> int:
            return 2

    value = {
        Colour.RED: (Colour.RED, Level.HIGH, Ratio(0.5), True),
        "mappings": [OrderedDict(a=1), MappingProxyType({"b": 2}), Stored()],
    }
    frozen = freeze(value)
    assert frozen == {"red": ["red", 3, 0.5, True], "mappings": [{"a": 1}, {"b": 2}, {"a": 1, "bb": 2}]}
    assert [type(one) for one in frozen["red"]] == [str, int, float, bool]
    assert [type(name) for name in frozen] == [str, str]
    assert {type(one) for one in frozen["mappings"]} == {FrozenDict}


CYCLE: list[Any] = []
CYCLE.append({"again": CYCLE})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1}, "a value of type set cannot be expressed in JSON"),
        ({"a": [0, {1}]}, "['a'][1]: a value of type set cannot be expressed in JSON"),
        ({"a": b""}, "['a']: a value of type bytes cannot be expressed in JSON"),
        ({"a": {2: 3}}, "['a'][2]: a member's name is a str, not int"),
        ([math.nan], "[0]: the number nan cannot be expressed in JSON"),
        ([-math.inf], "[0]: the number -inf cannot be expressed in JSON"),
        ([10**400], "[0]: the number inf cannot be expressed in JSON"),
        (nested(8, {1}), "[0][0][0][0][0][0][0][0]: a value of type set cannot be expressed in JSON"),
        (nested(20, {1}), "[0][0][0][0][0][0][0][0]...: a value of type set cannot be expressed in JSON"),
        (CYCLE, "[0]['again'][0]['again'][0]['again'][0]['again']...: nested too deep"),
        (nested(10_000), "[0][0][0][0][0][0][0][0]...: nested too deep"),
    ],
)
def test_what_json_cannot_express_is_refused_with_its_place(value: object, message: str) -> None:
    with pytest.raises(NotExpressible) as caught:
        freeze(value)
    assert str(caught.value) == message


def test_infinity_may_be_allowed_as_javascript_reads_it_and_nan_may_not() -> None:
    assert freeze([math.inf, -(10**400)], infinite=True) == [math.inf, -math.inf]
    with pytest.raises(NotExpressible):
        freeze([math.nan], infinite=True)


def test_it_may_be_nested_as_deep_as_every_use_of_it_allows() -> None:
    frozen = freeze(nested(MAX_NESTING))

    assert frozen == copy.deepcopy(frozen)
    assert pickle.loads(pickle.dumps(frozen)) == frozen
    with pytest.raises(NotExpressible):
        freeze(nested(MAX_NESTING + 1))
    assert freeze({"a": {"b": {}}}, levels=3) == {"a": {"b": {}}}
    with pytest.raises(NotExpressible):
        freeze({"a": {"b": {}}}, levels=2)
    for wrong in ([frozen], {"a": [frozen]}, freeze([frozen[0]])):
        assert freeze(frozen[0]) is frozen[0]
        with pytest.raises(NotExpressible, match="nested too deep"):
            freeze({"a": wrong})


def test_a_deep_stack_of_the_caller_is_no_recursion_error() -> None:
    def below(frames: int) -> Any:
        return below(frames - 1) if frames else freeze(nested(MAX_NESTING))

    room = sys.getrecursionlimit() - len(inspect.stack(0))
    assert below(room - 3 * MAX_NESTING) == nested(MAX_NESTING)
    with pytest.raises(NotExpressible, match="nested too deep"):
        below(room - MAX_NESTING)
