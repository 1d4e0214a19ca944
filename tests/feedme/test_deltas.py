"""Deltas: what is one, and what applying them leaves as it was."""

from __future__ import annotations

import json
import math
import pickle
import re
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from rcex_ws.feedme.canonical import canonical
from rcex_ws.feedme.deltas import Delta, DeltaError, Editor, MalformedDelta, Operation, apply_deltas, delta_from_json
from rcex_ws.feedme.values import MAX_NESTING, FrozenDict, FrozenList, JSNumber, freeze
from tests.feedme.documents import changes, documents

decode = msgspec.json.Decoder(list[Delta]).decode

#: What is no delta, as JSON, and why.
MALFORMED = [
    ("[]", "a delta is not an object"),
    ("null", "a delta is not an object"),
    ("{}", "a delta has no Operation"),
    ('{"Operation":"Toggle"}', "a delta has no Path"),
    ('{"Operation":"Toggle","Path":[],"value":1}', "a delta has an unknown member 'value'"),
    ('{"Operation":"toggle","Path":[]}', "there is no operation 'toggle'"),
    ('{"Operation":"hasOwnProperty","Path":[]}', "there is no operation 'hasOwnProperty'"),
    ('{"Operation":["Set"],"Path":[],"Value":{}}', "there is no operation ['Set']"),
    ('{"Operation":null,"Path":[]}', "there is no operation None"),
    ('{"Operation":"Toggle","Path":"a"}', "a path is not an array"),
    ('{"Operation":"Toggle","Path":{}}', "a path is not an array"),
    ('{"Operation":"Toggle","Path":[-1]}', "neither a string nor a non-negative integer: -1"),
    ('{"Operation":"Toggle","Path":[1.5]}', "neither a string nor a non-negative integer: 1.5"),
    ('{"Operation":"Toggle","Path":[1e400]}', "neither a string nor a non-negative integer: inf"),
    ('{"Operation":"Toggle","Path":[true]}', "neither a string nor a non-negative integer: True"),
    ('{"Operation":"Toggle","Path":["a",null]}', "neither a string nor a non-negative integer: None"),
    ('{"Operation":"Toggle","Path":["a",[]]}', "neither a string nor a non-negative integer: []"),
    ('{"Operation":"Toggle","Path":["a"],"Value":true}', "Toggle takes no value"),
    ('{"Operation":"Delete","Path":["a"],"Value":null}', "Delete takes no value"),
    ('{"Operation":"DeleteFirst","Path":["a"],"Value":1}', "DeleteFirst takes no value"),
    ('{"Operation":"DeleteLast","Path":["a"],"Value":1}', "DeleteLast takes no value"),
    *(
        (f'{{"Operation":"{operation}","Path":["a"]}}', f"{operation} needs a value")
        for operation in sorted({*get_args(Operation)} - {"Delete", "Toggle", "DeleteFirst", "DeleteLast"})
    ),
    ('{"Operation":"Append","Path":["a"],"Value":1}', "the value of Append is not a string"),
    ('{"Operation":"Prepend","Path":["a"],"Value":null}', "the value of Prepend is not a string"),
    ('{"Operation":"Increment","Path":["a"],"Value":"1"}', "the value of Increment is not a finite number"),
    ('{"Operation":"Increment","Path":["a"],"Value":1e400}', "the value of Increment is not a finite number"),
    ('{"Operation":"Decrement","Path":["a"],"Value":true}', "the value of Decrement is not a finite number"),
    ('{"Operation":"Set","Path":["a"],"Value":' + "[" * 300 + "]" * 300 + "}", "nested too deep"),
]

#: Deltas as JSON that means the same in another form.
FORMS = [
    ('{"Operation":"Toggle","Path":[]}', Delta("Toggle", ())),
    ('{"Path":["a",0,""],"Operation":"Delete"}', Delta("Delete", ("a", 0, ""))),
    ('{"Operation":"Delete","Path":["a",1.0,1e0]}', Delta("Delete", ("a", 1, 1))),
    (r'{"Operation":"Delete","Path":["\ud83d\ude00","\ud83d"]}', Delta("Delete", ("\U0001f600", "\ud83d"))),
    ('{"Operation":"Set","Path":["a"],"Value":null}', Delta("Set", ("a",), None)),
    ('{"Operation":"Set","Path":["a"],"Value":[1.0,{"b":-0}]}', Delta("Set", ("a",), [1, {"b": 0}])),
    ('{"Operation":"Set","Path":["a"],"Value":1e400}', Delta("Set", ("a",), math.inf)),
    ('{"Operation":"Increment","Path":["a"],"Value":1e21}', Delta("Increment", ("a",), JSNumber(1e21))),
]


@pytest.mark.parametrize(("text", "why"), MALFORMED)
def test_what_is_no_delta_is_refused_by_both_ways_to_read_one(text: str, why: str) -> None:
    with pytest.raises(MalformedDelta, match=re.escape(why)):
        delta_from_json(json.loads(text))
    with pytest.raises(msgspec.DecodeError):
        decode(f"[{text}]".encode())


@pytest.mark.parametrize(("text", "delta"), FORMS)
def test_the_same_delta_in_several_forms(text: str, delta: Delta) -> None:
    read = delta_from_json(json.loads(text))
    assert read == delta
    try:
        (decoded,) = decode(f"[{text}]".encode())
    except msgspec.DecodeError:
        assert "e0" in text or "1e400" in text or "\\ud83d" in text  # where msgspec is stricter than JavaScript
    else:
        assert decoded == delta


def test_an_application_cannot_construct_a_wrong_one() -> None:
    for arguments, why in (
        (("Sort", ("a",)), "there is no operation 'Sort'"),
        (("Toggle", "a"), "a path is not an array"),
        (("Toggle", {"a"}), "a path is not an array"),
        (("Toggle", ("a", -1)), "non-negative integer: -1"),
        (("Toggle", ("a",), None), "Toggle takes no value"),
        (("Set", ("a",)), "Set needs a value"),
        (("Set", ("a",), [1, {2}]), "the value of Set: [1]: a value of type set cannot be expressed in JSON"),
        (("Set", ("a",), math.nan), "the value of Set: the number nan cannot be expressed in JSON"),
        (("Append", ("a",), b"b"), "the value of Append: a value of type bytes cannot be expressed in JSON"),
    ):
        with pytest.raises(MalformedDelta, match=re.escape(why)):
            Delta(*arguments)  # type: ignore[arg-type]


def test_it_is_frozen_from_the_start() -> None:
    items = [{"a": 1.0}]
    delta = Delta("Set", ["a", 1.0], items)  # type: ignore[arg-type]
    items.append({})

    assert (delta.path, delta.value) == (("a", 1), [{"a": 1}])
    assert (type(delta.value), type(delta.value[0])) == (FrozenList, FrozenDict)
    with pytest.raises(AttributeError):
        delta.value = []  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(delta)) == delta


@given(st.data(), documents)
def test_it_goes_over_the_wire_and_back(data: st.DataObject, document: dict[str, Any]) -> None:
    delta = data.draw(changes(document))
    members = {"Operation": delta.operation, "Path": list(delta.path)}
    if delta.value is not UNSET:
        members["Value"] = json.loads(json.dumps(delta.value))

    assert delta_from_json(json.loads(json.dumps(members))) == delta
    ascii_only = json.dumps(members).isascii() and "\\ud" not in json.dumps(members)
    if ascii_only:
        assert decode(json.dumps([members]).encode()) == [delta]


@given(st.data(), documents)
def test_the_old_data_stays_what_it_was_and_shares_what_did_not_change(
    data: st.DataObject, document: dict[str, Any]
) -> None:
    old = freeze(document)
    before = canonical(old)
    delta = data.draw(changes(old))

    try:
        new = apply_deltas(old, [delta])
    except DeltaError:
        pass
    else:
        touched = delta.path[0] if delta.path else None
        if touched is not None:
            for name in old.keys() - {touched}:
                assert new[name] is old[name]
        assert type(new) is FrozenDict
        assert freeze(json.loads(json.dumps(new)), infinite=True) == new  # in the form that equal data has
    assert canonical(old) == before


@given(st.data(), documents)
def test_many_deltas_are_applied_as_if_one_after_another_and_never_reach_data_given_out(
    data: st.DataObject, document: dict[str, Any]
) -> None:
    editor, one_by_one = Editor(freeze(document)), freeze(document)
    given_out: list[tuple[FrozenDict, bytes]] = []
    for _ in range(data.draw(st.integers(1, 8))):
        delta = data.draw(changes(one_by_one))
        try:
            one_by_one = apply_deltas(one_by_one, [delta])
        except DeltaError as exc:
            with pytest.raises(DeltaError, match=re.escape(str(exc))):
                editor.apply(delta)
        else:
            editor.apply(delta)
        if data.draw(st.booleans()):
            given_out.append((editor.data, canonical(editor.data)))

    assert canonical(editor.data) == canonical(one_by_one)
    assert [canonical(seen) for seen, _ in given_out] == [text for _, text in given_out]


def test_each_container_is_copied_once() -> None:
    rows = [{"n": 0} for _ in range(3)]
    old = freeze({"rows": rows, "other": {}})
    editor = Editor(old)
    editor.apply(Delta("Increment", ("rows", 1, "n"), 1))
    first = editor._root
    for _ in range(5):
        editor.apply(Delta("Increment", ("rows", 1, "n"), 1))
        editor.apply(Delta("InsertLast", ("rows",), {"n": 9}))

    assert editor.data is first
    assert editor.data["rows"][0] is old["rows"][0]
    assert editor.data["rows"][1] == {"n": 6}
    given_out = editor.data
    editor.apply(Delta("Delete", ("other",)))
    assert editor.data is not given_out
    assert editor.data["rows"] is given_out["rows"]


def test_what_one_delta_inserts_twice_is_not_changed_in_both_places() -> None:
    value = freeze({"n": 0, "inner": [0]})
    data = apply_deltas(
        freeze({}),
        [
            Delta("Set", ("a",), value),
            Delta("Set", ("b",), value),
            Delta("Increment", ("a", "n"), 1),
            Delta("InsertLast", ("a", "inner"), 1),
        ],
    )

    assert data == {"a": {"n": 1, "inner": [0, 1]}, "b": {"n": 0, "inner": [0]}}
    assert value == {"n": 0, "inner": [0]}


def test_a_list_of_deltas_of_which_one_fails_leaves_nothing_behind() -> None:
    data = freeze({"a": {"n": 1}, "list": [1]})

    with pytest.raises(DeltaError, match=re.escape("Toggle at ['a', 'n']: the target is not a boolean")):
        apply_deltas(data, [Delta("Increment", ("a", "n"), 1), Delta("Toggle", ("a", "n"))])
    assert data == {"a": {"n": 1}, "list": [1]}


def test_deltas_cannot_nest_data_deeper_than_it_may_be() -> None:
    data = freeze({"a": []})
    deltas = [Delta("InsertFirst", ("a", *[0] * level), []) for level in range(MAX_NESTING - 2)]

    deepest = apply_deltas(data, deltas)
    assert freeze(json.loads(canonical(deepest))) == deepest
    assert canonical(deepest).count(b"[") == MAX_NESTING - 1  # and the root
    with pytest.raises(MalformedDelta, match="nested too deep"):
        Delta("InsertFirst", ("a", *[0] * (MAX_NESTING - 2)), [])
    with pytest.raises(MalformedDelta, match="nested too deep"):
        Delta("Set", ("a",), deepest)
    with pytest.raises(MalformedDelta, match="nested too deep"):
        Delta("Set", ("a",) * 10, json.loads("[" * MAX_NESTING + "]" * MAX_NESTING))
    assert Delta("Set", ("a",) * 2 * MAX_NESTING, 1).value == 1


def test_a_path_may_be_longer_than_any_data_is_deep() -> None:
    with pytest.raises(DeltaError, match="there is no member 'a'"):
        apply_deltas(freeze({}), [Delta("Toggle", ("a",) * 10_000)])
