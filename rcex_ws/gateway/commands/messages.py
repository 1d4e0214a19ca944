"""Commands for messages: what people outside send to the users, and what becomes of what the users have sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.account.messages import Attachment, Message, MessageParty, MessageText
from rcex_ws.gateway.account.numbers import e164
from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.commands.command import CommandSet, command
from rcex_ws.gateway.multipart import MEDIA_TYPE
from rcex_ws.gateway.notices.messages import announce, conversation_of, party_of, receive, text_files
from rcex_ws.gateway.notices.voicemail import SILENCE
from rcex_ws.options import Count, Label, Number

__all__ = ["MessageCommands"]

_OUTSIDER = "+16505550199"
_BLANK_PAGE = (
    b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


class SentFile(Struct, rename="camel"):
    """A file that somebody outside sends; over HTTP its content is in base64."""

    content_type: Annotated[str, Meta(pattern=rf"^{MEDIA_TYPE.pattern}\Z")]
    content: bytes
    file_name: str | None = None


class MessageCommands(CommandSet):
    """Messages from outside, and the fate of those that were sent."""

    @command
    def receive_sms(
        self,
        text: str = "Hello",
        *,
        from_number: Label = _OUTSIDER,
        to_number: Label | None = None,
        extension: Label | None = None,
        attachments: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Send a user a text message; return it as it is stored.

        Args:
            text: the text.
            from_number: the phone number of the sender.
            to_number: the phone number of the user that gets it.
            extension: their extension id or number instead; by default the first user.
            attachments: files that make it an MMS, each `{"contentType", "content", "fileName"?}`; the content is
                bytes, or text in base64.

        Raises:
            ConfigurationError: no user has the number or the extension, or an argument is invalid.
        """
        recipient = self._recipient(to_number, extension)
        sender, own = self._sender(from_number), party_of(self.core, to_number or recipient.phone_number)
        common = MessageText(
            type="SMS",
            sender=sender,
            to=[own],
            subject=_text("text", text),
            conversation_id=conversation_of([str(sender.phone_number), str(own.phone_number)]),
        )
        files = text_files(text, _files("MmsAttachment", attachments))
        return self._store(recipient, common, files)

    @command
    def receive_fax(
        self,
        *,
        from_number: Label = _OUTSIDER,
        to_number: Label | None = None,
        extension: Label | None = None,
        attachments: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Send a user a fax; return it as it is stored.

        Args:
            from_number: the phone number of the sender.
            to_number: the phone number of the user that gets it.
            extension: their extension id or number instead; by default the first user.
            attachments: the pages, as for `receive_sms`; by default one that is blank.

        Raises:
            ConfigurationError: no user has the number or the extension, or an argument is invalid.
        """
        recipient = self._recipient(to_number, extension)
        blank = Attachment(0, "RenderedDocument", "application/pdf", _BLANK_PAGE)
        files = _files("RenderedDocument", attachments) or [blank]
        common = MessageText(
            type="Fax",
            sender=self._sender(from_number),
            to=[party_of(self.core, to_number or recipient.phone_number)],
            fax_resolution="High",
            fax_page_count=len(files),
        )
        return self._store(recipient, common, files)

    @command
    def receive_voicemail(
        self,
        *,
        from_number: Label = _OUTSIDER,
        to_number: Label | None = None,
        extension: Label | None = None,
        duration: Number = 5,
        transcription: str | None = None,
    ) -> dict[str, Any]:
        """Leave a user a voicemail; return it as it is stored.

        Args:
            from_number: the phone number of the caller.
            to_number: the phone number of the user that gets it.
            extension: their extension id or number instead; by default the first user.
            duration: how many seconds it is said to last; the recording itself is a moment of silence.
            transcription: its text, None if it is not transcribed.

        Raises:
            ConfigurationError: no user has the number or the extension, or an argument is invalid.
        """
        recipient = self._recipient(to_number, extension)
        files = [Attachment(0, "AudioRecording", "audio/mpeg", SILENCE, vm_duration=duration)]
        if transcription is not None:
            spoken = _text("transcription", transcription).encode()
            files.append(Attachment(0, "AudioTranscription", "text/plain", spoken, vm_duration=duration))
        common = MessageText(
            type="VoiceMail",
            sender=self._sender(from_number),
            to=[party_of(self.core, to_number or recipient.phone_number)],
            vm_transcription_status="NotAvailable" if transcription is None else "Completed",
        )
        return self._store(recipient, common, files)

    @command
    def set_message_status(
        self,
        message_id: Count,
        status: Literal["Queued", "Sent", "Delivered", "DeliveryFailed", "SendingFailed"],
        error_code: Label | None = None,
    ) -> dict[str, Any]:
        """Change the delivery status of a message that a user has sent; return it as it is stored.

        Args:
            message_id: its id.
            status: the new status, of the message and for each recipient.
            error_code: the `deliveryErrorCode`, such as "SMS-UP-410".

        Raises:
            ConfigurationError: there is no such message, or nobody has sent it.
        """
        message = self.core.messages.get(message_id)
        if message is None or message.direction != "Outbound":
            raise ConfigurationError(f"message_id: no user has sent a message {message_id}")
        to = [msgspec.structs.replace(one, message_status=status) for one in message.text.to]
        message.text = msgspec.structs.replace(message.text, to=to)
        message.message_status, message.delivery_error_code = status, error_code
        self.core.messages.touch(message)
        announce(self.core, message, is_new=False)
        return message.body(self.core.server)

    def _recipient(self, number: str | None, extension: str | None) -> ExtensionRecord:
        people = self.core.people
        if number is not None and extension is not None:
            raise ConfigurationError("extension: either this or `to_number` says who gets it")
        if number is not None:
            name, found = "to_number", people.by_phone(number)
        else:
            name, found = "extension", people.first if extension is None else people.by_id(extension)
        if found is None:
            raise ConfigurationError(f"{name}: no user has {number or extension!r}")
        return found

    def _sender(self, number: str) -> MessageParty:
        if e164(number) is None:
            raise ConfigurationError(f"from_number: {number!r} is no phone number")
        return party_of(self.core, number)

    def _store(self, recipient: ExtensionRecord, common: MessageText, files: Sequence[Attachment]) -> dict[str, Any]:
        message: Message = receive(self.core, recipient, common, files)
        return message.body(self.core.server)


def _text(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"{name}: it holds half a surrogate pair") from error
    return text


def _files(kind: str, given: Sequence[Mapping[str, Any]]) -> list[Attachment]:
    try:
        sent = [msgspec.convert(dict(one), SentFile) for one in given]
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"attachments: {error}") from error
    for one in sent:
        _text("attachments", one.file_name or "")
    return [Attachment(0, kind, one.content_type, one.content, file_name=one.file_name) for one in sent]
