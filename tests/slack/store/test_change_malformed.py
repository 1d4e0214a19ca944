"""Bad events and failing rules: one clear error to the caller, and a model that is what it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rcex_ws import ConfigurationError, RcexError
from rcex_ws.slack.store import DataStore, DataStoreError, Fields, MemoryDataStore, StoreChange

ME, BOB = "U1", "U2"


def bad(type_: str, field: str, **fields: Any) -> Any:
    return pytest.param({"type": type_, **fields}, field, id=f"{type_}-{field}-{len(fields)}")


@pytest.mark.parametrize(
    ("event", "field"),
    [
        bad("bot_added", "bot"),
        bad("bot_changed", "bot.id", bot={}),
        bad("channel_archive", "channel"),
        bad("channel_archive", "channel", channel=["C1"]),
        bad("channel_created", "channel.id", channel={"name": "x"}),
        bad("channel_joined", "channel.members", channel={"id": "C1", "members": [None]}),
        bad("channel_joined", "channel.latest.ts", channel={"id": "C1", "latest": {"text": "x"}}),
        bad("channel_deleted", "channel", channel=None),
        bad("channel_left", "channel", channel=""),
        bad("group_left", "channel", channel={"id": "G1"}),
        bad("channel_rename", "channel", channel="C1"),
        bad("channel_marked", "ts", channel="C1"),
        bad("im_marked", "ts", channel="D1", ts=300.1),
        bad("im_created", "channel.user", channel={"id": "D1", "user": 1}),
        bad("member_joined_channel", "user", channel="C1"),
        bad("presence_change", "presence", user=BOB),
        bad("presence_change", "user", presence="away"),
        bad("presence_change", "users", presence="away", users="U1"),
        bad("manual_presence_change", "presence", presence=1),
        bad("pref_change", "value", name="x"),
        bad("pref_change", "name", value="x"),
        bad("user_change", "user.profile", user={"id": BOB, "profile": []}),
        bad("user_change", "user.prefs", user={"id": BOB, "prefs": 3}),
        bad("team_join", "user"),
        bad("team_rename", "name"),
        bad("team_domain_change", "url", domain="x"),
        bad("user_typing", "user", channel="C1"),
        bad("message", "channel", ts="300.1"),
        bad("message", "ts", channel="C1"),
        bad("message", "ts", channel="C1", ts=300.1, user=BOB),
        bad("message", "user", channel="C1", ts="300.1", user={"id": BOB}, x=1),
        bad("message", "subtype", channel="C1", ts="300.1", user=BOB, subtype=5),
        bad("message", "reactions", channel="C1", ts="300.1", user=BOB, reactions={"name": "x"}),
        bad("message", "reactions.0.count", channel="C1", ts="3.1", reactions=[{"name": "x", "count": True}]),
        bad("reaction_added", "item", user=BOB, reaction="+1"),
        bad("reaction_added", "item.ts", user=BOB, reaction="+1", item={"type": "message", "channel": "C1"}),
        bad("reaction_removed", "item.type", user=BOB, reaction="+1", item={}),
    ],
)
async def test_a_bad_event_names_its_field(
    store: DataStore, model: Callable[..., Any], event: dict[str, Any], field: str
) -> None:
    before = await model(store)
    with pytest.raises(DataStoreError) as caught:
        await store.apply(event)
    assert (caught.value.event_type, caught.value.field) == (event["type"], field)
    assert event["type"] in str(caught.value)
    assert repr(field) in str(caught.value)
    assert isinstance(caught.value, RcexError)
    assert await model(store) == before


@pytest.mark.parametrize(
    ("subtype", "fields", "field"),
    [
        ("message_changed", {"message": {"text": "x"}}, "message.ts"),
        ("message_changed", {}, "message"),
        ("message_deleted", {}, "deleted_ts"),
        ("channel_join", {"user": None}, "user"),
        ("message_deleted", {"deleted_ts": "200.000001", "ts": None}, "ts"),
        ("message_changed", {"message": {"ts": "200.000001", "text": "new"}, "ts": 5}, "ts"),
        ("channel_leave", {"user": BOB, "ts": ""}, "ts"),
    ],
)
async def test_half_of_a_bad_message_is_not_applied(
    store: DataStore, model: Callable[..., Any], subtype: str, fields: dict[str, Any], field: str
) -> None:
    before = await model(store)
    event = {"type": "message", "subtype": subtype, "channel": "C2", "user": BOB, "ts": "300.1", **fields}
    with pytest.raises(DataStoreError) as caught:
        await store.apply(event)
    assert (caught.value.event_type, caught.value.field) == (f"message::{subtype}", field)
    assert await model(store) == before


@pytest.mark.parametrize("event", [None, "hello", ["message"], {"type": 7}, {"type": None}])
async def test_what_is_no_event(store: DataStore, event: Any) -> None:
    with pytest.raises(DataStoreError, match="event"):
        await store.apply(event)


@pytest.mark.parametrize("value", [{1, 2}, {"x": object()}, {7: "x"}, b"bytes"], ids=["set", "object", "key", "bytes"])
async def test_what_json_cannot_have_is_refused(store: DataStore, model: Callable[..., Any], value: Any) -> None:
    before = await model(store)
    event = {"type": "message", "channel": "C1", "user": BOB, "ts": "300.1", "x": value}
    with pytest.raises(DataStoreError, match="message: "):
        await store.apply(event)
    with pytest.raises(DataStoreError, match="upsert user: "):
        await store.upsert("user", {"id": ME, "x": value})
    assert await model(store) == before


async def test_a_tower_of_lists_is_refused(store: DataStore) -> None:
    tower: list[Any] = []
    for _ in range(5000):
        tower = [tower]
    with pytest.raises(DataStoreError, match="deeper than"):
        await store.apply({"type": "message", "channel": "C1", "user": BOB, "ts": "300.1", "x": tower})


async def test_odd_json_comes_back_as_it_was(store: DataStore) -> None:
    odd = {"half": "\ud83d", "nul": "a\x00b", "big": 2**80, "float": 0.1, "none": None, "": ["\U0001f600", {}]}
    event = {"type": "message", "channel": "C1", "user": "\ud83d", "ts": "300.1", "odd": odd}
    await store.apply(event)
    assert await store.history("C1") == [event]
    await store.upsert("user", {"id": BOB, "name": "b\ud83d", "odd": odd})
    assert (await store.user_by_name("b\ud83d"))["odd"] == odd
    assert await store.user_by_name("b?") is None
    assert (await store.channel("C1")).unread_count == await store.unread_count() - 1 == 1


# Rules of an application.


async def test_a_rule_of_mine_is_followed_by_this_store_only(store: DataStore, start: dict[str, Any]) -> None:
    def pinned(change: StoreChange, event: Fields) -> None:
        known = change.conversation(event.key("channel"))
        assert known is not None
        kind, record = known
        change.update(kind, event.key("channel"), pins=[*record.get("pins", []), event.nested("item").key("ts")])

    assert store.register("pin_added", pinned) is None
    event = {"type": "pin_added", "channel": "C1", "item": {"ts": "300.1"}}
    await store.apply(event)
    assert (await store.channel("C1"))["pins"] == ["300.1"]

    other = MemoryDataStore()
    await other.cache_start(start)
    await other.apply(event)
    assert "pins" not in await other.channel("C1")


async def test_a_rule_can_call_the_one_it_replaces(store: DataStore) -> None:
    seen: list[str] = []

    def counted(change: StoreChange, event: Fields) -> None:
        seen.append(event.key("ts"))
        former(change, event)

    former = store.register("message", counted)
    assert former is not None
    for subtype in (None, "bot_message", "me_message"):
        ts = f"300.{len(seen)}"
        await store.apply({"type": "message", "subtype": subtype, "channel": "C1", "user": BOB, "ts": ts})
    await store.apply({"type": "message", "subtype": "channel_join", "channel": "C1", "user": BOB, "ts": "300.9"})
    assert seen == ["300.0", "300.1", "300.2"]
    assert len(await store.history("C1")) == 4


async def test_a_subtype_can_get_a_rule(store: DataStore) -> None:
    store.register("message::bot_message", lambda change, event: None)
    await store.apply({"type": "message", "subtype": "bot_message", "channel": "C1", "ts": "300.1"})
    assert await store.history("C1") == []


async def test_what_a_rule_raises_is_raised_and_its_change_undone(store: DataStore, model: Callable[..., Any]) -> None:
    def breaks(change: StoreChange, event: Fields) -> None:
        tables = change.tables
        change.set("channel", Fields({"id": "C9", "name": "nine"}, "x"))
        change.add_message("C1", Fields({"ts": "400.1", "user": BOB}, "x"))
        change.replace_message("C2", Fields({"ts": "200.000001", "user": BOB, "text": "changed"}, "x"))
        tables.remove("C2", "200.000001")
        change.set_pref("user", ME, "sound", "off")
        change.remove("channel", "C2")
        change.remove("user", BOB)
        change.set("group", Fields({"id": "C1"}, "x"))
        change.typing.append(("C1", BOB))
        assert tables.find("user", "name", "bob") is None
        tables.clear()
        change.upsert("user", Fields({"id": "U9", "name": "new"}, "x"))
        assert tables.find("user", "name", "new") is not None
        raise LookupError("a mistake in the rule")

    store.register("breaks", breaks)
    before = await model(store)
    for _ in range(2):
        with pytest.raises(LookupError, match="a mistake in the rule"):
            await store.apply({"type": "breaks"}, self_id="U404", team_id="T404")
        assert await model(store) == before
    assert await store.typing_users("C1") == []
    assert (await store.user_by_name("bob")).id == BOB
    await store.apply({"type": "message", "channel": "C1", "user": BOB, "ts": "300.1"})
    await store.apply({"type": "manual_presence_change", "presence": "away"})  # it is still known who I am
    assert ((await store.channel("C1")).unread_count, (await store.user(ME)).presence) == (1, "away")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_full_history_is_undone_too(new_store: Callable[..., DataStore], start: Any, kind: str) -> None:
    def breaks(change: StoreChange, event: Fields) -> None:
        for number in range(7):
            change.add_message("C1", Fields({"ts": f"400.{number}", "user": BOB}, "x"))
        raise LookupError

    async with new_store(kind, max_history=3) as store:
        store.register("breaks", breaks)
        await store.cache_start(start)
        for number in range(4):
            await store.apply({"type": "message", "channel": "C1", "user": BOB, "ts": f"300.{number}"})
        before = await store.history("C1")
        with pytest.raises(LookupError):
            await store.apply({"type": "breaks"})
        assert await store.history("C1") == before
        await store.apply({"type": "message", "channel": "C1", "user": BOB, "ts": "300.4"})
        assert [one["ts"] for one in await store.history("C1")] == ["300.2", "300.3", "300.4"]


async def test_a_rule_must_not_wait(store: DataStore) -> None:
    async def waits(change: StoreChange, event: Fields) -> None: ...

    with pytest.raises(ConfigurationError, match="rule: expected a function that is not async"):
        store.register("x", waits)  # type: ignore[arg-type]
