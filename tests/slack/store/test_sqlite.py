"""The file: it survives a restart and a kill, is shared by processes, and is refused clearly when it is not ours."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from rcex_ws.slack.store import DataStore, DataStoreError, MemoryDataStore, SQLiteDataStore

ME, BOB, TEAM = "U1", "U2", "T1"


def message(ts: str, user: str = BOB, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "channel": "C1", "user": user, "text": f"text of {ts}", "ts": ts, **fields}


EVENTS = [
    message("300.1"),
    message("300.2", ME),
    message("300.3"),
    {"type": "channel_marked", "channel": "C1", "ts": "300.1"},
    message("300.4", subtype="message_changed", hidden=True, message=message("300.3", text="edited")),
    {
        "type": "reaction_added",
        "user": ME,
        "reaction": "+1",
        "item": {"type": "message", "channel": "C1", "ts": "300.3"},
    },
    {"type": "presence_change", "users": [ME, BOB], "presence": "active"},
    {"type": "team_join", "user": {"id": "U9", "name": "new"}},
    {"type": "group_left", "channel": "G1"},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "when needed" / "model.db"


def run(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_it_survives_a_restart(path: Path, start: dict[str, Any], model: Callable[[DataStore], Any]) -> None:
    async with SQLiteDataStore(path) as store, MemoryDataStore() as expected:
        for one in (store, expected):
            await one.cache_start(start)
            for event in EVENTS:
                await one.apply(event)
        before = await model(store)
        assert before == await model(expected)
    async with SQLiteDataStore(path) as store:
        assert await model(store) == before
        # Who we are is kept too: this one is ours, that one is not.
        await store.apply(message("300.5", ME))
        await store.apply(message("300.6"))
        assert (await store.channel("C1")).unread_count == 2
        await store.apply({"type": "team_rename", "name": "home"})
        assert (await store.team(TEAM)).name == "home"


@pytest.mark.skipif(os.name != "posix", reason="file modes")
async def test_only_its_owner_can_read_it(path: Path, start: dict[str, Any]) -> None:
    async with SQLiteDataStore(path) as store:
        await store.cache_start(start)
        files = list(path.parent.iterdir())
        assert path in files
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert [file.name for file in path.parent.iterdir()] == ["model.db"]


KILLED = """
    import anyio, json, os, sys
    from rcex_ws.slack.store import SQLiteDataStore

    async def main():
        start, events = json.loads(sys.stdin.readline())
        store = SQLiteDataStore(sys.argv[1])
        await store.cache_start(start)
        for event in events:
            await store.apply(event)
        os._exit(7)

    anyio.run(main)
"""


async def test_it_survives_a_killed_process(path: Path, start: dict[str, Any], model: Callable[..., Any]) -> None:
    killed = run(KILLED, path)
    await anyio.to_thread.run_sync(killed.communicate, json.dumps([start, EVENTS]) + "\n")
    assert killed.returncode == 7
    expected = MemoryDataStore()
    await expected.cache_start(start)
    for event in EVENTS:
        await expected.apply(event)
    async with SQLiteDataStore(path) as store:
        assert await model(store) == await model(expected)


async def test_a_process_killed_within_an_event_leaves_the_model_before_it(
    path: Path, start: dict[str, Any], model: Callable[..., Any]
) -> None:
    async with SQLiteDataStore(path) as store:
        await store.cache_start(start)
        before = await model(store)
    killed = run(
        """
        import anyio, os, sys
        from rcex_ws.slack.store import SQLiteDataStore

        def rule(change, event):
            change.remove("user", "U1")
            change.tables.clear()
            os._exit(7)

        async def main():
            store = SQLiteDataStore(sys.argv[1])
            store.register("x", rule)
            await store.apply({"type": "x"})

        anyio.run(main)
        """,
        path,
    )
    await anyio.to_thread.run_sync(killed.communicate)
    assert killed.returncode == 7
    async with SQLiteDataStore(path) as store:
        assert await model(store) == before


async def test_two_processes_on_one_file(path: Path, start: dict[str, Any]) -> None:
    program = """
        import anyio, sys
        from rcex_ws.slack.store import SQLiteDataStore

        async def main():
            async with SQLiteDataStore(sys.argv[1], busy_timeout=20) as store:
                await store.user("U1")
                print("ready", flush=True)
                sys.stdin.readline()
                for number in range(100):
                    for ts in (f"300.{number}", f"{sys.argv[2]}.{number}"):  # the first for both of them
                        await store.apply({"type": "message", "channel": "C1", "user": "U2", "ts": ts})

        anyio.run(main)
    """
    async with SQLiteDataStore(path, busy_timeout=20) as store:
        await store.cache_start(start)
        others = [run(program, path, prefix) for prefix in (400, 500)]
        for other in others:
            assert other.stdout is not None
            assert await anyio.to_thread.run_sync(other.stdout.readline) == "ready\n"
        for other in others:
            assert other.stdin is not None
            other.stdin.write("go\n")
            other.stdin.flush()
        for other in others:
            await anyio.to_thread.run_sync(other.communicate)
            assert other.returncode == 0
        found = [one["ts"] for one in await store.history("C1")]
    assert sorted(found) == sorted(f"{prefix}.{number}" for prefix in (300, 400, 500) for number in range(100))
    for prefix in (400, 500):
        own = [ts for ts in found if ts.startswith(str(prefix))]
        assert own == [f"{prefix}.{number}" for number in range(100)]


async def test_who_waits_too_long_for_another_process_can_try_again(
    path: Path, start: dict[str, Any], ms: float
) -> None:
    async with SQLiteDataStore(path, busy_timeout=50 * ms) as store:
        await store.cache_start(start)
        holder = run(
            """
            import sqlite3, sys
            connection = sqlite3.connect(sys.argv[1], isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
            print("held", flush=True)
            sys.stdin.readline()
            connection.execute("ROLLBACK")
            """,
            path,
        )
        assert holder.stdout is not None
        assert await anyio.to_thread.run_sync(holder.stdout.readline) == "held\n"
        with pytest.raises(DataStoreError, match="locked") as caught:
            await store.apply(message("300.1"))
        assert caught.value.retryable
        assert await store.history("C1") == []  # reading goes on
        await anyio.to_thread.run_sync(holder.communicate, "\n")
        await store.apply(message("300.1"))
        assert len(await store.history("C1")) == 1


async def test_the_event_loop_never_waits_for_the_file(path: Path, start: dict[str, Any]) -> None:
    go = threading.Event()

    def waits(change: Any, event: Any) -> None:
        assert go.wait(30)

    store = SQLiteDataStore(path)
    await store.cache_start(start)
    store.register("waits", waits)
    ended: list[str] = []

    async def apply(event: dict[str, Any], name: str) -> None:
        await store.apply(event)
        ended.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(apply, {"type": "waits"}, "first")
        await anyio.wait_all_tasks_blocked()
        group.start_soon(apply, message("300.1"), "second")
        await anyio.wait_all_tasks_blocked()
        group.start_soon(store.aclose)
        await anyio.wait_all_tasks_blocked()
        assert ended == []
        go.set()
    assert sorted(ended) == ["first", "second"]
    async with SQLiteDataStore(path) as again:
        assert len(await again.history("C1")) == 1


async def test_a_cancelled_event_is_applied_whole_or_not_at_all(path: Path, start: dict[str, Any]) -> None:
    began, go = threading.Event(), threading.Event()

    def waits(change: Any, event: Any) -> None:
        change.upsert("user", event.nested("user"))
        began.set()
        assert go.wait(30)
        change.set_pref("user", "U9", "whole", True)

    async with SQLiteDataStore(path) as store:
        await store.cache_start(start)
        store.register("waits", waits)
        async with anyio.create_task_group() as group:
            group.start_soon(store.apply, {"type": "waits", "user": {"id": "U9"}})
            await anyio.to_thread.run_sync(began.wait)
            group.start_soon(store.apply, message("300.1"))  # waits its turn: not begun
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
            go.set()
        assert (await store.user("U9")).prefs == {"whole": True}
        assert await store.history("C1") == []


async def test_a_closed_store_says_so(path: Path, start: dict[str, Any]) -> None:
    store = SQLiteDataStore(path)
    await store.cache_start(start)
    await store.aclose()
    await store.aclose()
    with pytest.raises(DataStoreError, match="closed"):
        await store.user(ME)
    with pytest.raises(DataStoreError, match="closed"):
        await store.apply(message("300.1"))


async def test_a_store_that_was_never_used_makes_no_file(path: Path) -> None:
    async with SQLiteDataStore(path) as store:
        await store.apply({"type": "hello"})
    assert not await anyio.Path(path).exists()


@pytest.fixture
def foreign(path: Path) -> dict[str, tuple[Path, str]]:
    """Paths that hold something else, and what is said of each."""
    path.mkdir(parents=True)
    other, later, text = path / "other.db", path / "later.db", path / "text.db"
    for file, statement in [(other, "CREATE TABLE record (x)"), (later, "PRAGMA application_id = 0x52434558")]:
        connection = sqlite3.connect(file)
        connection.execute(statement)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
    text.write_text("this is no database, but a text of more than a hundred bytes " * 10)
    return {
        "other": (other, "another program"),
        "later": (later, "version 99"),
        "text": (text, "not a database"),
        "folder": (path, "is a folder"),
    }


@pytest.mark.parametrize("what", ["other", "later", "text", "folder"])
async def test_what_is_not_ours_is_refused_and_left_alone(foreign: dict[str, tuple[Path, str]], what: str) -> None:
    path, why = foreign[what]

    def content() -> Any:
        return path.read_bytes() if path.is_file() else sorted(path.iterdir())

    before = content()
    async with SQLiteDataStore(path) as store:
        for _ in range(2):
            with pytest.raises(DataStoreError, match=why) as caught:
                await store.user(ME)
            assert str(path) in str(caught.value)
            assert not caught.value.retryable
    assert content() == before


async def test_a_smaller_bound_counts_from_the_next_message(path: Path, start: dict[str, Any]) -> None:
    async with SQLiteDataStore(path) as store:
        await store.cache_start(start)
        for number in range(5):
            await store.apply(message(f"300.{number}"))
    async with SQLiteDataStore(path, max_history=2) as store:
        await store.apply(message("300.5"))
        assert [one["ts"] for one in await store.history("C1")] == ["300.4", "300.5"]
