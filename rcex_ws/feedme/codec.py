"""Messages decoded and checked once, and encoded. Pure.

msgspec decodes and checks in one pass. What it refuses is decided by the standard library, which follows JavaScript
where msgspec is stricter: lone surrogates, huge numbers, and array indexes such as `1.0`.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn, TypeVar, cast

import msgspec
from msgspec import UNSET

from rcex_ws.errors import RcexError
from rcex_ws.feedme.canonical import canonical, write_odd
from rcex_ws.feedme.deltas import MalformedDelta, delta_from_json
from rcex_ws.feedme.messages import (
    Action,
    ActionResponse,
    ActionRevelation,
    ClientMessage,
    FeedAction,
    FeedOpenResponse,
    FeedTermination,
    HandshakeResponse,
    ServerMessage,
    ViolationResponse,
    members,
)
from rcex_ws.feedme.values import NotExpressible, freeze

__all__ = ["NotAMessage", "decode_client_message", "decode_server_message", "encode"]

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
    received: Any = text
    try:
        received = json.loads(text, parse_constant=_refuse_constant, parse_int=_read_integer)
        return msgspec.convert(_with_deltas(received), kind)
    except (msgspec.ValidationError, MalformedDelta) as exc:
        raise NotAMessage(received, schema_violation=str(exc)) from None
    except UnicodeEncodeError:  # msgspec cannot look such a name up
        violation = "half a surrogate pair in MessageType, or in the name of a member"
        raise NotAMessage(received, schema_violation=violation) from None
    except RecursionError:
        raise NotAMessage(text, parse_error="nested too deep") from None
    except ValueError as exc:
        raise NotAMessage(text, parse_error=f"not JSON: {exc}") from None


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
