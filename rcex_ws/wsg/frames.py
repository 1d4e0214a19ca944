"""The frames of RingCentral's WebSocket gateway: bytes in, typed meta and a raw body out. Pure.

Every frame is one text message with a JSON array `[meta]` or `[meta, body]`. The meta is decoded once, the body stays
raw until it is needed. Protocol facts: RingCentral developer guide, notifications/websockets; the odd multipart frame:
how the official JavaScript and .NET SDKs read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Annotated, Any

import msgspec
from msgspec import Raw, Struct

from rcex_ws.errors import BadFrame, ConfigurationError, NotJSON
from rcex_ws.options import Rule, checked
from rcex_ws.readers import UNREADABLE, encodable, is_text, read_digits, read_json, read_struct
from rcex_ws.secret import SECRET, HiddenFields, Secret, plain

__all__ = [
    "Envelope",
    "ErrorBody",
    "Meta",
    "Wsc",
    "WsgFrame",
    "decode",
    "decode_body",
    "encode_heartbeat",
    "encode_request",
    "is_own_id",
    "next_id",
    "read_envelope",
    "read_error",
]


class Wsc(HiddenFields, frozen=True):
    """A recovery token, with which a session is continued.

    Attributes:
        token: opaque; a secret.
        sequence: orders the tokens of a session; restarts at 1 with each connection.
    """

    token: Annotated[str, SECRET]
    sequence: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.token, Secret):  # msgspec does not encode subclasses of str
            msgspec.structs.force_setattr(self, "token", plain(self.token))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict, including the secret."""
        return msgspec.structs.asdict(self)

    @classmethod
    @checked
    def from_dict(cls, wsc: Annotated[Mapping[str, Any], Rule("a dict", secret=True)]) -> Wsc:
        """Read a dict made by `to_dict`.

        Raises:
            ConfigurationError: a field is missing or has the wrong type.
        """
        try:
            return msgspec.convert(dict(wsc), Wsc)
        except msgspec.ValidationError as exc:  # its text contains no values
            raise ConfigurationError(f"wsc: {exc}; pass what Wsc.to_dict() gave") from exc


class Meta(Struct, rename="camel", gc=False):
    """The first element of a frame; every field is optional on the wire."""

    type: str = ""
    message_id: str | int | None = None
    status: int = 0
    headers: dict[str, str] | None = None
    wsc: Wsc | None = None


class WsgFrame(HiddenFields, frozen=True, array_like=True):
    """One inbound frame.

    Attributes:
        meta: decoded.
        body: raw JSON, or MIME text in a multipart answer; empty if there is none.
    """

    meta: Meta
    body: Annotated[Raw, SECRET] = Raw()

    @property
    def key(self) -> str:
        """The message id as a string: servers send strings and numbers."""
        return _text(self.meta.message_id)


class Envelope(Struct, rename="camel", gc=False):
    """The body of a ServerNotification frame: the same as a webhook's payload."""

    event: str
    uuid: str | int | None = None
    timestamp: str | None = None
    subscription_id: str | int | None = None
    owner_id: str | int | None = None
    body: Raw = Raw(b"null")


class ErrorBody(Struct, rename="camel"):
    """The body of an Error frame."""

    error_code: str = ""
    message: str = ""


_frame_decoder = msgspec.json.Decoder(WsgFrame)
_envelope_decoder = msgspec.json.Decoder(Envelope)
_encode = msgspec.json.encode
_counter = count(1)

#: Statuses have three digits (RFC 9110, 15).
_MOST_STATUS = 999


def next_id(prefix: str) -> str:
    """Return a message id that is unique within this process."""
    return f"{prefix}{next(_counter)}"


def is_own_id(key: str) -> bool:
    """Return whether an id is one of ours: such a frame answers a request, perhaps one abandoned long ago."""
    return key[:1] in ("r", "h") and key[1:].isdecimal()


def encode_heartbeat(message_id: str) -> bytes:
    """Encode a Heartbeat; the server echoes its id."""
    return _encode([{"type": "Heartbeat", "messageId": message_id}])


def encode_request(
    message_id: str,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | Raw,
    query: Mapping[str, Any] | None = None,
    body: bytes | None = None,
) -> bytes:
    """Encode a ClientRequest.

    Args:
        message_id: echoed by the server.
        method: the call's HTTP method.
        path: its path, without the server.
        headers: its headers, also as encoded JSON.
        query: its query parameters.
        body: its encoded JSON; None for a frame without a second element.
    """
    meta: dict[str, Any] = {
        "type": "ClientRequest",
        "messageId": message_id,
        "method": method,
        "path": path,
        "headers": headers,
    }
    if query:
        meta["query"] = query
    return _encode([meta] if body is None else [meta, Raw(body)])


def decode(data: bytes) -> WsgFrame:
    """Decode a frame.

    If msgspec rejects it (a lone surrogate, NaN, a meta field of another type), the json module decides; a frame that
    is not JSON as a whole may still be a multipart answer.

    Raises:
        BadFrame: it is none of these.
    """
    try:
        return _frame_decoder.decode(data)
    except UNREADABLE:
        pass
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise BadFrame("a frame is not UTF-8") from exc
    try:
        return _lenient(json.loads(text))
    except UNREADABLE:
        return _multipart(text)


def _lenient(frame: Any) -> WsgFrame:
    """Build a frame from what the json module has read; ignore meta fields of the wrong type."""
    try:
        raw = msgspec.convert(frame[0], dict[str, Any])
    except (TypeError, KeyError, IndexError, msgspec.ValidationError):
        raise BadFrame("a frame is not a JSON array whose first element is an object") from None
    meta = Meta(type=str(raw.get("type", "")))
    message_id, status, wsc, headers = (raw.get(name) for name in ("messageId", "status", "wsc", "headers"))
    if isinstance(message_id, (str, int)):
        meta.message_id = message_id
    meta.status = _status(status)
    with suppress(msgspec.ValidationError):
        meta.headers = msgspec.convert(headers, dict[str, str] | None, strict=False)
    with suppress(msgspec.ValidationError):
        meta.wsc = msgspec.convert(wsc, Wsc | None, strict=False)
    if meta.wsc is not None and not is_text(meta.wsc.token):
        meta.wsc = None  # it cannot be sent back
    return WsgFrame(meta, Raw(json.dumps(frame[1]).encode()) if len(frame) > 1 else Raw())


def _multipart(text: str) -> WsgFrame:
    """Read `[meta,--Boundary...]`, the answer to a batch request: JSON, a comma, MIME text, a bracket."""
    start = text.find("{")
    if text[: max(start, 0)].strip() != "[":
        raise BadFrame("a frame is not JSON")
    try:
        meta, end = json.JSONDecoder().raw_decode(text, start)
    except UNREADABLE:
        raise BadFrame("a frame is not JSON") from None
    mime = text[end:].lstrip()
    if not mime.startswith(",--") or not mime.rstrip().endswith("]"):
        raise BadFrame("a frame is neither JSON nor multipart")
    return WsgFrame(_lenient([meta]).meta, Raw(mime.rstrip()[1:-1].encode()))


def read_envelope(body: Raw) -> Envelope:
    """Decode the envelope of a notification; its own body stays raw.

    Raises:
        BadFrame: it is not an object with an `event`.
    """
    try:
        return _envelope_decoder.decode(body)
    except UNREADABLE:
        pass
    try:
        loaded = msgspec.convert(read_json(body), dict[str, Any])
        inner = Raw(json.dumps(loaded.pop("body", None)).encode())
        envelope = msgspec.convert(encodable(loaded), Envelope, strict=False)
    except (NotJSON, *UNREADABLE) as exc:
        raise BadFrame(f"the envelope of a notification cannot be read: {type(exc).__name__}") from exc
    envelope.body = inner
    return envelope


def read_error(body: Raw) -> ErrorBody:
    """Decode the body of an Error frame; what cannot be read is left empty."""
    try:
        return read_struct(body, ErrorBody)
    except NotJSON:
        return ErrorBody()


def decode_body(body: Raw) -> Any:
    """Decode a raw body; None if there is none.

    Raises:
        BadFrame: it is not JSON.
    """
    if not bytes(body):
        return None
    try:
        return read_json(body)
    except NotJSON as exc:
        raise BadFrame("a body is no JSON") from exc


def _status(value: object) -> int:
    """Read a status; 0 if it is missing or invalid."""
    status = read_digits(value)
    return status if status is not None and status <= _MOST_STATUS else 0


def _text(value: str | int | None) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
