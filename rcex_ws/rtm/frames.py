"""The frames of both sides, each one JSON object, encoded and decoded once. Pure.

Source of all shapes: `@zexcore/rtm-client` 2.1.1, as seen on the wire. Three types go from the client to the server::

    {"id": "1", "type": "auth", "data": [authentication]}
    {"id": "2", "type": "invoke", "function": "name", "data": [arg1, arg2]}
    {"id": "3", "type": "subscribe", "event": "name", "tags": ["t1", "t2"]}

and two from the server to the client; what has a true `event` is an event, anything else a reply::

    {"id": "2", "data": result}             {"id": "2", "data": {"error": why}}
    {"event": "name", "data": [arg1, arg2]}

Ours are the names that begin with `RESERVED`, and the `id` of an event that was published to a user: its position, see
`rcex_ws.rtm.resumption`. Other clients ignore both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from rcex_ws.errors import BadFrame, ConfigurationError, NotJSON
from rcex_ws.readers import UNREADABLE, read_struct

__all__ = [
    "GAP_EVENT",
    "PUBLISH",
    "RESERVED",
    "SESSION_EVENT",
    "UNSUBSCRIBE",
    "ClientFrame",
    "FrameId",
    "RtmServerFrame",
    "decode_client_frame",
    "decode_server_frame",
    "encode_error",
    "encode_event",
    "encode_frame",
    "encode_refusal",
    "encode_reply",
    "is_true",
]

RESERVED: Final = "rtm:"
"""What names of events and functions begin with that belong to the protocol."""

SESSION_EVENT: Final = RESERVED + "session"
"""Event with a `SessionStart`: the first one of a connection whose client wants to resume."""
GAP_EVENT: Final = RESERVED + "gap"
"""Event with a `GapNotice`: events may be missing before the next one."""
PUBLISH: Final = RESERVED + "publish"
"""Function with a user id, an event and its data; returns how many connections took it."""
UNSUBSCRIBE: Final = RESERVED + "unsubscribe"
"""Function with the event and the tags of a push subscription to end."""

F = TypeVar("F")
FrameId = str | int | float | None


class ClientFrame(Struct, omit_defaults=True):
    """A frame from a client.

    Attributes:
        id: chosen by the client, for the reply.
        type: "auth", "invoke" or "subscribe".
        data: the arguments.
        function: what to invoke.
        event: what to subscribe to.
        tags: with which tags.
    """

    id: FrameId = None
    type: str = ""
    data: list[Any] | UnsetType | None = UNSET
    function: str | None = None
    event: str | None = None
    tags: list[str] | None = None


class RtmServerFrame(Struct, omit_defaults=True):
    """A frame from the server.

    Attributes:
        event: the name of an event; not a text, or empty, for a reply.
        data: the arguments of an event, or the result of a call; UNSET if there is none.
        id: of the call, or the position of an event.
    """

    event: Any = None
    data: Any = UNSET
    id: FrameId = None


_client_decoder = msgspec.json.Decoder(ClientFrame)
_server_decoder = msgspec.json.Decoder(RtmServerFrame)


def is_true(value: object) -> bool:
    """Return whether JavaScript takes a JSON value for true: all but null, false, 0 and an empty text."""
    return bool(value) or isinstance(value, (list, dict))


def _plain(value: object) -> str:
    """Return the text in an instance of a class derived from str, such as the tokens of this library."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"an object of the type {type(value).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def decode_client_frame(data: bytes) -> ClientFrame:
    """Decode a frame from a client.

    Raises:
        BadFrame: it is not one; the text says what is wrong with it and quotes nothing.
    """
    try:
        return _client_decoder.decode(data)
    except UNREADABLE:
        return _slowly(data, ClientFrame)


def decode_server_frame(data: bytes) -> RtmServerFrame:
    """Decode a frame from a server.

    Raises:
        BadFrame: it is not one; the text says what is wrong with it and quotes nothing.
    """
    try:
        return _server_decoder.decode(data)
    except UNREADABLE:
        return _slowly(data, RtmServerFrame)


def encode_frame(frame: ClientFrame) -> bytes:
    """Encode a frame of a client.

    Raises:
        ConfigurationError: JSON cannot express the arguments.
    """
    return _encode("data", frame)


def encode_event(event: str, data: Sequence[Any], position: str | None = None) -> bytes:
    """Encode an event.

    Args:
        event: its name.
        data: its arguments.
        position: of an event that was published to a user.

    Raises:
        ConfigurationError: JSON cannot express the arguments.
    """
    return _encode("data", RtmServerFrame(event, data, position))


def encode_reply(frame_id: FrameId, result: Any) -> bytes:
    """Encode the reply to a call; a result of None is left out, which JavaScript reads as undefined.

    Raises:
        ConfigurationError: JSON cannot express the result.
    """
    return _encode("result", {"id": frame_id} if result is None else {"id": frame_id, "data": result})


def encode_error(frame_id: FrameId, error: Any) -> bytes:
    """Encode the reply to a call that was refused.

    Raises:
        ConfigurationError: JSON cannot express the error.
    """
    return _encode("error", {"id": frame_id, "data": {"error": error}})


def encode_refusal(frame_id: FrameId) -> bytes:
    """Encode the reply to an authentication that is refused, as the original client knows it: data of null."""
    return _encode("id", {"id": frame_id, "data": None})


def _encode(what: str, value: object) -> bytes:
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise ConfigurationError(f"{what}: JSON cannot express it: {exc}") from None


def _slowly(data: bytes, kind: type[F]) -> F:
    try:
        return read_struct(data, kind)
    except NotJSON as exc:
        raise BadFrame(f"no frame: {exc}") from None
