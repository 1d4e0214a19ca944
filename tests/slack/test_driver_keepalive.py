"""Both monitors: what is pinged when, and which silence means that the connection is dead."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest

UP = ["connecting", "authenticated", "ws_opening", "ws_opened", "open"]


def pings(slack, connection=1):
    return [frame for frame in slack.frames if frame.data["type"] == "ping" and frame.connection == connection]


async def test_an_idle_link_is_pinged_and_lives(make_client, slack, told, ms):
    await make_client(ping_interval=30 * ms, pong_timeout=300 * ms).start()
    await slack.wait_for(lambda: len(pings(slack)) >= 4, "fourth ping")
    times = [ping.time for ping in pings(slack)]
    assert min(later - time for time, later in pairwise(times)) >= 25 * ms
    assert [ping.data for ping in pings(slack)][:2] == [{"type": "ping", "id": 1}, {"type": "ping", "id": 2}]
    assert slack.connections == [1]
    assert slack.violations == []


async def test_a_busy_link_sends_no_ping(make_client, slack, told, ms):
    client = make_client(listen=("busy",), ping_interval=200 * ms, pong_timeout=800 * ms)
    client.on("busy", lambda event: slack.push({"type": "busy"}))
    await client.start()
    slack.push({"type": "busy"})
    await anyio.sleep(600 * ms)  # three times the interval
    assert pings(slack) == []
    assert len(told.of("busy")) > 10


async def test_pings_of_the_websocket_protocol_are_answered(client, slack):
    slack.ping()
    await slack.wait_for(lambda: slack.pongs == [1], "pong")
    assert client.connected


@pytest.mark.parametrize(
    "options",
    [{"monitor": "traffic", "pong_timeout": 0.3}, {"monitor": "replies", "pong_timeout": 0.2}],
    ids=lambda options: options["monitor"],
)
async def test_silence_means_a_new_connection(make_client, slack, told, ms, options):
    options = {**options, "ping_interval": 100 * ms, "pong_timeout": options["pong_timeout"] * 1000 * ms}
    client = make_client(**options)
    await client.start()
    slack.silence()
    await told.wait("open", 2)
    # By traffic the time-out counts from the last sign of life, by replies from the ping.
    assert 290 * ms <= slack.calls[1].time - slack.calls[0].time < 900 * ms
    assert told.names == [*UP, "attempting_reconnect", *UP]
    assert pings(slack)
    assert slack.closes[0].code == 1006
    assert (await client.send_message("hi", "C0GENERAL")).ts


async def test_any_traffic_keeps_a_silent_link(make_client, slack, told, ms):
    client = make_client(ping_interval=40 * ms, pong_timeout=160 * ms)
    await client.start()
    slack.silence()
    for _ in range(10):
        slack.push({"type": "user_typing"})
        await anyio.sleep(50 * ms)
    assert slack.connections == [1]


async def test_traffic_does_not_replace_a_reply(make_client, slack, told, ms):
    client = make_client(listen=("busy",), monitor="replies", ping_interval=60 * ms, pong_timeout=120 * ms)
    client.on("busy", lambda event: slack.push({"type": "busy"}))
    await client.start()
    slack.silence()
    slack.push({"type": "busy"})
    await slack.wait_for_close(1)
    await slack.wait_for_connection(2)
    assert len(told.of("busy")) > 10


async def test_each_message_puts_off_the_ping_of_the_replies_monitor(make_client, slack, ms):
    client = make_client(monitor="replies", ping_interval=300 * ms, pong_timeout=300 * ms)
    await client.start()
    for _ in range(40):
        await client.send_message("x", "C0GENERAL")
        await anyio.sleep(10 * ms)
    sent = [frame.time for frame in slack.frames if frame.data["type"] == "message"]
    early = [ping for ping in pings(slack) if ping.time < sent[-1]]
    assert early == []
    await slack.wait_for_frame("ping")
    assert pings(slack)[0].time - sent[-1] >= 290 * ms


async def test_an_answered_message_is_a_sign_of_life(make_client, slack, told, ms):
    """After an unanswered ping a later reply counts, as for `@slack/rtm-api`."""
    client = make_client(monitor="replies", ping_interval=60 * ms, pong_timeout=400 * ms)
    await client.start()
    await slack.wait_for_frame("ping")
    slack.silence()
    await slack.wait_for(lambda: len(pings(slack)) >= 2, "second ping")
    number = pings(slack)[-1].data["id"]
    slack.push({"ok": True, "reply_to": number + 1, "ts": "1.2", "text": "x"})
    count = len(pings(slack))
    await slack.wait_for(lambda: len(pings(slack)) > count, "ping after that")
    assert slack.connections == [1]
