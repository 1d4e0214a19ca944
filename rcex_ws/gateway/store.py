"""The users of the local gateway and their data: extensions, presence, messages, attachments. No I/O.

Read and changed only by the REST application, for logins too.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from rcex_ws.gateway.clock import Clock, iso

__all__ = ["ACCOUNT_ID", "Attachment", "ExtensionRecord", "Message", "Store"]

ACCOUNT_ID = "37439510"

_API = "/restapi/v1.0"

_MOST_MESSAGES = 10_000
_MOST_BYTES = 2**28
"""Of all texts and files together. A gateway may run for days in a shell; the oldest messages are dropped first."""


@dataclass(frozen=True, slots=True)
class ExtensionRecord:
    """One extension, that is one user, with their credentials."""

    id: str
    number: str
    name: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    jwt: str = field(repr=False)

    @property
    def uri(self) -> str:
        """The path of the extension."""
        return f"{_API}/account/{ACCOUNT_ID}/extension/{self.id}"


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


class Store:
    """The one account, with its extensions and their data.

    Args:
        clock: the source of the dates in messages.
        jwt: the JWT credential of the first extension; None generates one.
        second_jwt: that of the second extension, likewise.
    """

    def __init__(self, clock: Clock, jwt: str | None = None, second_jwt: str | None = None) -> None:
        self._clock = clock
        self._ids = count(1001001)
        self.extensions = [
            _extension("62264425016", "101", "Ada Ring", jwt),
            _extension("62264425017", "102", "Bob Central", second_jwt),
        ]
        self.messages: dict[tuple[str, int], Message] = {}
        self._bytes = 0
        self._presence: dict[str, dict[str, Any]] = {}
        self._presence_sequence = count(1)

    def by_id(self, text: str) -> ExtensionRecord | None:
        """Return the extension with this id or extension number."""
        return next((one for one in self.extensions if text in (one.id, one.number)), None)

    def by_jwt(self, jwt: str) -> ExtensionRecord | None:
        """Return the extension with this JWT credential."""
        return next((one for one in self.extensions if secrets.compare_digest(one.jwt.encode(), jwt.encode())), None)

    def by_password(self, username: str, password: str) -> ExtensionRecord | None:
        """Return the extension with this user name and password."""
        return next((one for one in self.extensions if (one.username, one.password) == (username, password)), None)

    def presence(self, owner: ExtensionRecord) -> dict[str, Any]:
        """Return the presence of an extension: the members that are both in REST answers and in notifications."""
        return self._presence.setdefault(
            owner.id,
            {
                "telephonyStatus": "NoCall",
                "presenceStatus": "Available",
                "userStatus": "Available",
                "meetingStatus": "Disconnected",
                "dndStatus": "TakeAllCalls",
                "allowSeeMyPresence": True,
                "ringOnMonitoredCall": False,
                "pickUpCallsOnHold": False,
            },
        )

    def next_presence_sequence(self) -> int:
        """Return the next sequence number for presence notifications."""
        return next(self._presence_sequence)

    def add_message(
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
        self.messages[owner.id, message.id] = message
        self._bytes += message.size
        while len(self.messages) > _MOST_MESSAGES or (self._bytes > _MOST_BYTES and len(self.messages) > 1):
            self.delete_message(next(iter(self.messages.values())))
        return message

    def mark_message(self, message: Message, read_status: str) -> None:
        """Mark a message as "Read" or "Unread"."""
        message.facts |= {"readStatus": read_status, "lastModifiedTime": iso(self._clock.wall())}

    def delete_message(self, message: Message) -> None:
        """Delete a message with its attachments."""
        del self.messages[message.owner.id, message.id]
        self._bytes -= message.size

    def messages_of(self, owner: ExtensionRecord) -> Iterator[Message]:
        """Yield the messages of an extension, newest first."""
        return (message for message in reversed(self.messages.values()) if message.owner is owner)


def _extension(extension_id: str, number: str, name: str, jwt: str | None) -> ExtensionRecord:
    username = f"{name.split()[0].lower()}@gateway.invalid"
    return ExtensionRecord(extension_id, number, name, username, secrets.token_urlsafe(12), jwt or _jwt(extension_id))


def _jwt(subject: str) -> str:
    """Return a credential that looks like RingCentral's; it is only compared as a whole, its signature is random."""
    parts = (
        json.dumps({"alg": "RS256", "typ": "JWT"}).encode(),
        json.dumps({"sub": subject, "jti": secrets.token_hex(8)}).encode(),
        secrets.token_bytes(32),
    )
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
