"""The messages of both sides: as Structs, decoded and checked once, and encoded. Pure.

Members, types and dialects are those of the Feedme specification 0.1 and of the JavaScript packages that preceded it.
msgspec decodes and checks in one pass. What it refuses is decided by the standard library, which follows JavaScript
where msgspec is stricter: lone surrogates, huge numbers, and array indexes such as `1.0`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Final, NoReturn, TypeVar, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import fields

from rcex_ws.errors import RcexError
from rcex_ws.feedme.canonical import canonical, write_odd
from rcex_ws.feedme.deltas import Delta, MalformedDelta, delta_from_json
from rcex_ws.feedme.values import NotExpressible, freeze

__all__ = [
    "SUBPROTOCOL",
    "VERSION",
    "Action",
    "ActionResponse",
    "ActionRevelation",
    "ClientMessage",
    "Dialect",
    "FeedAction",
    "FeedArgs",
    "FeedClose",
    "FeedCloseResponse",
    "FeedKey",
    "FeedOpen",
    "FeedOpenResponse",
    "FeedTermination",
    "Handshake",
    "HandshakeResponse",
    "NotAMessage",
    "ServerMessage",
    "ViolationResponse",
    "decode_client_message",
    "decode_server_message",
    "encode",
    "feed_key",
    "members",
]

VERSION: Final = "0.1"
"""The only version of the protocol; all three dialects call themselves so."""
SUBPROTOCOL: Final = "feedme"
"""The subprotocol of the WebSocket, which feedme-transport-ws offers and insists on."""

FeedArgs = dict[str, str]
FeedKey = str | tuple[str, frozenset[tuple[str, str]]]
"""Identifies a feed: its name, and its arguments in any order."""

_Md5 = Annotated[str, Meta(min_length=24, max_length=24)]


class Dialect(StrEnum):
    """How a server of the version "0.1" speaks; it cannot tell from the client, all of which send the same."""

    SPECIFICATION = "specification"  #: as written in 2022: notifications are called FeedAction
    REVELATION = "revelation"  #: as in 2020: notifications are called ActionRevelation
    CLIENT_ID = "client_id"  #: as in 2019: like REVELATION, and the handshake gives the client an id


def feed_key(name: str, args: FeedArgs) -> FeedKey:
    """Return the identity of a feed."""
    return (name, frozenset(args.items())) if args else name


class _Message(Struct, tag_field="MessageType", rename="pascal", forbid_unknown_fields=True, omit_defaults=True):
    """A message; its class is its type."""


class Handshake(_Message):
    """Client: the versions of the protocol that it speaks."""

    versions: Annotated[list[str], Meta(min_length=1)]


class Action(_Message):
    """Client: perform an action; the answer carries the same id."""

    action_name: str
    action_args: dict[str, Any]
    callback_id: str


class FeedOpen(_Message):
    """Client: open a feed."""

    feed_name: str
    feed_args: FeedArgs


class FeedClose(_Message):
    """Client: close a feed."""

    feed_name: str
    feed_args: FeedArgs


class ViolationResponse(_Message):
    """Server: the client's message broke the rules."""

    diagnostics: dict[str, Any]


class HandshakeResponse(_Message):
    """Server: the version chosen, or a refusal; in the oldest dialect also an id for the client."""

    success: bool
    version: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET


class ActionResponse(_Message):
    """Server: the result of an action."""

    success: bool
    callback_id: str
    action_data: dict[str, Any] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error_data: dict[str, Any] | UnsetType = UNSET


class FeedOpenResponse(_Message):
    """Server: the data of a feed that is open now, or why it is not."""

    success: bool
    feed_name: str
    feed_args: FeedArgs
    feed_data: dict[str, Any] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error_data: dict[str, Any] | UnsetType = UNSET


class FeedCloseResponse(_Message):
    """Server: a feed is closed."""

    feed_name: str
    feed_args: FeedArgs


class FeedAction(_Message):
    """Server: an action happened, and the feed data changes by these deltas."""

    feed_name: str
    feed_args: FeedArgs
    action_name: str
    action_data: dict[str, Any]
    feed_deltas: list[Delta]
    feed_md5: _Md5 | UnsetType = UNSET


class ActionRevelation(FeedAction):
    """Server: the same, as the older dialects call it."""


class FeedTermination(_Message):
    """Server: it closed an open feed."""

    feed_name: str
    feed_args: FeedArgs
    error_code: str
    error_data: dict[str, Any]


ClientMessage = Handshake | Action | FeedOpen | FeedClose
ServerMessage = (
    ViolationResponse
    | HandshakeResponse
    | ActionResponse
    | FeedOpenResponse
    | FeedCloseResponse
    | FeedAction
    | ActionRevelation
    | FeedTermination
)

M = TypeVar("M")

_Response = HandshakeResponse | ActionResponse | FeedOpenResponse


class NotAMessage(RcexError, ValueError):
    """What was received is not a message of the protocol.

    Attributes:
        received: its text, or the decoded JSON.
        parse_error: why it is not JSON; None if it is.
        schema_violation: why it is not a message; None if it is not even JSON.
    """

    def __init__(self, received: Any, *, parse_error: str | None = None, schema_violation: str | None = None) -> None:
        super().__init__(parse_error or schema_violation)
        self.received = received
        self.parse_error = parse_error
        self.schema_violation = schema_violation


def decode_client_message(data: bytes) -> ClientMessage:
    """Decode and check a message from a client; the values in it are frozen.

    Raises:
        NotAMessage: it is not one.
    """
    try:
        message = _client_decoder.decode(data)
    except _REFUSALS:
        message = _decode_leniently(data, cast("type[ClientMessage]", ClientMessage))
    _freeze_members(message)
    return message


def decode_server_message(data: bytes) -> ServerMessage:
    """Decode and check a message from a server, in any dialect; the values in it are frozen.

    Raises:
        NotAMessage: it is not one.
    """
    try:
        message = _server_decoder.decode(data)
    except _REFUSALS:
        message = _decode_leniently(data, cast("type[ServerMessage]", ServerMessage))
    if type(message) in _BY_SUCCESS:
        violation = _unfit_members(cast("_Response", message))
        if violation is not None:
            raise NotAMessage(members(message), schema_violation=violation)
    _freeze_members(message)
    return message


def encode(message: ClientMessage | ServerMessage) -> bytes:
    """Encode a message; numbers as JavaScript writes them."""
    try:
        return _encoder.encode(message)
    except UnicodeEncodeError:  # half a surrogate pair in a name, which only an escape can express
        return canonical(freeze(members(message), infinite=True))


def members(message: ClientMessage | ServerMessage) -> dict[str, Any]:
    """Return the members of a message, under their names on the wire."""
    return {"MessageType": type(message).__struct_config__.tag} | _members(message)


_encoder = msgspec.json.Encoder(enc_hook=write_odd)
_client_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_server_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)
_REFUSALS = (msgspec.MsgspecError, ValueError, RecursionError)

#: Most digits of an integer that is read as one: int() refuses thousands.
_MOST_DIGITS = 1000


def _decode_leniently(data: bytes, kind: type[M]) -> M:
    """Decode a message that msgspec refuses, which may be valid all the same.

    Raises:
        NotAMessage: it is not valid.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise NotAMessage(data.decode(errors="replace"), parse_error=f"not UTF-8: {exc.reason}") from None
    try:
        received: Any = json.loads(text, parse_constant=_refuse_constant, parse_int=_read_integer)
    except ValueError as exc:
        raise NotAMessage(text, parse_error=f"not JSON: {exc}") from None
    except RecursionError:
        raise NotAMessage(text, parse_error="nested too deep") from None
    try:
        return msgspec.convert(_with_deltas(received), kind)
    except (msgspec.ValidationError, MalformedDelta) as exc:
        raise NotAMessage(received, schema_violation=str(exc)) from None
    except UnicodeEncodeError:  # msgspec cannot look such a name up
        violation = "half a surrogate pair in MessageType, or in the name of a member"
        raise NotAMessage(received, schema_violation=violation) from None
    except RecursionError:
        raise NotAMessage(text, parse_error="nested too deep") from None


def _with_deltas(received: Any) -> Any:
    """Return a decoded message with its deltas as Structs: only they accept the index `1.0`."""
    if not isinstance(received, dict):
        return received
    message = cast("dict[str, Any]", received)
    deltas = message.get("FeedDeltas")
    if not isinstance(deltas, list):
        return message
    return {**message, "FeedDeltas": [delta_from_json(delta) for delta in cast("list[object]", deltas)]}


def _freeze_members(message: ClientMessage | ServerMessage) -> None:
    """Make the values in a message read-only, with numbers and texts as the hash needs them.

    Raises:
        NotAMessage: a value is nested too deep.
    """
    names = _VALUES.get(type(message), ())
    try:
        for name in names:
            value = getattr(message, name)
            if value is not UNSET:
                setattr(message, name, freeze(value, infinite=True))
    except NotExpressible as exc:
        raise NotAMessage(members(message), schema_violation=str(exc)) from None


#: The members of each message that hold JSON of the application.
_VALUES: Final[dict[type, tuple[str, ...]]] = {
    Action: ("action_args",),
    ViolationResponse: ("diagnostics",),
    ActionResponse: ("action_data", "error_data"),
    FeedOpenResponse: ("feed_data", "error_data"),
    FeedAction: ("action_data",),
    ActionRevelation: ("action_data",),
    FeedTermination: ("error_data",),
}


def _unfit_members(message: _Response) -> str | None:
    """Return what is wrong with the members that depend on Success, or None."""
    wanted, unwanted = _BY_SUCCESS[type(message)]
    if not message.success:
        wanted, unwanted = unwanted, (*wanted, *(("client_id",) if isinstance(message, HandshakeResponse) else ()))
    success = str(message.success).lower()
    for name in wanted:
        if getattr(message, name) is UNSET:
            return f"Object missing required field `{_pascal(name)}`, as Success is {success}"
    for name in unwanted:
        if getattr(message, name) is not UNSET:
            return f"Object contains unknown field `{_pascal(name)}`, as Success is {success}"
    return None


#: The members of a response that says Success, and of one that does not.
_BY_SUCCESS: Final[dict[type, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    HandshakeResponse: (("version",), ()),
    ActionResponse: (("action_data",), ("error_code", "error_data")),
    FeedOpenResponse: (("feed_data",), ("error_code", "error_data")),
}


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _read_integer(digits: str) -> float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _members(struct: Struct) -> dict[str, Any]:
    values = {field.encode_name: getattr(struct, field.name) for field in fields(struct)}
    if isinstance(struct, FeedAction):
        values["FeedDeltas"] = [{**_members(delta), "Path": [*delta.path]} for delta in struct.feed_deltas]
    return {name: value for name, value in values.items() if value is not UNSET}
