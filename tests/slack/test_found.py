"""Failures that were found in the client, each by its row or by the program that showed it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rcex_ws.errors import NotConnected, RequestLost
from rcex_ws.slack import MessageOutcome
from rcex_ws.testing import FakeSlack

ROOM = "C0GENERAL"


async def test_l17_a_repeated_reply_says_nothing_of_what_went_over_another_connection(
    make_client: Any, slack: FakeSlack, told: Any, ms: float
) -> None:
    """Message 1 is lost with connection 1; connection 3 repeats the reply to message 2, sent over connection 2."""
    client = make_client(replay_window=1000 * ms)
    await client.start()
    slack.options.replay_last_reply = True
    slack.silence()
    lost = client.send_message("lost", ROOM)
    await slack.wait_for_frame("message")
    slack.cut()
    await told.wait("open", 2)
    slack.swallow_acks()
    taken = client.send_message("taken", ROOM)
    await slack.wait_for_message("taken")
    assert not lost.pending.settled
    slack.cut()
    assert (await taken).outcome is MessageOutcome.ACKNOWLEDGED
    assert not lost.pending.settled
    with pytest.raises(RequestLost, match="before Slack answered") as caught:
        await lost
    assert caught.value.sent
    assert [message.text for message in slack.accepted] == ["taken"]


async def test_l17_nor_does_a_reply_of_the_same_connection_that_looks_like_a_repeated_one(
    make_client: Any, slack: FakeSlack, told: Any, ms: float
) -> None:
    client = make_client(replay_window=1000 * ms)
    await client.start()
    slack.silence()
    lost = client.send_message("lost", ROOM)
    await slack.wait_for_frame("message")
    slack.cut()
    await told.wait("open", 2)
    slack.swallow_acks()
    sent = client.send_message("two", ROOM)
    await slack.wait_for_message("two")
    slack.push({"type": "message", "reply_to": 2, "channel": ROOM, "text": "two", "ts": "1.2"})
    assert (await sent).outcome is MessageOutcome.ACKNOWLEDGED
    assert not lost.pending.settled
    with pytest.raises(RequestLost, match="before Slack answered"):
        await lost


async def test_l17_a_reply_that_was_acknowledged_before_the_loss_is_known(
    client: Any, slack: FakeSlack, told: Any
) -> None:
    """It says that what followed it over that connection did not arrive."""
    slack.options.replay_last_reply = True
    assert (await client.send_message("one", ROOM)).ts
    slack.silence()
    second = client.send_message("two", ROOM)
    await slack.wait_for(lambda: len(slack.frames) == 2, "second message")
    slack.cut()
    with pytest.raises(RequestLost, match="not sent") as caught:
        await second
    assert not caught.value.sent


@pytest.fixture
async def deaf(
    make_client: Callable[..., Any], slack: FakeSlack, told: Any, fault_proxy: Callable[[str], Any], ms: float
) -> Any:
    """Give a client whose second connection is open, while the close frame for the first does not reach Slack."""
    proxy = fault_proxy(slack.ws_url)
    slack.options.public_ws_url = proxy.url(slack.ws_url)
    client = make_client(listen=("open", "message", "user_typing", "ws_close"), close_timeout=5000 * ms)
    await client.start()
    slack.options.public_ws_url = None
    proxy.freeze("up")
    await client.reconnect()
    await told.wait("open", 2)
    await slack.wait_for_connection(2)
    return client


@pytest.fixture
def all_came(deaf: Any, slack: FakeSlack, told: Any) -> Callable[..., Any]:
    """Wait until all that was pushed over these connections has been handled."""

    async def all_came(*connections: int) -> None:
        told.listen(deaf, *(f"last-{number}" for number in connections))
        for number in connections:
            slack.push({"type": f"last-{number}"}, connection=number)
        for number in connections:
            await told.wait(f"last-{number}")

    return all_came


def _typing(user: str) -> dict[str, Any]:
    return {"type": "user_typing", "channel": ROOM, "user": user}


async def test_three_connections_at_once_bring_each_event_once(
    deaf: Any, all_came: Any, slack: FakeSlack, told: Any, message: Any
) -> None:
    """Slack leaves the close of the first unanswered, and a third comes."""
    slack.push(message("over two", "1.1"), _typing("U1"))
    slack.withhold_hello()
    await deaf.reconnect()
    await slack.wait_for_connection(3)
    slack.push(message("over three", "1.2"), _typing("U2"))
    slack.push({"type": "hello"}, connection=3)
    await told.wait("open", 3)
    await slack.wait_for_close(2)
    assert slack.connections == [1, 3]
    slack.push(message("over the first and the third", "1.3"), _typing("U3"))
    await all_came(1, 3)
    assert [args[0]["text"] for args in told.of("message")] == [
        "over two",
        "over three",
        "over the first and the third",
    ]
    assert [args[0]["user"] for args in told.of("user_typing")] == ["U1", "U2", "U3"]


async def test_the_second_is_lost_while_the_first_is_being_closed(
    deaf: Any, all_came: Any, slack: FakeSlack, told: Any, message: Any
) -> None:
    """The third and the first bring the same events then, too."""
    slack.cut(connection=2)
    await told.wait("ws_close")
    await told.wait("open", 3)
    await slack.wait_for(lambda: slack.connections == [1, 3], "third connection")
    slack.push(message("over the first and the third", "1.3"), _typing("U3"))
    await all_came(1, 3)
    assert [args[0]["text"] for args in told.of("message")] == ["over the first and the third"]
    assert [args[0]["user"] for args in told.of("user_typing")] == ["U3"]


async def test_the_third_comes_late(deaf: Any, all_came: Any, slack: FakeSlack, told: Any, message: Any) -> None:
    """There was nothing to compare for a while; but the first still brings events."""
    slack.fail(error="fatal_error", times=2)
    slack.cut(connection=2)
    await told.wait("ws_close")
    slack.push(message("over the first alone", "1.2"), connection=1)
    await told.wait("message")
    await told.wait("open", 3)
    slack.push(message("over both", "1.3"), _typing("U3"))
    await all_came(1, 3)
    assert [args[0]["text"] for args in told.of("message")] == ["over the first alone", "over both"]
    assert [args[0]["user"] for args in told.of("user_typing")] == ["U3"]


async def test_nothing_is_sent_over_a_connection_that_is_being_closed(deaf: Any, slack: FakeSlack, told: Any) -> None:
    slack.fail(error="fatal_error", times=None)
    slack.cut(connection=2)
    await told.wait("ws_close")
    await slack.wait_for_close(2)
    assert slack.connections == [1]
    assert not deaf.connected
    with anyio.fail_after(5), pytest.raises(NotConnected):
        await deaf.send_message("one", ROOM)
