"""The messages of the account: texts, faxes and others, each in the mailbox of one extension, with its files. No I/O.

The JSON form of a message is that of RingCentral's API reference, "Message Store". Where a message comes from and who
is told of it is `rcex_ws.gateway.notices.messages`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from rcex_ws.gateway.account.people import ACCOUNT_ID
from rcex_ws.gateway.account.shelf import Shelf
from rcex_ws.gateway.clock import Clock, iso

__all__ = [
    "Attachment",
    "Availability",
    "Direction",
    "Message",
    "MessageKind",
    "MessageParty",
    "MessageStatus",
    "MessageStore",
    "MessageText",
    "ReadStatus",
]

_MOST_MESSAGES = 10_000
_MOST_BYTES = 2**28
"""Of all texts and files together. A gateway may run for days in a shell; the oldest messages are dropped first."""
_FIRST_ID = 1001001

MessageKind: TypeAlias = Literal["Fax", "SMS", "VoiceMail", "Pager"]
Direction: TypeAlias = Literal["Inbound", "Outbound"]
ReadStatus: TypeAlias = Literal["Read", "Unread"]
Availability: TypeAlias = Literal["Alive", "Deleted", "Purged"]
Milliseconds: TypeAlias = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
"""Since 1970, until the end of the year 9999."""
MessageStatus: TypeAlias = Literal["Queued", "Sent", "Delivered", "DeliveryFailed", "SendingFailed", "Received"]


class MessageParty(Struct, rename="camel", omit_defaults=True, frozen=True):
    """Who sent a message, or one of those who get it."""

    phone_number: str | None = None
    extension_number: str | None = None
    extension_id: str | None = None
    name: str | None = None
    target: bool | None = None
    message_status: MessageStatus | None = None


class Attachment(Struct, rename="camel", omit_defaults=True, frozen=True):
    """One stored file; its bytes are not part of its JSON form."""

    id: int
    type: str
    content_type: str
    content: bytes
    file_name: str | None = None
    vm_duration: int | None = None

    @property
    def size(self) -> int:
        """The bytes that it takes of the store, about."""
        return len(self.content) + len(self.content_type) + len(self.file_name or "")

    def __repr__(self) -> str:
        return f"Attachment(id={self.id}, type={self.type!r}, size={len(self.content)})"


class MessageText(Struct, rename="camel", omit_defaults=True, frozen=True, kw_only=True):
    """What all copies of a message have in common."""

    type: MessageKind
    sender: MessageParty = msgspec.field(name="from")
    to: list[MessageParty]
    subject: str | None = None
    conversation_id: int | None = None
    fax_resolution: Literal["High", "Low"] | None = None
    fax_page_count: int | None = None
    cover_index: int | None = None
    cover_page_text: str | None = None
    vm_transcription_status: Literal["NotAvailable", "Completed"] | None = None

    @property
    def parties(self) -> Iterator[MessageParty]:
        """The sender and the recipients."""
        yield self.sender
        yield from self.to


class Message(Struct, kw_only=True):
    """One message in the mailbox of one extension.

    Attributes:
        created: when it was stored, in milliseconds since 1970.
        modified: when it was changed last, likewise.
        version: rises with each change of any message, so that a client can ask for what has changed since.
        size: bytes that it takes of the store.
    """

    id: int
    owner_id: str
    direction: Direction
    text: MessageText
    created: Milliseconds
    modified: Milliseconds
    read_status: ReadStatus
    message_status: MessageStatus
    availability: Availability = "Alive"
    delivery_error_code: str | None = None
    attachments: list[Attachment] = []
    version: int = 0
    size: int = 0

    @property
    def uri(self) -> str:
        """The path of the message."""
        return f"/restapi/v1.0/account/{ACCOUNT_ID}/extension/{self.owner_id}/message-store/{self.id}"

    def body(self, server: str) -> dict[str, Any]:
        """Return the JSON form of the message, with URIs below this base URL."""
        uri = f"{server}{self.uri}"
        facts: dict[str, Any] = msgspec.to_builtins(self.text)
        if self.text.conversation_id is not None:
            facts["conversation"] = {"id": str(self.text.conversation_id)}
        if self.delivery_error_code is not None:
            facts["deliveryErrorCode"] = self.delivery_error_code
        return {
            "uri": uri,
            "id": self.id,
            "extensionId": self.owner_id,
            "direction": self.direction,
            "creationTime": _iso(self.created),
            "lastModifiedTime": _iso(self.modified),
            "readStatus": self.read_status,
            "priority": "Normal",
            "availability": self.availability,
            "messageStatus": self.message_status,
            **facts,
            "attachments": [_file(file, uri) for file in self.attachments],
        }


class MessageStore:
    """The messages of all extensions.

    Args:
        clock: the source of their dates.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = count(_FIRST_ID)
        self._shelf = Shelf[Message](_MOST_MESSAGES, _MOST_BYTES, lambda message: message.size)
        self.version = 0

    def __len__(self) -> int:
        return len(self._shelf)

    def get(self, message_id: int) -> Message | None:
        """Return the message with this id."""
        return self._shelf.get(message_id)

    def of(self, owner_id: str) -> Iterator[Message]:
        """Yield the messages of an extension, newest first."""
        return (message for message in self._shelf.newest_first() if message.owner_id == owner_id)

    def now(self) -> int:
        """Return the time in milliseconds since 1970."""
        return int(self._clock.wall().timestamp() * 1000)

    def add(self, owner_id: str, direction: Direction, text: MessageText, files: Sequence[Attachment] = ()) -> Message:
        """Store a message.

        Args:
            owner_id: the extension in whose mailbox to put it.
            direction: whether they have got or sent it.
            text: what it says.
            files: its files, whose ids are given here.
        """
        moment, is_new = self.now(), direction == "Inbound"
        stored = [msgspec.structs.replace(file, id=next(self._ids)) for file in files]
        message = Message(
            id=next(self._ids),
            owner_id=owner_id,
            direction=direction,
            text=text,
            created=moment,
            modified=moment,
            read_status="Unread" if is_new else "Read",
            message_status="Received" if is_new else "Sent",
            attachments=stored,
            version=self._next_version(),
            size=len(msgspec.json.encode(text)) + sum(file.size for file in stored),
        )
        self._shelf.put(message)
        return message

    def touch(self, message: Message) -> None:
        """Record that a message has been changed."""
        message.modified, message.version = self.now(), self._next_version()

    def delete(self, message: Message, *, purge: bool = False) -> None:
        """Delete a message, or a deleted one for good: it stays listed as purged, without its files."""
        if purge or message.availability != "Alive":
            message.availability = "Purged"
            message.size -= sum(file.size for file in message.attachments)
            message.attachments = []
            self._shelf.put(message)
        else:
            message.availability = "Deleted"
        self.touch(message)

    def dump(self) -> list[Any]:
        """Return all messages, JSON-ready, oldest first; files in base64."""
        return [msgspec.to_builtins(message) for message in self._shelf]

    def load(self, saved: list[Any]) -> None:
        """Take the place of all messages.

        Args:
            saved: what `dump` has returned.

        Raises:
            msgspec.ValidationError: it is something else.
        """
        messages = msgspec.convert(saved, list[Message])
        self._shelf.fill(messages)
        self.version = max((message.version for message in messages), default=0)
        used = [number for message in messages for number in (message.id, *(file.id for file in message.attachments))]
        self._ids = count(max(used, default=_FIRST_ID - 1) + 1)

    def _next_version(self) -> int:
        self.version += 1
        return self.version


def _iso(moment: int) -> str:
    seconds, milliseconds = divmod(moment, 1000)
    return iso(datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000))


def _file(file: Attachment, uri: str) -> dict[str, Any]:
    facts = {"id": file.id, "uri": f"{uri}/content/{file.id}", "type": file.type, "contentType": file.content_type}
    facts |= {"size": len(file.content)}
    if file.file_name is not None:
        facts["fileName"] = file.file_name
    if file.vm_duration is not None:
        facts["vmDuration"] = file.vm_duration
    return facts
