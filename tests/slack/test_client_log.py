"""What an operator sees of a Slack client: its end, each thing once in the log, each step by the trace hook."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from rcex_ws import ConfigurationError, Phase, Step, TraceEvent
from rcex_ws.slack import Events, RTMClient, SlackApiError


async def test_o2_a_final_refusal_is_raised_though_a_handler_closes_the_client(make_client, slack, told):
    client = make_client()
    await client.start()
    client.on(Events.DISCONNECT, lambda *args: client.aclose())
    slack.fail("rtm.connect", "account_inactive")
    slack.cut()
    with anyio.fail_after(5), pytest.raises(SlackApiError, match="account_inactive"):
        await client.wait_closed()
    with pytest.raises(SlackApiError, match="account_inactive"):
        await client.wait_closed()


async def test_o1_what_a_handler_raised_is_logged_once(make_client, push, caplog):
    client = make_client(listen=())
    await client.start()

    @client.on("boom")
    def on_boom(event: Any) -> None:
        raise RuntimeError("a bug of the application")

    await push({"type": "boom"}, client=client)
    await client.aclose()
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == ["a handler of the event 'boom' raised"]


async def test_o1_the_log_says_the_good_news_too(make_client, slack, told, caplog):
    caplog.set_level(logging.INFO)
    client = make_client()
    await client.start()
    slack.close(1001, "restart")
    await told.wait("open", 2)
    await client.aclose()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("rcex_ws.slack.")]
    assert [line.partition(" after ")[0] for line in lines] == [
        "connected",
        "connection lost",
        "next attempt in 0.0 s",
        "connected",
        "closed",
    ]
    assert lines[1].endswith(" s: closed 1001: restart")


async def test_trace_tells_the_steps_of_connecting(make_client, slack, told, no_secrets):
    events: list[TraceEvent] = []
    client = make_client(trace=events.append, monitor="replies", ping_interval=0.02)
    await client.start()
    with anyio.fail_after(5):
        while (Step.HEARTBEAT, Phase.DONE) not in [(one.step, one.phase) for one in events]:
            await anyio.sleep(0.01)
    await client.aclose()
    done = [one.step for one in events if one.phase is Phase.DONE and one.step is not Step.HEARTBEAT]
    assert done == [Step.TOKEN, Step.TCP, Step.UPGRADE, Step.HANDSHAKE, Step.ATTEMPT, Step.CLOSE]
    assert {one.source for one in events} == {"rcex_ws.slack." + events[0].source.rpartition(".")[2]}
    no_secrets(*events)


async def test_trace_is_a_sync_function():
    async def hook(event: TraceEvent) -> None:
        """Be what nobody awaits."""

    with pytest.raises(ConfigurationError, match="trace: expected None or a sync function"):
        RTMClient("xoxb-1", trace=hook)
