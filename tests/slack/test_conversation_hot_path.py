"""What one event and one message cost: counted, not timed. No task, no timer, and one decoding."""

from __future__ import annotations

import asyncio
from collections import Counter
from threading import get_ident

import anyio
import pytest

from rcex_ws.slack import conversation

EVENTS = 1000


@pytest.fixture
def anyio_backend():
    """Count on asyncio, whose loop can be watched."""
    return "asyncio"


@pytest.fixture
def counted(monkeypatch):
    """Count what this thread asks of its event loop, and what is decoded; the fake Slack has a thread of its own."""
    counts: Counter[str] = Counter()
    thread = get_ident()

    def count(owner, name):
        original = getattr(owner, name)

        def counting(*args, **kwargs):
            counts[name] += get_ident() == thread
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    count(asyncio.BaseEventLoop, "call_at")
    count(asyncio.BaseEventLoop, "create_task")
    count(conversation, "decode")
    return counts


async def test_an_event_costs_no_task_no_timer_and_one_decoding(make_client, slack, message, counted):
    client = make_client(listen=(), start_method="rtm.start")
    seen, all_seen = [], anyio.Event()

    @client.on("message")
    async def on_message(event):
        seen.append(event)
        if len(seen) == EVENTS:
            all_seen.set()

    await client.start()
    events = [message(str(n), f"1.{n:06}") for n in range(EVENTS)]
    counted.clear()
    pushing = asyncio.ensure_future(anyio.to_thread.run_sync(slack.push, *events))
    with anyio.fail_after(20):
        await all_seen.wait()
        await pushing
    assert [event["text"] for event in seen] == [str(n) for n in range(EVENTS)]
    assert counted["decode"] == EVENTS
    assert counted["create_task"] < 10
    assert counted["call_at"] < 10


async def test_a_message_costs_no_task_and_no_timer(make_client, slack, counted):
    client = make_client(listen=(), data_store=None)
    replies, all_replied = [], anyio.Event()

    def on_reply(error, reply):
        replies.append(reply.id)
        if len(replies) == EVENTS:
            all_replied.set()

    await client.start()
    counted.clear()
    for n in range(EVENTS):
        client.send_message(str(n), "C0GENERAL", callback=on_reply)
    with anyio.fail_after(20):
        await all_replied.wait()
    assert replies == list(range(1, EVENTS + 1))
    assert counted["decode"] == EVENTS
    assert counted["create_task"] < 10
    assert counted["call_at"] < 10
