"""Which event changes what. Pure: every store calls these rules with a change of its tables, in any thread.

They are those of Slack's `@slack/client` 3, with its mistakes corrected. An event about something that is not known
changes nothing: after rtm.connect only our own user and the team are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from rcex_ws.slack.store.change import StoreChange
from rcex_ws.slack.store.fields import Fields
from rcex_ws.slack.store.message_rules import (
    add_message,
    archive_by_message,
    change_message,
    count_reply,
    delete_message,
    describe_by_message,
    join_by_message,
    leave_by_message,
    reaction_added,
    reaction_removed,
    rename_by_message,
)
from rcex_ws.slack.store.tables import Kind

__all__ = ["RULES", "Rule", "cache_start", "rule_name"]

Rule = Callable[[StoreChange, Fields], None]
"""Apply one event to the model."""

#: The lists in an answer to rtm.start; multi-person direct messages are groups.
_LISTS: Mapping[str, Kind] = {
    "users": "user",
    "channels": "channel",
    "ims": "dm",
    "groups": "group",
    "mpims": "group",
    "bots": "bot",
}


def cache_start(change: StoreChange, answer: Fields) -> None:
    """Apply the answer to rtm.start or rtm.connect.

    What the answer lists replaces all records of that kind, including histories. rtm.connect lists nothing: what is
    known stays, unless the user or the team is another one.
    """
    me, team = answer.nested("self"), answer.nested("team")
    known = change.tables.note("self"), change.tables.note("team")
    if known != (me.key("id"), team.key("id")):
        change.tables.clear()
    change.self_id, change.team_id = me.key("id"), team.key("id")
    change.tables.set_note("self", me.key("id"))
    change.tables.set_note("team", team.key("id"))
    for name, kind in _LISTS.items():
        if answer.data.get(name) is not None:
            change.tables.delete_all(kind)
    for name, kind in _LISTS.items():
        for record in answer.each(name):
            change.set(kind, record)
    change.upsert("user", me)
    change.upsert("team", team)


def rule_name(event: Fields) -> str | None:
    """Return the key of the rule for an event: its type, or "message::subtype" for messages with a subtype.

    None for an event without a type: a reply.
    """
    if "type" not in event.data:
        return None
    name = event.text("type")
    if name != "message" or event.data.get("subtype") is None:
        return name
    return f"message::{Fields(event.data, name).text('subtype')}"


def _set(kind: Kind, name: str) -> Rule:
    return lambda change, event: change.set(kind, event.nested(name))


def _upsert(kind: Kind, name: str) -> Rule:
    return lambda change, event: change.upsert(kind, event.nested(name))


def _joined(kind: Kind, *, anew: bool) -> Rule:
    """Return a rule for a conversation that our own user has joined: its object may lack the membership."""

    def rule(change: StoreChange, event: Fields) -> None:
        channel = event.nested("channel")
        if anew:
            change.set(kind, channel)
        else:
            change.upsert(kind, channel)
        id_ = channel.key("id")
        change.add_member(id_, change.self_id)
        change.update_conversation(id_, is_member=True)

    return rule


def _flag(name: str, value: bool) -> Rule:
    def rule(change: StoreChange, event: Fields) -> None:
        change.update_conversation(event.key("channel"), **{name: value})

    return rule


def _deleted(change: StoreChange, event: Fields) -> None:
    id_ = event.key("channel")
    change.remove(change.tables.kind_of(id_) or "channel", id_)


def _rename(change: StoreChange, event: Fields) -> None:
    channel = event.nested("channel")
    id_ = channel.key("id")
    by_letter: dict[str, Kind] = {"G": "group", "D": "dm"}
    change.upsert(change.tables.kind_of(id_) or by_letter.get(id_[0], "channel"), channel)


def _channel_left(change: StoreChange, event: Fields) -> None:
    change.remove_member(event.key("channel"), change.self_id)


def _group_left(change: StoreChange, event: Fields) -> None:
    id_ = event.key("channel")
    change.remove_member(id_, change.self_id)
    known = change.conversation(id_)
    if known is not None and known[1].get("members") == []:  # not if the list of members is not known
        change.update(known[0], id_, is_archived=True)


def _marked(change: StoreChange, event: Fields) -> None:
    # Unread counts are derived from `last_read` and the history, so there is nothing to recalculate.
    change.update_conversation(event.key("channel"), last_read=event.key("ts"))


def _member_joined(change: StoreChange, event: Fields) -> None:
    change.add_member(event.key("channel"), event.key("user"))


def _member_left(change: StoreChange, event: Fields) -> None:
    change.remove_member(event.key("channel"), event.key("user"))


def _typing(change: StoreChange, event: Fields) -> None:
    channel, user = event.key("channel"), event.key("user")
    if change.tables.kind_of(channel) is not None and change.tables.get("user", user) is not None:
        change.typing.append((channel, user))


def _presence(change: StoreChange, event: Fields) -> None:
    presence = event.text("presence")
    # With batch_presence_aware one event is about many users.
    for user in event.keys("users") if event.data.get("users") is not None else [event.key("user")]:
        change.update("user", user, presence=presence)


def _own_presence(change: StoreChange, event: Fields) -> None:
    change.update("user", change.self_id, presence=event.text("presence"))


def _own_pref(change: StoreChange, event: Fields) -> None:
    change.set_pref("user", change.self_id, event.text("name"), event.present("value"))


def _team_rename(change: StoreChange, event: Fields) -> None:
    change.update("team", change.team_id, name=event.text("name"))


def _team_domain(change: StoreChange, event: Fields) -> None:
    change.update("team", change.team_id, domain=event.text("domain"), url=event.text("url"))


def _team_pref(change: StoreChange, event: Fields) -> None:
    change.set_pref("team", change.team_id, event.text("name"), event.present("value"))


#: Changes of a channel or group that are announced by a message; the subtypes differ only in their first word.
_BY_MESSAGE: Mapping[str, Rule] = {
    f"message::{prefix}_{what}": rule
    for prefix in ("channel", "group")
    for what, rule in (
        ("archive", archive_by_message(is_archived=True)),
        ("join", join_by_message),
        ("leave", leave_by_message),
        ("name", rename_by_message),
        ("purpose", describe_by_message("purpose")),
        ("topic", describe_by_message("topic")),
        ("unarchive", archive_by_message(is_archived=False)),
    )
}

#: By event type; "message" is for messages whose subtype has no rule of its own. Other events change nothing.
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "bot_added": _set("bot", "bot"),
        "bot_changed": _upsert("bot", "bot"),
        "channel_archive": _flag("is_archived", True),
        "channel_created": _set("channel", "channel"),
        "channel_deleted": _deleted,
        "channel_joined": _joined("channel", anew=False),
        "channel_left": _channel_left,
        "channel_marked": _marked,
        "channel_rename": _rename,
        "channel_unarchive": _flag("is_archived", False),
        "group_archive": _flag("is_archived", True),
        "group_close": _flag("is_open", False),
        "group_deleted": _deleted,
        "group_joined": _joined("group", anew=True),
        "group_left": _group_left,
        "group_marked": _marked,
        "group_open": _flag("is_open", True),
        "group_rename": _rename,
        "group_unarchive": _flag("is_archived", False),
        "im_close": _flag("is_open", False),
        "im_deleted": _deleted,
        "im_created": _set("dm", "channel"),
        "im_marked": _marked,
        "im_open": _flag("is_open", True),
        "manual_presence_change": _own_presence,
        "member_joined_channel": _member_joined,
        "member_left_channel": _member_left,
        "message": add_message,
        **_BY_MESSAGE,
        "message::message_changed": change_message,
        "message::message_deleted": delete_message,
        "message::message_replied": count_reply,
        "mpim_close": _flag("is_open", False),
        "mpim_joined": _joined("group", anew=True),
        "mpim_marked": _marked,
        "mpim_open": _flag("is_open", True),
        "pref_change": _own_pref,
        "presence_change": _presence,
        "reaction_added": reaction_added,
        "reaction_removed": reaction_removed,
        "team_domain_change": _team_domain,
        "team_join": _upsert("user", "user"),
        "team_pref_change": _team_pref,
        "team_rename": _team_rename,
        "user_change": _upsert("user", "user"),
        "user_huddle_changed": _upsert("user", "user"),
        "user_profile_changed": _upsert("user", "user"),
        "user_status_changed": _upsert("user", "user"),
        "user_typing": _typing,
    }
)
