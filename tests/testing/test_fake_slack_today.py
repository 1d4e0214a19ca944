"""The fake Slack answers as Slack does today: rtm.start, the lists, messages of bots and threads, limits, TLS."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import trustme
from websockets.sync.client import ClientConnection, connect

from rcex_ws.testing import FakeSlack

ROOM = "C0GENERAL"
ALICE = "xoxp-fake-slack-alice"


def call(slack: FakeSlack, method: str, token: str | None = None, **fields: Any) -> dict[str, Any]:
    answer = httpx.post(slack.api_url + method, data={**fields, "token": token or slack.token})
    assert answer.status_code == 200
    return dict(answer.json())


@contextmanager
def listening(slack: FakeSlack, token: str = ALICE) -> Iterator[ClientConnection]:
    with connect(call(slack, "rtm.connect", token)["url"], proxy=None) as ws:
        assert json.loads(ws.recv(5)) == {"type": "hello"}
        yield ws


def test_k6_rtm_start_answers_as_rtm_connect_does_or_in_full_or_refuses() -> None:
    with FakeSlack() as slack:
        answer = call(slack, "rtm.start")
        assert answer.pop("warning") == "method_deprecated"
        assert answer.keys() == call(slack, "rtm.connect").keys() == {"ok", "url", "self", "team"}
        slack.options.rtm_start = "refused"
        assert call(slack, "rtm.start") == {"ok": False, "error": "rtm_connect_required"}
    with FakeSlack(rtm_start="full") as slack:
        assert {"users", "channels", "groups", "ims", "mpims", "bots"} <= call(slack, "rtm.start").keys()
    with pytest.raises(ValueError, match="rtm_start"):
        FakeSlack(rtm_start="small")


def test_k6_a_post_of_the_bot_bears_its_bot_id_and_that_of_a_user_does_not(fake_slack: FakeSlack) -> None:
    with listening(fake_slack) as alice, listening(fake_slack, fake_slack.token) as bot:
        bot.send(json.dumps({"type": "message", "channel": ROOM, "text": "over the socket", "id": 1}))
        assert json.loads(bot.recv(5)).keys() == {"ok", "reply_to", "ts", "text"}
        assert json.loads(alice.recv(5))["bot_id"] == "B0000ROBO"
        call(fake_slack, "chat.postMessage", channel=ROOM, text="by HTTPS")
        assert json.loads(alice.recv(5))["bot_id"] == "B0000ROBO"
        assert json.loads(bot.recv(5))["bot_id"] == "B0000ROBO"
        call(fake_slack, "chat.postMessage", ALICE, channel=ROOM, text="of a user")
        assert "bot_id" not in json.loads(bot.recv(5))


def test_k6_a_thread_is_kept_over_both_ways(fake_slack: FakeSlack) -> None:
    ts = call(fake_slack, "chat.postMessage", channel=ROOM, text="a thread")["ts"]
    with listening(fake_slack) as alice, listening(fake_slack, fake_slack.token) as bot:
        bot.send(json.dumps({"type": "message", "channel": ROOM, "text": "one", "thread_ts": ts, "id": 1}))
        assert json.loads(alice.recv(5))["thread_ts"] == ts
        call(fake_slack, "chat.postMessage", channel=ROOM, text="two", thread_ts=ts)
        assert json.loads(alice.recv(5))["thread_ts"] == ts
    (parent,) = call(fake_slack, "conversations.history", channel=ROOM)["messages"]
    assert (parent["ts"], parent["thread_ts"], parent["reply_count"]) == (ts, ts, 2)


def test_k6_blocks_alone_are_a_message(fake_slack: FakeSlack) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "hi"}}]
    with listening(fake_slack) as alice:
        answer = call(fake_slack, "chat.postMessage", channel=ROOM, blocks=json.dumps(blocks))
        event = json.loads(alice.recv(5))
    assert event == answer["message"]
    assert (event["text"], event["blocks"]) == ("", blocks)
    posted = httpx.post(
        fake_slack.api_url + "chat.postMessage",
        json={"channel": ROOM, "blocks": blocks},
        headers={"Authorization": f"Bearer {fake_slack.token}"},
    )
    assert posted.json()["message"]["blocks"] == blocks
    assert call(fake_slack, "chat.postMessage", channel=ROOM, blocks="[]")["error"] == "no_text"
    assert call(fake_slack, "chat.postMessage", channel=ROOM, blocks="{")["error"] == "invalid_blocks"


def test_k6_silence_withholds_the_pongs_of_the_protocol_too(fake_slack: FakeSlack, ms: float) -> None:
    with listening(fake_slack) as ws:
        assert ws.ping().wait(5)
        fake_slack.silence()
        waiting = ws.ping()
        ws.send(json.dumps({"type": "ping", "id": 1}))
        fake_slack.push({"type": "after"})  # sent after any answer to the ping
        with listening(fake_slack, fake_slack.token) as other:
            assert other.ping().wait(5), "it concerns open connections only"
        fake_slack.push({"type": "last"})
        assert [json.loads(ws.recv(5))["type"] for _ in range(2)] == ["after", "last"]
        assert [frame.data["type"] for frame in fake_slack.frames] == ["ping"], "the ping before it was read"
        assert not waiting.is_set()
        ws.close()
        assert ws.close_code == 1000, "a close is answered all the same"


def test_k6_lists_come_in_pages(fake_slack: FakeSlack) -> None:
    workspace = fake_slack.workspace
    assert call(fake_slack, "users.list")["members"] == workspace.users
    names, cursor = [], ""
    for _ in range(4):
        answer = call(fake_slack, "users.list", limit="1", cursor=cursor)
        names += [user["name"] for user in answer["members"]]
        cursor = answer["response_metadata"]["next_cursor"]
    assert (names, cursor) == (["robot", "alice", "bob", "slackbot"], "")
    assert [one["id"] for one in call(fake_slack, "conversations.list")["channels"]] == ["C0GENERAL", "C00RANDOM"]
    everything = "public_channel,private_channel,mpim,im"
    rooms = call(fake_slack, "conversations.list", types=everything)["channels"]
    assert [one["id"] for one in rooms] == ["C0GENERAL", "C00RANDOM", "G00SECRET", "G0000MPIM", "D000ALICE"]
    kinds = ("is_channel", "is_group", "is_mpim", "is_im", "is_private")
    assert [[kind for kind in kinds if room[kind]] for room in rooms] == [
        ["is_channel"],
        ["is_channel"],
        ["is_group", "is_private"],
        ["is_group", "is_mpim", "is_private"],
        ["is_im", "is_private"],
    ]
    assert not any("members" in room for room in rooms)
    assert rooms[0]["num_members"] == 3
    workspace.channels[1]["is_archived"] = True
    left = call(fake_slack, "conversations.list", exclude_archived="true")["channels"]
    assert [one["id"] for one in left] == ["C0GENERAL"]
    for wrong, error in (
        ({"limit": "0"}, "invalid_limit"),
        ({"limit": "many"}, "invalid_limit"),
        ({"cursor": "guess"}, "invalid_cursor"),
        ({"cursor": "AAAA"}, "invalid_cursor"),
        ({"types": "secret"}, "invalid_types"),
    ):
        assert call(fake_slack, "conversations.list", **wrong) == {"ok": False, "error": error}


def test_k6_one_user_one_conversation_the_team(fake_slack: FakeSlack) -> None:
    assert call(fake_slack, "users.info", user="U000ALICE")["user"]["name"] == "alice"
    assert call(fake_slack, "users.info", user="U404")["error"] == "user_not_found"
    direct = call(fake_slack, "conversations.info", channel="D000ALICE")["channel"]
    assert (direct["is_im"], direct["user"]) == (True, "U000ALICE")
    assert call(fake_slack, "conversations.info", channel="C404")["error"] == "channel_not_found"
    assert call(fake_slack, "team.info")["team"]["domain"] == "fake-slack"


def test_k6_history_reactions_and_deletion(fake_slack: FakeSlack) -> None:
    one, two, three = [
        call(fake_slack, "chat.postMessage", channel=ROOM, text=text)["ts"] for text in ("one", "two", "three")
    ]
    with listening(fake_slack) as alice:
        assert call(fake_slack, "reactions.add", channel=ROOM, timestamp=two, name="tada") == {"ok": True}
        event = json.loads(alice.recv(5))
        assert (event["type"], event["reaction"], event["item"]["ts"]) == ("reaction_added", "tada", two)
        assert call(fake_slack, "chat.delete", channel=ROOM, ts=one) == {"ok": True, "channel": ROOM, "ts": one}
        event = json.loads(alice.recv(5))
        assert (event["subtype"], event["deleted_ts"], event["hidden"]) == ("message_deleted", one, True)
        assert event["previous_message"]["text"] == "one"
    history = call(fake_slack, "conversations.history", channel=ROOM)
    assert [message["text"] for message in history["messages"]] == ["three", "two"]
    assert history["messages"][1]["reactions"] == [{"name": "tada", "users": [fake_slack.self_id], "count": 1}]
    assert history["has_more"] is False
    page = call(fake_slack, "conversations.history", channel=ROOM, limit="1")
    assert (page["messages"][0]["text"], page["has_more"]) == ("three", True)
    next_ = page["response_metadata"]["next_cursor"]
    assert call(fake_slack, "conversations.history", channel=ROOM, limit="1", cursor=next_)["messages"][0]["ts"] == two
    for bounds, texts in (
        ({"oldest": two}, ["three"]),
        ({"oldest": two, "inclusive": "true"}, ["three", "two"]),
        ({"latest": three}, ["two"]),
    ):
        found = call(fake_slack, "conversations.history", channel=ROOM, **bounds)["messages"]
        assert [message["text"] for message in found] == texts
    theirs = call(fake_slack, "chat.postMessage", ALICE, channel=ROOM, text="of a user")["ts"]
    for method, fields, error in (
        ("reactions.add", {"timestamp": two, "name": "tada"}, "already_reacted"),
        ("reactions.add", {"timestamp": "1.0", "name": "tada"}, "message_not_found"),
        ("reactions.add", {"name": "tada"}, "no_item_specified"),
        ("reactions.add", {"timestamp": two}, "invalid_name"),
        ("chat.delete", {"ts": "1.0"}, "message_not_found"),
        ("chat.delete", {"ts": theirs}, "cant_delete_message"),
    ):
        assert call(fake_slack, method, channel=ROOM, **fields)["error"] == error
    assert call(fake_slack, "conversations.history", channel="C404")["error"] == "channel_not_found"


def test_k6_a_method_may_be_called_so_often_in_a_minute() -> None:
    with FakeSlack(per_minute={"rtm.*": 1}, minute=30) as slack:
        call(slack, "rtm.connect")
        call(slack, "rtm.start")  # each method is counted separately
        answer = httpx.post(slack.api_url + "rtm.connect", data={"token": slack.token})
        assert (answer.status_code, answer.json()) == (429, {"ok": False, "error": "ratelimited"})
        assert 25 < float(answer.headers["Retry-After"]) <= 30
        slack.options.minute = 0.001
        call(slack, "rtm.connect")
        call(slack, "auth.test")
        call(slack, "auth.test")


def test_k6_over_tls() -> None:
    authority = trustme.CA()
    server, client = (ssl.SSLContext(side) for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    with FakeSlack(ssl_context=server) as slack:
        assert (slack.api_url[:8], slack.ws_url[:6]) == ("https://", "wss://")
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(slack.api_url + "rtm.connect")
        answer = httpx.post(slack.api_url + "rtm.connect", data={"token": slack.token}, verify=client).json()
        with connect(answer["url"], ssl=client, proxy=None) as ws:
            assert json.loads(ws.recv(5)) == {"type": "hello"}
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(slack.api_url.replace("https", "http"))
