"""The scenarios of `@slack/client` 3.16.0 and `@slack/rtm-api` 6.2.1 on the same fake Slack, with our client.

Their names are those of tests/peers/test_slack_npm_clients.py. Where the two packages differ both ways are run: "v3" is
our default, "v6" stands for the options that make ours behave like the newer package. Two scenarios stand elsewhere:
hello with the 101 in test_client_lifecycle.py, the replayed reply in test_messages.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rcex_ws.errors import NotConnected, RequestTimeout
from rcex_ws.slack import MessageRejected, SlackApiError

ROOM = "C0GENERAL"
CONNECTING = ["connecting", "authenticated", "ws_opening", "ws_opened", "raw_message", "open"]
NOISE = ("slack_event", "raw_message")
SAMPLES = Path(__file__).parents[1] / "peers/node/node_modules/@slack/client/test/fixtures/client-events.json"
FLAVOURS = {"v3": {}, "v6": {"subtype_events": "all", "monitor": "replies"}}


@pytest.fixture(params=FLAVOURS)
def flavour(request):
    return request.param


@pytest.fixture
def make_peer(make_client, flavour):
    """Make a client of the flavour that records every lifecycle event."""
    names = (*CONNECTING, "slack_event", "ws_close", "ws_error", "attempting_reconnect", "disconnect")
    names += ("unable_to_rtm_start", "rate_limited", "client_error")

    def make(*, listen=(), **options):
        return make_client(listen=(*names, *listen), **{**FLAVOURS[flavour], **options})

    return make


def without_noise(told):
    return [name for name in told.names if name not in NOISE]


async def test_connecting(make_peer, slack, told, flavour):
    slack.options.rtm_start = "full"
    client = make_peer(start_method="rtm.start" if flavour == "v3" else "rtm.connect")
    await client.start()
    await told.wait("open")
    assert told.names == CONNECTING
    assert (client.active_user_id, client.active_team_id) == (slack.self_id, slack.team_id)
    (call,) = slack.calls
    assert (call.verb, call.method) == ("POST", "rtm.start" if flavour == "v3" else "rtm.connect")
    assert call.headers["authorization"] == f"Bearer {slack.token}"
    if flavour == "v3":
        assert len(await client.data_store.users()) == len(slack.workspace.users)
    assert slack.connections == [1]


async def test_events_by_type_and_subtype(make_peer, slack, told, flavour):
    client = make_peer(listen=("message", "message::channel_join", "foo", "foo::bar", "goodbye", "last"))
    await client.start()
    await told.wait("open")
    told.clear()
    joined = {
        "type": "message",
        "subtype": "channel_join",
        "channel": ROOM,
        "user": "U000ALICE",
        "text": "",
        "ts": "1.1",
    }
    plain = {"type": "message", "channel": ROOM, "user": "U000ALICE", "text": "hi", "ts": "1.0"}
    sent = [plain, joined, {"type": "foo", "subtype": "bar"}, {"type": "last"}]
    slack.push(sent[0], "not json", *sent[1:])
    assert await told.wait("last") == ({"type": "last"},)
    expected = ["message", "message", "message::channel_join", "foo", "foo::bar", "last"]
    if flavour == "v3":
        expected.remove("foo::bar")
    assert [name for name in without_noise(told) if name != "client_error"] == expected
    assert told.of("message::channel_join") == [(joined,)]
    assert ("not json",) in told.of("raw_message")
    assert [args[0] for args in told.of("slack_event")] == [event["type"] for event in sent]


async def test_every_sample_event_of_the_client_itself(make_peer, slack, told, flavour, need):
    need(SAMPLES.exists(), "@slack/client")
    events = list(json.loads(SAMPLES.read_text()).values())
    expected = []
    for event in events:
        expected.append(event["type"])
        if "subtype" in event and (flavour == "v6" or event["type"] == "message"):
            expected.append(f"{event['type']}::{event['subtype']}")
    client = make_peer(listen=(*{name for name in expected if name != "team_migration_started"}, "last"))
    await client.start()
    await told.wait("open")
    told.clear()
    slack.push(*events, {"type": "last"})
    await told.wait("last")
    assert without_noise(told) == [*expected, "last"]


async def test_a_message_and_its_ack(make_peer, slack, told):
    client = make_peer(listen=("message",))
    await client.start()
    reply = await client.send_message("one", ROOM)
    (accepted,) = slack.accepted
    message = {"type": "message", "channel": ROOM, "user": slack.self_id}
    assert reply.message == {**message, "text": "one", "ts": accepted.ts}
    assert told.of("message") == []
    assert slack.violations == []


async def test_a_refused_message(make_peer, slack):
    client = make_peer()
    await client.start()
    slack.reject_message(2, "message text is missing")
    first, second = client.send_message("one", ROOM), client.send_message("two", ROOM)
    with pytest.raises(MessageRejected, match="message text is missing"):
        await first
    assert (await second).ts
    assert [message.text for message in slack.accepted] == ["two"]


async def test_a_message_without_a_connection(make_peer, slack, flavour):
    client = make_peer(while_disconnected="refuse" if flavour == "v3" else "queue")
    slack.fail(error="fatal_error")
    await client.start(wait=False)
    early = client.send_message("early", ROOM)
    if flavour == "v3":
        with pytest.raises(NotConnected):
            await early
    else:
        assert (await early).message["text"] == "early"


async def test_pings_keep_the_connection(make_peer, slack, told, ms):
    await make_peer(ping_interval=50 * ms, pong_timeout=1000 * ms).start()
    await slack.wait_for(lambda: sum(frame.data["type"] == "ping" for frame in slack.frames) >= 3, "third ping")
    slack.ping()
    await slack.wait_for(lambda: slack.pongs == [1], "pong of the WebSocket protocol")
    assert (slack.connections, slack.connections_total) == ([1], 1)
    assert slack.violations == []


async def test_a_close_by_the_server_and_the_ids_after_it(make_peer, slack, told):
    client = make_peer()
    await client.start(batch_presence_aware="1")
    await client.send_message("one", ROOM)
    await told.wait("open")
    before = len(without_noise(told))
    slack.close(1001, "restart")
    await told.wait("open", 2)
    again = [name for name in CONNECTING if name != "raw_message"]
    assert without_noise(told)[before:] == ["ws_close", "attempting_reconnect", *again]
    assert told.of("ws_close") == [(1001, "restart")]
    await client.send_message("two", ROOM)
    first, second = slack.accepted
    assert (second.connection, second.id) == (2, first.id + 1)
    assert [call.fields["batch_presence_aware"] for call in slack.calls if call.method == "rtm.connect"] == ["1", "1"]


async def test_a_reset(make_peer, slack, told):
    await make_peer().start()
    slack.cut()
    await told.wait("open", 2)
    assert slack.connections == [2]


async def test_no_pong_means_a_new_connection(make_peer, slack, told, flavour, ms):
    timeout = {"v3": 300 * ms, "v6": 200 * ms}[flavour]
    await make_peer(ping_interval=100 * ms, pong_timeout=timeout).start()
    await told.wait("open")
    before = len(without_noise(told))
    slack.silence()
    await told.wait("open", 2)
    names = without_noise(told)[before:]
    assert names[:2] == ["attempting_reconnect", "connecting"]
    assert "ws_close" not in names
    assert (await slack.wait_for_close(1)).answered is False


async def test_a_migration(make_peer, slack, told):
    await make_peer(listen=("team_migration_started",)).start()
    await told.wait("open")
    before = len(without_noise(told))
    slack.migrate()
    await told.wait("open", 2)
    names = without_noise(told)[before:]
    assert names[:3] == ["attempting_reconnect", "connecting", "team_migration_started"]
    assert "ws_close" not in names
    assert slack.connections == [2]


async def test_goodbye_opens_the_next_connection_before_the_close(make_peer, slack, told):
    """Here ours does more: both packages wait for the close."""
    client = make_peer(listen=("goodbye",))
    await client.start()
    slack.goodbye()
    await told.wait("goodbye")
    assert (await client.send_message("one", ROOM)).ts
    assert (await slack.wait_for_close(1)).code == 1000
    assert slack.connections == [2]


@pytest.mark.parametrize(
    "code", ["not_authed", "invalid_auth", "account_inactive", "user_removed_from_team", "team_disabled"]
)
async def test_an_unrecoverable_code_stops(make_peer, slack, told, code):
    slack.fail(error=code)
    with pytest.raises(SlackApiError, match=code):
        await make_peer().start()
    assert told.names == ["connecting", "unable_to_rtm_start", "disconnect"]
    assert told.of("disconnect")[0][0] == f"{code} is not recoverable"
    assert len(slack.calls) == 1


async def test_a_recoverable_code(make_peer, slack, told):
    slack.fail(error="migration_in_progress", times=2)
    await make_peer().start()
    await told.wait("open")
    turn = ["connecting", "unable_to_rtm_start", "attempting_reconnect"]
    assert told.names == [*turn, *turn, *CONNECTING]


async def test_a_rate_limit_is_waited_for(make_peer, slack, ms):
    slack.fail(status=429, retry_after=300 * ms)
    await make_peer().start()
    first, second = slack.calls
    assert second.time - first.time >= 290 * ms


async def test_a_refused_upgrade_is_tried_again(make_peer, slack, told):
    slack.refuse_upgrade(503)
    await make_peer().start()
    assert "503" in str((await told.wait("ws_error"))[0])
    assert [call.method for call in slack.calls] == ["rtm.connect"] * 2


async def test_no_reconnect_where_it_is_switched_off(make_peer, slack, told):
    client = make_peer(auto_reconnect=False)
    await client.start()
    slack.close(1000)
    await client.wait_closed()
    assert told.names == [*CONNECTING, "ws_close", "disconnect"]
    assert len(slack.calls) == 1


async def test_disconnect_is_a_clean_close(make_peer, slack, told):
    client = make_peer()
    await client.start()
    await client.aclose()
    end = await slack.wait_for_close(1)
    assert (end.code, end.answered) == (1000, False)
    assert told.names == [*CONNECTING, "disconnect"]
    assert slack.connections_total == 1


async def test_typing_and_presence_on_the_wire(make_peer, slack):
    client = make_peer()
    await client.start()
    client.send_typing(ROOM)
    client.subscribe_presence(["U000ALICE", "U0000BOBB"])
    presence = (await slack.wait_for_frame("presence_sub")).data
    assert slack.frames[0].data == {"type": "typing", "channel": ROOM, "id": 1}
    assert presence == {"type": "presence_sub", "ids": ["U000ALICE", "U0000BOBB"], "id": 2}
    await slack.wait_for(lambda: bool(slack.presence_subscriptions), "subscription")
    assert slack.presence_subscriptions == {1: ["U000ALICE", "U0000BOBB"]}


async def test_without_a_replay_a_pending_message(make_peer, slack, told, ms):
    """With v3 it waits for ever, v6 drops it after 2 s; ours waits for `reply_timeout`."""
    client = make_peer(reply_timeout=200 * ms)
    await client.start()
    slack.swallow_acks()
    first = client.send_message("one", ROOM)
    await slack.wait_for_message("one")
    slack.close(1001)
    await told.wait("open", 2)
    assert (await client.send_message("two", ROOM)).ts
    with pytest.raises(RequestTimeout):
        await first


async def test_update_message(make_peer, slack, told):
    client = make_peer(listen=("message::message_changed",))
    await client.start()
    ts = (await client.send_message("one", ROOM)).ts
    updated = await client.update_message(ts, ROOM, "new")
    assert {key: updated[key] for key in ("ok", "channel", "ts", "text")} == {
        "ok": True,
        "channel": ROOM,
        "ts": ts,
        "text": "new",
    }
    assert (await told.wait("message::message_changed"))[0]["message"]["text"] == "new"
    with pytest.raises(SlackApiError, match="message_not_found"):
        await client.update_message("1.0", ROOM, "new")
