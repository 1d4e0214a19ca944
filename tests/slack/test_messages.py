"""Messages over real sockets: whatever happens to the connection, each of them settles."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rcex_ws.errors import ConfigurationError, NotConnected, RequestLost, RequestTimeout
from rcex_ws.slack import MessageOutcome, MessageRejected

ROOM = "C0GENERAL"


async def test_an_acknowledged_message(client, slack):
    sent = client.send_message("hello", ROOM, thread_ts="1.2")
    reply = await sent
    (accepted,) = slack.accepted
    assert (reply.id, reply.outcome, reply.ts) == (accepted.id, MessageOutcome.ACKNOWLEDGED, accepted.ts)
    message = {"type": "message", "channel": ROOM, "user": slack.self_id, "text": "hello", "thread_ts": "1.2"}
    assert reply.message == {**message, "ts": accepted.ts}
    assert slack.frames[0].data == {
        "type": "message",
        "channel": ROOM,
        "text": "hello",
        "thread_ts": "1.2",
        "id": 1,
    }
    assert await sent is reply


async def test_slacks_words_count(client, slack):
    """The text of the acknowledgement may differ from the text that was sent."""
    slack.swallow_acks()
    sent = client.send_message("a < b", ROOM)
    await slack.wait_for_message("a < b")
    slack.push({"ok": True, "reply_to": 1, "ts": "5.6", "text": "a &lt; b"})
    assert (await sent).message["text"] == "a &lt; b"


async def test_ids_count_and_belong_to_the_client(client, slack):
    replies = [client.send("message", {"text": str(n), "channel": ROOM, "id": 7, "type": "x"}) for n in range(3)]
    assert [(await reply).id for reply in replies] == [1, 2, 3]
    assert [(frame.data["id"], frame.data["type"]) for frame in slack.frames] == [(n, "message") for n in (1, 2, 3)]


async def test_a_refused_message(client, slack, told):
    slack.reject_message(2, "message text is missing")
    with pytest.raises(MessageRejected, match="message text is missing") as caught:
        await client.send_message("one", ROOM)
    assert (caught.value.code, caught.value.retryable) == (2, False)
    assert caught.value.frame["reply_to"] == 1
    assert (await client.send_message("two", ROOM)).ts


@pytest.mark.parametrize("error", [None, "words", {}, {"code": "x", "msg": 5}], ids=str)
async def test_an_odd_refusal_settles_too(client, slack, error):
    slack.swallow_acks()
    sent = client.send_message("one", ROOM)
    await slack.wait_for_message("one")
    slack.push({"ok": False, "reply_to": 1, "error": error})
    with pytest.raises(MessageRejected):
        await sent


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_callbacks(client, slack, told, is_async):
    async def on_reply_async(error, reply):
        await checkpoint()
        told.add("reply", error, reply)

    def on_reply(error, reply):
        told.add("reply", error, reply)

    callback = on_reply_async if is_async else on_reply
    client.send_message("one", ROOM, callback=callback)
    error, reply = await told.wait("reply")
    assert (error, reply.outcome) == (None, MessageOutcome.ACKNOWLEDGED)
    slack.reject_message()
    client.send_message("two", ROOM, callback=callback)
    error, reply = await told.wait("reply", 2)
    assert isinstance(error, MessageRejected)
    assert reply is None
    client.send_typing(ROOM)
    client.send("typing", {"channel": ROOM}, callback=callback)
    assert (await told.wait("reply", 3))[1].outcome is MessageOutcome.WRITTEN
    await client.aclose()
    assert len(told.of("reply")) == 3


async def test_a_callback_comes_in_turn_with_the_events(client, slack, told):
    slack.options.echo_to_sender = True
    told.listen(client, "message")
    client.send_message("one", ROOM, callback=lambda error, reply: told.add("reply"))
    await told.wait("message")
    assert told.names[-2:] == ["reply", "message"]


async def test_a_callback_that_raises(client, told):
    def broken(error, reply):
        raise ValueError("broken callback")

    client.send_message("one", ROOM, callback=broken)
    assert str((await told.wait("client_error"))[0]) == "broken callback"
    assert (await client.send_message("two", ROOM)).ts


async def test_nobody_waits(client, slack, push, caplog):
    client.send_message("one", ROOM)
    await slack.wait_for_message("one")
    slack.reject_message()
    client.send_message("a secret text", ROOM)
    assert (await client.send_message("three", ROOM)).ts
    await push(client=client)
    assert "<Sent message 2>: Slack refused the message" in caplog.text
    assert "a secret text" not in caplog.text


async def test_what_is_refused_at_once_is_its_senders_business(make_client, slack, told, caplog):
    """It settles before it can be awaited, and is not logged if it then is."""
    slack.fail(error="fatal_error", times=None)
    client = make_client()
    await client.start(wait=False)
    with pytest.raises(NotConnected):
        await client.send_message("one", ROOM)
    client.send_message("two", ROOM)
    client.send_message("three", ROOM, callback=lambda error, reply: told.add("reply", error))
    await told.wait("reply")
    refused = [record.getMessage() for record in caplog.records if "<Sent" in record.getMessage()]
    assert refused == ["<Sent message 2>: there is no connection to Slack now, and messages are not queued"]


async def test_several_may_await_the_same(client, slack, told):
    slack.swallow_acks()
    sent = client.send_message("one", ROOM)

    async def wait():
        told.add("reply", await sent)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await slack.wait_for_message("one")
        slack.push({"ok": True, "reply_to": 1, "ts": "5.6", "text": "one"})
    first, second = told.of("reply")
    assert first == second


async def test_a_cancelled_wait_does_not_settle_what_was_sent(client, slack, told):
    slack.swallow_acks()
    sent = client.send_message("one", ROOM, callback=lambda error, reply: told.add("reply", error, reply))
    await slack.wait_for_message("one")
    with anyio.move_on_after(0.01) as scope:
        await sent
    assert scope.cancelled_caught
    slack.push({"ok": True, "reply_to": 1, "ts": "5.6", "text": "one"})
    assert (await sent).ts == "5.6"
    assert (await told.wait("reply"))[1].ts == "5.6"


async def test_cancelled_while_queued_it_is_not_sent(make_client, slack, told):
    client = make_client(while_disconnected="queue")
    slack.fail(error="fatal_error", times=None)
    await client.start(wait=False)
    first, second = client.send_message("one", ROOM), client.send_message("two", ROOM)
    with anyio.move_on_after(0.01):
        await first
    slack.clear_faults()
    assert (await second).ts
    with pytest.raises(RequestLost) as caught:
        await first
    assert not caught.value.sent
    assert [message.text for message in slack.accepted] == ["two"]


@pytest.fixture
async def interrupted(client, slack, told, until):
    """Three messages wait when the connection goes; Slack has taken two of them, and says so in its replay."""
    slack.options.replay_last_reply = True
    slack.swallow_acks(2)
    sent = []
    for text in ("one", "two"):
        sent.append(client.send_message(text, ROOM))
        await slack.wait_for_message(text)
    slack.silence()
    sent.append(client.send_message("three", ROOM))
    await slack.wait_for(lambda: len(slack.frames) == 3, "third message")
    return sent


async def test_the_replayed_reply_settles_what_waits(client, slack, interrupted, told, push):
    told.listen(client, "message")
    slack.cut()
    one, two, three = interrupted
    assert (await two).outcome is MessageOutcome.ACKNOWLEDGED
    assert (await two).ts == slack.accepted[1].ts
    with pytest.raises(RequestLost) as caught:
        await three
    assert (caught.value.sent, caught.value.retryable) == (False, True)
    assumed = await one
    assert (assumed.outcome, assumed.ts, assumed.message["text"]) == (MessageOutcome.ASSUMED, None, "one")
    await push(client=client)
    assert told.of("message") == []
    assert (await client.send_message("four", ROOM)).id == 4
    assert slack.violations == []


async def test_what_goes_over_the_new_connection_is_not_touched_by_the_replay(client, slack, interrupted, told):
    slack.options.replay_last_reply = False
    slack.cut()
    await told.wait("open", 2)
    fourth = client.send_message("four", ROOM)
    assert (await fourth).outcome is MessageOutcome.ACKNOWLEDGED
    slack.swallow_acks()
    fifth = client.send_message("five", ROOM)
    await slack.wait_for_message("five")
    slack.push({"type": "message", "reply_to": 2, "channel": ROOM, "text": "two", "ts": "1.2"})
    with pytest.raises(RequestLost):
        await interrupted[2]
    assert not fifth.pending.settled
    slack.push({"ok": True, "reply_to": 5, "ts": "5.6", "text": "five"})
    assert (await fifth).ts == "5.6"


async def test_a_late_acknowledgement_still_finds_its_message(client, slack, interrupted, told):
    slack.options.replay_last_reply = False
    slack.cut()
    await told.wait("open", 2)
    slack.push({"ok": True, "reply_to": 1, "ts": "5.6", "text": "one"})
    assert (await interrupted[0]).ts == "5.6"


async def test_what_slack_does_not_mention_after_a_loss_is_lost(make_client, slack, told, ms):
    client = make_client(replay_window=100 * ms)
    await client.start()
    slack.swallow_acks(None)
    sent = [client.send_message("one", ROOM), client.send_message("two", ROOM)]
    await slack.wait_for_message("two")
    slack.close()
    await told.wait("open", 2)
    later = client.send_message("three", ROOM)
    slack.push({"ok": True, "reply_to": 2, "ts": "5.6", "text": "two"})
    assert (await sent[1]).ts == "5.6"
    began = anyio.current_time()
    with pytest.raises(RequestLost, match="before Slack answered") as caught:
        await sent[0]
    assert caught.value.sent
    assert anyio.current_time() - began < 5
    assert not later.pending.settled
    slack.push({"ok": True, "reply_to": 3, "ts": "5.7", "text": "three"})
    assert (await later).ts == "5.7"


async def test_without_any_answer_the_time_is_over(make_client, slack, ms, told):
    client = make_client(reply_timeout=100 * ms)
    await client.start()
    slack.swallow_acks(None)
    sent = client.send_message("one", ROOM, callback=lambda error, reply: told.add("reply", error))
    short = client.send_message("two", ROOM, timeout=20 * ms)
    with pytest.raises(RequestTimeout):
        await short
    assert not sent.pending.settled
    slack.close()
    with pytest.raises(RequestTimeout):
        await sent
    assert isinstance((await told.wait("reply"))[0], RequestTimeout)


async def test_while_disconnected_messages_are_refused(make_client, slack, told):
    client = make_client()
    with pytest.raises(NotConnected, match="start"):
        client.send_message("early", ROOM)
    slack.fail(error="fatal_error", times=None)
    await client.start(wait=False)
    sent = client.send_message("early", ROOM, callback=lambda error, reply: told.add("reply", error))
    with pytest.raises(NotConnected):
        await sent
    assert isinstance((await told.wait("reply"))[0], NotConnected)
    slack.clear_faults()
    await told.wait("open")
    assert (await client.send_message("now", ROOM)).ts
    assert [message.text for message in slack.accepted] == ["now"]


async def test_while_disconnected_messages_are_queued_in_order(make_client, slack, told):
    client = make_client(while_disconnected="queue")
    slack.fail(error="fatal_error", times=None)
    await client.start(wait=False)
    sent = [client.send_message("one", ROOM), client.send_typing(ROOM), client.send_message("two", ROOM)]
    await told.wait("unable_to_rtm_start")
    slack.clear_faults()
    assert [(await one).outcome for one in sent] == ["acknowledged", "written", "acknowledged"]
    assert [frame.data["type"] for frame in slack.frames] == ["message", "typing", "message"]
    slack.fail(status=500)
    slack.close()
    await told.wait("ws_close")
    assert (await client.send_message("three", ROOM)).id == 4
    assert [message.text for message in slack.accepted] == ["one", "two", "three"]


async def test_a_queued_message_has_its_time_too(make_client, slack, ms):
    client = make_client(while_disconnected="queue", reply_timeout=50 * ms)
    slack.fail(error="fatal_error", times=None)
    await client.start(wait=False)
    with pytest.raises(RequestTimeout):
        await client.send_message("one", ROOM)


async def test_closing_settles_everything(make_client, slack, told):
    client = make_client(while_disconnected="queue")
    await client.start()
    slack.swallow_acks(None)
    sent = client.send_message("one", ROOM, callback=lambda error, reply: told.add("reply", error))
    await slack.wait_for_message("one")
    slack.fail(error="fatal_error", times=None)
    slack.close()
    await told.wait("ws_close")
    queued = client.send_message("two", ROOM)
    await client.aclose()
    with pytest.raises(RequestLost) as caught:
        await sent
    assert caught.value.sent
    assert told.of("reply") == [(caught.value,)]
    with pytest.raises(RequestLost) as caught:
        await queued
    assert not caught.value.sent
    for send in (lambda: client.send_message("three", ROOM), lambda: client.send_typing(ROOM)):
        with pytest.raises(NotConnected, match="closed"):
            send()


async def test_a_final_refusal_settles_everything(client, slack, told):
    slack.swallow_acks()
    sent = client.send_message("one", ROOM, callback=lambda error, reply: told.add("reply", error))
    await slack.wait_for_message("one")
    slack.fail(error="invalid_auth")
    slack.close()
    with pytest.raises(RequestLost) as caught:
        await sent
    assert caught.value.sent
    assert await told.wait("reply") == (caught.value,)


async def test_ids_count_on_over_reconnects(client, slack, told):
    assert (await client.send_message("one", ROOM)).id == 1
    slack.close()
    await told.wait("open", 2)
    assert (await client.send_message("two", ROOM)).id == 2
    assert [(message.connection, message.id) for message in slack.accepted] == [(1, 1), (2, 2)]


async def test_presence_is_subscribed_anew(client, slack, told):
    reply = await client.subscribe_presence(["U000ALICE", "U0000BOBB"])
    assert (reply.id, reply.outcome) == (1, MessageOutcome.WRITTEN)
    await slack.wait_for_frame("presence_sub")
    await client.subscribe_presence({"U000ALICE"})
    slack.close()
    await slack.wait_for_frame("presence_sub", connection=2)
    assert slack.presence_subscriptions == {2: ["U000ALICE"]}
    frames = [frame.data for frame in slack.frames if frame.connection == 2]
    assert frames == [{"type": "presence_sub", "ids": ["U000ALICE"], "id": 3}]


async def test_typing_on_the_wire(client, slack):
    assert (await client.send_typing(ROOM)).outcome is MessageOutcome.WRITTEN
    assert (await slack.wait_for_frame("typing")).data == {"type": "typing", "channel": ROOM, "id": 1}


async def test_custom_types(client, slack):
    assert (await client.send("wave", {"at": [1, None]})).outcome is MessageOutcome.WRITTEN
    assert (await slack.wait_for_frame("wave")).data == {"type": "wave", "at": [1, None], "id": 1}
    pong = await client.send("ping", {"time": 5})
    assert pong.message == {"type": "pong", "time": 5}


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda client: client.send_message("", ROOM), "text"),
        (lambda client: client.send_message(None, ROOM), "text"),
        (lambda client: client.send_message("x", ""), "channel"),
        (lambda client: client.send_message("x", ROOM, callback="me"), "callback"),
        (lambda client: client.send_message("x", ROOM, timeout=0), "timeout"),
        (lambda client: client.send_message("x", ROOM, timeout="1"), "timeout"),
        (lambda client: client.send_message("x", ROOM, blocks=object()), "body"),
        (lambda client: client.send_message("\ud83d", ROOM), "body"),
        (lambda client: client.send_typing(None), "channel"),
        (lambda client: client.subscribe_presence("U000ALICE"), "ids"),
        (lambda client: client.subscribe_presence([1]), "ids"),
        (lambda client: client.send(""), "event_type"),
        (lambda client: client.send("x", 5), "body"),
    ],
    ids=range(13),
)
async def test_bad_arguments_are_named(client, slack, call, name):
    with pytest.raises(ConfigurationError, match=f"^{name}: "):
        call(client)
    assert (await client.send_message("fine", ROOM)).ts
    assert [frame.data["text"] for frame in slack.frames] == ["fine"]
