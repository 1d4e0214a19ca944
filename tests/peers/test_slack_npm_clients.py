"""The published Slack clients `@slack/client` 3.16.0 ("v3") and `@slack/rtm-api` 6.2.1 ("v6") against the fake Slack.

They prove that the fake is a Slack for real clients, and pin what these clients do. Every scenario sees a client only
as a `Peer`: it is given orders, and lists what it emits.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from anyio.abc import Process

from rcex_ws.testing import FakeSlack
from tests.peers.driven import Driven

NODE = Path(__file__).parent / "node"
SCRIPTS = {"v3": "slack_client.mjs", "v6": "slack_rtm_api.mjs"}
ROOM = "C0GENERAL"
CONNECTING = {
    "v3": ["connecting", "authenticated", "ws_opening", "ws_opened", "raw_message", "open"],
    "v6": ["connecting", "authenticated", "connected", "slack_event", "hello"],
}
READY = {"v3": "open", "v6": "ready"}
NOISE = ("slack_event", "raw_message", "outgoing_message", None)

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def anyio_backend() -> str:
    """The clients are processes of their own: one event loop on our side is enough."""
    return "asyncio"


class Peer(Driven):
    """A client in another process."""

    def __init__(self, process: Process, name: str, flavour: str) -> None:
        super().__init__(process, name)
        self.flavour = flavour

    async def start(self, **options: Any) -> None:
        """Start it and wait until it can send."""
        await self.do("start", options=options)
        await self.event(READY[self.flavour])


MakePeer = Callable[..., Awaitable[Peer]]


@pytest.fixture
async def make_peer(fake_slack: FakeSlack, need: Callable[[bool, str], None]) -> AsyncIterator[MakePeer]:
    """Give a function that starts a client, which does nothing before it is told to."""
    node = shutil.which("node")
    need(node is not None, "node")
    need((NODE / "node_modules/@slack/client").is_dir(), "the npm package @slack/client")
    need((NODE / "node_modules/@slack/rtm-api").is_dir(), "the npm package @slack/rtm-api")
    async with AsyncExitStack() as stack:

        async def make_peer(flavour: str, **options: Any) -> Peer:
            environment = {
                "SLACK_API_URL": fake_slack.api_url,
                "SLACK_TOKEN": fake_slack.token,
                "SLACK_OPTIONS": json.dumps(options),
            }
            command = [str(node), str(NODE / SCRIPTS[flavour])]
            return await stack.enter_async_context(Peer.run(command, flavour, environment=environment))

        yield make_peer


@pytest.fixture(params=["v3", "v6"])
def flavour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def peer(make_peer: MakePeer, flavour: str) -> Peer:
    return await make_peer(flavour)


async def test_connecting(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    fake_slack.options.rtm_start = "full"  # as when v3 was made: it fills its data store by it
    await peer.start()
    names = peer.names()
    expected = CONNECTING[flavour]
    assert names[: len(expected)] == expected
    if flavour == "v6":
        assert names[len(expected) :] == ["ready"]
        assert (await peer.outcome("start"))["value"]["id"] == fake_slack.self_id
    await peer.do("state")
    state = (await peer.outcome("state"))["value"]
    assert (state["connected"], state["authenticated"]) == (True, True)
    assert (state["user"], state["team"]) == (fake_slack.self_id, fake_slack.team_id)
    (call,) = fake_slack.calls
    if flavour == "v3":
        assert state["users"] == len(fake_slack.workspace.users)
        assert (call.verb, call.method, call.fields["token"]) == ("POST", "rtm.start", fake_slack.token)
    else:
        assert (call.verb, call.method) == ("POST", "rtm.connect")
        assert call.headers["authorization"] == f"Bearer {fake_slack.token}"
    assert fake_slack.connections == [1]


async def test_hello_in_the_segment_of_the_101_is_not_lost(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    fake_slack.options.hello_with_upgrade = True
    await peer.start()
    assert peer.names()[: len(CONNECTING[flavour])] == CONNECTING[flavour]


async def test_events_by_type_and_subtype(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.start()
    before = len(peer.names(NOISE))
    joined = {
        "type": "message",
        "subtype": "channel_join",
        "channel": ROOM,
        "user": "U000ALICE",
        "text": "",
        "ts": "1.1",
    }
    sent = [
        {"type": "message", "channel": ROOM, "user": "U000ALICE", "text": "hi", "ts": "1.0"},
        joined,
        {"type": "foo", "subtype": "bar"},
        {"type": "goodbye"},
        {"type": "last"},
    ]
    fake_slack.push(sent[0], "not json", *sent[1:])
    assert await peer.event("last") == [{"type": "last"}]
    expected = ["message", "message", "message::channel_join", "foo", "foo::bar", "goodbye", "last"]
    if flavour == "v3":
        expected.remove("foo::bar")
    assert peer.names(NOISE)[before:] == expected
    assert await peer.event("message::channel_join") == [joined]
    if flavour == "v3":
        assert ["not json"] in [step["args"] for step in peer.all("raw_message")]
    else:
        assert [step["args"][0] for step in peer.all("slack_event")] == ["hello", *(event["type"] for event in sent)]


async def test_every_sample_event_of_the_client_itself(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    samples = json.loads((NODE / "node_modules/@slack/client/test/fixtures/client-events.json").read_text())
    events = list(samples.values())
    await peer.start()
    before = len(peer.names(NOISE))
    fake_slack.push(*events, {"type": "last"})
    await peer.event("last")
    expected = []
    for event in events:
        expected.append(event["type"])
        if "subtype" in event and (flavour == "v6" or event["type"] == "message"):
            expected.append(f"{event['type']}::{event['subtype']}")
    assert peer.names(NOISE)[before:] == [*expected, "last"]


async def test_a_message_and_its_ack(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.start()
    await peer.do("send", "m1", text="one", channel=ROOM)
    value = (await peer.outcome("m1"))["value"]
    (accepted,) = fake_slack.accepted
    assert accepted.id == {"v3": 1, "v6": 2}[flavour]
    if flavour == "v3":
        message = {"type": "message", "channel": ROOM, "user": fake_slack.self_id}
        assert value == {**message, "text": "one", "ts": accepted.ts}
    else:
        assert value == {"ok": True, "reply_to": accepted.id, "text": "one", "ts": accepted.ts}
    assert "message" not in peer.names()
    assert fake_slack.violations == []


async def test_a_refused_message(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.start()
    fake_slack.reject_message(2, "message text is missing")
    await peer.do("send", "m1", text="one", channel=ROOM)
    await peer.do("send", "m2", text="two", channel=ROOM)
    refused = await peer.outcome("m1")
    assert refused["step"] == "rejected"
    assert "message text is missing" in refused["error"]["message"]
    if flavour == "v6":
        assert refused["error"]["code"] == "slack_rtmapi_send_message_platform_error"
    assert (await peer.outcome("m2"))["step"] == "resolved"
    assert [message.text for message in fake_slack.accepted] == ["two"]


async def test_a_message_without_a_connection(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.do("send", "early", text="early", channel=ROOM)
    if flavour == "v3":
        assert "ws not connected" in (await peer.outcome("early"))["error"]["message"]
    else:
        await peer.start()
        assert (await peer.outcome("early"))["value"]["text"] == "early"


async def test_pings_keep_the_connection(make_peer: MakePeer, flavour: str, fake_slack: FakeSlack) -> None:
    peer = await make_peer(
        flavour,
        **{
            "v3": {"wsPingInterval": 50, "maxPongInterval": 1000},
            "v6": {"clientPingTimeout": 200, "serverPongTimeout": 150},
        }[flavour],
    )
    await peer.start()

    def pings() -> list[Any]:
        return [frame.data for frame in fake_slack.frames if frame.data["type"] == "ping"]

    await fake_slack.wait_for(lambda: len(pings()) >= 3, "third ping")
    fake_slack.ping()
    await fake_slack.wait_for(lambda: fake_slack.pongs == [1], "pong of the WebSocket protocol")
    assert (fake_slack.connections, fake_slack.connections_total) == ([1], 1)
    assert fake_slack.violations == []
    assert "pong" not in peer.names() or flavour == "v6"


async def test_a_close_by_the_server_and_the_ids_after_it(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.start(batch_presence_aware="1")
    await peer.do("send", "m1", text="one", channel=ROOM)
    await peer.outcome("m1")
    before = len(peer.names())
    fake_slack.close(1001, "restart")
    await peer.event(READY[flavour], 2)
    lost = {"v3": ["ws_close", "attempting_reconnect"], "v6": ["reconnecting"]}[flavour]
    assert peer.names()[before:] == [*lost, *CONNECTING[flavour], *(["ready"] if flavour == "v6" else [])]
    if flavour == "v3":
        assert (await peer.event("ws_close"))[:2] == [1001, "restart"]
    await peer.do("send", "m2", text="two", channel=ROOM)
    await peer.outcome("m2")
    first, second = fake_slack.accepted
    assert (second.connection, second.id) == (2, first.id + 1)
    assert [call.fields["batch_presence_aware"] for call in fake_slack.calls] == ["1", "1"]


async def test_a_reset(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.start()
    fake_slack.cut()
    await peer.event(READY[flavour], 2)
    assert fake_slack.connections == [2]


async def test_no_pong_means_a_new_connection(make_peer: MakePeer, flavour: str, fake_slack: FakeSlack) -> None:
    options = {
        "v3": {"wsPingInterval": 100, "maxPongInterval": 300},
        "v6": {"clientPingTimeout": 300, "serverPongTimeout": 200},
    }[flavour]
    peer = await make_peer(flavour, **options)
    await peer.start()
    before = len(peer.names(NOISE))
    fake_slack.silence()
    await fake_slack.wait_for_connection(2)
    await peer.event(READY[flavour], 2)
    lost = {"v3": "attempting_reconnect", "v6": "reconnecting"}[flavour]
    names = [name for name in peer.names(NOISE)[before:] if name != "pong"]
    assert names[:2] == [lost, "connecting"]
    assert "ws_close" not in names  # it closed that one itself
    assert (await fake_slack.wait_for_close(1)).answered is False


async def test_a_migration(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.start()
    before = len(peer.names(NOISE))
    fake_slack.migrate()
    await peer.event(READY[flavour], 2)
    names = peer.names(NOISE)[before:]
    if flavour == "v3":
        assert names[:3] == ["attempting_reconnect", "connecting", "team_migration_started"]
        assert "ws_close" not in names
    else:
        assert names[:3] == ["team_migration_started", "reconnecting", "connecting"]
    assert fake_slack.connections == [2]


async def test_goodbye_changes_nothing_before_the_close(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.start()
    fake_slack.goodbye()
    await peer.event("goodbye")
    await peer.do("send", "m1", text="one", channel=ROOM)
    assert (await peer.outcome("m1"))["step"] == "resolved"
    assert fake_slack.accepted[0].connection == 1
    fake_slack.goodbye(close_after=0.05)
    await peer.event(READY[flavour], 2)


@pytest.mark.parametrize(
    "code", ["not_authed", "invalid_auth", "account_inactive", "user_removed_from_team", "team_disabled"]
)
async def test_an_unrecoverable_code_stops(peer: Peer, flavour: str, fake_slack: FakeSlack, code: str) -> None:
    fake_slack.fail(error=code)
    await peer.do("start")
    if flavour == "v3":
        await peer.event("disconnect")
        assert peer.names() == ["connecting", "unable_to_rtm_start", "disconnect"]
        assert (await peer.event("disconnect"))[0] == f"{code} is not recoverable"
    else:
        await peer.event("disconnected")
        assert peer.names() == ["connecting", "unable_to_rtm_start", "disconnected"]
        assert code in (await peer.outcome("start"))["error"]["message"]
    assert len(fake_slack.calls) == 1


async def test_a_recoverable_code(make_peer: MakePeer, fake_slack: FakeSlack) -> None:
    """v3 only: v6 hangs for ever after such a code."""
    fake_slack.fail(error="migration_in_progress", times=2)
    peer = await make_peer("v3")
    await peer.start()
    turn = ["connecting", "unable_to_rtm_start", "attempting_reconnect"]
    assert peer.names() == [*turn, *turn, *CONNECTING["v3"]]


async def test_a_rate_limit_is_waited_for(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    fake_slack.fail(status=429, retry_after=1)
    await peer.start()
    first, second = fake_slack.calls
    assert second.time - first.time >= 0.9


async def test_a_refused_upgrade_is_tried_again(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    fake_slack.refuse_upgrade(503)
    await peer.start()
    failed = {"v3": "ws_error", "v6": "error"}[flavour]
    assert "503" in (await peer.event(failed))[0]["message"]
    assert [call.method for call in fake_slack.calls] == [{"v3": "rtm.start", "v6": "rtm.connect"}[flavour]] * 2


async def test_no_reconnect_where_it_is_switched_off(make_peer: MakePeer, flavour: str, fake_slack: FakeSlack) -> None:
    peer = await make_peer(flavour, autoReconnect=False)
    await peer.start()
    before = len(peer.names())
    fake_slack.close(1000)
    last = {"v3": "disconnect", "v6": "disconnected"}[flavour]
    await peer.event(last)
    assert peer.names()[before:] == (["ws_close", "disconnect"] if flavour == "v3" else ["disconnected"])
    assert len(fake_slack.calls) == 1


async def test_disconnect_is_a_clean_close(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.start()
    before = len(peer.names())
    await peer.do("disconnect")
    await peer.outcome("disconnect")
    end = await fake_slack.wait_for_close(1)
    assert (end.code, end.answered) == ({"v3": 1000, "v6": 1005}[flavour], False)
    assert peer.names()[before:] == (["disconnect"] if flavour == "v3" else ["disconnecting", "disconnected"])
    assert fake_slack.connections_total == 1


async def test_typing_and_presence_on_the_wire(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.start()
    await peer.do("typing", channel=ROOM)
    typing = (await fake_slack.wait_for_frame("typing")).data
    await peer.do("presence", ids=["U000ALICE", "U0000BOBB"])
    presence = (await fake_slack.wait_for_frame("presence_sub")).data
    first = {"v3": 1, "v6": 2}[flavour]
    assert typing == {"type": "typing", "channel": ROOM, "id": first}
    assert presence == {"type": "presence_sub", "ids": ["U000ALICE", "U0000BOBB"], "id": first + 1}
    assert fake_slack.presence_subscriptions == {1: ["U000ALICE", "U0000BOBB"]}


async def test_the_replayed_reply_settles_what_waits(make_peer: MakePeer, fake_slack: FakeSlack) -> None:
    """v3: three messages wait when the connection dies, the server has taken two of them."""
    peer = await make_peer("v3")
    await peer.start()
    fake_slack.options.replay_last_reply = True
    fake_slack.swallow_acks(2)
    for text in ("one", "two"):
        await peer.do("send", text, text=text, channel=ROOM)
        await fake_slack.wait_for_message(text)
    fake_slack.silence()
    await peer.do("send", "three", text="three", channel=ROOM)
    await fake_slack.wait_for(lambda: len(fake_slack.frames) == 3, "third message")
    fake_slack.cut()
    two, three = await peer.outcome("two"), await peer.outcome("three")
    taken = fake_slack.accepted[-1]
    message = {"type": "message", "channel": ROOM, "user": fake_slack.self_id, "text": "two", "ts": taken.ts}
    assert two["value"] == message
    assert "connection trouble" in three["error"]["message"]
    assert three["error"]["rtmMessage"] == {"text": "three", "channel": ROOM, "type": "message"}
    assert "message" not in peer.names()
    await peer.do("send", "four", text="four", channel=ROOM)
    assert (await peer.outcome("four"))["step"] == "resolved"
    # What was taken before the last one is forgotten without a word: this client's loss, not ours to repeat.
    assert not [step for step in peer.steps if step.get("as") == "one"]


async def test_without_a_replay_a_pending_message(peer: Peer, flavour: str, fake_slack: FakeSlack) -> None:
    await peer.start()
    fake_slack.swallow_acks()
    await peer.do("send", "m1", text="one", channel=ROOM)
    await fake_slack.wait_for_message("one")
    fake_slack.close(1001)
    await peer.event(READY[flavour], 2)
    await peer.do("send", "m2", text="two", channel=ROOM)
    assert (await peer.outcome("m2"))["step"] == "resolved"
    if flavour == "v6":
        assert (await peer.outcome("m1"))["error"]["code"] == "slack_rtmapi_no_reply_received_error"
    else:
        assert not [step for step in peer.steps if step.get("as") == "m1"]  # it waits for ever


async def test_update_message(make_peer: MakePeer, fake_slack: FakeSlack) -> None:
    """v3 only: v6 has no such method."""
    peer = await make_peer("v3")
    await peer.start()
    await peer.do("send", "m1", text="one", channel=ROOM)
    ts = (await peer.outcome("m1"))["value"]["ts"]
    await peer.do("update", "u1", ts=ts, channel=ROOM, text="new")
    updated = (await peer.outcome("u1"))["value"]
    assert {key: updated[key] for key in ("ok", "channel", "ts", "text")} == {
        "ok": True,
        "channel": ROOM,
        "ts": ts,
        "text": "new",
    }
    assert updated["scopes"] == ["identify", "client", "chat:write:bot"]
    event = (await peer.event("message::message_changed"))[0]
    assert event["message"]["text"] == "new"
    await peer.do("update", "u2", ts="1.0", channel=ROOM, text="new")
    assert "message_not_found" in (await peer.outcome("u2"))["error"]["message"]
