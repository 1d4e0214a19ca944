"""What Slack's events change that the client of 2017 did not follow, or sent other objects with; in both stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.slack.store import DataStore, DataStoreError, MemoryDataStore, SQLiteDataStore

ME, BOB = "U1", "U2"
TEAM = {
    "self": {"id": ME, "name": "anna"},
    "team": {"id": "T1", "name": "house"},
    "users": [{"id": ME, "name": "anna"}, {"id": BOB, "name": "bob", "presence": "away"}],
    "channels": [
        {"id": "C1", "name": "general", "is_member": True, "members": [ME, BOB], "last_read": "100.000000"},
        {"id": "C2", "name": "random", "members": [BOB]},
    ],
    "groups": [{"id": "G1", "name": "secret", "members": [ME, BOB], "is_open": True}],
    "mpims": [{"id": "G2", "name": "mpdm-anna--bob-1", "is_mpim": True, "members": [ME, BOB]}],
    "ims": [{"id": "D1", "user": BOB, "is_im": True, "is_open": True}],
}


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DataStore]:
    """A store of each kind that knows a small team."""
    async with MemoryDataStore() if request.param == "memory" else SQLiteDataStore(tmp_path / "model.db") as store:
        await store.cache_start(TEAM)
        yield store


@pytest.mark.parametrize(
    ("kind", "id_"), [("group_deleted", "G1"), ("group_deleted", "G2"), ("channel_deleted", "C1"), ("im_deleted", "D1")]
)
async def test_k4_what_is_deleted_is_removed_with_its_history(store: DataStore, kind: str, id_: str) -> None:
    await store.apply({"type": "message", "channel": id_, "user": BOB, "text": "x", "ts": "300.1"})
    await store.apply({"type": kind, "channel": id_})
    assert await store.conversation(id_) is None
    assert await store.history(id_) == []
    await store.apply({"type": kind, "channel": id_})


@pytest.mark.parametrize(("name", "id_"), [("group", "G1"), ("mpim", "G2"), ("im", "D1")])
async def test_k4_what_is_opened_is_open_until_it_is_closed(store: DataStore, name: str, id_: str) -> None:
    for event, is_open in ((f"{name}_close", False), (f"{name}_open", True)):
        await store.apply({"type": event, "user": ME, "channel": id_})
        assert (await store.conversation(id_)).is_open is is_open
    await store.apply({"type": f"{name}_open", "user": ME, "channel": "G404"})
    assert await store.conversation("G404") is None


def replied(**message: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "subtype": "message_replied",
        "hidden": True,
        "channel": "C1",
        "event_ts": "302.1",
        "ts": "302.1",
        "message": {"type": "message", "user": BOB, "text": "a thread", "thread_ts": "300.1", "ts": "300.1", **message},
    }


@pytest.mark.parametrize("with_subtype", [True, False])  # Slack's page: when it is dispatched, it lacks the subtype
async def test_k4_a_reply_is_counted_at_the_message_that_it_answers(store: DataStore, with_subtype: bool) -> None:
    first = {"type": "message", "channel": "C1", "user": BOB, "text": "a thread", "ts": "300.1"}
    reply = {"type": "message", "channel": "C1", "user": ME, "text": "one", "ts": "301.1", "thread_ts": "300.1"}
    await store.apply(first)
    await store.apply({"type": "reaction_added", "user": BOB, "reaction": "x",
                       "item": {"type": "message", "channel": "C1", "ts": "300.1"}})  # fmt: skip
    await store.apply(reply)
    event = replied(reply_count=1, replies=[{"user": ME, "ts": "301.1"}])
    if not with_subtype:
        del event["subtype"]
    await store.apply(event)
    message = await store.message("C1", "300.1")
    assert message is not None
    assert (message["reply_count"], message["replies"], message["text"]) == (
        1,
        [{"user": ME, "ts": "301.1"}],
        "a thread",
    )
    assert message["reactions"] == [{"name": "x", "count": 1, "users": [BOB]}]
    assert message["channel"] == "C1"
    await store.apply(replied(reply_count=2) | {"ts": "303.1"})
    assert (await store.message("C1", "300.1"))["reply_count"] == 2
    assert [one["ts"] for one in await store.history("C1")] == ["300.1", "301.1", "302.1", "303.1"]
    assert (await store.channel("C1")).unread_count == 1, "of the event nobody has to take note"


async def test_k4_a_reply_to_a_message_that_is_not_known_changes_no_other(store: DataStore) -> None:
    await store.apply(replied(reply_count=1))
    assert [one["ts"] for one in await store.history("C1")] == ["302.1"]
    with pytest.raises(DataStoreError, match="message_replied: field 'message'"):
        await store.apply(replied() | {"ts": "303.1", "message": 5})
    assert [one["ts"] for one in await store.history("C1")] == ["302.1"]


@pytest.mark.parametrize("prefix", ["channel", "group"])
@pytest.mark.parametrize("what", ["topic", "purpose"])
async def test_k4_topic_and_purpose_are_set(store: DataStore, prefix: str, what: str) -> None:
    id_ = {"channel": "C1", "group": "G1"}[prefix]
    event = {"type": "message", "subtype": f"{prefix}_{what}", "channel": id_, "user": BOB, "ts": "300.000001"}
    await store.apply({**event, "text": "set it", what: "lunch"})
    channel = await store.conversation(id_)
    assert channel[what] == {"value": "lunch", "creator": BOB, "last_set": 300}
    assert [one["ts"] for one in channel.history] == ["300.000001"]
    await store.apply({**event, "ts": "301.000001", "text": "nothing told"})
    assert (await store.conversation(id_))[what]["value"] == "lunch"
    with pytest.raises(DataStoreError, match=f"field '{what}'"):
        await store.apply({**event, "ts": "302.000001", what: 7})


@pytest.mark.parametrize("prefix", ["channel", "group"])
async def test_k4_a_message_that_renames_or_archives_does_so(store: DataStore, prefix: str) -> None:
    id_ = {"channel": "C1", "group": "G1"}[prefix]
    event = {"type": "message", "channel": id_, "user": BOB, "text": "x"}
    await store.apply({**event, "subtype": f"{prefix}_name", "ts": "300.1", "old_name": "general", "name": "plaza"})
    assert (await store.conversation_by_name("plaza")).id == id_
    await store.apply({**event, "subtype": f"{prefix}_archive", "ts": "300.2", "members": [ME, BOB]})
    assert (await store.conversation(id_)).is_archived
    await store.apply({**event, "subtype": f"{prefix}_unarchive", "ts": "300.3"})
    channel = await store.conversation(id_)
    assert not channel.is_archived
    assert len(channel.history) == 3


@pytest.mark.parametrize(("event", "id_"), [("channel_joined", "C2"), ("channel_joined", "C9"), ("group_joined", "G9")])
async def test_k4_joining_makes_a_member_though_the_object_does_not_say_so(
    store: DataStore, event: str, id_: str
) -> None:
    await store.apply({"type": event, "channel": {"id": id_, "name": "new", "created": 1, "creator": BOB}})
    channel = await store.conversation(id_)
    assert channel.is_member
    assert ME in channel.members
    assert (BOB in channel.members) is (id_ == "C2"), "the list that was known stays"


async def test_k4_who_comes_and_goes_by_another_event_is_a_member_and_none(store: DataStore) -> None:
    about_me = {"channel": "C2", "user": ME, "channel_type": "C"}
    for join, leave in (
        ({"type": "member_joined_channel"}, {"type": "member_left_channel"}),
        (
            {"type": "message", "subtype": "channel_join", "ts": "300.1", "text": "x"},
            {"type": "message", "subtype": "channel_leave", "ts": "300.2", "text": "x"},
        ),
    ):
        await store.apply({**about_me, **join})
        channel = await store.channel("C2")
        assert (channel.is_member, channel.members) == (True, (BOB, ME))
        await store.apply({**about_me, **leave})
        channel = await store.channel("C2")
        assert (channel.is_member, channel.members) == (False, (BOB,))
    await store.apply({**about_me, "type": "member_joined_channel", "user": "U3"})
    assert not (await store.channel("C2")).is_member
    await store.apply({"type": "group_left", "channel": "G1"})
    assert not (await store.group("G1")).is_member


async def test_k4_events_about_a_user_by_other_names_update_the_user(store: DataStore) -> None:
    for event in ("user_profile_changed", "user_status_changed", "user_huddle_changed"):
        await store.apply({"type": event, "user": {"id": BOB, "name": "bob", "real_name": event}})
        assert (await store.user(BOB)).real_name == event
    assert (await store.user(BOB)).presence == "away"
