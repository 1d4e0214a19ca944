"""The fake Slack behaves on the wire as Slack's pages and the published clients require, and its faults as named."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rcex_ws.testing import FakeSlack

HI = {"type": "message", "channel": "C0GENERAL", "text": "hi"}


@pytest.fixture
def slack(fake_slack: FakeSlack) -> FakeSlack:
    return fake_slack


def call(slack: FakeSlack, method: str, token: str | None = None, **fields: str) -> dict[str, Any]:
    answer = httpx.post(slack.api_url + method, data={**fields, "token": token or slack.token})
    assert answer.status_code == 200
    return dict(answer.json())


class Client:
    """A plain RTM connection."""

    def __init__(self, slack: FakeSlack, token: str | None = None) -> None:
        self._exit = ExitStack()
        url = call(slack, "rtm.connect", token)["url"]
        self.ws: ClientConnection = self._exit.enter_context(connect(url, proxy=None, open_timeout=5))

    def send(self, number: int, **frame: Any) -> None:
        self.ws.send(json.dumps({**frame, "id": number}))

    def receive(self) -> dict[str, Any]:
        return dict(json.loads(self.ws.recv(timeout=5)))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exit.close()


@pytest.fixture
def client(slack: FakeSlack) -> Any:
    with Client(slack) as client:
        assert client.receive() == {"type": "hello"}
        yield client


@pytest.mark.parametrize("method", ["rtm.connect", "rtm.start"])
def test_the_token_may_come_in_every_way(slack: FakeSlack, method: str) -> None:
    url, token = slack.api_url + method, slack.token
    bearer = {"Authorization": f"Bearer {token}"}
    with httpx.Client() as http:
        answers = [
            http.post(url, data={"token": token}),
            http.get(url, params={"token": token}),
            http.post(url, json={"token": token}),
            http.post(url, headers=bearer),
            http.post(url, headers={**bearer, "Content-Type": "application/json"}),
            http.get(url, headers=bearer),
        ]
    urls = [answer.json()["url"] for answer in answers]
    assert len(set(urls)) == 6
    assert all(url.startswith(slack.ws_url) for url in urls)
    assert [(one.verb, one.method) for one in slack.calls] == [
        (verb, method) for verb in ("POST", "GET", "POST", "POST", "POST", "GET")
    ]
    assert slack.calls[0].fields == {"token": token}
    assert slack.calls[3].headers["authorization"] == f"Bearer {token}"


def test_rtm_start_gives_the_workspace_and_rtm_connect_does_not(slack: FakeSlack) -> None:
    slack.options.rtm_start = "full"
    short, full = call(slack, "rtm.connect"), call(slack, "rtm.start")
    assert short.keys() == {"ok", "url", "self", "team"}
    assert short["self"] == {"id": slack.self_id, "name": "robot"}
    assert short["team"]["id"] == slack.team_id
    for kind in ("users", "channels", "groups", "ims", "mpims", "bots"):
        assert full[kind], kind
    assert {"cache_ts", "latest_event_ts"} <= full.keys()


def test_slacks_error_codes(slack: FakeSlack) -> None:
    def error(method: str, **fields: str) -> str:
        answer = httpx.post(slack.api_url + method, data=fields).json()
        assert answer["ok"] is False
        return str(answer["error"])

    token = slack.token
    assert error("rtm.connect") == "not_authed"
    assert error("rtm.connect", token="wrong") == "invalid_auth"
    assert error("no.such", token=token) == "unknown_method"
    assert error("chat.postMessage", token=token, channel="C404", text="x") == "channel_not_found"
    assert error("chat.postMessage", token=token, channel="C0GENERAL") == "no_text"
    assert error("chat.update", token=token, channel="C404", text="x", ts="1") == "channel_not_found"
    assert error("chat.update", token=token, channel="C0GENERAL", text="x", ts="1") == "message_not_found"
    assert error("im.open", token=token, user="U404") == "user_not_found"
    answer = httpx.post(slack.api_url + "rtm.connect", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.json()["error"] == "not_authed"


def test_auth_test_names_the_bot_and_only_a_bot_has_a_bot_id(slack: FakeSlack) -> None:
    me = call(slack, "auth.test")
    assert (me["user_id"], me["user"], me["bot_id"]) == (slack.self_id, "robot", "B0000ROBO")
    assert "bot_id" not in call(slack, "auth.test", "xoxp-fake-slack-alice")


def test_a_message_is_acknowledged_and_the_others_hear_of_it(slack: FakeSlack, client: Client) -> None:
    with Client(slack, "xoxp-fake-slack-alice") as alice:
        assert alice.receive() == {"type": "hello"}
        client.send(7, **HI)
        ack, event = client.receive(), alice.receive()
        alice.send(7, **{**HI, "text": "hi back"})
        assert client.receive()["text"] == "hi back"  # so the sender of the first got nothing else
    ts = slack.accepted[0].ts
    assert ack == {"ok": True, "reply_to": 7, "ts": ts, "text": "hi"}
    assert event == {**HI, "user": slack.self_id, "bot_id": "B0000ROBO", "ts": ts}
    assert [(one.connection, one.id, one.text) for one in slack.accepted] == [(1, 7, "hi"), (2, 7, "hi back")]
    assert slack.accepted[0].ts < slack.accepted[1].ts
    assert slack.violations == []


def test_the_sender_hears_of_its_own_message_if_wanted(slack: FakeSlack, client: Client) -> None:
    slack.options.echo_to_sender = True
    client.send(1, **HI)
    assert [client.receive().get("type") for _ in range(2)] == [None, "message"]


@pytest.mark.parametrize(
    ("frame", "code"), [({"channel": "C0GENERAL"}, 2), ({"channel": "C404", "text": "x"}, 3), ({"text": ["x"]}, 2)]
)
def test_a_bad_message_is_refused(slack: FakeSlack, client: Client, frame: dict[str, Any], code: int) -> None:
    client.send(3, type="message", **frame)
    answer = client.receive()
    assert (answer["ok"], answer["reply_to"], answer["error"]["code"]) == (False, 3, code)
    assert slack.accepted == []


def test_a_ping_comes_back_as_a_pong_and_the_rest_is_never_answered(slack: FakeSlack, client: Client) -> None:
    client.send(1, type="typing", channel="C0GENERAL")
    client.send(2, type="presence_sub", ids=["U000ALICE"])
    client.send(3, type="custom")
    client.send(4, type="ping", time=12)
    assert client.receive() == {"type": "pong", "reply_to": 4, "time": 12}
    assert slack.presence_subscriptions == {1: ["U000ALICE"]}
    assert [frame.data["type"] for frame in slack.frames] == ["typing", "presence_sub", "custom", "ping"]


def test_typing_is_told_to_the_others(slack: FakeSlack, client: Client) -> None:
    with Client(slack, "xoxp-fake-slack-alice") as alice:
        alice.receive()
        client.send(1, type="typing", channel="C0GENERAL")
        assert alice.receive() == {"type": "user_typing", "channel": "C0GENERAL", "user": slack.self_id}


def test_what_breaks_the_rules_is_noted_and_survived(slack: FakeSlack, client: Client) -> None:
    for text in ("{", "[1]"):
        client.ws.send(text)
    client.send(0, type="custom")
    client.send(5, type="presence_sub", ids=5)
    client.send(5, type="ping")
    assert client.receive()["type"] == "pong"
    assert slack.violations == [
        "connection 1 sent a frame that is not a JSON object",
        "connection 1 sent a frame that is not a JSON object",
        "connection 1 sent the id 0",
        "connection 1 sent the id 5 again",
    ]
    assert slack.frames[0].data == b"{"


def test_a_url_is_good_once_and_for_its_lifetime(slack: FakeSlack) -> None:
    url, late = call(slack, "rtm.connect")["url"], call(slack, "rtm.connect")["url"]
    slack.options.url_lifetime = -1  # of the next URL
    expired = call(slack, "rtm.connect")["url"]
    with connect(url + "?", proxy=None) as ws:
        assert json.loads(ws.recv(5)) == {"type": "hello"}
    for bad in (url, expired, slack.ws_url + "/websocket/guess"):
        with connect(bad, proxy=None) as ws:
            assert json.loads(ws.recv(5))["error"]["msg"] == "Socket URL has expired"
            with pytest.raises(ConnectionClosed):
                ws.recv(5)
    with connect(late, proxy=None) as ws:
        assert json.loads(ws.recv(5)) == {"type": "hello"}
    assert slack.connections_total == 2


def test_post_and_update_reach_everybody(slack: FakeSlack, client: Client) -> None:
    posted = call(slack, "chat.postMessage", channel="C0GENERAL", text="first")
    event = {**HI, "user": slack.self_id, "bot_id": "B0000ROBO", "text": "first", "ts": posted["ts"]}
    assert client.receive() == event
    updated = call(slack, "chat.update", channel="C0GENERAL", text="second", ts=posted["ts"])
    assert (updated["ts"], updated["text"]) == (posted["ts"], "second")
    event = client.receive()
    assert (event["subtype"], event["hidden"]) == ("message_changed", True)
    assert (event["message"]["ts"], event["message"]["text"]) == (posted["ts"], "second")
    assert event["ts"] > posted["ts"]
    other = httpx.post(
        slack.api_url + "chat.update",
        data={"channel": "C0GENERAL", "ts": posted["ts"], "text": "x", "token": "xoxp-fake-slack-alice"},
    )
    assert other.json()["error"] == "cant_update_message"


def test_direct_messages_are_opened_once(slack: FakeSlack, client: Client) -> None:
    assert call(slack, "im.open", user="U000ALICE")["channel"]["id"] == "D000ALICE"
    bob = call(slack, "conversations.open", users="U0000BOBB")["channel"]["id"]
    assert client.receive()["channel"]["id"] == bob
    assert call(slack, "im.open", user="U0000BOBB") == {
        "ok": True,
        "no_op": True,
        "already_open": True,
        "channel": {"id": bob},
    }
    assert call(slack, "conversations.open", users="U000ALICE,U0000BOBB")["channel"]["id"] == "G0000MPIM"
    group = call(slack, "conversations.open", users="U0000BOBB,USLACKBOT")["channel"]["id"]
    assert client.receive()["channel"]["id"] == group
    assert call(slack, "conversations.open", users="USLACKBOT,U0000BOBB")["channel"]["id"] == group
    for number, room in enumerate((bob, group), 1):
        client.send(number, type="message", channel=room, text="hi")
        assert client.receive()["ok"] is True


def test_events_of_any_content_go_to_all_or_to_one(slack: FakeSlack, client: Client) -> None:
    with Client(slack) as second:
        second.receive()
        assert slack.push({"type": "a"}, "not json", b"\x00") == 2
        assert [client.ws.recv(5) for _ in range(3)] == ['{"type": "a"}', "not json", b"\x00"]
        assert slack.push({"type": "b"}, connection=1) == 1
        assert client.receive() == {"type": "b"}
        assert slack.push({"type": "c"}, connection=9) == 0
        slack.push({"type": "d"})
        assert [second.ws.recv(5) for _ in range(4)][-1] == '{"type": "d"}'


def test_bytes_that_are_no_frame_break_the_connection(slack: FakeSlack, client: Client) -> None:
    assert slack.push_bytes(b"\xff\xff\xff\xff") == 1
    with pytest.raises(ConnectionClosed) as caught:
        client.ws.recv(5)
    assert caught.value.sent is not None
    assert caught.value.sent.code == 1002


async def test_close_codes_of_both_sides(slack: FakeSlack) -> None:
    clients = [Client(slack) for _ in range(3)]
    for client in clients:
        assert client.receive() == {"type": "hello"}
    slack.close(4001, "bye", connection=1)
    with pytest.raises(ConnectionClosed) as caught:
        clients[0].ws.recv(5)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4001, "bye")
    clients[1].ws.close(1001, "going")
    slack.cut(connection=3)
    with pytest.raises(ConnectionClosed) as caught:
        clients[2].ws.recv(5)
    assert caught.value.rcvd is None
    ends = [await slack.wait_for_close(number) for number in (1, 2, 3)]
    assert [(end.code, end.reason, end.answered) for end in ends] == [
        (4001, "bye", True),
        (1001, "going", False),
        (1006, "", False),
    ]
    assert slack.connections == []


async def test_migration_closes_and_goodbye_only_in_time(slack: FakeSlack, ms: float) -> None:
    with Client(slack) as client:
        client.receive()
        assert slack.goodbye() == 1
        assert client.receive() == {"type": "goodbye"}
        client.send(1, type="ping")
        assert client.receive()["type"] == "pong"
        slack.goodbye(50 * ms)
        assert client.receive() == {"type": "goodbye"}
        client.send(2, type="ping")
        assert client.receive()["type"] == "pong"
        with pytest.raises(ConnectionClosed):
            client.ws.recv(5)
    with Client(slack) as client:
        client.receive()
        assert slack.migrate() == 1
        assert client.receive() == {"type": "team_migration_started"}
        with pytest.raises(ConnectionClosed):
            client.ws.recv(5)


async def test_websocket_pings_are_sent_and_their_answers_noted(slack: FakeSlack, client: Client) -> None:
    slack.ping()
    await slack.wait_for(lambda: slack.pongs == [1], "pong")


def test_silence_concerns_open_connections_only(slack: FakeSlack, client: Client) -> None:
    assert slack.silence() == 1
    client.send(1, **HI)
    client.send(2, type="ping")
    with Client(slack) as second:
        second.receive()
        second.send(1, type="ping")
        assert second.receive()["type"] == "pong"
    slack.push({"type": "end"})
    assert client.receive() == {"type": "end"}
    assert len(slack.frames) == 3
    assert slack.accepted == []


def test_a_swallowed_ack_is_replayed_after_the_next_hello(slack: FakeSlack) -> None:
    slack.swallow_acks()
    with Client(slack) as first:
        first.receive()
        first.send(1, **HI)
        first.send(2, type="ping")
        assert first.receive()["type"] == "pong"
    with Client(slack) as second:
        second.receive()
        second.send(1, type="ping")
        assert second.receive()["type"] == "pong"  # no replay: that is off by default
    slack.options.replay_last_reply = True
    with Client(slack, "xoxp-fake-slack-alice") as other:
        assert other.receive() == {"type": "hello"}
        other.send(1, type="ping")
        assert other.receive()["type"] == "pong"
    with Client(slack) as third:
        assert third.receive() == {"type": "hello"}
        assert third.receive() == {**HI, "reply_to": 1, "user": slack.self_id, "ts": slack.accepted[0].ts}
        third.send(2, **HI)
        assert third.receive()["reply_to"] == 2


def test_messages_are_rejected_as_often_as_ordered(slack: FakeSlack, client: Client) -> None:
    slack.reject_message(5, "no", times=2)
    for number in (1, 2, 3):
        client.send(number, **HI)
    answers = [client.receive() for _ in range(3)]
    assert [answer["ok"] for answer in answers] == [False, False, True]
    assert answers[0] == {"ok": False, "reply_to": 1, "error": {"code": 5, "msg": "no"}}
    assert [one.id for one in slack.accepted] == [3]


def test_the_web_api_fails_in_every_way(slack: FakeSlack) -> None:
    slack.fail(error="migration_in_progress")
    assert call(slack, "rtm.start") == {"ok": False, "error": "migration_in_progress"}
    slack.fail("rtm.connect", status=429, retry_after=3)
    assert call(slack, "rtm.start")["ok"] is True  # another method
    answer = httpx.post(slack.api_url + "rtm.connect")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    slack.fail(status=500, body="<html>sorry</html>")
    answer = httpx.get(slack.api_url + "rtm.connect")
    assert (answer.status_code, answer.text) == (500, "<html>sorry</html>")
    slack.fail(body="not json")
    assert httpx.post(slack.api_url + "rtm.connect").text == "not json"
    slack.fail(status="rst")
    with pytest.raises(httpx.ReadError):
        httpx.post(slack.api_url + "rtm.connect")
    slack.fail(status="hang")
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(slack.api_url + "rtm.connect", timeout=0.2)
    slack.fail(error="never", times=None)
    slack.clear_faults()
    assert call(slack, "rtm.connect")["ok"] is True
    assert [one.status for one in slack.calls] == [200, 200, 429, 500, 200, "rst", "hang", 200]


def test_orders_that_make_no_sense_are_refused(slack: FakeSlack) -> None:
    with pytest.raises(ValueError, match="times"):
        slack.fail(times=0)
    for status in ("slow", 101, 600):
        with pytest.raises(ValueError, match="status"):
            slack.fail(status=status)  # type: ignore[arg-type]


def test_answers_that_bear_no_body_leave_the_connection_usable(slack: FakeSlack) -> None:
    slack.fail(status=204)
    with httpx.Client() as http:
        assert http.post(slack.api_url + "rtm.connect").status_code == 204
        assert http.head(slack.api_url + "rtm.connect").content == b""
        assert http.post(slack.api_url + "rtm.connect").json()["error"] == "not_authed"


def test_who_speaks_no_http_is_hung_up_on(slack: FakeSlack) -> None:
    url = httpx.URL(slack.api_url)
    for port in (url.port, httpx.URL(slack.ws_url).port):
        with socket.create_connection((url.host, port), timeout=5) as sock:
            sock.sendall(b"\x00\x01 no http\r\n\r\n")
            while sock.recv(65536):
                pass
    assert call(slack, "auth.test")["ok"] is True


def test_upgrades_are_refused_with_a_body_and_the_url_stays_good(slack: FakeSlack) -> None:
    url = call(slack, "rtm.connect")["url"]
    slack.refuse_upgrade(429, "too many", retry_after=1)
    with pytest.raises(InvalidStatus) as caught, connect(url, proxy=None):
        pass
    answer = caught.value.response
    assert (answer.status_code, answer.body, answer.headers["Retry-After"]) == (429, b"too many", "1")
    slack.refuse_upgrade("rst")
    with pytest.raises((ConnectionError, InvalidMessage)), connect(url, proxy=None):
        pass
    slack.refuse_upgrade("hang")
    with pytest.raises(TimeoutError), connect(url, proxy=None, open_timeout=0.2):
        pass
    with connect(url, proxy=None) as ws:
        assert json.loads(ws.recv(5)) == {"type": "hello"}
    assert slack.connections_total == 1


def test_hello_can_be_withheld(slack: FakeSlack) -> None:
    slack.withhold_hello()
    with Client(slack) as client:
        client.send(1, type="ping")
        assert client.receive()["type"] == "pong"
    with Client(slack) as client:
        assert client.receive() == {"type": "hello"}


def test_hello_comes_in_the_segment_of_the_101(slack: FakeSlack) -> None:
    slack.options.hello_with_upgrade = True
    url = httpx.URL(call(slack, "rtm.connect")["url"])
    with socket.create_connection((url.host, url.port), timeout=5) as sock:
        sock.sendall(
            b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % url.raw_path
        )
        head, _, rest = sock.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    assert rest == b'\x81\x11{"type": "hello"}'


async def test_urls_can_lead_through_a_proxy(slack: FakeSlack, fault_proxy: Any) -> None:
    proxy = fault_proxy(slack.ws_url)
    slack.options.public_ws_url = proxy.url(slack.ws_url)
    with Client(slack) as client:
        client.receive()
        assert proxy.connections == 1


@asynccontextmanager
async def _entered_twice() -> AsyncIterator[tuple[FakeSlack, FakeSlack]]:
    async with FakeSlack() as first, FakeSlack(echo_to_sender=True) as second:
        yield first, second


async def test_async_with_and_its_end() -> None:
    async with _entered_twice() as (slack, other):
        assert slack.api_url != other.api_url
        assert (slack.options.echo_to_sender, other.options.echo_to_sender) == (False, True)
        async with httpx.AsyncClient() as http:
            answer = await http.post(slack.api_url + "auth.test", data={"token": slack.token})
        assert answer.json()["ok"] is True
    assert [one.method for one in slack.calls] == ["auth.test"]  # the records stay
    assert not any(thread.name == "fake-slack" for thread in threading.enumerate())
    with pytest.raises(OSError, match="connection"):
        await anyio.connect_tcp("127.0.0.1", httpx.URL(slack.api_url).port or 0)


async def test_waiting_gives_what_came_or_a_clear_error(slack: FakeSlack, ms: float) -> None:
    async with anyio.create_task_group() as group:

        async def talk() -> None:
            def run() -> None:
                with Client(slack) as client:
                    client.receive()
                    client.send(1, **HI)
                    client.receive()

            await anyio.to_thread.run_sync(run)

        group.start_soon(talk)
        await slack.wait_for_connection()
        assert (await slack.wait_for_message("hi")).id == 1
        assert (await slack.wait_for_frame("message", connection=1)).data["text"] == "hi"
        assert (await slack.wait_for_close(1)).code == 1000
    with pytest.raises(TimeoutError, match=r"no connection 2 within .* open: \[\], calls: .*rtm.connect"):
        await slack.wait_for_connection(2, timeout=20 * ms)


async def test_waiting_can_be_cancelled_at_once(slack: FakeSlack, ms: float) -> None:
    with anyio.move_on_after(20 * ms) as scope, anyio.fail_after(5):
        await slack.wait_for_connection(timeout=30)
    assert scope.cancelled_caught
