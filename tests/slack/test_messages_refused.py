"""What a message turns into that Slack refuses: which refusal may be sent again, and in which shapes it comes."""

from __future__ import annotations

from typing import Any

import pytest

import rcex_ws
from rcex_ws import slack as slack_package
from rcex_ws.slack import MessageRejected
from rcex_ws.testing import FakeSlack

ROOM = "C0GENERAL"
SLOW_DOWN = "slow down, too many messages..."


async def test_k5_slow_down_may_be_sent_again_and_nothing_else(client: Any, slack: FakeSlack) -> None:
    for code, again in ((-1, True), (1, False), (2, False), (-2, False)):
        slack.reject_message(code, SLOW_DOWN)
        with pytest.raises(MessageRejected, match=r"too many messages") as caught:
            await client.send_message("one", ROOM)
        assert (caught.value.code, caught.value.retryable) == (code, again)
    assert (await client.send_message("two", ROOM)).ts


async def _sent(client: Any, slack: FakeSlack, text: str) -> Any:
    """Send a message that Slack takes and says nothing of."""
    slack.swallow_acks()
    sent = client.send_message(text, ROOM)
    await slack.wait_for_message(text)
    return sent


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "error", "error": {"code": -1, "msg": SLOW_DOWN}},
        {"type": "error", "ok": False, "error": {"code": -1, "msg": SLOW_DOWN}},
        {"type": "error", "ok": True, "error": {"code": -1, "msg": SLOW_DOWN}},
        {"type": "message", "ok": False, "error": {"code": -1, "msg": SLOW_DOWN}},
    ],
)
async def test_k5_an_error_that_names_the_message_is_no_acknowledgement(
    client: Any, slack: FakeSlack, answer: dict[str, Any]
) -> None:
    sent = await _sent(client, slack, "one")
    slack.push({**answer, "reply_to": 1})
    with pytest.raises(MessageRejected, match="slow down") as caught:
        await sent
    assert caught.value.retryable


async def test_k5_such_an_error_is_an_event_too_and_says_nothing_of_other_messages(
    client: Any, slack: FakeSlack, told: Any
) -> None:
    told.listen(client, "error")
    first, second = await _sent(client, slack, "one"), await _sent(client, slack, "two")
    refused = {"type": "error", "reply_to": 2, "error": {"code": 2, "msg": "no"}}
    unknown = {"type": "error", "reply_to": 99, "error": {"code": 2, "msg": "no"}}
    slack.push(refused, unknown)
    await told.wait("error", 2)
    assert told.of("error") == [(refused,), (unknown,)]
    assert second.pending.settled
    assert not first.pending.settled
    slack.push({"ok": True, "reply_to": 1, "ts": "1.1", "text": "one"})
    assert (await first).ts == "1.1"
    with pytest.raises(MessageRejected):
        await second


def test_k5_what_a_client_error_may_be_is_exported() -> None:
    assert {"BadFrame", "MessageRejected", "SlackApiError", "SlackHttpError"} <= set(slack_package.__all__)
    assert slack_package.BadFrame is rcex_ws.BadFrame
    assert slack_package.BadFrame("x").retryable is False
