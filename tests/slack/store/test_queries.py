"""What can be asked: every getter, what it gives when there is nothing, and that an answer is a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rcex_ws import ConfigurationError
from rcex_ws.slack.store import BotInfo, Channel, DataStore, Team, User

ME, BOB, TEAM = "U1", "U2", "T1"

FOUND = [
    ("user", BOB, User, BOB),
    ("user_by_name", "bob", User, BOB),
    ("user_by_email", "bob@house.test", User, BOB),
    ("user_by_bot_id", "B1", User, "U3"),
    ("channel", "C1", Channel, "C1"),
    ("channel_by_name", "random", Channel, "C2"),
    ("channel_by_name", "#random", Channel, "C2"),
    ("group", "G2", Channel, "G2"),
    ("group_by_name", "secret", Channel, "G1"),
    ("dm", "D1", Channel, "D1"),
    ("dm_by_name", "bob", Channel, "D1"),
    ("dm_by_user_id", BOB, Channel, "D1"),
    ("conversation", "C1", Channel, "C1"),
    ("conversation", "G1", Channel, "G1"),
    ("conversation", "D1", Channel, "D1"),
    ("conversation_by_name", "#general", Channel, "C1"),
    ("conversation_by_name", "secret", Channel, "G1"),
    ("bot", "B1", BotInfo, "B1"),
    ("bot_by_name", "helper", BotInfo, "B1"),
    ("bot_by_user_id", "U3", BotInfo, "B1"),
    ("team", TEAM, Team, TEAM),
]


@pytest.mark.parametrize(("getter", "key", "kind", "id_"), FOUND, ids=lambda value: str(value))
async def test_found(store: DataStore, getter: str, key: str, kind: type, id_: str) -> None:
    found = await getattr(store, getter)(key)
    assert (type(found), found.id) == (kind, id_)
    assert id_ in repr(found)


@pytest.mark.parametrize("getter", sorted({row[0] for row in FOUND}))
@pytest.mark.parametrize("key", ["", "nobody", "\ud800", "##general", "G1 "])
async def test_none_when_there_is_nothing(store: DataStore, getter: str, key: str) -> None:
    assert await getattr(store, getter)(key) is None


@pytest.mark.parametrize(
    ("getter", "wrong"), [("channel", "G1"), ("group", "D1"), ("dm", "C1"), ("bot_by_user_id", ME)]
)
async def test_each_kind_has_its_own(store: DataStore, getter: str, wrong: str) -> None:
    assert await getattr(store, getter)(wrong) is None


async def test_the_oldest_of_several_is_found_and_a_new_name_at_once(store: DataStore) -> None:
    assert (await store.user_by_name("bob")).id == BOB
    await store.upsert("user", {"id": "U9", "name": "bob"})
    assert (await store.user_by_name("bob")).id == BOB
    await store.apply({"type": "user_change", "user": {"id": BOB, "name": "rob"}})
    assert ((await store.user_by_name("bob")).id, (await store.user_by_name("rob")).id) == ("U9", BOB)
    await store.remove("user", "U9")
    assert await store.user_by_name("bob") is None


async def test_lists(store: DataStore) -> None:
    lists = [store.users(), store.channels(), store.groups(), store.dms(), store.bots(), store.teams()]
    assert [[one.id for one in await found] for found in lists] == [
        [ME, BOB, "U3"],
        ["C1", "C2"],
        ["G1", "G2"],
        ["D1"],
        ["B1"],
        [TEAM],
    ]
    assert [(await store.conversation(id_)).type for id_ in ("C1", "G1", "G2", "D1")] == [
        "channel",
        "group",
        "mpdm",
        "dm",
    ]


async def test_what_nobody_said_is_empty(empty: DataStore) -> None:
    await empty.set("user", {"id": ME})
    await empty.set("channel", {"id": "C1"})
    await empty.set("bot", {"id": "B1"})
    await empty.set("team", {"id": TEAM})
    user, channel = await empty.user(ME), await empty.channel("C1")
    assert (user.name, user.real_name, user.email, user.bot_id, user.presence) == (None,) * 5
    assert (user.is_bot, user.deleted, user.profile, user.prefs) == (False, False, {}, {})
    assert (channel.last_read, channel.unread_count, channel.latest) == ("0000000000.000000", 0, None)
    assert (channel.members, channel.user, channel.is_archived, channel.is_member, channel.is_open) == (
        (),
        None,
        False,
        False,
        False,
    )
    assert ((await empty.bot("B1")).icons, (await empty.bot("B1")).deleted) == ({}, False)
    team = await empty.team(TEAM)
    assert (team.prefs, team.domain, team.url) == ({}, None, None)
    assert await empty.unread_count() == 0


async def test_to_dict_has_the_properties_of_the_api_only_and_unknown_ones_too(store: DataStore) -> None:
    record = {"id": "C5", "name": "five", "unread_count": 9, "shared_team_ids": ["T9"], "x": {"y": [1, None, 2.5]}}
    await store.set("channel", record)
    await store.apply({"type": "message", "channel": "C5", "user": BOB, "text": "one", "ts": "300.1"})
    channel = await store.channel("C5")
    assert channel.to_dict() == record
    assert (channel["x"], channel.get("nothing"), "shared_team_ids" in channel) == ({"y": [1, None, 2.5]}, None, True)
    assert channel.unread_count == 1


async def test_an_answer_is_a_snapshot(store: DataStore) -> None:
    before = await store.channel("C1")
    await store.apply({"type": "message", "channel": "C1", "user": BOB, "text": "one", "ts": "300.1"})
    await store.apply({"type": "channel_left", "channel": "C1"})
    assert (before.members, list(before.history), before.unread_count) == ((ME, BOB), [], 0)
    after = await store.channel("C1")
    assert after != before
    assert after == await store.channel("C1")
    assert after.message("300.1")["text"] == "one"
    assert after.message("1.1") is None


async def test_what_the_caller_changes_afterwards_does_not_reach_the_model(store: DataStore) -> None:
    event = {"type": "message", "channel": "C1", "user": BOB, "ts": "300.1", "blocks": [{"text": "one"}]}
    await store.apply(event)
    event["blocks"][0]["text"] = "two"
    copied = (await store.channel("C1")).to_dict()
    copied["members"].clear()
    assert (await store.message("C1", "300.1"))["blocks"] == [{"text": "one"}]
    assert (await store.channel("C1")).members == (ME, BOB)


async def test_set_upsert_remove_clear(store: DataStore, model: Callable[[DataStore], Any]) -> None:
    await store.apply({"type": "user_typing", "channel": "C1", "user": BOB})
    await store.upsert("user", {"id": BOB, "title": "boss"})
    assert ((await store.user(BOB))["title"], (await store.user(BOB)).name) == ("boss", "bob")
    await store.set("user", {"id": BOB, "title": "boss"})
    assert (await store.user(BOB)).to_dict() == {"id": BOB, "title": "boss"}
    await store.remove("user", BOB)
    await store.remove("user", BOB)
    assert await store.user(BOB) is None
    await store.remove("channel", "C2")
    assert await store.history("C2") == []
    await store.remove("channel", "G1")  # a group
    assert await store.group("G1") is not None
    await store.clear()
    assert await model(store) == {
        "users": [],
        "channels": [],
        "groups": [],
        "dms": [],
        "bots": [],
        "teams": [],
        "unread": 0,
    }
    assert await store.typing_users("C1") == []


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_the_oldest_messages_go(new_store: Callable[..., DataStore], start: dict[str, Any], kind: str) -> None:
    async with new_store(kind, max_history=3) as store:
        await store.cache_start(start)
        for number in range(10):
            await store.apply({"type": "message", "channel": "C1", "user": BOB, "ts": f"30{number}.1"})
            assert len(await store.history("C1")) == min(number + 1, 3)
        assert [one["ts"] for one in await store.history("C1")] == ["307.1", "308.1", "309.1"]
        assert (await store.channel("C1")).unread_count == 3
        assert len(await store.history("C2")) == 1
        await store.apply(
            {"type": "message", "subtype": "message_deleted", "channel": "C1", "ts": "310.1", "deleted_ts": "308.1"}
        )
        assert [one["ts"] for one in await store.history("C1")] == ["307.1", "309.1", "310.1"]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_history_of_nothing_is_refused(new_store: Callable[..., DataStore], kind: str) -> None:
    with pytest.raises(ConfigurationError, match="max_history"):
        new_store(kind, max_history=0)
