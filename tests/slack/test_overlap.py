"""Two connections at once: the next is opened before the last is closed, and no event is lost or comes twice."""

from __future__ import annotations

from collections import deque

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.connection import State
from rcex_ws.errors import NotConnected
from rcex_ws.slack import MessageOutcome, SlackApiError
from rcex_ws.slack.overlap import Overlap

ROOM = "C0GENERAL"
UP = ["connecting", "authenticated", "ws_opening", "ws_opened", "open"]


async def test_the_next_connection_is_open_before_the_last_is_closed(make_client, slack, told):
    client = make_client()
    told.listen(client, "goodbye")
    await client.start()
    told.clear()
    slack.withhold_hello()
    slack.goodbye()
    await slack.wait_for_connection(2)
    assert slack.connections == [1, 2]
    assert client.state is State.READY
    assert (await client.send_message("over the first", ROOM)).ts
    slack.push({"type": "hello"}, connection=2)
    end = await slack.wait_for_close(1)
    assert (end.code, end.answered) == (1000, False)
    assert (await client.send_message("over the second", ROOM)).ts
    assert [message.connection for message in slack.accepted] == [1, 2]
    await told.until(lambda: "open" in told.names)
    assert told.names == ["open", "goodbye", *UP][1:]
    assert client.state is State.READY
    assert slack.violations == []


async def test_the_server_closes_after_its_goodbye(client, slack, told):
    slack.goodbye(close_after=1.0)
    await slack.wait_for_close(1)
    await told.wait("open", 2)
    assert told.names == [*UP, *UP]
    assert slack.connections_total == 2


async def test_events_on_both_come_once(make_client, slack, told, message, until):
    client = make_client(listen=("message", "user_typing", "user_change", "last"))
    await client.start()
    slack.withhold_hello()
    slack.goodbye()
    await slack.wait_for_connection(2)
    typing = {"type": "user_typing", "channel": ROOM, "user": "U000ALICE"}
    change = {"type": "user_change", "user": {"id": "U000ALICE", "name": "alice"}}
    slack.push(message("only the first has it", "1.0"), typing, connection=1)
    await told.wait("user_typing")
    both = [message("both", "1.1"), typing, change, message("both", "1.1", subtype="me_message"), typing]
    slack.push(*both)
    slack.push(message("only the second has it", "1.2"), connection=2)
    await told.until(lambda: len(told.items) >= 8)
    slack.push({"type": "hello"}, connection=2)
    await slack.wait_for_close(1)
    slack.push(message("after that", "1.3"), {"type": "last"})
    await told.wait("last")
    texts = [args[0]["text"] for args in told.of("message")]
    assert texts == ["only the first has it", "both", "both", "only the second has it", "after that"]
    assert len(told.of("user_typing")) == 3
    assert told.of("user_change") == [(change,)]


async def test_messages_on_the_way_are_answered_over_the_last_connection(client, slack):
    slack.swallow_acks()
    sent = client.send_message("one", ROOM)
    await slack.wait_for_message("one")
    slack.options.replay_last_reply = True
    slack.withhold_hello()
    slack.goodbye()
    await slack.wait_for_connection(2)
    slack.push({"type": "hello"}, {"type": "message", "reply_to": 0, "text": "x"}, connection=2)
    slack.push({"ok": True, "reply_to": 1, "ts": "5.6", "text": "one"}, connection=1)
    reply = await sent
    assert (reply.outcome, reply.ts) == (MessageOutcome.ACKNOWLEDGED, "5.6")


async def test_a_replay_does_not_condemn_what_the_last_connection_still_carries(client, slack, told):
    """Slack repeats message 1 over the next connection; message 2 is on its way over the last one."""
    await client.send_message("one", ROOM)
    slack.swallow_acks()
    sent = client.send_message("two", ROOM)
    await slack.wait_for_message("two")
    slack.withhold_hello()
    slack.goodbye()
    await slack.wait_for_connection(2)
    replay = {"type": "message", "reply_to": 1, "channel": ROOM, "text": "one", "ts": "1.2"}
    slack.push({"type": "hello"}, replay, {"type": "pref_change"}, connection=2)
    await slack.wait_for_close(1)
    assert not sent.pending.settled
    slack.push({"ok": True, "reply_to": 2, "ts": "5.6", "text": "two"})
    assert (await sent).ts == "5.6"


async def test_what_was_lost_before_a_goodbye_is_still_replayed_after_it(client, slack, told):
    slack.swallow_acks(2)
    sent = client.send_message("one", ROOM)
    client.send_message("two", ROOM)
    await slack.wait_for_message("two")
    slack.cut()
    await told.wait("open", 2)
    slack.goodbye()
    await told.wait("open", 3)
    await slack.wait_for_close(2)
    slack.push({"type": "message", "reply_to": 2, "channel": ROOM, "text": "two", "ts": "1.2"})
    with anyio.fail_after(2):
        assert (await sent).outcome is MessageOutcome.ASSUMED


async def test_a_renewal_that_fails_is_tried_again_while_the_last_connection_works(make_client, slack, told, message):
    client = make_client()
    told.listen(client, "message")
    await client.start()
    slack.fail(error="fatal_error", times=2)
    slack.goodbye()
    await told.wait("unable_to_rtm_start", 2)
    assert client.state is State.READY
    assert (await client.send_message("still here", ROOM)).ts
    slack.push(message("to you, too"), connection=1)
    await told.wait("message")
    await slack.wait_for_close(1)
    assert slack.connections == [2]


async def test_the_last_connection_goes_before_the_renewal_succeeds(make_client, slack, told):
    client = make_client()
    await client.start()
    slack.withhold_hello()
    slack.goodbye()
    await slack.wait_for_connection(2)
    slack.close(1001, connection=1)
    await told.wait("ws_close")
    assert not client.connected
    slack.push({"type": "hello"}, connection=2)
    await told.wait("open", 2)
    assert (await client.send_message("one", ROOM)).ts
    assert slack.connections_total == 2


async def test_the_next_connection_goes_before_hello(client, slack, told):
    slack.withhold_hello()
    slack.goodbye()
    await slack.wait_for_connection(2)
    slack.close(1001, "not yet", connection=2)
    await told.wait("ws_close")
    assert client.connected
    await slack.wait_for_close(1)
    assert slack.connections == [3]
    assert told.of("ws_close") == [(1001, "not yet")]


async def test_goodbye_without_reconnecting(make_client, slack, told):
    client = make_client(auto_reconnect=False)
    told.listen(client, "goodbye")
    await client.start()
    slack.goodbye(close_after=0.02)
    await client.wait_closed()
    assert told.names == [*UP, "goodbye", "ws_close", "disconnect"]
    assert slack.connections_total == 1


@pytest.mark.parametrize("auto_reconnect", [True, False])
async def test_reconnect_by_hand(make_client, slack, told, auto_reconnect):
    client = make_client(auto_reconnect=auto_reconnect)
    with pytest.raises(NotConnected):
        await client.reconnect()
    await client.start()
    await client.reconnect()
    assert (await slack.wait_for_close(1)).code == 1000
    assert slack.connections == [2]
    await told.wait("open", 2)
    assert told.names == [*UP, *UP]


async def test_reconnect_by_hand_does_not_wait_for_the_schedule(make_client, slack, told):
    client = make_client(reconnect_delays=lambda failures: 60.0)
    await client.start()
    slack.fail(error="fatal_error")
    slack.close()
    await told.wait("attempting_reconnect")
    with anyio.fail_after(5):
        with pytest.raises(SlackApiError, match="fatal_error"):
            await client.reconnect()
        await client.reconnect()
    assert client.connected


@pytest.fixture
def overlap() -> Overlap:
    """A second connection is opened beside the first."""
    overlap = Overlap()
    for connection in (1, 2):
        overlap.add(connection, 0.0)
        assert overlap.alone == (connection == 1)
    return overlap


class SeveralConnections:
    """Send each event over all the connections there are, and read it from each when told to."""

    def __init__(self, stamped: bool) -> None:
        self.stamped = stamped
        self.overlap = Overlap()
        self.overlap.add(1, 0.0)
        self.unread = {1: deque()}  # by connection: what is not read yet
        self.closing = set()
        self.sent, self.delivered = [], []

    @property
    def open(self) -> set[int]:
        return set(self.unread) - self.closing

    def join(self) -> None:
        newest = max(self.unread) + 1
        self.overlap.add(newest, 0.0)
        self.unread[newest] = deque()

    def send(self, kind: str) -> None:
        self.sent.append(kind)
        for connection in self.open:
            self.unread[connection].append((len(self.sent), kind))

    def close(self, connection: int) -> None:
        """It is gone when all is read."""
        self.closing.add(connection)
        self.read(connection, 0)

    def read(self, connection: int, count: int = 1) -> None:
        unread = self.unread[connection]
        for _ in range(min(count, len(unread))):
            number, kind = unread.popleft()
            event = {"type": kind, **({"ts": str(number)} if self.stamped else {})}
            if self.overlap.alone or self.overlap.accept(connection, kind.encode(), event, 0.0):
                self.delivered.append(kind)
        if connection in self.closing and not unread:
            self.overlap.remove(connection, 0.0)
            self.closing.discard(connection)
            del self.unread[connection]


@pytest.mark.parametrize("stamped", [True, False])
@given(data=st.data())
def test_whatever_comes_over_several_connections_is_delivered_as_often_as_it_was_sent(stamped, data):
    """They are read in any interleaving, and the oldest may be closed; with stamps the next may join at any time."""
    slack = SeveralConnections(stamped)
    if not stamped:
        slack.join()
        slack.join()
    steps = ["send", "read", "close", *(["join"] if stamped else [])]
    for step in data.draw(st.lists(st.sampled_from(steps), max_size=30)):
        if step == "send":
            slack.send(data.draw(st.sampled_from(["a", "b"])))
        elif step == "read":
            slack.read(data.draw(st.sampled_from(sorted(slack.unread))))
        elif step == "join":
            slack.join()
        elif len(slack.open) > 1:
            slack.close(min(slack.open))
    while unread := sorted(connection for connection, queue in slack.unread.items() if queue):
        slack.read(data.draw(st.sampled_from(unread)))
    assert sorted(slack.delivered) == sorted(slack.sent)


def test_what_changes_back_is_not_lost(overlap):
    """Alice goes away and comes back while the newer connection joins: her last word counts."""
    active, away = (b"active", {"type": "presence_change"}), (b"away", {"type": "presence_change"})
    assert overlap.accept(1, *active, 0.0)  # the newer one never gets this
    assert overlap.accept(1, *away, 0.0)
    assert not overlap.accept(2, *away, 0.0)
    assert overlap.accept(2, *active, 0.0)
    assert not overlap.accept(1, *active, 0.0)


def test_an_event_that_only_the_older_brings_is_not_lost(overlap):
    """Slack sent it before it knew of the newer connection, whose hello was faster."""
    assert overlap.accept(2, b"1", {"type": "team_join"}, 0.0)
    assert overlap.accept(1, b"2", {"type": "pref_change"}, 0.0)
    assert not overlap.accept(1, b"1", {"type": "team_join"}, 0.0)


def test_what_is_still_under_way_when_the_first_connection_goes_is_known(overlap):
    stamped, plain = {"type": "message", "ts": "1.2"}, {"type": "user_typing"}
    assert overlap.accept(1, b"1", stamped, 0.0)
    assert overlap.accept(1, b"2", plain, 0.0)
    overlap.remove(1, 100.0)
    assert not overlap.alone
    assert not overlap.accept(2, b"1", stamped, 0.0)
    assert not overlap.alone
    assert not overlap.accept(2, b"2", plain, 0.0)
    assert overlap.alone
    assert overlap.accept(2, b"2", plain, 0.0)
    assert overlap.accept(2, b"3", {"type": "message", "ts": "1.3"}, 0.0)


def test_what_comes_again_after_something_else_means_it(overlap):
    """The second joined after that: it begins with something that the first did not bring."""
    away, active = (b"away", {"type": "presence_change"}), (b"active", {"type": "presence_change"})
    assert overlap.accept(1, *away, 0.0)
    overlap.remove(1, 100.0)
    assert overlap.accept(2, *active, 0.0)
    assert overlap.accept(2, *away, 0.0)


def test_an_overlap_ends_when_the_rest_does_not_come(overlap):
    """What the older brought before the newer joined will never come again."""
    early, other = {"type": "message", "ts": "1.2"}, {"type": "message", "ts": "1.3"}
    assert overlap.accept(1, b"", early, 0.0)
    overlap.remove(1, 100.0)
    assert overlap.accept(2, b"", other, 100.0 + Overlap.LINGER - 0.1)
    assert not overlap.alone
    assert overlap.accept(2, b"", early, 100.0 + Overlap.LINGER)
    assert overlap.alone


@pytest.mark.parametrize("gone", [1, 2])
def test_an_overlap_does_not_wait_for_what_only_the_lost_one_would_bring(overlap, gone):
    left = 2 if gone == 1 else 1
    assert overlap.accept(left, b"1", {"type": "message", "ts": "1.2"}, 0.0)
    overlap.remove(gone, 100.0)
    assert overlap.alone


def test_an_overlap_keeps_nothing_it_does_not_need(overlap):
    """Whatever comes is forgotten once it came over both, and after the end nothing is kept at all."""
    for number in range(1000):
        event = {"type": "message", "ts": str(number)}
        assert overlap.accept(1, b"", event, 0.0)
        assert not overlap.accept(2, b"", event, 0.0)
    overlap.remove(1, 100.0)
    for number in range(1000, 2000):
        assert overlap.accept(2, b"", {"type": "message", "ts": str(number)}, 0.0)
    assert overlap.alone
    kept = [held for held in vars(overlap).values() if isinstance(held, (list, dict))]
    assert all(not held for held in kept)


async def test_after_a_goodbye_nothing_is_compared_for_ever(client, slack, told, push, message):
    slack.goodbye()
    await slack.wait_for_close(1)
    await told.wait("open", 2)
    await push(message("after that", "1.3"), client=client)
    await push(message("and that", "1.4"), client=client)
    assert client._runtime.shared.overlap.alone
