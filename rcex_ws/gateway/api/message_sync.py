"""The synchronization of messages: all at first, then what has changed since (RingCentral's API reference).

The token of an answer holds how far it goes and what was asked for, so a client sends nothing else the next time.
"""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from rcex_ws.gateway.account.messages import Direction, Message, MessageKind
from rcex_ws.gateway.api.message_filter import Moment, chosen, newest_of_each_conversation, span, words
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_MOST_RECORDS = 250
_MOST_VERSIONS = 2**53

area = RestArea("Message Store", permission="ReadMessages")


class SyncQuery(Struct, rename="camel"):
    """What to synchronize."""

    sync_type: Literal["FSync", "ISync"] = "FSync"
    sync_token: str | None = None
    conversation_id: str | None = None
    date_from: Moment | None = None
    date_to: Moment | None = None
    direction: list[Direction] = []
    distinct_conversations: bool = False
    message_type: list[MessageKind] = []
    record_count: Annotated[int, Meta(ge=1, le=10**9)] = _MOST_RECORDS


class SyncToken(Struct, array_like=True):
    """What a token holds: the version of the store that the client knows, and its filters."""

    version: Annotated[int, Meta(ge=0, le=_MOST_VERSIONS)]
    directions: list[Direction]
    kinds: list[MessageKind]
    conversations: list[str]


@area.get(f"{EXTENSION}/message-sync")
def sync_messages(ask: Ask[SyncQuery, None]) -> Json:
    """Synchronize messages: FSync returns those of a day, ISync those that have changed since the token was issued."""
    owner, store, query = ask.own_extension, ask.core.messages, ask.query
    older = False
    if query.sync_type == "ISync":
        token = _decode(query.sync_token)
        fitting = chosen(
            store, owner.id, kinds=token.kinds, directions=token.directions, conversations=token.conversations
        )
        found = [message for message in fitting if message.version > token.version]
        token.version = store.version
    else:
        token = SyncToken(store.version, query.direction, query.message_type, words(query.conversation_id))
        since, until = span(store.now(), query.date_from, query.date_to)
        listed: list[Message] = list(
            chosen(
                store,
                owner.id,
                kinds=token.kinds,
                directions=token.directions,
                conversations=token.conversations,
                availability=("Alive",),
                since=since,
                until=until,
            )
        )
        if query.distinct_conversations:
            listed = list(newest_of_each_conversation(listed))
        found, older = listed[: query.record_count], len(listed) > query.record_count
    return {
        "uri": f"{ask.server}{owner.uri}/message-sync",
        "records": [message.body(ask.server) for message in found],
        "syncInfo": {
            "syncType": query.sync_type,
            "syncToken": base64.urlsafe_b64encode(msgspec.json.encode(token)).decode(),
            "syncTime": iso(ask.core.clock.wall()),
            "olderRecordsExist": older,
        },
    }


def _decode(token: str | None) -> SyncToken:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token or ""), type=SyncToken)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Problem(400, "CMN-101", "Parameter [syncToken] value is invalid") from error
