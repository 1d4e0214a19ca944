"""Messages on their way: put into the mailbox of everybody concerned, and announced as RingCentral does.

Used by the REST handlers that send, and by the commands by which somebody outside sends. The notifications are those of
RingCentral's page "Message Events": a summary for `message-store`, the whole message for what comes in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from rcex_ws.gateway.account.messages import Attachment, Message, MessageParty, MessageText
from rcex_ws.gateway.account.numbers import e164
from rcex_ws.gateway.account.people import ACCOUNT_ID, ExtensionRecord
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.filters import EventFilter

__all__ = ["announce", "conversation_of", "party_of", "receive", "send", "tell_whole", "text_files"]

_EXTENSION = "/restapi/v1.0/account/~/extension/~"
_THREADS = "/restapi/v1.0/account/~/message-threads"


def send(
    core: GatewayCore,
    sender: ExtensionRecord,
    text: MessageText,
    recipients: Iterable[ExtensionRecord],
    files: Sequence[Attachment] = (),
) -> Message:
    """Store a message of one extension, and a copy for each of the extensions that get it; return the sender's."""
    sent = core.messages.add(sender.id, "Outbound", text, files)
    announce(core, sent)
    for one in recipients:
        receive(core, one, text, files)
    return sent


def receive(
    core: GatewayCore, recipient: ExtensionRecord, text: MessageText, files: Sequence[Attachment] = ()
) -> Message:
    """Store and announce a message that has come for an extension."""
    to = [
        msgspec.structs.replace(one, message_status=None, target=_is(core, one, recipient) or None) for one in text.to
    ]
    message = core.messages.add(recipient.id, "Inbound", msgspec.structs.replace(text, to=to), files)
    announce(core, message)
    tell_whole(core, message, recipient)
    return message


def announce(core: GatewayCore, message: Message, *more_directions: str, is_new: bool = True) -> None:
    """Notify the owner of a new message, or of a changed or deleted one (for which RingCentral sends no id)."""
    kind, owner = message.text.type, core.people.by_id(message.owner_id)
    counts = {"newCount": 1, "updatedCount": 0, "newMessageIds": [message.id]}
    now = iso(core.clock.wall())
    body = {
        "accountId": ACCOUNT_ID,
        "extensionId": message.owner_id,
        "lastUpdated": now,
        "changes": [{"type": kind, **(counts if is_new else {"newCount": 0, "updatedCount": 1})}],
    }
    query = urlencode({"type": kind, "direction": [message.direction, *more_directions]}, doseq=True)
    core.publish(f"{_EXTENSION}/message-store?{query}", body, owner)
    if kind == "SMS":
        for event in ("sync", "entries/sync"):
            core.publish(f"{_THREADS}/{event}", {"lastModifiedTime": now}, owner, audience={message.owner_id})


def tell_whole(core: GatewayCore, message: Message, recipient: ExtensionRecord) -> None:
    """Send the whole of a message that has come to those who have asked for messages of its kind."""
    kind = message.text.type
    if kind == "VoiceMail":
        event = f"{_EXTENSION}/voicemail"
    elif kind == "Fax":
        event = f"{_EXTENSION}/fax?direction=Inbound"
    else:
        event = f"{_EXTENSION}/message-store/instant?type={kind}"
    core.publish(event, _whole(message), recipient)


def conversation_of(parties: Iterable[str]) -> int:
    """Return the id of the conversation of these numbers: always the same one, whoever writes."""
    digest = hashlib.blake2b("|".join(sorted(set(parties))).encode(), digest_size=6)
    return int.from_bytes(digest.digest())


def party_of(core: GatewayCore, phone_number: str) -> MessageParty:
    """Return the party with this phone number, with the name if it is one of the account."""
    number = e164(phone_number) or phone_number
    known = core.people.by_phone(number)
    return MessageParty(phone_number=number, name=known.name if known else None)


def text_files(text: str | None, files: Iterable[Attachment]) -> list[Attachment]:
    """Return the attachments of a text message: its files, then its text, which RingCentral lists as one, too."""
    written = [Attachment(0, "Text", "text/plain", text.encode())] if text else []
    return [*files, *written]


def _is(core: GatewayCore, party: MessageParty, extension: ExtensionRecord) -> bool:
    known = core.people.by_phone(party.phone_number) if party.phone_number else None
    return extension.id in (party.extension_id, known and known.id)


def _whole(message: Message) -> Callable[[EventFilter, str], dict[str, Any]]:
    """Return the body of the notification with a whole message, whose ids are texts for `instant`."""

    def body(_: EventFilter, server: str) -> dict[str, Any]:
        facts = message.body(server) | {"direction": "Inbound", "ownerId": message.owner_id}
        if message.text.type in ("SMS", "Pager"):
            facts |= {name: str(facts[name]) for name in ("id", "conversationId") if name in facts}
        return facts

    return body
