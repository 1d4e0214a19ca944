"""Which messages of a mailbox a request is about. Used by the message store and its synchronization."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from msgspec import Meta

from rcex_ws.gateway.account.messages import Message, MessageStore
from rcex_ws.gateway.account.numbers import same_number
from rcex_ws.gateway.problem import Problem

__all__ = ["Moment", "chosen", "milliseconds", "newest_of_each_conversation", "span", "words"]

_DAY = 24 * 60 * 60 * 1000

Moment: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""A date and time in ISO 8601; without a time zone it is in UTC."""


def chosen(
    store: MessageStore,
    owner_id: str,
    *,
    kinds: Collection[str] = (),
    directions: Collection[str] = (),
    conversations: Collection[str] = (),
    availability: Collection[str] = (),
    read_statuses: Collection[str] = (),
    phone_number: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> Iterator[Message]:
    """Yield the messages of an extension that fit, newest first; what is empty or None lets all pass."""
    for message in store.of(owner_id):
        text = message.text
        if (
            (not kinds or text.type in kinds)
            and (not directions or message.direction in directions)
            and (not conversations or str(text.conversation_id) in conversations)
            and (not availability or message.availability in availability)
            and (not read_statuses or message.read_status in read_statuses)
            and (phone_number is None or any(same_number(one.phone_number, phone_number) for one in text.parties))
            and (until is None or message.created <= until)
            and (since is None or message.created >= since)
        ):
            yield message


def newest_of_each_conversation(messages: Iterable[Message]) -> Iterator[Message]:
    """Yield the first message of each conversation, and those that belong to none."""
    seen: set[int] = set()
    for message in messages:
        conversation = message.text.conversation_id
        if conversation is None:
            yield message
        elif conversation not in seen:
            seen.add(conversation)
            yield message


def words(text: str | None) -> list[str]:
    """Return the values in a parameter that takes several, separated by commas."""
    return [] if text is None else text.split(",")


def span(now: int, date_from: str | None, date_to: str | None) -> tuple[int, int]:
    """Return from when until when messages are asked for: until now and for a day, where nothing else is said.

    Raises:
        Problem: 400 CMN-101 for a date that is none.
    """
    until = now if date_to is None else milliseconds("dateTo", date_to)
    return until - _DAY if date_from is None else milliseconds("dateFrom", date_from), until


def milliseconds(name: str, text: str) -> int:
    """Return a `Moment` in milliseconds since 1970.

    Raises:
        Problem: 400 CMN-101 that names the parameter.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Problem(400, "CMN-101", f"Parameter [{name}] value is invalid") from error
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
