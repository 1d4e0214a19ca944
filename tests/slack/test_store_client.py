"""The data store as a client keeps it: what handlers can rely on."""

from __future__ import annotations

import logging

import anyio
import pytest

from rcex_ws.slack import DataStore, MemoryDataStore, SQLiteDataStore

ROOM = "C0GENERAL"


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    store = MemoryDataStore() if request.param == "memory" else SQLiteDataStore(tmp_path / "slack.db")
    async with store:
        yield store


async def test_handlers_see_the_store_after_the_event(make_client, slack, told, store, push, message):
    slack.options.rtm_start = "full"
    client = make_client(listen=(), data_store=store, start_method="rtm.start")
    assert client.data_store is store

    async def on_authenticated(data):
        told.add("users", [user.name for user in await store.users()])

    async def on_message(event):
        told.add("history", [item["text"] for item in await store.history(ROOM)])

    client.on("authenticated", on_authenticated)
    client.on("message", on_message)
    await client.start()
    await push(message("one", "1.1"), message("two", "1.2"), client=client)
    assert told.items == [
        ("users", (["robot", "alice", "bob", "slackbot"],)),
        ("history", (["one"],)),
        ("history", (["one", "two"],)),
    ]


async def test_messages_of_our_own_are_in_the_store(make_client, slack, store, told):
    """Slack does not send them back; a handler that comes later finds them, also after a replay."""
    client = make_client(data_store=store)
    await client.start()
    await told.wait("open")
    reply = await client.send_message("mine", ROOM)
    slack.options.replay_last_reply = True
    slack.swallow_acks()
    lost = client.send_message("replayed", ROOM, callback=lambda error, reply: told.add("settled"))
    await slack.wait_for_message("replayed")
    slack.cut()
    await lost
    await told.wait("settled")
    await client.aclose()
    history = await store.history(ROOM)
    assert [(item["text"], item["ts"]) for item in history] == [
        ("mine", reply.ts),
        ("replayed", slack.accepted[1].ts),
    ]


async def test_a_cancelled_wait_keeps_the_message_for_the_store(make_client, slack, store, push):
    client = make_client(data_store=store)
    await client.start()
    slack.swallow_acks()
    sent = client.send_message("one", ROOM)
    await slack.wait_for_message("one")
    with anyio.move_on_after(0.01):
        await sent
    await push({"ok": True, "reply_to": 1, "ts": "5.6", "text": "one"}, client=client)
    assert (await store.message(ROOM, "5.6"))["text"] == "one"


async def test_no_store(make_client, told, push, message):
    client = make_client(listen=("message", "client_error"), data_store=None)
    assert client.data_store is None
    await client.start()
    await client.send_message("hi", ROOM)
    await push(message(), client=client)
    assert told.names == ["message"]


async def test_a_memory_store_is_the_default(make_client, slack):
    client, other = make_client(), make_client()
    assert isinstance(client.data_store, MemoryDataStore)
    assert client.data_store is not other.data_store
    await client.start()
    assert (await client.data_store.team(slack.team_id)).name == "Fake Slack"


async def test_an_event_that_the_store_refuses_still_reaches_its_handlers(make_client, told, push, store):
    client = make_client(listen=("channel_rename", "client_error"), data_store=store)
    await client.start()
    await push({"type": "channel_rename", "channel": 5}, client=client)
    await told.wait("client_error")
    assert sorted(told.names) == ["channel_rename", "client_error"]


class BrokenStore(MemoryDataStore):
    """A store whose database is gone."""

    async def write(self, work):
        raise OSError("no space left")


async def test_a_store_that_raises_costs_no_event_and_no_connection(make_client, slack, told, push, message):
    client = make_client(listen=("authenticated", "message", "client_error", "open"), data_store=BrokenStore())
    await client.start()
    await push(message(), client=client)
    await told.wait("client_error", 2)
    assert sorted(told.names) == ["authenticated", "client_error", "client_error", "message", "open"]
    assert {str(error) for (error,) in told.of("client_error")} == {"no space left"}
    assert (await client.send_message("hi", ROOM)).ts
    assert slack.connections == [1]


async def test_the_model_survives_a_restart(make_client, slack, told, tmp_path, push, message):
    async with SQLiteDataStore(tmp_path / "slack.db") as store:
        client = make_client(data_store=store)
        await client.start()
        await push(message("before", "1.1"), client=client)
        await client.aclose()
    async with SQLiteDataStore(tmp_path / "slack.db") as store:
        assert [item["text"] for item in await store.history(ROOM)] == ["before"]
        client = make_client(data_store=store, fill_store="never")
        await client.start()
        await push(message("after", "1.2"), client=client)
        assert [item["text"] for item in await store.history(ROOM)] == ["before", "after"]
        await client.aclose()


async def test_a_client_does_not_close_the_store_it_was_given(make_client, store):
    assert isinstance(store, DataStore)
    client = make_client(data_store=store)
    await client.start()
    await client.aclose()
    await client.start()
    assert await store.teams()


async def test_f7_a_store_that_cannot_be_used_is_said_once_a_minute(
    make_client, slack, told, push, message, tmp_path, caplog
):
    store = SQLiteDataStore(tmp_path / "slack.db")
    client = make_client(listen=("open", "message", "client_error"), data_store=store)
    await client.start()
    await told.wait("open")
    await store.aclose()
    told.items.clear()
    await push(*(message(str(number), f"1.{number}") for number in range(5)), client=client)
    await told.wait("message", 5)
    assert len(told.of("client_error")) == 1
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert str(store.path) in line
    assert "Traceback" not in caplog.text
