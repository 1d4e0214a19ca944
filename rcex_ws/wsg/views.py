"""Typed views of the twelve commonest notification bodies; `view_of` chooses one for an event. Pure.

`notification.view` is one of these, or None for a body that has no view here or does not fit it; `notification.body`
has everything in any case. All fields but the first few are optional, as the server leaves out what is empty or zero;
ids come as strings and as numbers, and are given as strings. Times are ISO 8601, as the server wrote them.
Source of the fields: RingCentral's API reference, "Events", and frames recorded from the service.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct, field

__all__ = [
    "ChatEvent",
    "DirectoryEvent",
    "ExtensionChange",
    "ExtensionEvent",
    "ExtensionsEvent",
    "FaxEvent",
    "InstantMessageEvent",
    "MessageAttachment",
    "MessageChange",
    "MessageEnd",
    "MessageStoreEvent",
    "PartyStatus",
    "PostEvent",
    "PresenceEvent",
    "SmsBatchEvent",
    "TelephonyParty",
    "TelephonySessionEvent",
    "View",
    "VoicemailEvent",
]


if TYPE_CHECKING:
    RecordId: TypeAlias = str
else:
    RecordId = str | int  # as the server writes ids; `View` makes strings of them


class View(Struct, rename="camel", kw_only=True):
    """Base class of the views."""

    def __post_init__(self) -> None:
        for name in _ids_of(type(self)):
            value: Any = getattr(self, name)
            if isinstance(value, int):
                setattr(self, name, str(value))


@cache
def _ids_of(kind: type[View]) -> tuple[str, ...]:
    """Return the names of the fields that hold an id."""
    return tuple(name for name in kind.__struct_fields__ if name == "id" or name.endswith("_id"))


class MessageChange(View):
    """What changed for one type of message.

    Attributes:
        type: "SMS", "Fax", "VoiceMail" or "Pager".
        new_count: number of new messages.
        updated_count: number of changed ones, deleted ones included; the store tells which.
        new_message_ids: ids of the new ones.
    """

    type: str
    new_count: int = 0
    updated_count: int = 0
    new_message_ids: list[RecordId] = []

    def __post_init__(self) -> None:
        self.new_message_ids = [str(one) for one in self.new_message_ids]


class MessageStoreEvent(View):
    """Messages have come or changed: filter `.../message-store`."""

    changes: list[MessageChange]
    account_id: RecordId | None = None
    extension_id: RecordId | None = None
    last_updated: str | None = None


class MessageEnd(View):
    """A sender or a recipient."""

    phone_number: str | None = None
    extension_number: str | None = None
    extension_id: RecordId | None = None
    name: str | None = None
    location: str | None = None
    target: bool = False
    message_status: str | None = None


class MessageAttachment(View):
    """A file of a message; `rc.get(uri)` or `rc.stream` reads it."""

    id: RecordId
    uri: str
    type: str | None = None
    content_type: str | None = None
    size: int | None = None
    vm_duration: int | None = None


class _WholeMessage(View):
    id: RecordId
    type: str
    direction: str | None = None
    from_: MessageEnd | None = field(name="from", default=None)
    to: list[MessageEnd] = []
    subject: str | None = None
    attachments: list[MessageAttachment] = []
    creation_time: str | None = None
    last_modified_time: str | None = None
    read_status: str | None = None
    message_status: str | None = None
    priority: str | None = None
    availability: str | None = None
    conversation_id: RecordId | None = None
    owner_id: RecordId | None = None


class InstantMessageEvent(_WholeMessage):
    """A text message has come: filter `.../message-store/instant?type=SMS`. Its text is `subject`."""


class VoicemailEvent(_WholeMessage):
    """A voicemail has come: filter `.../voicemail`."""

    vm_transcription_status: str | None = None


class FaxEvent(_WholeMessage):
    """A fax has come: filter `.../fax?direction=Inbound`."""

    fax_page_count: int | None = None
    fax_resolution: str | None = None


class PresenceEvent(View):
    """A presence has changed: filter `.../presence`; with `?detailedTelephonyState=true` it has `active_calls`."""

    extension_id: RecordId
    telephony_status: str | None = None
    presence_status: str | None = None
    user_status: str | None = None
    dnd_status: str | None = None
    meeting_status: str | None = None
    sequence: int | None = None
    active_calls: list[dict[str, Any]] = []
    total_active_calls: int | None = None


class PartyStatus(View):
    """The state of a party: "Setup", "Proceeding", "Answered", "Disconnected", "Hold" and so on."""

    code: str | None = None
    reason: str | None = None


class TelephonyParty(View):
    """One side of a call, as one extension sees it.

    Attributes:
        from_: `{"phoneNumber": ..., "name": ...}` and the like.
        to: likewise.
    """

    id: RecordId
    status: PartyStatus = field(default_factory=PartyStatus)
    direction: str | None = None
    account_id: RecordId | None = None
    extension_id: RecordId | None = None
    from_: dict[str, Any] = field(name="from", default_factory=dict[str, Any])
    to: dict[str, Any] = {}
    missed_call: bool = False
    muted: bool = False


class TelephonySessionEvent(View):
    """A call has changed: filter `.../telephony/sessions`. Events of a call may come out of order: see `sequence`."""

    telephony_session_id: RecordId
    session_id: RecordId | None = None
    sequence: int | None = None
    event_time: str | None = None
    server_id: str | None = None
    parties: list[TelephonyParty] = []
    origin: dict[str, Any] = {}


class PostEvent(View):
    """A post of a chat: filter `/team-messaging/v1/posts`.

    Attributes:
        event_type: "PostAdded", "PostChanged" or "PostRemoved"; a removed one has only an id besides.
        group_id: the chat.
    """

    id: RecordId
    event_type: str
    group_id: RecordId | None = None
    creator_id: RecordId | None = None
    text: str | None = None
    type: str | None = None
    parent_post_id: RecordId | None = None
    thread_id: RecordId | None = None
    creation_time: str | None = None
    last_modified_time: str | None = None
    attachments: list[dict[str, Any]] | None = None
    mentions: list[dict[str, Any]] | None = None


class ChatEvent(View):
    """A chat has changed: filter `/team-messaging/v1/chats`. `event_type` is "GroupJoined" and the like."""

    id: RecordId
    event_type: str
    name: str | None = None
    description: str | None = None
    type: str | None = None
    status: str | None = None
    members: list[Any] | None = None
    is_public: bool | None = None
    creation_time: str | None = None
    last_modified_time: str | None = None


class ExtensionChange(View):
    """What happened to one extension: "Create", "Update" or "Delete"; `hints` say to what of it."""

    extension_id: RecordId
    event_type: str | None = None
    hints: list[str] = []


class ExtensionEvent(ExtensionChange):
    """An extension has changed: filter `/restapi/v1.0/account/~/extension/~`."""


class ExtensionsEvent(View):
    """Extensions of the account have changed: filter `/restapi/v1.0/account/~/extension`."""

    extensions: list[ExtensionChange]


class DirectoryEvent(View):
    """The company directory has changed: filter `/restapi/v1.0/account/~/directory/entries`."""

    changes: list[dict[str, Any]] = []


class SmsBatchEvent(View):
    """A batch of messages was processed: filter `/restapi/v1.0/account/~/a2p-sms/batches`."""

    id: RecordId
    status: str | None = None
    from_: str | None = field(name="from", default=None)
    batch_size: int | None = None
    processed_count: int | None = None
    cost: float | None = None
    creation_time: str | None = None
    last_modified_time: str | None = None
