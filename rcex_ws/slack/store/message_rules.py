"""The rules for messages and the reactions to them.

A timestamp names one message of a conversation: a message that comes twice stands in the history once, and a change,
a deletion or a reaction touches the one entry that bears its timestamp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcex_ws.slack.store.change import Change, check_message
from rcex_ws.slack.store.fields import Fields

__all__ = [
    "add_message",
    "change_message",
    "delete_message",
    "join_by_message",
    "leave_by_message",
    "reaction_added",
    "reaction_removed",
]

_Reaction = dict[str, Any]


def add_message(change: Change, event: Fields) -> None:
    """Append a message, an answer in a thread too."""
    change.add_message(event.key("channel"), event)


def join_by_message(change: Change, event: Fields) -> None:
    """Add a member, append the message."""
    check_message(event)
    change.add_member(event.key("channel"), event.key("user"))
    add_message(change, event)


def leave_by_message(change: Change, event: Fields) -> None:
    """Remove a member, append the message."""
    check_message(event)
    change.remove_member(event.key("channel"), event.key("user"))
    add_message(change, event)


def change_message(change: Change, event: Fields) -> None:
    """Replace the message that was edited, append the event."""
    change.replace_message(event.key("channel"), event.nested("message"))
    add_message(change, event)


def delete_message(change: Change, event: Fields) -> None:
    """Remove the message that was deleted, append the event."""
    change.tables.remove(event.key("channel"), event.key("deleted_ts"))
    add_message(change, event)


def reaction_added(change: Change, event: Fields) -> None:
    """Count one more of a reaction, unless this user has it already."""
    _react(change, event, _with_user)


def reaction_removed(change: Change, event: Fields) -> None:
    """Count one less of a reaction; at 0 it goes. What is not there cannot be removed."""
    _react(change, event, _without_user)


def _react(change: Change, event: Fields, count: Callable[[_Reaction, str], _Reaction]) -> None:
    item = event.nested("item")
    if item.text("type") != "message":  # the model holds no files
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
    # Slack lists only some of many users: where it counts more than it lists, this may be one of the others.
    return {**reaction, "count": max(reaction["count"] - 1, len(users))}
