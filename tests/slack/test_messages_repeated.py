"""Replies that a server repeats over another connection: of which message they are the answer."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws.errors import RequestLost
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
