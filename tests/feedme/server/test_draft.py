"""A draft behaves like plain dicts and lists, and the deltas it records lead to the same data."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.feedme.deltas import apply_deltas
from rcex_ws.feedme.errors import InvalidArgument, InvalidState
from rcex_ws.feedme.server.draft import Draft, DraftList
from rcex_ws.feedme.server.recorder import Recorder
from rcex_ws.feedme.values import FrozenDict, freeze

NAMES = st.sampled_from(["a", "b", "c", "length", "__proto__", "", "\ud800"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "xy", "\u2603", "\ud800", "\udc00"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
ROWS = st.lists(st.lists(SCALARS, max_size=2) | st.fixed_dictionaries({"a": SCALARS, "b": VALUES}), max_size=5)
DOCUMENTS = st.fixed_dictionaries({"rows": ROWS, "a": VALUES, "o": st.fixed_dictionaries({"rows": ROWS})})


def drafted(data: Any) -> tuple[Draft, Recorder]:
    recorder = Recorder(freeze(data))
    return Draft(recorder), recorder


def recorded(data: Any, edit: str) -> list[str]:
    """Run an edit on a draft `d` and on a plain copy of it; return the operations and paths that were recorded."""
    draft, recorder = drafted(data)
    plain = copy.deepcopy(data)
    exec(edit, {"d": draft})
    exec(edit, {"d": plain})
    assert recorder.data == plain
    assert apply_deltas(freeze(data), recorder.deltas) == plain
    return [" ".join(map(str, (one.operation, *one.path))) for one in recorder.deltas]


@pytest.mark.parametrize(
    ("edit", "deltas"),
    [
        ("d['n'] += 1", ["Set n"]),
        ("d['new'] = {'x': [1]}", ["Set new"]),
        ("d['new'] = None", ["Set new"]),
        ("d['o']; d['n'] = None", ["Set n"]),
        ("del d['n']", ["Delete n"]),
        ("assert d.pop('n') == 1", ["Delete n"]),
        ("assert d.pop('none', 5) == 5", []),
        ("assert d.popitem() == ('text', 'abc')", ["Delete text"]),
        ("d.update(n=2, m=3)", ["Set n", "Set m"]),
        ("d |= {'n': 2}", ["Set n"]),
        ("d['o'] |= {'p': 2}", ["Set o p"]),
        ("d.setdefault('log', []).append(1)", ["Set log", "InsertLast log"]),
        ("d.setdefault('l', []).append(1)", ["InsertLast l"]),
        ("d.clear()", ["Set"]),
        ("d['o'].clear()", ["Set o"]),
        ("d['text'] += 'd'", ["Append text"]),
        ("d['text'] = 'x' + d['text']", ["Set text"]),
        ("d['text'] = 'abc'", ["Set text"]),
        ("d['o']['q']['r'] = 1", ["Set o q r"]),
        ("d['l'].append(4)", ["InsertLast l"]),
        ("d['l'].insert(0, 4)", ["InsertFirst l"]),
        ("d['l'].insert(1, 4)", ["InsertBefore l 1"]),
        ("d['l'].insert(-1, 4)", ["InsertBefore l 2"]),
        ("d['l'].insert(99, 4)", ["InsertLast l"]),
        ("d['l'].insert(-99, 4)", ["InsertFirst l"]),
        ("d['l'] += [4, 5]", ["InsertLast l", "InsertLast l"]),
        ("d['l'].extend(d['l'])", ["InsertLast l"] * 3),
        ("assert d['l'].pop() == 3", ["DeleteLast l"]),
        ("assert d['l'].pop(0) == 1", ["DeleteFirst l"]),
        ("assert d['l'].pop(1) == {'x': 2}", ["Delete l 1"]),
        ("del d['l'][1]", ["Delete l 1"]),
        ("del d['l'][-1]", ["DeleteLast l"]),
        ("del d['l'][::2]", ["DeleteLast l", "DeleteFirst l"]),
        ("d['l'][0] = 9", ["Set l 0"]),
        ("d['l'][-1] = 9", ["Set l 2"]),
        ("d['l'][1]['x'] += 1", ["Set l 1 x"]),
        ("d['l'][1:] = [7, 8, 9]", ["Set l"]),
        ("d['l'][:] = []", ["Set l"]),
        ("d['l'].clear()", ["Set l"]),
        ("d['l'].reverse()", ["Set l"]),
        ("d['m'].sort(reverse=True)", ["Set m"]),
        ("d['l'].remove({'x': 2})", ["Delete l 1"]),
        ("d['l'][0], d['l'][1] = d['l'][1], d['l'][0]", ["Set l 0", "Set l 1"]),
        ("d['o'], d['l'] = d['l'], d['o']", ["Set o", "Set l"]),
        ("x = d['l'][1]; d['l'].insert(0, 0); x['x'] = 5", ["InsertFirst l", "Set l 2 x"]),
        ("x = d['l'][1]; del d['l'][0]; x['x'] = 5", ["DeleteFirst l", "Set l 0 x"]),
        ("x = d['o']; d['o'] = x; x['p'] = 5", ["Set o p"]),
    ],
)
def test_edits_and_the_deltas_that_they_record(edit: str, deltas: list[str]) -> None:
    data = {"n": 1, "l": [1, {"x": 2}, 3], "o": {"p": 1, "q": {}}, "m": [2, 3, 1], "text": "abc"}
    assert recorded(data, edit) == deltas


def test_a_draft_reads_like_dicts_and_lists() -> None:
    draft, recorder = drafted({"l": [1, [2], {"x": None}], "o": {}})
    array = draft["l"]
    assert (type(array), type(array[1]), type(draft["o"])) == (DraftList, DraftList, Draft)
    assert draft["l"] is array
    assert (len(draft), len(array), list(draft), "o" in draft, "p" in draft) == (2, 3, ["l", "o"], True, False)
    assert array == [1, [2], {"x": None}]
    assert draft == {"l": array, "o": {}}
    assert draft != {}
    assert array == draft["l"]
    assert array[1:] == [[2], {"x": None}]
    assert (array.index([2]), array.count(1), [2] in array, 5 in array) == (1, 1, True, False)
    assert repr(array) == "<draft [1, [2], {'x': None}]>"
    assert next(reversed(array)) == {"x": None}
    assert recorder.deltas == []


def test_searching_an_array_makes_no_drafts_of_its_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would cost more than comparing the whole element."""
    draft, recorder = drafted({"rows": [{"id": number} for number in range(100)], "held": {"id": 98}})
    rows, held = draft["rows"], draft["held"]
    monkeypatch.setattr(DraftList, "_get", None)
    rows.remove({"id": 99})
    rows.remove(held)
    assert (rows.index({"id": 5}), rows.index({"id": 5}, 2, 9), rows.count({"id": 5})) == (5, 5, 1)
    assert ({"id": 7} in rows, {"id": 99} in rows, held in rows) == (True, False, False)
    with pytest.raises(ValueError, match="not in list"):
        rows.index({"id": 5}, 6)
    assert len(recorder.data["rows"]) == 98


def test_a_loop_over_an_array_leaves_no_drafts_behind() -> None:
    """Each deletion would have to move them."""
    draft, recorder = drafted({"rows": [{"id": number} for number in range(100)]})
    rows = draft["rows"]
    first = rows[50]
    for row in rows:
        row["seen"] = True
    del row
    assert len(rows._children) == 1
    while rows[0] != first:
        del rows[0]
    first["id"] = "first"
    assert recorder.data["rows"][0] == {"id": "first", "seen": True}


def test_values_names_and_indexes_that_a_draft_refuses() -> None:
    draft, recorder = drafted({"l": [1]})
    with pytest.raises(InvalidArgument, match="the name of a member is a text, not an object of the type int"):
        draft[1] = 2  # type: ignore[index]
    with pytest.raises(InvalidArgument, match=r"draft\['\w+'\]: a value of type set cannot be expressed in JSON"):
        draft["x"] = {1}
    with pytest.raises(InvalidArgument):
        draft["l"].append(float("nan"))
    for wrong in (
        lambda: draft["none"],
        lambda: draft.pop("none"),
        lambda: draft.__delitem__("none"),
        Draft(Recorder(freeze({}))).popitem,
    ):
        with pytest.raises(KeyError, match=r"none|empty"):
            wrong()
    for place in (1, -2):
        with pytest.raises(IndexError):
            draft["l"][place]
        with pytest.raises(IndexError):
            draft["l"][place] = 1
        with pytest.raises(IndexError):
            draft["l"].pop(place)
    with pytest.raises(TypeError):
        draft["l"]["0"]
    with pytest.raises(TypeError):
        hash(draft)
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(InvalidArgument):
        draft["x"] = cycle
    assert recorder.deltas == []
    assert recorder.data == {"l": [1]}


def test_a_draft_within_a_value_is_copied() -> None:
    draft, recorder = drafted({"a": {"n": [1]}})
    draft["b"] = draft["a"]
    draft["c"] = [{"d": draft["a"]["n"]}, draft["a"]]
    draft["a"]["n"].append(2)
    draft["b"]["n"].append(3)
    data = {"a": {"n": [1, 2]}, "b": {"n": [1, 3]}, "c": [{"d": [1]}, {"n": [1]}]}
    assert recorder.data == data
    assert apply_deltas(freeze({"a": {"n": [1]}}), recorder.deltas) == data


def test_a_removed_part_can_be_read_but_not_changed() -> None:
    draft, recorder = drafted({"a": {"n": [1]}, "l": [[1], [2]]})
    part, inner, first = draft["a"], draft["a"]["n"], draft["l"][0]
    draft["a"] = 1
    draft["l"].pop(0)
    assert (part, inner, first) == ({"n": [1]}, [1], [1])
    count = len(recorder.deltas)
    for change in (lambda: part.update(m=1), lambda: inner.append(1), lambda: first.clear(), lambda: part.pop("n")):
        with pytest.raises(InvalidState, match="this part of the draft was deleted or replaced"):
            change()
    assert len(recorder.deltas) == count


def test_a_draft_is_of_no_use_after_its_block() -> None:
    draft, recorder = drafted({"l": []})
    array = draft["l"]
    recorder.end()
    for use in (lambda: draft["l"], lambda: len(draft), lambda: array.append(1), lambda: draft.clear()):
        with pytest.raises(InvalidState, match="this change is over"):
            use()


def containers(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all objects and arrays."""
    if isinstance(value, dict | list):
        yield path
        for step, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from containers(child, (*path, step))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def edit_both(choose: st.DataObject, target: Any, draft: Any, value: Any, mine: Any) -> None:
    """Make the same change to a plain container and to its draft."""
    i = choose.draw(st.integers(-4, 4))
    name = choose.draw(NAMES)
    acts: dict[str, Any]
    if isinstance(target, dict):
        acts = {
            "set": lambda one, new: one.__setitem__(name, new),
            "delete": lambda one, _: one.__delitem__(name),
            "pop": lambda one, _: one.pop(name, None),
            "update": lambda one, new: one.update({name: new, "z": 1}),
            "default": lambda one, new: one.setdefault(name, new),
            "append": lambda one, _: one.__setitem__(name, one[name] + "x"),
        }
    else:
        acts = {
            "set": lambda one, new: one.__setitem__(i, new),
            "append": lambda one, new: one.append(new),
            "insert": lambda one, new: one.insert(i, new),
            "delete": lambda one, _: one.__delitem__(i),
            "pop": lambda one, _: one.pop(i),
            "cut": lambda one, _: one.__delitem__(slice(i, None, 2)),
            "more": lambda one, new: one.extend([new, None]),
            "slice": lambda one, new: replace_all(one, lambda: one.__setitem__(slice(i, i + 2), [new, 1])),
            "reverse": lambda one, _: replace_all(one, one.reverse),
        }
    act = acts[choose.draw(st.sampled_from(sorted(acts)))]
    try:
        act(target, value)
    except (KeyError, IndexError, TypeError) as exc:
        with pytest.raises(type(exc)):
            act(draft, mine)
    else:
        act(draft, mine)


def replace_all(array: Any, act: Callable[[], None]) -> None:
    """Do what replaces all elements of a draft; the elements of a plain list stay the same objects, so copy them."""
    act()
    if isinstance(array, list):
        array[:] = copy.deepcopy(array)


@given(DOCUMENTS, st.data())
def test_random_edits(document: dict[str, Any], choose: st.DataObject) -> None:
    """Also through drafts that were taken some edits ago, whose place may have changed since."""
    old = freeze(document)
    recorder = Recorder(old)
    draft, plain = Draft(recorder), copy.deepcopy(old)
    held = [(at(plain, path), at(draft, path)) for path in containers(plain)]
    for _ in range(choose.draw(st.integers(1, 10))):
        target, part = choose.draw(st.sampled_from(held))
        if choose.draw(st.booleans()):
            value = choose.draw(VALUES)
            mine = copy.deepcopy(value)
        else:
            value, mine = choose.draw(st.sampled_from(held))
            value = copy.deepcopy(value)
            if mine._parent is part:  # to put it where it is changes nothing, unlike to put a copy there
                mine = copy.deepcopy(value)
        if id(target) in {id(at(plain, path)) for path in containers(plain)}:
            edit_both(choose, target, part, value, mine)
        else:
            with pytest.raises(InvalidState):
                part.clear()
        assert recorder.data == plain
        assert draft == plain
        held += [(at(plain, path), at(draft, path)) for path in containers(plain)]
    assert apply_deltas(old, recorder.deltas) == plain
    assert old == document
    assert type(recorder.data) is FrozenDict


def test_a_draft_takes_no_infinite_number_though_one_can_arrive() -> None:
    """The hash and the text of it are those of null, so that clients would have other data than the server."""
    arrived = freeze({"n": math.inf, "deep": [math.inf]}, infinite=True)
    draft, recorder = drafted({"l": []})
    for value in (arrived, arrived["n"], arrived["deep"], [arrived["deep"]]):
        with pytest.raises(InvalidArgument, match="the number inf cannot be expressed in JSON"):
            draft["l"].append(value)
    assert recorder.deltas == []
