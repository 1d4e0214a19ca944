"""The hash, of a document and of one that changes."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.feedme import digest, text
from rcex_ws.feedme.canonical import canonical
from rcex_ws.feedme.deltas import Delta, DeltaError, Editor, apply_deltas
from rcex_ws.feedme.digest import FeedDigest, feed_md5
from rcex_ws.feedme.values import NotExpressible, freeze
from tests.feedme.documents import changes, documents

#: Made with the published packages: JSON, canonical text, hash.
VECTORS = [
    ("{}", "{}", "mZFLkyvTelC5g8XnyQrpOw=="),
    (
        '{ "b" : [ 1, 2.50, { "z": null, "a": true } ], "a": { }, "B": "x" }',
        '{"B":"x","a":{},"b":[1,2.5,{"a":true,"z":null}]}',
        "LPuGyfDXMoc+TmY0cvlBMw==",
    ),
    (
        '{"n":[0,-0,1.0,1e2,1e21,123456789012345680000,1e-6,1e-7,0.1,100000000000000000000,9007199254740993,-1.5e-10,'
        "5e-324,1.7976931348623157e308,1E400]}",
        '{"n":[0,0,1,100,1e+21,123456789012345680000,0.000001,1e-7,0.1,100000000000000000000,9007199254740992,'
        "-1.5e-10,5e-324,1.7976931348623157e+308,null]}",
        "VmVNU6qXjq6ykBte40aRng==",
    ),
    (
        r'{"s":"caf\u00e9 \u2603 \ud83d\ude00 \u2028 \u007f / \" \\ \b\f\n\r\t\u0000\u001f \ud800 end"}',
        '{"s":"caf\xe9 \u2603 \U0001f600 \u2028 \x7f / \\" \\\\ \\b\\f\\n\\r\\t\\u0000\\u001f \\ud800 end"}',
        "p6CKAqfAtJlx1LK1vkmUDw==",
    ),
    (
        r'{"\ud83d\ude00":1,"\uffee":2,"\u00e9":3,"e":4,"10":5,"9":6,"":7,"a\nb":8}',
        '{"":7,"10":5,"9":6,"a\\nb":8,"e":4,"\xe9":3,"\U0001f600":1,"\uffee":2}',
        "1KqkXqRS8sEb4bRHEfScjQ==",
    ),
    (
        '{"users":{"ann":"in"},"n":2.5,"label":"room 1!","open":true,'
        r'"items":[{"text":"caf\u00e9 \u2603 \ud83d\ude00","id":2.5}]}',
        '{"items":[{"id":2.5,"text":"caf\xe9 \u2603 \U0001f600"}],"label":"room 1!","n":2.5,"open":true,'
        '"users":{"ann":"in"}}',
        "hxytE41qccmkNKzqw8+Arw==",
    ),
]


REAL_MD5 = hashlib.md5


class CountingMD5:
    """MD5 that counts the bytes it reads."""

    read = 0

    def __init__(self, data: bytes = b"", *, usedforsecurity: bool) -> None:
        assert not usedforsecurity  # some builds of Python have no MD5 for security
        self._state = REAL_MD5(usedforsecurity=False)
        self.update(data)

    def update(self, data: bytes) -> None:
        CountingMD5.read += len(data)
        self._state.update(data)

    def copy(self) -> Self:
        copy = type(self)(usedforsecurity=False)
        copy._state = self._state.copy()
        return copy

    def digest(self) -> bytes:
        return self._state.digest()


@pytest.mark.parametrize(("document", "canonical_text", "md5"), VECTORS)
def test_the_vectors_of_the_published_packages(document: str, canonical_text: str, md5: str) -> None:
    data = freeze(json.loads(document), infinite=True)

    assert canonical(data).decode() == canonical_text
    assert feed_md5(data) == FeedDigest().md5(data) == md5


def test_the_hash_of_plain_dicts_and_lists_is_that_of_the_feed_data_they_become() -> None:
    for plain in ({"a": 1.0}, {"a": [1e21, 1e-7, (2.0,)]}, {"\ud800": "\ud83d\ude00"}):
        assert feed_md5(plain) == feed_md5(freeze(plain))
    for wrong in ({"a": float("nan")}, {"a": {1}}, {1: 2}):
        with pytest.raises(NotExpressible):
            feed_md5(wrong)  # type: ignore[arg-type]


@given(st.data(), documents)
def test_after_any_changes_the_hash_is_that_of_the_whole_document(
    data: st.DataObject, document: dict[str, Any]
) -> None:
    editor, kept = Editor(freeze(document)), FeedDigest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digest, "_SMALL", data.draw(st.sampled_from([0, 40])))
        patch.setattr(digest, "_GROUP", data.draw(st.integers(1, 3)))
        patch.setattr(text, "_LENGTH", 8)
        for _ in range(data.draw(st.integers(1, 10))):
            assert kept.md5(editor.data) == feed_md5(editor.data)
            for _ in range(data.draw(st.integers(0, 3))):
                try:
                    editor.apply(data.draw(changes(editor.data)))
                except DeltaError:
                    continue


def test_what_stands_before_the_first_change_is_not_hashed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest.hashlib, "md5", CountingMD5)
    rows = 5000
    data = freeze({"rows": [{"id": number, "name": "player", "score": 0} for number in range(rows)], "version": 1})
    kept = FeedDigest()
    kept.md5(data)
    size, group = len(canonical(data)), digest._GROUP * 2 * text._LENGTH

    for delta, share in (
        (Delta("Increment", ("version",), 1), 0.0),
        (Delta("Increment", ("rows", rows - 1, "score"), 1), 0.0),
        (Delta("Increment", ("rows", rows // 2, "score"), 1), 0.5),
        (Delta("Increment", ("rows", 0, "score"), 1), 1.0),
    ):
        data = apply_deltas(data, [delta])
        CountingMD5.read = 0
        md5 = kept.md5(data)
        assert share * size - group <= CountingMD5.read <= share * size + group < 2 * size
        assert md5 == feed_md5(data)


def test_the_same_document_is_not_hashed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest.hashlib, "md5", CountingMD5)
    data, kept = freeze({f"name {number}": "x" * 100 for number in range(1000)}), FeedDigest()
    md5 = kept.md5(data)
    CountingMD5.read = 0

    assert kept.md5(data) == md5
    assert CountingMD5.read <= digest._GROUP * 2 * text._LENGTH
