"""Notes: drafts of their author until they are published, locked by who edits them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from rcex_ws.gateway.account.team.items import TeamItem
from rcex_ws.gateway.api.operation import Ask, Json
from rcex_ws.gateway.api.team.area import PageOfTeam, TeamArea, own_chat, own_item, page_of, refuse_access
from rcex_ws.gateway.api.team.posts import writable_chat
from rcex_ws.gateway.notices.team import post_in
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_ONE = "/notes/{noteId}"
_PREVIEW = 150
_Title = Annotated[str, Meta(min_length=1, max_length=250)]
_Text = Annotated[str, Meta(max_length=2**20)]

area = TeamArea()


class NoteQuery(PageOfTeam, rename="camel"):
    """Which notes to list."""

    status: Literal["Active", "Draft"] | None = None
    creator_id: str | None = None


class NewNote(Struct):
    """A note to make."""

    title: _Title
    body: _Text = ""


class NoteChange(Struct):
    """What to change of a note."""

    title: _Title | UnsetType = UNSET
    body: _Text | UnsetType = UNSET


class NotePatchQuery(Struct, rename="camel"):
    """Whether to end the lock of the note."""

    release_lock: bool = False


@area.get("/chats/{chatId}/notes")
def list_notes(ask: Ask[NoteQuery, None]) -> Json:
    """List the notes in a chat, newest first; drafts of other people are not among them."""
    query = ask.query
    found = [
        note
        for note in ask.core.team.items.of("Note", own_chat(ask).id)
        if _may_see(ask, note)
        and (query.status is None or note.status == query.status)
        and (query.creator_id is None or note.creator_id == query.creator_id)
    ]
    page, navigation = page_of(found, query)
    return {"records": [_note_body(note) for note in page], "navigation": navigation}


@area.post("/chats/{chatId}/notes")
def create_note(ask: Ask[None, NewNote]) -> Json:
    """Make a note, which is a draft at first."""
    facts = msgspec.to_builtins(ask.body)
    return _note_body(ask.core.team.items.add("Note", writable_chat(ask).id, ask.caller.id, facts, status="Draft"))


@area.get(_ONE)
def read_note(ask: Ask[None, None]) -> Json:
    """Read a note with its text."""
    note = _note(ask)
    return _note_body(note) | {"body": note.facts["body"]}


@area.patch(_ONE)
def change_note(ask: Ask[NotePatchQuery, NoteChange]) -> Json:
    """Change a note."""
    note = _unlocked_note(ask)
    note.facts |= msgspec.to_builtins(ask.body)
    if ask.query.release_lock:
        note.locked_by = None
    ask.core.team.items.note_change(note, ask.caller.id)
    return _note_body(note)


@area.delete(_ONE)
def delete_note(ask: Ask[None, None]) -> None:
    """Delete a note."""
    ask.core.team.items.delete(_unlocked_note(ask))


@area.post(f"{_ONE}/publish")
def publish_note(ask: Ask[None, None]) -> Json:
    """Publish a note: it is posted in its chat."""
    note = _unlocked_note(ask)
    chat = writable_chat(ask, note.chat_id)
    if note.status != "Active":
        note.status = "Active"
        ask.core.team.items.note_change(note, ask.caller.id)
        attached = {"id": note.id, "type": "Note", "title": note.facts["title"]}
        post_in(ask.core, chat, ask.caller.id, attachments=[attached])
    return _note_body(note)


@area.post(f"{_ONE}/lock")
def lock_note(ask: Ask[None, None]) -> None:
    """Lock a note for others."""
    _unlocked_note(ask).locked_by = ask.caller.id


@area.post(f"{_ONE}/unlock")
def unlock_note(ask: Ask[None, None]) -> None:
    """Unlock a note."""
    _unlocked_note(ask).locked_by = None


def _may_see(ask: Ask[Any, Any], note: TeamItem) -> bool:
    return note.status == "Active" or note.creator_id == ask.caller.id


def _note(ask: Ask[Any, Any]) -> TeamItem:
    note = own_item(ask, "Note", "noteId")
    if not _may_see(ask, note):
        raise refuse_access("The note is a draft of somebody else")
    return note


def _unlocked_note(ask: Ask[Any, Any]) -> TeamItem:
    """Return the note, unless somebody else has locked it; which code RingCentral's refusal has, is not known."""
    note = _note(ask)
    if note.locked_by not in (None, ask.caller.id):
        raise Problem(403, "CMN-408", "The note is locked by somebody else")
    return note


def _note_body(note: TeamItem) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": note.id,
        "title": note.facts["title"],
        "chatIds": [note.chat_id],
        "preview": note.facts["body"][:_PREVIEW],
        "creator": {"id": note.creator_id},
        "lastModifiedBy": {"id": note.changed_by},
        "status": note.status,
        "creationTime": note.created,
        "lastModifiedTime": note.changed,
        "type": "Note",
    }
    return body if note.locked_by is None else body | {"lockedBy": {"id": note.locked_by}}
