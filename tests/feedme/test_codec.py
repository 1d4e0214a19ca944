"""The messages of both sides: each member missing, added or of a wrong type, and what JavaScript reads differently."""

from __future__ import annotations

import json
import math
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from rcex_ws.feedme.codec import NotAMessage, decode_client_message, decode_server_message, encode
from rcex_ws.feedme.messages import (
    ActionResponse,
    FeedAction,
    FeedOpen,
    FeedOpenResponse,
    HandshakeResponse,
    feed_key,
    members,
)
from rcex_ws.feedme.values import freeze

Members = dict[str, Any]
FEED: Members = {"FeedName": "n", "FeedArgs": {"k": "v"}}
FAILURE: Members = {"Success": False, "ErrorCode": "c", "ErrorData": {"d": 1}}
DELTA: Members = {"Operation": "Set", "Path": ["a"], "Value": 1}

CLIENT: list[Members] = [
    {"MessageType": "Handshake", "Versions": ["0.1"]},
    {"MessageType": "Action", "ActionName": "n", "ActionArgs": {"a": [1]}, "CallbackId": "1"},
    {"MessageType": "FeedOpen", **FEED},
    {"MessageType": "FeedClose", **FEED},
]
SERVER: list[Members] = [
    {"MessageType": "ViolationResponse", "Diagnostics": {"a": 1}},
    {"MessageType": "HandshakeResponse", "Success": True, "Version": "0.1"},
    {"MessageType": "HandshakeResponse", "Success": False},
    {"MessageType": "ActionResponse", "Success": True, "CallbackId": "1", "ActionData": {"a": 1}},
    {"MessageType": "ActionResponse", "CallbackId": "1", **FAILURE},
    {"MessageType": "FeedOpenResponse", "Success": True, **FEED, "FeedData": {"a": 1}},
    {"MessageType": "FeedOpenResponse", **FEED, **FAILURE},
    {"MessageType": "FeedCloseResponse", **FEED},
    {"MessageType": "FeedAction", **FEED, "ActionName": "n", "ActionData": {"a": 1}, "FeedDeltas": [DELTA]},
    {"MessageType": "ActionRevelation", **FEED, "ActionName": "n", "ActionData": {}, "FeedDeltas": []},
    {"MessageType": "FeedTermination", **FEED, "ErrorCode": "c", "ErrorData": {}},
]
MD5 = "mZFLkyvTelC5g8XnyQrpOw=="
ALL = [(decode_client_message, one) for one in CLIENT] + [(decode_server_message, one) for one in SERVER]
WRONG: list[Any] = [None, True, 7, 1.5, "text", [], ["x", 1], {}, {"k": 1}]
IDS = [f"{one['MessageType']}-{one.get('Success', '')}" for _, one in ALL]

every = pytest.mark.parametrize(("decode", "message"), ALL, ids=IDS)


def ways(message: Any) -> list[bytes]:
    """Return the text of a message twice: as msgspec decodes it, and as only the standard library does."""
    text = json.dumps(message)
    return [text.encode(), text.replace('"k"', '"\\ud800"').encode()]


def refusals(decode: Any, message: Any) -> list[NotAMessage]:
    """Return how it is refused, either way."""
    found: list[NotAMessage] = []
    for text in ways(message):
        with pytest.raises(NotAMessage) as caught:
            decode(text)
        found.append(caught.value)
    return found


@every
def test_a_message_is_decoded_whatever_the_order_of_its_members(decode: Any, message: Members) -> None:
    for text in ways(message):
        assert members(decode(text)) == json.loads(text)
    backwards = dict(reversed(message.items()))
    spaced = " \r\n\t" + json.dumps(backwards, indent=3) + " \n"
    assert decode(spaced.encode()) == decode(json.dumps(message).encode())


@every
def test_what_is_decoded_can_be_encoded_again(decode: Any, message: Members) -> None:
    for text in ways(message):
        assert decode(encode(decode(text))) == decode(text)
    assert b" " not in encode(decode(ways(message)[0]))


@every
def test_each_member_has_to_be_there(decode: Any, message: Members) -> None:
    for name in message:
        for error in refusals(decode, {key: value for key, value in message.items() if key != name}):
            assert error.schema_violation
            assert error.parse_error is None
            assert isinstance(error.received, dict)


@every
def test_no_other_member_may_be_there(decode: Any, message: Members) -> None:
    for name in ("Extra", "messageType", "", "ErrorCode", "FeedData", "ActionData", "ClientId", "Version", "toString"):
        if name in message or (name == "ClientId" and message.get("Version")):
            continue
        for error in refusals(decode, {**message, name: "x"}):
            assert error.schema_violation


@every
def test_each_member_has_its_type(decode: Any, message: Members) -> None:
    for name, value in message.items():
        for wrong in WRONG:
            if type(wrong) is type(value) and not (name in ("FeedArgs", "Versions", "FeedDeltas") and wrong):
                continue
            for error in refusals(decode, {**message, name: wrong}):
                assert error.schema_violation
    for versions in ([], [1], ["0.1", None]):
        if "Versions" in message:
            refusals(decode, {**message, "Versions": versions})


@pytest.mark.parametrize(
    "delta",
    [
        None,
        7,
        "Set",
        [],
        {},
        {"Operation": "Set", "Path": []},
        {"Operation": "Delete", "Path": [], "Value": 1},
        {"Operation": "Sett", "Path": [], "Value": 1},
        {"Operation": "toString", "Path": [], "Value": 1},
        {"Operation": "Set", "Path": "a", "Value": 1},
        {"Operation": "Set", "Path": [None], "Value": 1},
        {"Operation": "Set", "Path": [True], "Value": 1},
        {"Operation": "Set", "Path": [-1], "Value": 1},
        {"Operation": "Set", "Path": [0.5], "Value": 1},
        {"Operation": "Set", "Path": [[]], "Value": 1},
        {"Operation": "Set", "Path": ["a"], "Value": 1, "Extra": 1},
        {"operation": "Set", "Path": ["a"], "Value": 1},
        {"Operation": "Append", "Path": ["a"], "Value": 1},
        {"Operation": "Prepend", "Path": ["a"], "Value": None},
        {"Operation": "Increment", "Path": ["a"], "Value": "1"},
        {"Operation": "Decrement", "Path": ["a"], "Value": True},
    ],
)
def test_a_malformed_delta_makes_the_message_invalid(delta: Any) -> None:
    for deltas in ([delta], [DELTA, delta]):
        for error in refusals(decode_server_message, {**SERVER[8], "FeedDeltas": deltas}):
            assert error.schema_violation
            assert error.received["MessageType"] == "FeedAction"


@pytest.mark.parametrize("index", ["1.0", "1e0", "10e-1", "0", "-0", "-0.0", "1e300"])
def test_an_index_is_a_number_that_is_whole(index: str) -> None:
    text = json.dumps({**SERVER[8], "FeedDeltas": [{**DELTA, "Path": ["a", 77]}]}).replace("77", index)
    message = decode_server_message(text.encode())
    assert isinstance(message, FeedAction)
    assert message.feed_deltas[0].path[1] == float(index)


@pytest.mark.parametrize("md5", [MD5, "x" * 24, "\u00e9" * 24, "x" * 23, "x" * 25, "", None, 24])
def test_a_hash_is_a_text_of_24_characters(md5: Any) -> None:
    for number in (8, 9):
        for text in ways({**SERVER[number], "FeedMd5": md5}):
            if isinstance(md5, str) and len(md5) == 24:
                message = decode_server_message(text)
                assert isinstance(message, FeedAction)
                assert message.feed_md5 == md5
            else:
                with pytest.raises(NotAMessage):
                    decode_server_message(text)


def test_an_action_revelation_of_the_older_dialects_is_a_feed_action() -> None:
    message = decode_server_message(json.dumps(SERVER[9]).encode())
    assert isinstance(message, FeedAction)
    assert members(message)["MessageType"] == "ActionRevelation"


def test_the_id_of_the_oldest_dialect_is_optional_on_success_alone() -> None:
    message = decode_server_message(json.dumps({**SERVER[1], "ClientId": "abc"}).encode())
    assert isinstance(message, HandshakeResponse)
    assert message.client_id == "abc"
    for bad in ({**SERVER[2], "ClientId": "abc"}, {**SERVER[1], "ClientId": 7}):
        assert refusals(decode_server_message, bad)[0].schema_violation


@pytest.mark.parametrize("decode", [decode_client_message, decode_server_message])
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b"\xff",
        b'{"MessageType":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":01}',
        b'{"a":"\x01"}',
        b"{}{}",
        b"\x00",
        "\ufeff{}".encode("utf-16"),
    ],
)
def test_what_is_not_json_is_a_parse_error_with_the_text(decode: Any, text: bytes) -> None:
    with pytest.raises(NotAMessage) as caught:
        decode(text)
    assert caught.value.parse_error
    assert caught.value.schema_violation is None
    assert caught.value.received == text.decode(errors="replace")


@pytest.mark.parametrize("decode", [decode_client_message, decode_server_message])
@pytest.mark.parametrize("text", ["null", "true", "7", "1e400", '"text"', "[]", '["MessageType"]', "{}"])
def test_what_is_json_but_no_object_of_ours_is_a_schema_violation(decode: Any, text: str) -> None:
    with pytest.raises(NotAMessage) as caught:
        decode(text.encode())
    assert caught.value.schema_violation
    assert caught.value.parse_error is None
    assert caught.value.received == json.loads(text)


@pytest.mark.parametrize("decode", [decode_client_message, decode_server_message])
@pytest.mark.parametrize(
    "kind", ["hasOwnProperty", "toString", "constructor", "__proto__", "valueOf", "", "handshake", "\ud800", 1, None]
)
def test_an_unknown_type_is_refused(decode: Any, kind: Any) -> None:
    with pytest.raises(NotAMessage) as caught:
        decode(json.dumps({"MessageType": kind}).encode())
    assert caught.value.schema_violation


def test_each_side_has_its_own_messages() -> None:
    for message in CLIENT:
        refusals(decode_server_message, message)
    for message in SERVER:
        refusals(decode_client_message, message)


def test_of_two_members_of_one_name_the_last_one_counts() -> None:
    text = (
        b'{"MessageType":"Nothing","MessageType":"FeedOpen","FeedName":7,"FeedName":"n","FeedArgs":{"k":"1","k":"2"}}'
    )
    assert decode_client_message(text) == FeedOpen("n", {"k": "2"})
    with pytest.raises(NotAMessage):
        decode_client_message(b'{"MessageType":"FeedOpen","FeedName":"n","FeedName":7,"FeedArgs":{}}')


def feed_data(text: str) -> Any:
    template = json.dumps({**SERVER[5], "FeedData": {"v": "@"}})
    message = decode_server_message(template.replace('"@"', text).encode())
    assert isinstance(message, FeedOpenResponse)
    assert isinstance(message.feed_data, dict)
    return message.feed_data["v"]


def test_numbers_are_doubles() -> None:
    assert feed_data("1e400") == math.inf
    assert feed_data("-1e400") == -math.inf
    assert feed_data("9" * 5000) == math.inf
    assert feed_data("1" + "0" * 300) == 1e300
    assert feed_data("9007199254740993") == 9007199254740992
    assert feed_data("1.0") == 1
    assert feed_data("-0") == 0


@pytest.mark.parametrize("name", ["n", "\ud800"])
def test_an_infinite_number_is_written_as_javascript_does(name: str) -> None:
    text = json.dumps({**SERVER[5], "FeedName": name, "FeedData": {"v": "@"}}).replace('"@"', "[1e400,-1e400]")
    assert json.loads(encode(decode_server_message(text.encode())))["FeedData"] == {"v": [None, None]}


def test_half_a_surrogate_pair_is_kept_and_two_halves_are_one_character() -> None:
    assert feed_data('"\\ud800"') == "\ud800"
    assert feed_data('"\\ud83d\\ude00"') == "\U0001f600"
    assert feed_data('"\\ude00\\ud83d"') == "\ude00\ud83d"


@pytest.mark.parametrize("levels", [10_000, 1_000, 300])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_too_deep_is_refused(levels: int, brackets: tuple[str, str]) -> None:
    begin, end = brackets
    nested = begin * levels + "1" + end * levels
    for text in (nested, json.dumps({**SERVER[5], "FeedData": {"v": "@"}}).replace('"@"', nested)):
        with pytest.raises(NotAMessage):
            decode_server_message(text.encode())
        with pytest.raises(NotAMessage):
            decode_client_message(text.encode())


def test_a_hundred_levels_are_fine() -> None:
    value: Any = feed_data("[" * 100 + "]" * 100)
    for _ in range(99):
        (value,) = value
    assert value == []


def test_values_are_read_only_either_way() -> None:
    for text in ways({**SERVER[3], "ActionData": {"k": {"list": []}}}):
        message = decode_server_message(text)
        assert isinstance(message, ActionResponse)
        assert isinstance(message.action_data, dict)
        with pytest.raises(TypeError):
            message.action_data["more"] = 1
        (inner,) = message.action_data.values()
        with pytest.raises(TypeError):
            inner["list"].append(1)


def test_the_identity_of_a_feed_is_its_name_and_its_arguments_in_any_order() -> None:
    assert feed_key("n", {"a": "1", "b": "2"}) == feed_key("n", {"b": "2", "a": "1"})
    others = [("n", {}), ("n", {"a": "1"}), ("n", {"a": "2", "b": "1"}), ("m", {"a": "1", "b": "2"}), ("", {})]
    assert len({feed_key(name, args) for name, args in others}) == len(others)


texts = st.text(st.characters(exclude_categories=()), max_size=5)  # half surrogate pairs, too
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def nearly_messages(draw: st.DrawFn) -> Members:
    """A valid message, with some members replaced, removed or added."""
    message = dict(draw(st.sampled_from([*CLIENT, *SERVER])))
    for name in draw(st.lists(st.sampled_from([*message, "Extra", "ErrorCode", "\ud800"]), max_size=2)):
        if draw(st.booleans()):
            message.pop(name, None)
        else:
            message[name] = draw(json_values)
    return message


def verdict(decode: Any, text: bytes) -> Any:
    try:
        return members(decode(text))
    except NotAMessage:
        return None


@given(nearly_messages())
def test_both_ways_give_one_verdict(message: Members) -> None:
    """Half a surrogate pair in the name of the feed makes msgspec refuse, and the standard library decide."""
    text = json.dumps(message)
    for decode in (decode_client_message, decode_server_message):
        fast = verdict(decode, text.encode())
        if message.get("FeedName") == "n":
            slow = verdict(decode, json.dumps({**message, "FeedName": "\ud800"}).encode())
            assert (None if slow is None else {**slow, "FeedName": "n"}) == fast
        assert fast is None or fast == freeze(json.loads(text))


@given(st.binary() | st.text().map(str.encode) | json_values.map(lambda value: json.dumps(value).encode()))
def test_nothing_crashes_a_decoder(text: bytes) -> None:
    assert verdict(decode_client_message, text) is None
    assert verdict(decode_server_message, text) is None
