"""Which events are emitted for which frames, and what handlers may do."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rcex_ws.connection import State
from rcex_ws.errors import RcexError, SlowConsumer
from rcex_ws.slack import Events


async def test_type_subtype_raw_message_and_slack_event(make_client, told, push, message):
    names = ("message", "message::bot_message", "foo", "foo::bar", "raw_message", "slack_event")
    client = make_client(listen=names)
    await client.start()
    told.clear()
    plain, bot, foo = message(), message(subtype="bot_message"), {"type": "foo", "subtype": "bar"}
    await push(plain, bot, foo, client=client)
    assert [item for item in told.items if item[0] != "raw_message"][:-1] == [
        ("slack_event", ("message", plain)),
        ("message", (plain,)),
        ("slack_event", ("message", bot)),
        ("message", (bot,)),
        ("message::bot_message", (bot,)),
        ("slack_event", ("foo", foo)),
        ("foo", (foo,)),
    ]
    assert told.names[:3] == ["raw_message", "slack_event", "message"]


async def test_subtypes_of_all_types(make_client, told, push, message):
    client = make_client(listen=("message", "message::me_message", "foo", "foo::bar"), subtype_events="all")
    await client.start()
    await push(message(subtype="me_message"), {"type": "foo", "subtype": "bar"}, client=client)
    assert told.names == ["message", "message::me_message", "foo", "foo::bar"]


async def test_what_is_between_server_and_client_is_not_emitted(make_client, slack, told, push):
    client = make_client(listen=("hello", "pong", "slack_event", "raw_message"), ping_interval=0.05)
    await client.start()
    await slack.wait_for_frame("ping")
    await told.until(lambda: any("pong" in args[0] for args in told.of("raw_message")))
    await push({"type": "pong", "reply_to": 0}, {"type": "hello"}, {"ok": True, "reply_to": 99}, client=client)
    assert {args[0] for args in told.of("slack_event")} == {"last-1"}
    assert told.of("hello") == told.of("pong") == []
    assert any('"reply_to": 99' in args[0] for args in told.of("raw_message"))


async def test_a_message_with_reply_to_is_no_event(make_client, told, push, message):
    client = make_client(listen=("message", "slack_event", "raw_message"))
    await client.start()
    told.clear()
    frames = [message(reply_to=7), message(reply_to=0), message(reply_to=None), message(reply_to="8")]
    await push(*frames, client=client)
    assert [args[0]["reply_to"] for args in told.of("message")] == [0, None]
    assert len(told.of("raw_message")) == 5


async def test_slacks_own_error_event(make_client, slack, told, push):
    client = make_client(listen=("error", "client_error"))
    await client.start()
    event = {"type": "error", "error": {"code": 1, "msg": "Socket URL has expired"}}
    await push(event, client=client)
    assert told.items == [("error", (event,))]
    client.on("error", lambda event: 1 / 0)
    await push(event, client=client)
    await told.wait("client_error")
    assert isinstance(told.of("client_error")[0][0], ZeroDivisionError)


BAD = [
    "not json",
    "",
    "[]",
    '"text"',
    "7",
    "null",
    "{}",
    '{"type": null}',
    '{"type": []}',
    '{"type": {"a": 1}}',
    '{"type": 5}',
    '{"reply_to": "x"}',
    '{"reply_to": []}',
    '{"reply_to": "%s"}' % ("9" * 5000),
    '{"reply_to": %s}' % ("9" * 5000),
    '{"type": "x", "n": %s}' % ("[" * 50_000),
    b"\xff\xfe",
    b'{"type": "\xff"}',
]


@pytest.mark.parametrize("frame", BAD, ids=range(len(BAD)))
async def test_a_frame_that_cannot_be_read_is_reported_and_survived(make_client, slack, told, push, frame):
    client = make_client(listen=("raw_message", "client_error"))
    await client.start()
    told.clear()
    await push(frame, client=client)
    text = frame.decode(errors="replace") if isinstance(frame, bytes) else frame
    assert told.names == ["raw_message", "client_error", "raw_message"]
    assert told.of("raw_message")[0] == (text,)
    ((error,),) = told.of("client_error")
    assert isinstance(error, RcexError)
    assert slack.connections_total == 1
    assert (await client.send_message("still here", "C0GENERAL")).ts


async def test_odd_frames_that_can_be_read(make_client, told, push, message):
    client = make_client(listen=("message", "x", "client_error"), data_store=None)
    await client.start()
    frames = [
        b'{"type": "message", "text": "\\ud83d"}',
        '{"type": "x", "n": NaN}',
        '{"type": "x", "n": 123456789012345678901234567890}',
        '{"type": "x", "subtype": {"a": []}}',
        b'{"type": "message", "text": "binary"}',
        '{"type": "message", "text": "\U0001f600\\u0000"}',
    ]
    await push(*frames, client=client)
    assert [args[0].get("text") for args in told.of("message")] == ["\ud83d", "binary", "\U0001f600\0"]
    assert len(told.of("x")) == 3
    assert told.of("client_error") == []


async def test_a_frame_over_the_size_limit_costs_the_connection_only(make_client, slack, told):
    client = make_client(max_size=10_000)
    await client.start()
    slack.push({"type": "big", "text": "x" * 20_000})
    assert (await told.wait("ws_close"))[0] in (1006, 1009)
    await told.wait("open", 2)


async def test_handlers_may_be_sync_or_async_and_run_one_at_a_time_in_order(make_client, told, push):
    client = make_client(listen=())
    running = 0

    @client.on("a")
    async def slow(event):
        nonlocal running
        running += 1
        await anyio.sleep(0.02)
        assert running == 1
        told.add(f"async {event['n']}")
        running -= 1

    @client.on("a")
    def quick(event):
        assert running == 0
        told.add(f"sync {event['n']}")

    await client.start()
    await push({"type": "a", "n": 1}, {"type": "a", "n": 2}, client=client)
    assert told.names == ["async 1", "sync 1", "async 2", "sync 2"]


async def test_a_handler_that_raises_is_reported_and_the_next_one_runs(make_client, told, push, caplog):
    client = make_client(listen=("client_error",))

    @client.on("a")
    async def broken(event):
        raise ValueError("broken handler")

    told.listen(client, "a")
    await client.start()
    await push({"type": "a"}, client=client)
    await told.wait("client_error")
    assert sorted(told.names) == ["a", "client_error"]
    assert str(told.of("client_error")[0][0]) == "broken handler"
    assert "a handler of the event 'a' raised" in caplog.text
    assert client.connected


async def test_a_handler_of_client_error_that_raises_is_only_logged(make_client, told, push, caplog):
    client = make_client(listen=())

    @client.on(Events.CLIENT_ERROR)
    def broken(error):
        told.add("called")
        raise ValueError("worse")

    await client.start()
    await push("no json", client=client)
    await push({"type": "a"}, client=client)
    assert told.names == ["called"]
    assert "worse" in caplog.text


async def test_an_error_that_nobody_listens_to_is_logged(make_client, push, caplog):
    client = make_client(listen=())
    await client.start()
    await push("no json", client=client)
    assert "no handler for the event 'client_error': BadFrame" in caplog.text


async def test_attach_and_detach(client, told, push):
    off = client.on("a", lambda event: told.add("first"))

    @client.on("a")
    def second(event):
        told.add("second")

    told.clear()
    await push({"type": "a"}, client=client)
    off()
    off()
    await push({"type": "a"}, client=client)
    assert told.names == ["first", "second", "second"]


@pytest.mark.parametrize("again", [False, True], ids=["for good", "and starting again"])
async def test_closing_from_inside_a_handler(make_client, slack, told, again):
    client = make_client()

    @client.on("stop")
    async def stop(event):
        await client.aclose("a handler said so")
        if again:
            await client.start()
        await checkpoint()
        told.add("finished")

    told.listen(client, "after")
    await client.start()
    slack.push({"type": "stop"})
    with anyio.fail_after(5):
        await told.wait("finished")
        await told.wait("disconnect")
        end = await slack.wait_for_close(1)
    assert (end.code, told.of("disconnect")) == (1000, [("a handler said so", None)])
    assert client.state is (State.READY if again else State.CLOSED)
    if again:
        slack.push({"type": "after"})
        await told.wait("after")
        assert (await client.send_message("hi again", "C0GENERAL")).ts


async def test_starting_again_after_a_close(client, slack, told):
    await client.aclose()
    await client.start()
    await told.wait("open", 2)
    assert (await client.send_message("hi", "C0GENERAL")).id == 1
    slack.close()
    await told.wait("open", 3)


async def test_slow_handlers_lose_the_oldest_frames_but_no_lifecycle_event(make_client, slack, told, until):
    client = make_client(max_pending=10)
    gate = anyio.Event()
    seen = []

    @client.on("first")
    async def wait(event):
        told.add("waiting")
        await gate.wait()

    client.on("n", lambda event: seen.append(event["n"]))
    await client.start()
    await told.wait("open")
    slack.push({"type": "first"})
    await told.wait("waiting")
    slack.push(*({"type": "n", "n": n} for n in range(50)))
    slack.close(1001)
    await slack.wait_for_connection(2)
    await until(lambda: client.connected)
    told.clear()
    gate.set()
    await told.wait("open")
    assert seen == list(range(41, 50))  # the hello of the next connection is a frame, too
    assert told.names == [
        "client_error",
        "ws_close",
        "attempting_reconnect",
        "connecting",
        "authenticated",
        "ws_opening",
        "ws_opened",
        "open",
    ]
    assert isinstance(told.of("client_error")[0][0], SlowConsumer)
