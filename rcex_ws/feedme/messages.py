"""The messages of both sides, as Structs. Pure.

Members, types and dialects are those of the Feedme specification 0.1 and of the JavaScript packages that preceded it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import fields

from rcex_ws.feedme.deltas import Delta

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
    "ServerMessage",
    "ViolationResponse",
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


def members(message: ClientMessage | ServerMessage) -> dict[str, Any]:
    """Return the members of a message, under their names on the wire."""
    return {"MessageType": type(message).__struct_config__.tag} | _members(message)


def _members(struct: Struct) -> dict[str, Any]:
    values = {field.encode_name: getattr(struct, field.name) for field in fields(struct)}
    if isinstance(struct, FeedAction):
        values["FeedDeltas"] = [{**_members(delta), "Path": [*delta.path]} for delta in struct.feed_deltas]
    return {name: value for name, value in values.items() if value is not UNSET}
