"""Row by row: which event changes what, in both stores."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws.slack.store import DataStore

ME, BOB, TEAM = "U1", "U2", "T1"


def message(ts: str, channel: str = "C1", user: str = BOB, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "channel": channel, "user": user, "text": f"text of {ts}", "ts": ts, **fields}


async def timestamps(store: DataStore, channel: str) -> list[str]:
    return [one["ts"] for one in await store.history(channel)]


async def unread(store: DataStore, channel: str) -> int:
    known = await store.conversation(channel)
    assert known is not None
    return known.unread_count


# What tells of records.


async def test_bot_added_sets_and_bot_changed_merges(store: DataStore) -> None:
    await store.apply({"type": "bot_added", "bot": {"id": "B2", "name": "new", "icons": {"a": 1}}})
    await store.apply({"type": "bot_changed", "bot": {"id": "B2", "name": "renamed"}})
    assert (await store.bot("B2")).to_dict() == {"id": "B2", "name": "renamed", "icons": {"a": 1}}
    await store.apply({"type": "bot_added", "bot": {"id": "B2", "name": "again"}})
    assert (await store.bot("B2")).to_dict() == {"id": "B2", "name": "again"}


async def test_channel_created_sets_and_channel_deleted_removes_with_history(store: DataStore) -> None:
    await store.apply({"type": "channel_created", "channel": {"id": "C9", "name": "nine", "creator": BOB}})
    await store.apply(message("300.1", "C9"))
    assert (await store.channel("C9")).name == "nine"
    await store.apply({"type": "channel_deleted", "channel": "C9"})
    assert await store.channel("C9") is None
    assert await store.history("C9") == []
    assert [one.id for one in await store.channels()] == ["C1", "C2"]


async def test_channel_joined_merges(store: DataStore) -> None:
    await store.apply(message("300.1", "C2"))
    joined = {"id": "C2", "name": "random2", "is_member": True, "members": [BOB, ME, BOB], "last_read": "250.000000"}
    await store.apply({"type": "channel_joined", "channel": {**joined, "latest": message("300.1", "C2")}})
    channel = await store.channel("C2")
    assert (channel.name, channel.is_member, channel.members) == ("random2", True, (BOB, ME))
    assert [one["ts"] for one in channel.history] == ["200.000001", "300.1"]
    assert channel.unread_count == 1


async def test_channel_left_removes_me_only(store: DataStore) -> None:
    await store.apply({"type": "channel_left", "channel": "C1"})
    channel = await store.channel("C1")
    assert (channel.members, channel.is_member) == ((BOB,), False)


async def test_leaving_where_i_am_no_member_removes_nobody(store: DataStore) -> None:
    await store.apply({"type": "channel_left", "channel": "C2"})
    assert (await store.channel("C2")).members == (BOB,)
    await store.apply({"type": "channel_left", "channel": "C1"}, self_id="U77")
    assert (await store.channel("C1")).members == (ME, BOB)


async def test_group_left_archives_a_group_without_members(store: DataStore) -> None:
    await store.apply({"type": "group_left", "channel": "G1"})
    group = await store.group("G1")
    assert (group.members, group.is_archived) == ((BOB,), False)
    await store.apply({"type": "group_left", "channel": "G1"}, self_id=BOB)
    group = await store.group("G1")
    assert (group.members, group.is_archived) == ((), True)


async def test_a_group_whose_members_are_not_known_is_not_archived(store: DataStore) -> None:
    await store.set("group", {"id": "G3", "name": "big"})
    await store.apply({"type": "group_left", "channel": "G3"})
    assert not (await store.group("G3")).is_archived


@pytest.mark.parametrize(("kind", "id_"), [("channel", "C1"), ("group", "G1")])
async def test_archive_and_unarchive(store: DataStore, kind: str, id_: str) -> None:
    await store.apply({"type": f"{kind}_archive", "channel": id_, "user": BOB})
    assert (await store.conversation(id_)).is_archived
    await store.apply({"type": f"{kind}_unarchive", "channel": id_, "user": BOB})
    assert (await store.conversation(id_))["is_archived"] is False


@pytest.mark.parametrize(("kind", "id_"), [("channel", "C1"), ("group", "G1"), ("group", "G2")])
async def test_rename_keeps_the_rest(store: DataStore, kind: str, id_: str) -> None:
    before = await store.conversation(id_)
    await store.apply({"type": f"{kind}_rename", "channel": {"id": id_, "name": "newname", "created": 1}})
    after = await store.conversation(id_)
    assert after.to_dict() == {**before.to_dict(), "name": "newname", "created": 1}
    assert after.type == before.type
    assert (await store.conversation_by_name("newname")).id == id_


async def test_rename_of_what_is_not_known_makes_it(store: DataStore) -> None:
    await store.apply({"type": "group_rename", "channel": {"id": "G9", "name": "nine"}})
    await store.apply({"type": "channel_rename", "channel": {"id": "C9", "name": "nine"}})
    assert ((await store.group("G9")).type, (await store.channel("C9")).type) == ("group", "channel")


@pytest.mark.parametrize(
    ("event", "id_"), [("channel_marked", "C1"), ("group_marked", "G1"), ("im_marked", "D1"), ("mpim_marked", "G2")]
)
async def test_marked_sets_last_read_and_so_what_is_unread(store: DataStore, event: str, id_: str) -> None:
    for ts in ("300.1", "300.2", "300.3"):
        await store.apply(message(ts, id_))
    assert await unread(store, id_) == 3
    await store.apply({"type": event, "channel": id_, "ts": "300.2"})
    channel = await store.conversation(id_)
    assert (channel.last_read, channel["last_read"], channel.unread_count) == ("300.2", "300.2", 1)
    await store.apply({"type": event, "channel": id_, "ts": "300.0"})
    assert await unread(store, id_) == 3


@pytest.mark.parametrize(("event", "type_"), [("group_joined", {"is_mpim": False}), ("mpim_joined", {"is_mpim": True})])
async def test_group_joined_sets(store: DataStore, event: str, type_: dict[str, bool]) -> None:
    await store.apply(message("300.1", "G1"))
    latest = {"type": "message", "user": BOB, "text": "last", "ts": "400.1"}
    channel = {"id": "G1", "name": "anew", "latest": latest, "members": [ME], **type_}
    await store.apply({"type": event, "channel": channel})
    group = await store.group("G1")
    assert group.to_dict() == {**channel, "is_member": True}
    assert list(group.history) == [latest]
    assert group.type == ("mpdm" if type_["is_mpim"] else "group")


async def test_im_created_open_close(store: DataStore) -> None:
    await store.apply({"type": "im_created", "user": "U3", "channel": {"id": "D2", "user": "U3", "latest": None}})
    assert (await store.dm_by_user_id("U3")).type == "dm"
    await store.apply({"type": "im_open", "channel": "D2", "user": "U3"})
    assert (await store.dm("D2")).is_open
    await store.apply({"type": "im_close", "channel": "D2", "user": "U3"})
    assert (await store.dm("D2"))["is_open"] is False


async def test_member_joined_and_left(store: DataStore) -> None:
    for _ in range(2):
        await store.apply({"type": "member_joined_channel", "channel": "C2", "user": "U3", "channel_type": "C"})
    assert (await store.channel("C2")).members == (BOB, "U3")
    for _ in range(2):
        await store.apply({"type": "member_left_channel", "channel": "C2", "user": BOB, "channel_type": "C"})
    assert (await store.channel("C2")).members == ("U3",)


async def test_a_conversation_is_of_one_kind(store: DataStore) -> None:
    await store.apply(message("300.1", "C1"))
    await store.upsert("group", {"id": "C1", "is_private": True})
    assert await store.channel("C1") is None
    group = await store.group("C1")
    assert (group.name, group.type, group["is_private"]) == ("general", "group", True)
    assert [one["ts"] for one in group.history] == ["300.1"]
    await store.apply({"type": "channel_created", "channel": {"id": "C1", "name": "public again"}})
    assert await store.group("C1") is None
    assert (await store.channel("C1")).to_dict() == {"id": "C1", "name": "public again"}


# Users and the team.


async def test_presence_change_of_one_and_of_many(store: DataStore) -> None:
    await store.apply({"type": "presence_change", "user": BOB, "presence": "active"})
    assert (await store.user(BOB)).presence == "active"
    await store.apply({"type": "presence_change", "users": [ME, "U3", "U404"], "presence": "away"})
    assert [user.presence for user in await store.users()] == ["away", "active", "away"]


async def test_manual_presence_change_and_pref_change_are_mine(store: DataStore) -> None:
    await store.apply({"type": "manual_presence_change", "presence": "away"})
    await store.apply({"type": "pref_change", "name": "time24", "value": True})
    me = await store.user(ME)
    assert me.presence == "away"
    assert me.prefs == {"time24": True, "sound": "on"}
    await store.apply({"type": "manual_presence_change", "presence": "active"}, self_id=BOB)
    await store.apply({"type": "pref_change", "name": "first", "value": None}, self_id=BOB)
    bob = await store.user(BOB)
    assert (bob.presence, bob.prefs) == ("active", {"first": None})


async def test_user_change_merges_and_team_join_adds(store: DataStore) -> None:
    await store.apply({"type": "user_change", "user": {"id": BOB, "name": "rob", "profile": {"email": "r@x"}}})
    rob = await store.user(BOB)
    assert (rob.name, rob.real_name, rob.presence, rob.email) == ("rob", "Bob B.", "away", "r@x")
    assert await store.user_by_email("bob@house.test") is None
    assert await store.user_by_email("r@x") == rob
    await store.apply({"type": "team_join", "user": {"id": "U4", "name": "dora"}})
    assert [user.name for user in await store.users()] == ["anna", "rob", "helper", "dora"]


async def test_team_events(store: DataStore) -> None:
    await store.apply({"type": "team_rename", "name": "home"})
    await store.apply({"type": "team_domain_change", "domain": "home", "url": "https://home.test"})
    await store.apply({"type": "team_pref_change", "name": "who_can_post", "value": "admin"})
    await store.apply({"type": "team_rename", "name": "other"}, team_id="T404")
    team = await store.team(TEAM)
    assert (team.name, team.domain, team.url) == ("home", "home", "https://home.test")
    assert team.prefs == {"who_can_post": "admin"}


@pytest.mark.parametrize("conversation", ["C1", "G1", "D1"])
async def test_typing_lasts_five_seconds(store: DataStore, clock: Any, conversation: str) -> None:
    await store.apply({"type": "user_typing", "channel": conversation, "user": BOB})
    clock.now += 3
    await store.apply({"type": "user_typing", "channel": conversation, "user": "U3"})
    assert await store.typing_users(conversation) == [BOB, "U3"]
    assert await store.typing_users("C2") == []
    clock.now += 2
    assert await store.typing_users(conversation) == ["U3"]
    await store.apply({"type": "user_typing", "channel": conversation, "user": "U3"})
    clock.now += 4.9
    assert await store.typing_users(conversation) == ["U3"]
    clock.now += 0.1
    assert await store.typing_users(conversation) == []


async def test_nobody_unknown_types(store: DataStore) -> None:
    await store.apply({"type": "user_typing", "channel": "C1", "user": "U404"})
    await store.apply({"type": "user_typing", "channel": "C404", "user": BOB})
    assert await store.typing_users("C1") == await store.typing_users("C404") == []


# Messages.


@pytest.mark.parametrize("conversation", ["C1", "G1", "G2", "D1"])
async def test_a_message_without_subtype_is_appended(store: DataStore, conversation: str) -> None:
    first, second = message("300.2", conversation), message("300.1", conversation, thread_ts="300.2")
    await store.apply(first)
    await store.apply(second)
    assert await store.history(conversation) == [first, second]
    assert await store.message(conversation, "300.1") == second
    channel = await store.conversation(conversation)
    assert (channel.unread_count, channel.latest) == (2, first)


@pytest.mark.parametrize(
    "subtype", ["bot_message", "channel_topic", "file_share", "me_message", "message_replied", "x"]
)
async def test_other_subtypes_are_appended(store: DataStore, subtype: str) -> None:
    event = message("300.1", subtype=subtype)
    await store.apply(event)
    assert await store.history("C1") == [event]


async def test_my_own_and_hidden_messages_are_not_unread(store: DataStore) -> None:
    await store.apply(message("300.1", user=ME))
    await store.apply(message("300.2", hidden=True, subtype="message_replied"))
    await store.apply({"type": "message", "channel": "C1", "bot_id": "B1", "text": "no user", "ts": "300.3"})
    await store.apply(message("99.1"))  # compared as text, as Slack's own clients do: "99" comes after "100"
    assert await unread(store, "C1") == 2
    assert await store.unread_count() == 3  # and that of C2


async def test_a_message_that_comes_twice_stands_there_once(store: DataStore) -> None:
    for text in ("one", "two"):
        await store.apply(message("300.1", text=text) | {"text": text, "reply_to": 7})
    assert [one["text"] for one in await store.history("C1")] == ["one"]
    assert await unread(store, "C1") == 1


@pytest.mark.parametrize(("prefix", "conversation"), [("channel", "C2"), ("group", "G1")])
async def test_join_and_leave_messages(store: DataStore, prefix: str, conversation: str) -> None:
    before = (await store.conversation(conversation)).members
    for ts in ("300.1", "300.2"):
        await store.apply(message(ts, conversation, "U3", subtype=f"{prefix}_join"))
    assert (await store.conversation(conversation)).members == (*before, "U3")
    for ts in ("300.3", "300.4"):
        await store.apply(message(ts, conversation, "U3", subtype=f"{prefix}_leave"))
    assert (await store.conversation(conversation)).members == before
    assert (await timestamps(store, conversation))[-4:] == ["300.1", "300.2", "300.3", "300.4"]


async def test_message_changed_replaces_the_right_entry_and_is_appended(store: DataStore) -> None:
    for ts in ("300.1", "300.2", "300.3"):
        await store.apply(message(ts))
    changed = {"type": "message", "user": BOB, "text": "edited", "ts": "300.1"}
    event = message("300.4", subtype="message_changed", hidden=True, message=changed)
    await store.apply(event)
    assert await store.history("C1") == [changed, message("300.2"), message("300.3"), event]
    assert (await store.channel("C1")).latest == message("300.3")
    assert await unread(store, "C1") == 3


async def test_message_changed_of_what_is_not_there_is_only_appended(store: DataStore) -> None:
    await store.apply(message("300.1"))
    inner = {"type": "message", "user": BOB, "text": "edited", "ts": "250.1"}
    await store.apply(message("300.4", subtype="message_changed", hidden=True, message=inner))
    assert await timestamps(store, "C1") == ["300.1", "300.4"]
    assert (await store.message("C1", "300.1"))["text"] == "text of 300.1"


async def test_message_deleted_removes_the_right_entry_and_is_appended(store: DataStore) -> None:
    for ts in ("300.1", "300.2", "300.3"):
        await store.apply(message(ts))
    await store.apply(message("300.4", subtype="message_deleted", hidden=True, deleted_ts="300.1"))
    assert await timestamps(store, "C1") == ["300.2", "300.3", "300.4"]
    assert await unread(store, "C1") == 2
    await store.apply(message("300.5", subtype="message_deleted", hidden=True, deleted_ts="1.1"))
    assert await timestamps(store, "C1") == ["300.2", "300.3", "300.4", "300.5"]


# Reactions.


def reaction(kind: str, name: str, user: str, ts: str = "300.1", item: str = "message") -> dict[str, Any]:
    return {
        "type": f"reaction_{kind}",
        "user": user,
        "reaction": name,
        "item": {"type": item, "channel": "C1", "ts": ts},
    }


async def test_reactions_are_counted_on_the_right_message(store: DataStore) -> None:
    for ts in ("300.1", "300.2"):
        await store.apply(message(ts))
    for kind, name, user in [("added", "+1", BOB), ("added", "heart", BOB), ("added", "+1", ME), ("added", "+1", ME)]:
        await store.apply(reaction(kind, name, user))
    assert (await store.message("C1", "300.1"))["reactions"] == [
        {"name": "+1", "count": 2, "users": [BOB, ME]},
        {"name": "heart", "count": 1, "users": [BOB]},
    ]
    assert "reactions" not in await store.message("C1", "300.2")
    await store.apply(reaction("removed", "+1", BOB))
    await store.apply(reaction("removed", "+1", BOB))
    assert (await store.message("C1", "300.1"))["reactions"][0] == {"name": "+1", "count": 1, "users": [ME]}
    await store.apply(reaction("removed", "+1", ME))
    await store.apply(reaction("removed", "heart", BOB))
    assert (await store.message("C1", "300.1"))["reactions"] == []


async def test_slack_may_count_more_than_it_lists(store: DataStore) -> None:
    await store.apply(message("300.1", reactions=[{"name": "+1", "count": 3, "users": [BOB]}]))
    await store.apply(reaction("removed", "+1", "U50"))
    assert (await store.message("C1", "300.1"))["reactions"] == [{"name": "+1", "count": 2, "users": [BOB]}]
    for _ in range(3):
        await store.apply(reaction("removed", "+1", "U51"))
    assert (await store.message("C1", "300.1"))["reactions"] == [{"name": "+1", "count": 1, "users": [BOB]}]


async def test_a_reaction_that_is_not_there_is_not_made_by_removing_it(store: DataStore) -> None:
    await store.apply(message("300.1"))
    await store.apply(reaction("removed", "+1", BOB))
    assert not (await store.message("C1", "300.1")).get("reactions")


async def test_reactions_to_what_the_model_does_not_hold(store: DataStore, model: Any) -> None:
    before = await model(store)
    await store.apply(reaction("added", "+1", BOB, ts="1.1"))
    await store.apply({"type": "reaction_added", "user": BOB, "reaction": "+1", "item": {"type": "file", "file": "F1"}})
    assert await model(store) == before


# No change.


@pytest.mark.parametrize(
    "event",
    [
        {"type": "hello"},
        {"type": "star_added", "user": BOB, "item": {}},
        {"type": "star_removed"},
        {"type": "channel_history_changed", "latest": "1.1"},
        {"type": "group_history_changed"},
        {"type": "im_history_changed"},
        {"type": "group_close", "channel": "G404"},
        {"type": "something_new", "channel": 7},
        {"ok": True, "reply_to": 1, "ts": "300.1"},
        {"type": "message", "channel": "C404", "user": BOB, "ts": "300.1"},
        {"type": "message", "subtype": "channel_join", "channel": "C404", "user": BOB, "ts": "300.1"},
        {"type": "channel_left", "channel": "C404"},
        {"type": "group_left", "channel": "G404"},
        {"type": "channel_archive", "channel": "C404"},
        {"type": "channel_deleted", "channel": "C404"},
        {"type": "channel_marked", "channel": "C404", "ts": "300.1"},
        {"type": "im_open", "channel": "D404"},
        {"type": "presence_change", "user": "U404", "presence": "away"},
    ],
    ids=lambda event: (
        "-".join(str(event.get(key)) for key in ("type", "subtype", "channel") if key in event) or "answer"
    ),
)
async def test_events_that_change_nothing(store: DataStore, model: Any, event: dict[str, Any]) -> None:
    before = await model(store)
    await store.apply(event, self_id=ME, team_id=TEAM)
    assert await model(store) == before
    assert await store.history("C404") == []
