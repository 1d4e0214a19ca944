"""A store of each kind with a small team in it, a clock that a test moves, and the whole model as plain values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.slack.store import Channel, DataStore, MemoryDataStore, SQLiteDataStore

ME, BOB, TEAM = "U1", "U2", "T1"


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start() -> dict[str, Any]:
    """An answer of rtm.start."""
    return {
        "ok": True,
        "url": "wss://example.test",
        "self": {"id": ME, "name": "anna", "prefs": {"time24": False, "sound": "on"}},
        "team": {"id": TEAM, "name": "house", "domain": "house", "prefs": {"who_can_post": "all"}},
        "users": [
            {"id": ME, "name": "anna", "profile": {"email": "anna@house.test"}, "presence": "active"},
            {
                "id": BOB,
                "name": "bob",
                "real_name": "Bob B.",
                "profile": {"email": "bob@house.test"},
                "presence": "away",
            },
            {"id": "U3", "name": "helper", "is_bot": True, "profile": {"bot_id": "B1", "email": None}},
        ],
        "channels": [
            {"id": "C1", "name": "general", "is_member": True, "members": [ME, BOB], "last_read": "100.000000"},
            {
                "id": "C2",
                "name": "random",
                "members": [BOB],
                "latest": {"type": "message", "user": BOB, "text": "hi", "ts": "200.000001"},
            },
        ],
        "groups": [{"id": "G1", "name": "secret", "members": [ME, BOB], "is_open": True}],
        "mpims": [{"id": "G2", "name": "mpdm-anna--bob--helper-1", "is_mpim": True, "members": [ME, BOB, "U3"]}],
        "ims": [{"id": "D1", "user": BOB, "is_im": True, "is_open": True, "last_read": "0000000000.000000"}],
        "bots": [{"id": "B1", "name": "helper", "icons": {"image_48": "x"}}],
    }


@pytest.fixture
def new_store(tmp_path: Path, clock: Clock) -> Callable[..., DataStore]:
    """Make a store of the named kind."""

    def new_store(kind: str, **options: Any) -> DataStore:
        if kind == "memory":
            return MemoryDataStore(clock=clock, **options)
        return SQLiteDataStore(tmp_path / "model.db", clock=clock, **options)

    return new_store


@pytest.fixture(params=["memory", "sqlite"])
async def empty(request: pytest.FixtureRequest, new_store: Callable[..., DataStore]) -> AsyncIterator[DataStore]:
    """A store that knows nothing."""
    async with new_store(request.param) as store:
        yield store


@pytest.fixture
async def store(empty: DataStore, start: dict[str, Any]) -> DataStore:
    """A store that knows the small team."""
    await empty.cache_start(start)
    return empty


def shown(channel: Channel) -> dict[str, Any]:
    return {
        "type": channel.type,
        "properties": channel.to_dict(),
        "history": list(channel.history),
        "unread": channel.unread_count,
        "latest": channel.latest,
    }


@pytest.fixture
def model() -> Callable[[DataStore], Awaitable[dict[str, Any]]]:
    """Give all that a store knows, as plain values in order."""

    async def model(store: DataStore) -> dict[str, Any]:
        return {
            "users": [user.to_dict() for user in await store.users()],
            "channels": [shown(one) for one in await store.channels()],
            "groups": [shown(one) for one in await store.groups()],
            "dms": [shown(one) for one in await store.dms()],
            "bots": [bot.to_dict() for bot in await store.bots()],
            "teams": [team.to_dict() for team in await store.teams()],
            "unread": await store.unread_count(),
        }

    return model
