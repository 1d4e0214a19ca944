"""The two doors: untrusted input is read in few modules, within the bounds of one table."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rcex_ws
from rcex_ws import ConfigurationError, NotJSON, bounds
from rcex_ws.bounds import Bound
from rcex_ws.headers import check_headers
from rcex_ws.readers import (
    encodable,
    is_id,
    is_text,
    printable,
    read_date,
    read_digits,
    read_json,
    read_number,
    read_retry_after,
    read_struct,
)
from rcex_ws.rest import Request

PACKAGE = Path(rcex_ws.__path__[0])

#: The modules that decode or convert untrusted input; all others call these.
DOORS = {
    "address.py": "addresses",
    "readers.py": "JSON, numbers, waits",
    "wsg/frames.py": "frames of the gateway",
    "slack/frames.py": "frames of Slack",
    "feedme/codec.py": "messages of Feedme",
    "rtm/resumption.py": "the header of RTM's sessions",
    "rest/message.py": "bodies of answers",
}
#: Modules whose input does not come from a server.
OWN = {
    "broker/redis_address.py": "the URL of the caller",
    "feedme/canonical.py": "numbers of feed data, on their way out",
    "feedme/deltas.py": "indexes in paths that a door has decoded",
    "feedme/values.py": "numbers that a door has decoded, or of the caller",
    "rest/batch.py": "ids of the caller, on their way out, and those of an answer, which are only compared",
    "rest/owner.py": "the JWT of the caller",
    "rest/outgoing.py": "paths of the caller, to look for dots in them",
    "rest/paths.py": "ids of the caller, on their way out",
    "rest/user_agent.py": "the name of the application, on its way out",
    "rest/url.py": "the query of the caller, on its way out",
    "websocket/proxies.py": "proxies of the caller and the environment",
    "wsg/models.py": "what it has encoded itself",
    "wsg/filters.py": "paths of events, which are only compared",
    "slack/store/sqlite_tables.py": "a count of SQLite's",
    "websocket/asgi_peer.py": "the path that an ASGI server has decoded",
}
CONVERTING = {"float", "int", "quote", "unquote", "loads", "raw_decode", "decode_json", "parsedate_to_datetime"}
#: A method with such a name decodes if the object is one of these.
DECODERS = {"json", "_decoder", "decoder", "_frame_decoder", "_envelope_decoder"}


def conversions(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        func = node.func
        if isinstance(func, ast.Name) and func.id in CONVERTING:
            yield func.id
        elif isinstance(func, ast.Attribute):
            owner = func.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if func.attr in CONVERTING or (func.attr == "decode" and name in DECODERS):
                yield f"{name}.{func.attr}"


def test_only_the_doors_decode_what_is_foreign() -> None:
    used: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(("gateway/", "testing/")):  # servers, which read their input in their own way
            continue
        found = list(conversions(ast.parse(path.read_text())))
        if found:
            used[name] = found
    stored = {name for name in used if "store" in name or "file" in name}  # stored state, which has its own door
    assert set(used) - set(DOORS) - set(OWN) - stored == set()


table = {name: value for name, value in vars(bounds).items() if isinstance(value, Bound)}


def test_every_bound_has_a_reason_and_holds_its_usual_value() -> None:
    assert set(table) == set(bounds.__all__) - {"Bound"}
    for bound in table.values():
        assert bound.least <= bound.default <= bound.most < math.inf
        assert len(bound.why) > 20


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(anything | st.integers(10**400, 10**401), st.sampled_from(list(table.values())))
def test_whatever_is_told_a_number_stays_in_its_bounds(told: object, bound: Bound) -> None:
    assert bound.least <= read_number(told, bound) <= bound.most


@given(st.text() | st.floats().map(str) | st.integers().map(str))
def test_a_wait_is_none_or_an_hour_at_most(text: str) -> None:
    wait = read_retry_after(text, now=0.0)
    assert wait is None or 0 <= wait <= 3600


@given(st.binary())
def test_json_is_read_or_is_none(data: bytes) -> None:
    try:
        read_json(data)
    except NotJSON:
        return


class Shape(msgspec.Struct):
    number: float = 0.0
    text: str = ""


NO_SHAPE = [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"number": "x"}', b'{"text": {}}', b"9" * 5000]


@pytest.mark.parametrize("data", NO_SHAPE, ids=range(len(NO_SHAPE)))
def test_a_struct_is_read_or_is_none(data: bytes) -> None:
    with pytest.raises(NotJSON):
        read_struct(data, Shape)


def test_a_struct_is_read_leniently() -> None:
    assert read_struct(b'{"number": "5", "text": "\\ud800"}', Shape) == Shape(5.0, "\\ud800")


@given(anything)
def test_what_is_made_encodable_can_be_encoded(value: object) -> None:
    msgspec.json.encode(encodable(value))


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()))
def test_different_texts_stay_different(one: str, other: str) -> None:
    if one != other and (not is_text(one) or not is_text(other)):
        assert encodable(one) != encodable(other)


@given(st.text(alphabet=st.characters()))
def test_a_server_s_words_stay_one_line(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= 10 * 500


def test_digits() -> None:
    assert [read_digits(value) for value in ("7", 7, "0", 0)] == [7, 7, 0, 0]
    for value in ("²", "٣", -1, "-1", "", "9" * 5000, 10**400, None, True, 1.0):
        assert read_digits(value) is None


def test_what_is_no_date() -> None:
    for text in ("", "x", "Fri, 99 Jan 2100 00:00:00 GMT", "\ud800", "1" * 5000, "Mon, 01 Jan 99999 0:0:0 GMT", None):
        assert read_date(text) is None


def test_an_id_can_stand_in_a_path() -> None:
    assert all(map(is_id, ("1", "a-b_c~d.e", "1b2a2e6b-2245-4278-b47c-16259ca003a8")))
    assert not any(map(is_id, ("", ".", "..", "a/b", "a?b", "a b", "ä", "a\n", "%2e")))


@given(st.dictionaries(st.text(), st.text()))
def test_headers_are_refused_or_can_stand_in_a_request(headers: dict[str, str]) -> None:
    try:
        check_headers(headers)
    except ConfigurationError:
        return
    for name, value in headers.items():
        assert (name + value).isascii()
        assert not {"\r", "\n", "\0"} & set(name + value)


@given(st.text(alphabet=st.characters()).map("/".__add__))
def test_a_path_is_refused_or_can_stand_in_a_request_line(path: str) -> None:
    try:
        sent = Request("GET", path).path
    except ConfigurationError:
        return
    assert sent.isascii()
    assert all("!" <= char <= "~" for char in sent)
    assert not {".", ".."} & set(sent.partition("?")[0].split("/"))
    assert Request("GET", sent).path == sent
