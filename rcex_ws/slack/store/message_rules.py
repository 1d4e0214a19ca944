"""The rules for messages and reactions.

A timestamp identifies a message of a conversation: a message that arrives twice is in the history once, and an edit,
a deletion or a reaction affects only the entry with its timestamp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from rcex_ws.readers import read_digits
from rcex_ws.slack.store.change import StoreChange, check_message
from rcex_ws.slack.store.fields import Fields

__all__ = [
    "add_message",
    "archive_by_message",
    "change_message",
    "count_reply",
    "delete_message",
    "describe_by_message",
    "join_by_message",
    "leave_by_message",
    "reaction_added",
    "reaction_removed",
    "rename_by_message",
]

_Reaction = dict[str, Any]


def add_message(change: StoreChange, event: Fields) -> None:
    """Append a message, including replies in threads."""
    # As Slack's page of message_replied says, that event is sent without its subtype.
    if event.data.get("hidden") and "subtype" not in event.data and "message" in event.data:
        count_reply(change, event)
    else:
        change.add_message(event.key("channel"), event)


def count_reply(change: StoreChange, event: Fields) -> None:
    """Update the number of replies in the message that they answer, and append the event."""
    message = event.optional_nested("message")
    if message is not None:
        change.merge_message(event.key("channel"), message)
    change.add_message(event.key("channel"), event)


def describe_by_message(what: Literal["topic", "purpose"]) -> Callable[[StoreChange, Fields], None]:
    """Return a rule that sets the topic or the purpose, and appends the message."""

    def rule(change: StoreChange, event: Fields) -> None:
        check_message(event)
        text = event.optional_text(what)
        if text is not None:
            seconds, _, _ = event.key("ts").partition(".")
            about = {"value": text, "creator": event.optional_text("user") or "", "last_set": read_digits(seconds) or 0}
            change.update_conversation(event.key("channel"), **{what: about})
        add_message(change, event)

    return rule


def rename_by_message(change: StoreChange, event: Fields) -> None:
    """Set the name of the conversation, and append the message."""
    check_message(event)
    name = event.optional_text("name")
    if name is not None:
        change.update_conversation(event.key("channel"), name=name)
    add_message(change, event)


def archive_by_message(*, is_archived: bool) -> Callable[[StoreChange, Fields], None]:
    """Return a rule that archives or unarchives the conversation, and appends the message."""

    def rule(change: StoreChange, event: Fields) -> None:
        check_message(event)
        change.update_conversation(event.key("channel"), is_archived=is_archived)
        add_message(change, event)

    return rule


def join_by_message(change: StoreChange, event: Fields) -> None:
    """Add a member, and append the message."""
    check_message(event)
    change.add_member(event.key("channel"), event.key("user"))
    add_message(change, event)


def leave_by_message(change: StoreChange, event: Fields) -> None:
    """Remove a member, and append the message."""
    check_message(event)
    change.remove_member(event.key("channel"), event.key("user"))
    add_message(change, event)


def change_message(change: StoreChange, event: Fields) -> None:
    """Replace the message that was edited, and append the event."""
    change.replace_message(event.key("channel"), event.nested("message"))
    add_message(change, event)


def delete_message(change: StoreChange, event: Fields) -> None:
    """Remove the message that was deleted, and append the event."""
    change.tables.remove(event.key("channel"), event.key("deleted_ts"))
    add_message(change, event)


def reaction_added(change: StoreChange, event: Fields) -> None:
    """Add a user to a reaction, unless already there."""
    _react(change, event, _with_user)


def reaction_removed(change: StoreChange, event: Fields) -> None:
    """Remove a user from a reaction, if there is one; remove the reaction when its count reaches 0."""
    _react(change, event, _without_user)


def _react(change: StoreChange, event: Fields, count: Callable[[_Reaction, str], _Reaction]) -> None:
    item = event.nested("item")
    if item.text("type") != "message":  # the model has no files
        return
    name, user = event.text("reaction"), event.key("user")
    channel, ts = item.key("channel"), item.key("ts")
    message = change.tables.message(channel, ts)
    if message is None:
        return
    reactions: list[_Reaction] = list(message.get("reactions") or [])
    place = next((index for index, one in enumerate(reactions) if one["name"] == name), len(reactions))
    new: _Reaction = {"name": name, "count": 0, "users": []}
    counted = count(reactions[place] if place < len(reactions) else new, user)
    reactions[place : place + 1] = [counted] if counted["count"] > 0 else []
    change.tables.replace(channel, {**message, "reactions": reactions})


def _with_user(reaction: _Reaction, user: str) -> _Reaction:
    users: list[str] = reaction.get("users") or []
    if user in users:
        return reaction
    return {**reaction, "count": reaction["count"] + 1, "users": [*users, user]}


def _without_user(reaction: _Reaction, user: str) -> _Reaction:
    users: list[str] = reaction.get("users") or []
    if user in users:
        return {**reaction, "count": reaction["count"] - 1, "users": [one for one in users if one != user]}
    # Slack lists only some of many users: if it counts more than it lists, this may be one of the others.
    return {**reaction, "count": max(reaction["count"] - 1, len(users))}
