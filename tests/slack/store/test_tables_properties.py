"""Whatever comes, in whatever order: the model stays whole, a bad event leaves no trace, both stores agree."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rcex_ws.slack.store import Channel, DataStore, DataStoreError, MemoryDataStore, SQLiteDataStore
from rcex_ws.slack.store.rules import RULES

BOUND = 4
USERS = ["U1", "U2", "U3", "U404"]
CONVERSATIONS = ["C1", "C2", "G1", "G2", "D1", "X404"]

junk = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=2), st.just([]), st.just({}), st.just([7]))
user_id = st.sampled_from(USERS)
conversation_id = st.sampled_from(CONVERSATIONS)
ts = st.integers(0, 9).map(lambda number: f"100.{number}")
presence = st.sampled_from(["active", "away"])
reactions = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("ab"), "count": st.integers(0, 3)}, optional={"users": st.lists(user_id, max_size=3)}
    ),
    max_size=2,
)
inner = st.fixed_dictionaries(
    {"ts": ts, "text": st.text(max_size=3)},
    optional={"user": user_id, "hidden": st.booleans(), "reactions": reactions},
)
record = st.fixed_dictionaries(
    {"id": st.one_of(conversation_id, user_id)},
    optional={
        "name": st.sampled_from(["one", "two"]),
        "members": st.lists(user_id, max_size=4),
        "latest": st.one_of(st.none(), inner, ts),
        "last_read": ts,
        "user": user_id,
        "prefs": st.dictionaries(st.sampled_from("ab"), st.booleans()),
        "profile": st.fixed_dictionaries({}, optional={"email": st.just("e"), "bot_id": st.just("B1")}),
        "is_mpim": st.booleans(),
    },
)
TAKES_RECORD = {"channel_created", "channel_joined", "channel_rename", "group_joined", "group_rename", "im_created"}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from([*sorted(RULES), "message", "message", "message::x", "hello"]))
    type_, _, subtype = name.partition("::")
    event: dict[str, Any] = {
        "type": type_,
        "channel": draw(record if name in {*TAKES_RECORD, "mpim_joined"} else conversation_id),
        "user": draw(record if name in {"user_change", "team_join"} else user_id),
        "ts": draw(ts),
    }
    if subtype:
        event["subtype"] = subtype
    extra: dict[str, st.SearchStrategy[Any]] = {
        "bot": record,
        "presence": presence,
        "users": st.lists(user_id, max_size=3),
        "name": st.sampled_from("ab"),
        "value": junk,
        "domain": st.just("d"),
        "url": st.just("u"),
        "message": inner,
        "deleted_ts": ts,
        "hidden": st.booleans(),
        "reaction": st.sampled_from("ab"),
        "item": st.fixed_dictionaries(
            {"type": st.sampled_from(["message", "file"]), "channel": conversation_id, "ts": ts}
        ),
        "reactions": reactions,
    }
    for field, values in extra.items():
        if field not in ("users", "hidden", "reactions") or draw(st.booleans()):
            event[field] = draw(values)
    spoiled = draw(st.integers(0, 4))
    if spoiled == 0:  # one in five has a field of a wrong kind
        event[draw(st.sampled_from(sorted(event)))] = draw(junk)
    elif spoiled == 1:
        del event[draw(st.sampled_from(sorted(event)))]
    return event


def check(channel: Channel, me: str | None) -> None:
    history = list(channel.history)
    assert len(history) <= BOUND
    assert len({one["ts"] for one in history}) == len(history)
    unread = [
        one for one in history if one["ts"] > channel.last_read and not one.get("hidden") and one.get("user") != me
    ]
    assert channel.unread_count == len(unread)
    assert len(set(channel.members)) == len(channel.members)
    visible = [one["ts"] for one in history if not one.get("hidden")]
    assert (None if channel.latest is None else channel.latest["ts"]) == max(visible, default=None)


async def check_all(store: DataStore) -> None:
    me = await store.read(lambda tables: tables.note("self"))
    conversations = [*await store.channels(), *await store.groups(), *await store.dms()]
    for channel in conversations:
        check(channel, me)
    ids = [channel.id for channel in conversations]
    assert len(set(ids)) == len(ids)
    for user in await store.users():
        same = [one.id for one in await store.users() if one.name == user.name]
        assert user.name is None or (await store.user_by_name(user.name)).id == same[0]
    for dm in await store.dms():
        same = [one.id for one in await store.dms() if one.user == dm.user]
        assert dm.user is None or (await store.dm_by_user_id(dm.user)).id == same[0]
    assert await store.unread_count() == sum(channel.unread_count for channel in conversations)
    for id_ in set(CONVERSATIONS) - set(ids):
        assert await store.history(id_) == []


@pytest.mark.timeout(300)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.tuples(events(), st.sampled_from(["U1", "U2"])), max_size=25))
def test_any_sequence_of_events(
    tmp_path: Path, start: dict[str, Any], model: Callable[..., Any], steps: list[Any]
) -> None:
    async def main() -> None:
        path = tmp_path / "model.db"
        memory = MemoryDataStore(max_history=BOUND)
        async with SQLiteDataStore(path, max_history=BOUND) as file:
            await file.clear()
            for store in (memory, file):
                await store.cache_start(start)
            before = await model(memory)
            for event, me in steps:
                sent = copy.deepcopy(event)
                problems = [await attempt(store, event, me) for store in (memory, file)]
                assert event == sent
                assert problems[0] == problems[1]
                after = await model(memory)
                if problems[0] is not None:
                    assert after == before
                await check_all(memory)
                before = after
            expected = await model(memory)
            assert await model(file) == expected
            await check_all(file)
        async with SQLiteDataStore(path, max_history=BOUND) as file:
            assert await model(file) == expected

    anyio.run(main)


async def attempt(store: DataStore, event: dict[str, Any], me: str) -> str | None:
    """Apply; give the error, which is to be one that we know."""
    error = None
    try:
        await store.apply(event, self_id=me)
    except DataStoreError as exc:
        error = exc
    if error is None:
        return None
    assert error.event_type
    return str(error)
