"""What the answer of rtm.start or rtm.connect replaces, and what it leaves."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from rcex_ws.slack.store import DataStore, DataStoreError

ME, BOB, TEAM = "U1", "U2", "T1"
CONNECT = {"ok": True, "url": "wss://x", "self": {"id": ME, "name": "anna"}, "team": {"id": TEAM, "name": "house"}}


async def test_rtm_start_gives_the_whole_model(store: DataStore) -> None:
    me = await store.user(ME)
    assert (me.name, me.email, me.prefs) == ("anna", "anna@house.test", {"time24": False, "sound": "on"})
    assert (await store.team(TEAM)).name == "house"
    assert [one["text"] for one in await store.history("C2")] == ["hi"]
    assert ((await store.channel("C2")).unread_count, await store.unread_count()) == (1, 1)
    assert (await store.channel("C1")).last_read == "100.000000"


async def test_rtm_start_again_replaces_all(store: DataStore, start: dict[str, Any], model: Callable[..., Any]) -> None:
    first = await model(store)
    await store.apply({"type": "team_join", "user": {"id": "U9", "name": "gone"}})
    await store.apply({"type": "message", "channel": "C1", "user": BOB, "ts": "300.1"})
    await store.apply({"type": "bot_added", "bot": {"id": "B9", "name": "gone"}})
    await store.apply({"type": "user_typing", "channel": "C1", "user": BOB})
    await store.cache_start(start)
    assert await model(store) == first
    assert await store.typing_users("C1") == []


async def test_rtm_connect_alone_knows_me_and_the_team(empty: DataStore) -> None:
    await empty.cache_start(CONNECT)
    assert [user.to_dict() for user in await empty.users()] == [CONNECT["self"]]
    assert [team.to_dict() for team in await empty.teams()] == [CONNECT["team"]]
    assert await empty.channels() == []


async def test_rtm_connect_keeps_what_is_known_of_the_same_team(store: DataStore) -> None:
    await store.apply({"type": "message", "channel": "C1", "user": BOB, "ts": "300.1"})
    await store.cache_start({**CONNECT, "team": {"id": TEAM, "name": "renamed"}})
    assert [user.id for user in await store.users()] == [ME, BOB, "U3"]
    assert (await store.user(ME)).email == "anna@house.test"
    assert (await store.team(TEAM)).to_dict() == {
        "id": TEAM,
        "name": "renamed",
        "domain": "house",
        "prefs": {"who_can_post": "all"},
    }
    assert len(await store.history("C1")) == 1


@pytest.mark.parametrize("change", [{"self": {"id": "U7", "name": "else"}}, {"team": {"id": "T7", "name": "else"}}])
async def test_another_team_or_user_begins_anew(store: DataStore, change: dict[str, Any]) -> None:
    await store.cache_start({**CONNECT, **change})
    assert await store.channels() == await store.groups() == await store.dms() == await store.bots() == []
    assert (len(await store.users()), len(await store.teams())) == (1, 1)
    assert await store.unread_count() == 0


async def test_whose_messages_are_mine_is_what_was_said_last(store: DataStore) -> None:
    await store.apply({"type": "message", "channel": "C1", "user": BOB, "ts": "300.1"})
    assert (await store.channel("C1")).unread_count == 1
    await store.apply({"type": "message", "channel": "C1", "user": ME, "ts": "300.2"}, self_id=BOB)
    assert [one["user"] for one in (await store.channel("C1")).history] == [BOB, ME]
    assert (await store.channel("C1")).unread_count == 1
    await store.apply({"type": "message", "channel": "C1", "user": ME, "ts": "300.3"})
    assert (await store.channel("C1")).unread_count == 2


async def test_simple_latest_is_a_timestamp(empty: DataStore) -> None:
    channel = {"id": "C1", "name": "general", "latest": "200.000001", "members": None}
    await empty.cache_start({**CONNECT, "channels": [channel], "users": None})
    assert (await empty.channel("C1")).to_dict() == channel
    assert await empty.history("C1") == []


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("self",), None, "self"),
        (("self", "id"), 7, "self.id"),
        (("team",), "T1", "team"),
        (("users",), {"a": 1}, "users"),
        (("users", 1), "bob", "users.1"),
        (("users", 1, "id"), "", "users.1.id"),
        (("users", 1, "profile"), "x", "users.1.profile"),
        (("users", 1, "profile", "email"), ["x"], "users.1.profile.email"),
        (("channels", 0, "members"), [BOB, 7], "channels.0.members"),
        (("channels", 0, "members"), BOB, "channels.0.members"),
        (("channels", 0, "last_read"), 100.0, "channels.0.last_read"),
        (("channels", 1, "latest", "ts"), None, "channels.1.latest.ts"),
        (("bots", 0, "name"), 1, "bots.0.name"),
        (("team", "prefs"), [], "team.prefs"),
    ],
    ids=lambda value: str(value),
)
async def test_a_bad_answer_is_refused_whole(
    store: DataStore, start: dict[str, Any], model: Callable[..., Any], path: tuple[Any, ...], value: Any, field: str
) -> None:
    before = await model(store)
    answer = copy.deepcopy(start) | {"channels": copy.deepcopy(start["channels"]), "ims": []}
    place: Any = answer
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(DataStoreError, match=r"rtm\.start") as caught:
        await store.cache_start(answer)
    assert (caught.value.field, caught.value.event_type, caught.value.retryable) == (field, "rtm.start", False)
    assert await model(store) == before
