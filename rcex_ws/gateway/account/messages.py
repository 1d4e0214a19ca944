"""The messages of the account: texts, faxes and others, each in the store of one extension, with its files. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.clock import Clock, iso

__all__ = ["Attachment", "Message", "MessageStore"]

_MOST_MESSAGES = 10_000
_MOST_BYTES = 2**28
"""Of all texts and files together. A gateway may run for days in a shell; the oldest messages are dropped first."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One stored file."""

    id: str
    type: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(slots=True)
class Message:
    """One message in the store of one extension: its JSON members and its files."""

    id: int
    owner: ExtensionRecord
    facts: dict[str, Any]
    attachments: list[Attachment] = field(default_factory=list[Attachment])
    size: int = 0

    def body(self, server: str) -> dict[str, Any]:
        """Return the JSON form of the message, with URIs below this base URL."""
        uri = f"{server}{self.owner.uri}/message-store/{self.id}"
        files = [
            {
                "id": int(file.id),
                "uri": f"{uri}/content/{file.id}",
                "type": file.type,
                "contentType": file.content_type,
                "size": len(file.content),
            }
            for file in self.attachments
        ]
        return {"uri": uri, "id": self.id, **self.facts, "attachments": files}


class MessageStore:
    """The messages of all extensions.

    Args:
        clock: the source of their dates.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = count(1001001)
        self._all: dict[tuple[str, int], Message] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._all)

    def get(self, owner: ExtensionRecord, message_id: int) -> Message | None:
        """Return the message of this extension with this id."""
        return self._all.get((owner.id, message_id))

    def add(
        self,
        owner: ExtensionRecord,
        kind: str,
        direction: str,
        *,
        facts: Mapping[str, Any],
        files: Sequence[tuple[str, str, bytes]] = (),
    ) -> Message:
        """Store a message.

        Args:
            owner: the extension in whose store to put it.
            kind: "Pager", "Fax" or another message type.
            direction: "Inbound" or "Outbound".
            facts: more members of its JSON form.
            files: attachments as (attachment type, content type, bytes).
        """
        moment = iso(self._clock.wall())
        common = {
            "type": kind,
            "direction": direction,
            "creationTime": moment,
            "lastModifiedTime": moment,
            "readStatus": "Unread" if direction == "Inbound" else "Read",
            "priority": "Normal",
            "availability": "Alive",
            "messageStatus": "Received" if direction == "Inbound" else "Sent",
        }
        attachments = [Attachment(str(next(self._ids)), *file) for file in files]
        size = len(str(facts)) + sum(len(file.content) for file in attachments)
        message = Message(next(self._ids), owner, common | dict(facts), attachments, size)
        self._all[owner.id, message.id] = message
        self._bytes += message.size
        while len(self._all) > _MOST_MESSAGES or (self._bytes > _MOST_BYTES and len(self._all) > 1):
            self.delete(next(iter(self._all.values())))
        return message

    def mark(self, message: Message, read_status: str) -> None:
        """Mark a message as "Read" or "Unread"."""
        message.facts |= {"readStatus": read_status, "lastModifiedTime": iso(self._clock.wall())}

    def delete(self, message: Message) -> None:
        """Delete a message with its attachments."""
        del self._all[message.owner.id, message.id]
        self._bytes -= message.size

    def of(self, owner: ExtensionRecord) -> Iterator[Message]:
        """Yield the messages of an extension, newest first."""
        return (message for message in reversed(self._all.values()) if message.owner is owner)
