"""The text of a document that changes, in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.feedme import text
from rcex_ws.feedme.canonical import canonical
from rcex_ws.feedme.deltas import Delta, DeltaError, Editor, apply_deltas
from rcex_ws.feedme.text import CanonicalText
from rcex_ws.feedme.values import FrozenDict, FrozenList, NotExpressible, freeze
from tests.feedme.documents import changes, documents, texts, values

ROWS = {"rows": [{"id": number, "name": f"player {number}", "score": 0} for number in range(5000)], "version": 1}


@contextmanager
def short_runs() -> Iterator[None]:
    """Make runs so short that small documents have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_LENGTH", 8)
        patch.setattr(text, "_MOST_VALUES", 4)
        yield


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Everything that is written from now on."""
    texts: list[bytes] = []

    def recorded(value: Any) -> bytes:
        texts.append(canonical(value))
        return texts[-1]

    monkeypatch.setattr(text, "canonical", recorded)
    return texts


@given(st.data(), documents)
def test_after_any_changes_it_is_what_would_be_written_anew(data: st.DataObject, document: dict[str, Any]) -> None:
    editor, kept = Editor(freeze(document)), CanonicalText(data.draw(st.integers(0, 2)))
    with short_runs():
        for _ in range(data.draw(st.integers(1, 10))):
            assert b"".join(kept.update(editor.data)) == canonical(editor.data)
            for _ in range(data.draw(st.integers(0, 3))):
                try:
                    editor.apply(data.draw(changes(editor.data)))
                except DeltaError:
                    continue


@given(st.lists(st.one_of(st.lists(values), st.dictionaries(texts, values)), min_size=2))
def test_objects_and_arrays_may_follow_each_other(some: list[Any]) -> None:
    kept = CanonicalText()
    with short_runs():
        for value in map(freeze, some):
            assert b"".join(kept.update(value)) == canonical(value)


def test_true_is_not_1_although_python_says_so() -> None:
    kept = CanonicalText()
    for value in ([1, 0], [True, False], [1, False]):
        frozen = freeze({"list": value})
        assert b"".join(kept.update(frozen)) == canonical(frozen)


@pytest.mark.parametrize(
    "delta",
    [
        Delta("Increment", ("rows", 2500, "score"), 1),
        Delta("Set", ("rows", 0), {}),
        Delta("InsertLast", ("rows",), {"id": 5000}),
        Delta("InsertFirst", ("rows",), {"id": -1}),
        Delta("InsertBefore", ("rows", 2500), {"id": -1}),
        Delta("Delete", ("rows", 2500)),
        Delta("DeleteFirst", ("rows",)),
        Delta("DeleteLast", ("rows",)),
        Delta("Set", ("version",), 2),
        Delta("Set", ("new",), 2),
        Delta("Delete", ("version",)),
    ],
    ids=lambda delta: f"{delta.operation} at {delta.path}",
)
def test_only_what_is_near_a_change_is_written_again(delta: Delta, written: list[bytes]) -> None:
    kept, data = CanonicalText(), freeze(ROWS)
    before = kept.update(data)
    written.clear()

    data = apply_deltas(data, [delta])
    after = kept.update(data)
    assert b"".join(after) == canonical(data)
    assert sum(map(len, written)) < 2 * text._LENGTH < len(canonical(data)) / 10
    again = {id(piece) for piece in before}
    assert sum(len(piece) for piece in after if id(piece) not in again) < 2 * text._LENGTH


def test_a_change_deep_inside_is_as_cheap(written: list[bytes]) -> None:
    data = freeze({"app": {"board": {"list": ROWS, "a": 1}, "z": 1}, "z": 1})
    kept = CanonicalText()
    kept.update(data)
    written.clear()

    data = apply_deltas(data, [Delta("Increment", ("app", "board", "list", "rows", 9, "score"), 1)])
    assert b"".join(kept.update(data)) == canonical(data)
    assert sum(map(len, written)) < 2 * text._LENGTH


def test_many_insertions_do_not_leave_ever_more_runs(written: list[bytes]) -> None:
    kept, data = CanonicalText(), freeze({"log": [{"text": "x" * 80}] * 1000})
    most = 0
    for _ in range(1000):
        data = apply_deltas(data, [Delta("InsertFirst", ("log",), {"text": "x" * 80}), Delta("DeleteLast", ("log",))])
        pieces = kept.update(data)
        most = max(most, len(pieces))

    assert b"".join(pieces) == canonical(data)
    assert most < 400
    assert sum(map(len, written)) < 1000 * len(canonical(data)) / 10


def test_equal_scalars_are_in_runs_as_well(written: list[bytes]) -> None:
    kept, data = CanonicalText(), freeze({"bits": [True, False, 0] * 10_000})
    kept.update(data)
    written.clear()

    for delta in (Delta("Toggle", ("bits", 15_000)), Delta("InsertLast", ("bits",), 1), Delta("DeleteLast", ("bits",))):
        data = apply_deltas(data, [delta])
        pieces = kept.update(data)
        assert b"".join(pieces) == canonical(data)
        assert len(pieces) < 400
    assert sum(map(len, written)) < 6 * text._LENGTH


def test_data_that_cannot_be_written_changes_nothing() -> None:
    too_deep: Any = 0
    for _ in range(100_000):
        too_deep = FrozenList([too_deep])
    first, second = freeze({"a": 1, "b": 2}), freeze({"a": 1, "b": 3})
    kept = CanonicalText()
    kept.update(first)

    with pytest.raises(NotExpressible):
        kept.update(FrozenDict({"a": 1, "c": too_deep}))
    assert b"".join(kept.update(second)) == b'{"a":1,"b":3}'
    assert b"".join(kept.update(first)) == b'{"a":1,"b":2}'


def test_a_document_that_becomes_empty() -> None:
    text = CanonicalText()
    document = freeze(ROWS)
    assert b"".join(text.update(document)) == canonical(document)
    for emptied in (apply_deltas(document, [Delta("Set", ("rows",), [])]), freeze({}), document):
        assert b"".join(text.update(emptied)) == canonical(emptied)
