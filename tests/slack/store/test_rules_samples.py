"""The sample events that the npm package brings: its rtm.start answer, then all 43, and the model they must give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.slack.store import DataStore

PACKAGE = Path(__file__).parents[2] / "peers/node/node_modules/@slack/client"
FIXTURES = PACKAGE / "test/fixtures"
ALICE, BOB, CAROL, DAVE, EVE = "U0CJ5PC7L", "U0CJ1TWKX", "U0F3LFX6K", "W0E2S5A3B", "U0EV582MU"
TEAM = "T0CHZBU59"
GENERAL, RANDOM, TEST, NEW = "C0CHZA86Q", "C0CJ5FF0R", "C0CJ25PDM", "C0F3Q8LH5"
PRIVATE, WITH_SLACKBOT, WITH_BOB, WITH_CAROL = "G0CHZSXFW", "D0CJ1P4JJ", "D0CHZQWNP", "D0F3HHAQ3"


@pytest.fixture
def samples(need: Callable[[bool, str], None]) -> Callable[[str], Any]:
    """Read one of the package's files."""
    need(FIXTURES.is_dir(), "the npm package @slack/client")
    return lambda name: json.loads((FIXTURES / name).read_text())


@pytest.fixture
async def started(empty: DataStore, samples: Callable[[str], Any]) -> DataStore:
    await empty.cache_start(samples("rtm.start.json"))
    return empty


@pytest.fixture
def events(samples: Callable[[str], Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = samples("client-events.json")
    assert len(found) == 43
    return found


async def test_rtm_start(started: DataStore) -> None:
    assert [user.name for user in await started.users()] == ["alice", "bob", "carol", "slackbot", "test-bot", "dave"]
    assert [user.presence for user in await started.users()] == ["active", "away", "active", "active", "away", "active"]
    assert [channel.name for channel in await started.channels()] == ["general", "random", "test"]
    assert [channel.unread_count for channel in await started.channels()] == [1, 1, 0]  # the last one is alice's own
    assert [(group.name, group.members) for group in await started.groups()] == [("private", (ALICE,))]
    assert [(dm.user, dm.unread_count) for dm in await started.dms()] == [("USLACKBOT", 1), (BOB, 1)]
    assert [bot.name for bot in await started.bots()] == ["gdrive", "bot"]
    alice = await started.user(ALICE)
    assert (alice.email, alice.prefs["push_sound"]) == ("leah+slack-api-test-alice@slack-corp.com", "b2.mp3")
    assert (await started.user_by_name("dave")).id == DAVE
    assert (await started.user_by_bot_id("B0EV07BEH")).name == "test-bot"
    assert (await started.bot_by_user_id("U0EUYE1E0")).name == "bot"
    assert (await started.dm_by_name("bob")).latest["text"] == "hi alice!"
    assert (await started.team(TEAM)).domain == "slack-api-test"
    assert await started.unread_count() == 5


async def test_rtm_connect(empty: DataStore, samples: Callable[[str], Any]) -> None:
    await empty.cache_start(samples("rtm.connect.json"))
    assert [user.to_dict() for user in await empty.users()] == [{"id": "U02QYTVLJ", "name": "hess"}]
    assert [team.name for team in await empty.teams()] == ["SF UTES"]


async def test_all_events_in_the_order_of_the_file(started: DataStore, events: dict[str, dict[str, Any]]) -> None:
    for name, event in events.items():
        if name == "message::channel_archive":
            # Slack would say nothing more of a channel that was deleted and that we left.
            await started.apply(events["channel_joined"], self_id=ALICE, team_id=TEAM)
        await started.apply(event, self_id=ALICE, team_id=TEAM)

    users = {user.name: user for user in await started.users()}
    assert list(users) == ["alice", "bob", "carol", "slackbot", "test-bot", "dave", "eve"]
    assert (users["alice"].presence, users["alice"].prefs["display_real_names_override"]) == ("away", 1)
    assert users["bob"].email == "leah+slack-api-test-user-change-test@slack-corp.com"
    assert (users["bob"].presence, users["bob"]["tz_label"]) == ("away", "Pacific Standard Time")
    assert (users["eve"].id, users["eve"].real_name, users["eve"].presence) == (EVE, "eve", "away")

    # The sample named bot_changed is of the type bot_added.
    assert [bot.name for bot in await started.bots()] == ["gdrive", "bot", "changed-bot"]
    team = await started.team(TEAM)
    assert (team.name, team.domain) == ("slack-api-test-test", "sslack-api-test")
    assert (team.url, team.prefs["require_at_for_mention"]) == ("https://sslack-api-test.slack.com", True)
    assert team.prefs["auth_mode"] == "normal"

    channels = {channel.id: channel for channel in await started.channels()}
    assert set(channels) == {GENERAL, RANDOM, TEST, NEW}
    assert (channels[NEW].name, channels[NEW]["creator"]) == ("test-channel", ALICE)
    assert channels[GENERAL].message("1444959632.000002")["reactions"] == []
    assert await started.typing_users(GENERAL) == [BOB]

    test = channels[TEST]
    assert (test.name, test.members, test.is_member) == ("test-channel-rename", (ALICE,), True)
    assert test.is_archived  # the message that says so came last
    assert [(one["ts"], one.get("subtype")) for one in test.history] == [
        ("1448262357.000002", "channel_join"),
        ("1448491518.000007", "channel_archive"),
        ("1448413360.000002", "channel_join"),
        ("1448413366.000003", "channel_leave"),
        ("1449034681.000004", "channel_name"),
        ("1448496795.000005", "message_changed"),
        ("1448496783.000004", "message_deleted"),
    ]
    assert (test.unread_count, test.latest["ts"]) == (5, "1449034681.000004")

    private = await started.group(PRIVATE)
    assert (private.name, private.type, private.is_archived) == ("private-rename", "group", False)
    assert private.members == ()  # alice left before carol; only the event about us archives a group
    assert private.last_read == "1448327532.000006"
    assert private.unread_count == len([one for one in private.history if one["user"] != ALICE]) == 4

    with_slackbot, with_bob, with_carol = [await started.dm(id_) for id_ in (WITH_SLACKBOT, WITH_BOB, WITH_CAROL)]
    assert (with_slackbot.is_open, with_slackbot.unread_count) == (True, 1)
    assert (with_bob.last_read, with_bob.unread_count) == ("1448253718.000002", 0)
    assert (with_carol.user, with_carol.is_open, with_carol.latest) == (CAROL, False, None)
    assert await started.unread_count() == 1 + 1 + 5 + 4 + 1


async def test_reactions(started: DataStore, events: dict[str, dict[str, Any]]) -> None:
    await started.apply(events["reaction_added"])
    message = await started.message(GENERAL, "1444959632.000002")
    assert message["reactions"] == [{"name": "+1", "count": 1, "users": [ALICE]}]
    assert (await started.channel(GENERAL)).latest == message
    await started.apply(events["reaction_removed"])
    assert (await started.message(GENERAL, "1444959632.000002"))["reactions"] == []


async def test_edit_and_deletion_touch_what_they_name(started: DataStore, events: dict[str, dict[str, Any]]) -> None:
    for ts in ("1448496754.000002", "1448496776.000003", "1448496777.000001"):
        await started.apply({"type": "message", "channel": TEST, "user": CAROL, "text": "as it was", "ts": ts})
    await started.apply(events["message::message_changed"])
    await started.apply(events["message::message_deleted"])
    found = [(one["ts"], one.get("text"), one.get("subtype")) for one in await started.history(TEST)]
    assert found[1:] == [
        ("1448496754.000002", "Hi carol! :simple_smile:", None),
        ("1448496777.000001", "as it was", None),
        ("1448496795.000005", None, "message_changed"),
        ("1448496783.000004", None, "message_deleted"),
    ]
    assert (await started.channel(TEST)).unread_count == 2


async def test_archive_and_rename_of_the_test_channel(started: DataStore, events: dict[str, dict[str, Any]]) -> None:
    await started.apply(events["channel_archive"])
    assert (await started.channel(TEST)).is_archived
    await started.apply(events["channel_unarchive"])
    await started.apply(events["channel_rename"])
    assert not (await started.channel(TEST)).is_archived
    assert (await started.channel_by_name("#test-channel-rename")).id == TEST
    await started.apply(events["channel_left"], self_id=ALICE)
    assert ((await started.channel(TEST)).members, (await started.channel(TEST)).is_member) == ((), False)
    await started.apply(events["channel_deleted"])
    assert await started.channel(TEST) is None
