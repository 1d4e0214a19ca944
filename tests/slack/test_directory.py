"""How a store comes to know a team that rtm.connect tells nothing of: by lookup, by lists, or never."""

from __future__ import annotations

import json
import logging
from itertools import pairwise
from typing import Any

import pytest

from rcex_ws.slack import MemoryDataStore, SlackApiError, SQLiteDataStore
from rcex_ws.testing import FakeSlack

ROOM = "C0GENERAL"


def methods(slack: FakeSlack) -> list[str]:
    return [call.method for call in slack.calls if not call.method.startswith("rtm.")]


async def names(store: Any) -> dict[str, list[str | None]]:
    return {
        "users": [user.name for user in await store.users()],
        "channels": [channel.name for channel in await store.channels()],
        "groups": [group.name for group in await store.groups()],
        "dms": [dm.user for dm in await store.dms()],
    }


ALL = {
    "users": ["robot", "alice", "bob", "slackbot"],
    "channels": ["general", "random"],
    "groups": ["secret", "mpdm-robot--alice--bob-1"],
    "dms": ["U000ALICE"],
}


# By lookup.


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_k2_whoever_an_event_names_is_known_to_its_handlers(
    make_client: Any, slack: FakeSlack, told: Any, push: Any, message: Any, tmp_path: Any, kind: str
) -> None:
    async with MemoryDataStore() if kind == "memory" else SQLiteDataStore(tmp_path / "slack.db") as store:
        client = make_client(listen=("client_error",), data_store=store)

        @client.on("message")
        async def on_message(event: dict[str, Any]) -> None:
            user, channel = await store.user(event["user"]), await store.conversation(event["channel"])
            assert user is not None
            assert channel is not None
            told.add("seen", user.name, channel.name, [one["text"] for one in channel.history])

        await client.start()
        await push(message("one", "1.1"), message("two", "1.2"), message("x", "1.3", user="U0000BOBB"), client=client)
        assert told.of("seen") == [
            ("alice", "general", ["one"]),
            ("alice", "general", ["one", "two"]),
            ("bob", "general", ["one", "two", "x"]),
        ]
        assert methods(slack) == ["users.info", "conversations.info", "users.info"]
        assert told.of("client_error") == []
        await client.aclose()


async def test_k2_rtm_start_that_answers_like_rtm_connect_makes_no_difference(
    make_client: Any, slack: FakeSlack, push: Any, message: Any
) -> None:
    client = make_client(start_method="rtm.start")
    await client.start()
    assert client.active_user_id == slack.self_id
    await push(message("one", "1.1"), client=client)
    assert (await client.data_store.user("U000ALICE")).email == "alice@fake-slack.test"
    slack.options.rtm_start = "full"
    slack.cut()
    await slack.wait_for_connection(2)
    await push({"type": "user_typing", "channel": "C00RANDOM", "user": "U0000BOBB"}, client=client)
    assert await names(client.data_store) == ALL
    assert methods(slack) == ["users.info", "conversations.info"], "what rtm.start tells is not asked for"


async def test_k2_a_message_of_our_own_is_kept_in_a_channel_that_nobody_named(
    make_client: Any, slack: FakeSlack, push: Any
) -> None:
    client = make_client()
    await client.start()
    await client.send_message("mine", ROOM)
    await push(client=client)
    channel = await client.data_store.channel(ROOM)
    assert [one["text"] for one in channel.history] == ["mine"]


@pytest.mark.parametrize(
    ("event", "user", "conversation"),
    [
        ({"type": "user_typing", "channel": ROOM, "user": "U000ALICE"}, "U000ALICE", ROOM),
        ({"type": "member_joined_channel", "channel": "G00SECRET", "user": "U0000BOBB"}, "U0000BOBB", "G00SECRET"),
        ({"type": "im_open", "channel": "D000ALICE", "user": "U000ALICE"}, "U000ALICE", "D000ALICE"),
        (
            {"type": "reaction_added", "user": "U000ALICE", "reaction": "x", "item_user": "U0000BOBB",
             "item": {"type": "message", "channel": ROOM, "ts": "1.1"}},
            "U0000BOBB",
            None,
        ),
        (
            {"type": "message", "subtype": "message_changed", "channel": ROOM, "ts": "1.2",
             "message": {"type": "message", "user": "U0000BOBB", "text": "x", "ts": "1.1"}},
            "U0000BOBB",
            ROOM,
        ),
        ({"type": "channel_deleted", "channel": ROOM}, None, None),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)  # fmt: skip
async def test_k2_each_kind_of_event_names_them(
    make_client: Any, slack: FakeSlack, push: Any, event: dict[str, Any], user: str | None, conversation: str | None
) -> None:
    client = make_client()
    await client.start()
    await push(event, client=client)
    store = client.data_store
    assert user is None or await store.user(user) is not None
    assert [one.id for one in (*await store.channels(), *await store.groups(), *await store.dms())] == [
        one for one in (conversation,) if one is not None
    ]


async def test_k2_what_slack_does_not_know_is_asked_for_once(
    make_client: Any, slack: FakeSlack, push: Any, message: Any, told: Any
) -> None:
    client = make_client(listen=("message", "client_error"))
    await client.start()
    strange = {"type": "message", "user": "not an id", "channel": 7, "text": "x"}
    for n in range(3):
        await push(message("x", f"1.{n}", user="U404", channel="C404"), strange | {"ts": f"2.{n}"}, client=client)
    assert methods(slack) == ["users.info", "conversations.info"]
    assert told.names.count("message") == 6


@pytest.mark.parametrize("code", ["missing_scope", "not_allowed_token_type", "unknown_method"])
async def test_k2_a_method_that_the_token_may_not_call_is_not_called_again(
    make_client: Any, slack: FakeSlack, push: Any, message: Any, told: Any, caplog: Any, code: str
) -> None:
    client = make_client(listen=("message", "client_error"))
    await client.start()
    slack.fail("users.info", body=json.dumps({"ok": False, "error": code, "needed": "users:read"}))
    await push(message("one", "1.1"), message("two", "1.2", user="U0000BOBB"), client=client)
    assert methods(slack) == ["users.info", "conversations.info"]
    assert told.names == ["message", "message"]
    warnings = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert code in warnings[0]
    assert "users:read" in warnings[0]


@pytest.mark.parametrize("failure", [{"status": 500}, {"status": "rst"}, {"error": "internal_error"}, {"body": "x"}])
async def test_k2_while_slack_cannot_be_asked_events_do_not_wait(
    make_client: Any, slack: FakeSlack, push: Any, message: Any, told: Any, failure: dict[str, Any]
) -> None:
    client = make_client(listen=("message", "client_error"))
    await client.start()
    slack.fail("*.info", **failure, times=None)
    await push(*(message("x", f"1.{n}", user=f"U{n}") for n in range(10)), client=client)
    assert told.names == ["message"] * 10
    assert len(methods(slack)) == 1


async def test_k2_a_rate_limit_delays_no_event_and_is_kept(
    make_client: Any, slack: FakeSlack, push: Any, message: Any, told: Any
) -> None:
    client = make_client(listen=("message", "rate_limited", "client_error"))
    await client.start()
    slack.fail("users.info", status=429, retry_after=30, times=None)
    await push(*(message("x", f"1.{n}", user=f"U{n}") for n in range(10)), client=client)
    assert told.names.count("message") == 10
    assert told.of("rate_limited") == [(30.0,)]
    assert methods(slack) == ["users.info", "conversations.info"], "each method has a limit of its own"
    assert await client.data_store.channel(ROOM) is not None


@pytest.mark.parametrize(
    "body", ['{"ok": true}', '{"ok": true, "user": 7, "channel": 7}', '{"ok": true, "user": {}, "channel": {}}',
             '{"ok": true, "user": {"id": "U1", "name": 5}, "channel": {"id": "C1", "latest": 7}}']
)  # fmt: skip
async def test_k2_an_odd_answer_costs_no_event(
    make_client: Any, slack: FakeSlack, push: Any, message: Any, told: Any, body: str
) -> None:
    client = make_client(listen=("message", "client_error"))
    await client.start()
    slack.fail("*.info", body=body, times=None)
    await push(message("one", "1.1"), message("two", "1.2"), client=client)
    assert told.names == ["message", "message"]
    assert methods(slack) == ["users.info", "conversations.info"]


async def test_k2_nobody_is_asked_for_without_a_store_or_if_not_wanted(
    make_client: Any, slack: FakeSlack, push: Any, message: Any
) -> None:
    for options in ({"data_store": None}, {"fill_store": "never"}, {"data_store": None, "fill_store": "lists"}):
        client = make_client(**options)
        await client.start()
        await push(message("one", "1.1"), client=client)
        await client.aclose()
    assert methods(slack) == []


async def test_k2_an_event_waits_for_a_lookup_so_long_and_the_next_ones_not_at_all(
    make_client: Any, slack: FakeSlack, push: Any, message: Any, told: Any, monkeypatch: pytest.MonkeyPatch, ms: float
) -> None:
    monkeypatch.setattr("rcex_ws.slack.directory._LOOKUP_TIMEOUT", 50 * ms)
    client = make_client(listen=("message", "client_error"))
    await client.start()
    slack.fail("*.info", status="hang", times=None)
    await push(*(message("x", f"1.{n}", user=f"U{n}") for n in range(10)), client=client)
    assert told.names == ["message"] * 10
    assert methods(slack) == ["users.info"]


async def test_k2_closing_does_not_wait_for_a_lookup_that_hangs(
    make_client: Any, slack: FakeSlack, told: Any, message: Any
) -> None:
    client = make_client(listen=("message", "disconnect"), close_timeout=30)
    await client.start()
    slack.fail("*.info", status="hang", times=None)
    slack.push(message("one", "1.1"))
    await slack.wait_for(lambda: methods(slack) == ["users.info"], "lookup")
    await client.aclose()
    assert told.names == ["message", "disconnect"]


async def test_k2_closing_does_not_wait_for_a_list_that_hangs(make_client: Any, slack: FakeSlack, told: Any) -> None:
    slack.fail("users.list", status="hang", times=None)
    client = make_client(listen=("open", "disconnect"), fill_store="lists", close_timeout=30)
    await client.start()
    await slack.wait_for(lambda: methods(slack) == ["users.list"], "call")
    await client.aclose()
    assert told.names == ["open", "disconnect"]


# By lists.


@pytest.fixture
def crowd(slack: FakeSlack) -> list[str]:
    """Let there be more users than stand on a page; give their names."""
    more = [{"id": f"U1{n:04}", "name": f"user-{n}", "profile": {}} for n in range(450)]
    slack.workspace.users += more
    return [user["name"] for user in slack.workspace.users]


async def test_k2_lists_are_read_page_by_page_before_the_first_event(
    make_client: Any, slack: FakeSlack, told: Any, message: Any, crowd: list[str]
) -> None:
    client = make_client(listen=("open", "client_error"), fill_store="lists")
    store = client.data_store

    @client.on("open")
    async def on_open() -> None:
        told.add("known", await names(store))

    await client.start()
    await told.wait("known")
    assert told.items[-1] == ("known", ({**ALL, "users": crowd},))
    assert methods(slack) == ["users.list"] * 3 + ["conversations.list"]
    assert all(int(call.fields["limit"]) <= 200 for call in slack.calls if call.method.endswith(".list"))
    assert (await store.conversation_by_name("secret")).type == "group"
    assert (await store.group("G0000MPIM")).type == "mpdm"


async def test_k2_a_private_channel_of_today_is_a_group(make_client: Any, slack: FakeSlack, told: Any) -> None:
    slack.fail("conversations.list", body=json.dumps({
        "ok": True,
        "channels": [
            {"id": "C1", "name": "new", "is_channel": True, "is_group": False, "is_private": True, "is_member": True},
            {"id": "C2", "name": "open", "is_channel": True, "is_private": False},
            {"name": "no id"},
            "nothing",
        ],
    }))  # fmt: skip
    client = make_client(listen=("open", "client_error"), fill_store="lists")
    await client.start()
    await told.wait("open")
    assert (await client.data_store.group("C1")).name == "new"
    assert [one.id for one in await client.data_store.channels()] == ["C2"]
    assert told.names == ["open"]


async def test_k2_a_rate_limit_of_a_list_is_waited_out(
    make_client: Any, slack: FakeSlack, told: Any, crowd: list[str], ms: float
) -> None:
    slack.options.per_minute, slack.options.minute = {"users.list": 1}, 100 * ms
    client = make_client(listen=("open", "rate_limited", "client_error"), fill_store="lists")
    await client.start()
    await told.wait("open")
    assert len(await client.data_store.users()) == len(crowd)
    await told.wait("rate_limited", 2)  # in its turn, as every event
    assert "client_error" not in told.names
    answered = [call.time for call in slack.calls if call.method == "users.list" and call.status == 200]
    assert len(answered) == 3
    assert all(later - earlier >= 95 * ms for earlier, later in pairwise(answered))


async def test_k2_lists_are_read_anew_after_a_loss_and_not_after_a_goodbye(
    make_client: Any, slack: FakeSlack, told: Any, push: Any, message: Any
) -> None:
    client = make_client(fill_store="lists")
    await client.start()
    await push(message("kept", "1.1"), client=client)
    await client.reconnect()
    await told.wait("open", 2)
    assert methods(slack) == ["users.list", "conversations.list"]
    slack.workspace.channels[0]["name"] = "plaza"
    slack.cut()
    await told.wait("open", 3)
    channel = await client.data_store.channel_by_name("plaza")
    assert [one["text"] for one in channel.history] == ["kept"]
    assert methods(slack) == ["users.list", "conversations.list"] * 2


async def test_k2_a_list_that_is_refused_is_reported_and_the_other_is_read(
    make_client: Any, slack: FakeSlack, told: Any
) -> None:
    slack.fail("users.list", "missing_scope")
    client = make_client(listen=("open", "client_error"), fill_store="lists")
    await client.start()
    await told.wait("client_error")
    assert sorted(told.names) == ["client_error", "open"]
    ((error,),) = told.of("client_error")
    assert isinstance(error, SlackApiError)
    assert (error.method, error.code) == ("users.list", "missing_scope")
    assert len(await client.data_store.channels()) == 2


async def test_k2_a_page_that_fails_for_a_moment_is_asked_for_again(
    make_client: Any, slack: FakeSlack, told: Any, monkeypatch: pytest.MonkeyPatch, ms: float
) -> None:
    monkeypatch.setattr("rcex_ws.slack.lists._FIRST_WAIT", 10 * ms)
    slack.fail("users.list", status=500)
    slack.fail("conversations.list", "internal_error", times=3)
    client = make_client(listen=("open", "client_error"), fill_store="lists")
    await client.start()
    await told.wait("client_error")
    assert len(await client.data_store.users()) == 4
    ((error,),) = told.of("client_error")
    assert error.code == "internal_error"
    assert methods(slack) == ["users.list"] * 2 + ["conversations.list"] * 3


async def test_k2_a_server_that_gives_the_same_page_for_ever_is_not_asked_for_ever(
    make_client: Any, slack: FakeSlack, told: Any
) -> None:
    page = {"ok": True, "members": [], "response_metadata": {"next_cursor": "again"}}
    slack.fail("users.list", body=json.dumps(page), times=None)
    client = make_client(listen=("open",), fill_store="lists")
    await client.start()
    await told.wait("open")
    assert methods(slack) == ["users.list"] * 2 + ["conversations.list"]


async def test_k2_one_record_that_does_not_fit_costs_no_other(
    make_client: Any, slack: FakeSlack, told: Any, caplog: Any
) -> None:
    slack.workspace.users.insert(1, {"id": "U77", "name": 7})
    client = make_client(listen=("open", "client_error"), fill_store="lists")
    await client.start()
    await told.wait("open")
    assert await names(client.data_store) == ALL
    assert "the store rejected a record that Slack lists: upsert user: field 'name'" in caplog.text


async def test_k2_a_rate_limit_of_an_hour_is_reported_instead(make_client: Any, slack: FakeSlack, told: Any) -> None:
    slack.fail("users.list", status=429, retry_after=3600)
    client = make_client(listen=("client_error", "open"), fill_store="lists")
    await client.start()
    await told.wait("client_error")
    assert told.of("client_error")[0][0].retry_after == 3600
    assert len(await client.data_store.channels()) == 2


async def test_k2_a_list_without_an_end_is_given_up(
    make_client: Any, slack: FakeSlack, told: Any, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rcex_ws.slack.lists._MOST_PAGES", 3)
    monkeypatch.setattr("rcex_ws.slack.lists._PAGE", 1)
    client = make_client(listen=("open",), fill_store="lists")
    await client.start()
    await told.wait("open")
    assert methods(slack) == ["users.list"] * 3 + ["conversations.list"] * 3
    assert "users.list has more than 3 pages" in caplog.text


class Refusing(MemoryDataStore):
    """A store whose driver has errors of its own."""

    async def user(self, id_: str) -> Any:
        raise LookupError("a driver's own")


async def test_k2_a_store_that_cannot_be_asked_costs_no_event_and_gets_it_all_the_same(
    make_client: Any, slack: FakeSlack, told: Any, push: Any, message: Any
) -> None:
    client = make_client(listen=("message", "client_error"), data_store=Refusing())
    await client.start()
    await push(message("one", "1.1"), client=client)
    assert told.names == ["message"]
    assert [one["text"] for one in await client.data_store.history(ROOM)] == ["one"]


async def test_k2_closing_ends_the_wait_for_a_list(make_client: Any, slack: FakeSlack, told: Any) -> None:
    slack.fail("users.list", status=429, retry_after=100, times=None)
    client = make_client(listen=("rate_limited", "open"), fill_store="lists", close_timeout=30)
    await client.start()
    await slack.wait_for(lambda: methods(slack) != [], "call")
    await client.aclose()
    assert told.names == ["open", "rate_limited"]
    assert methods(slack) == ["users.list"]
