"""Frames that cannot be read, by the thousand: they are bounded like any others."""

from __future__ import annotations

from typing import Any

import anyio

from rcex_ws.errors import SlowConsumer
from rcex_ws.slack import BadFrame


async def test_bad_frames_are_dropped_like_any_others(make_client: Any, slack: Any, told: Any, until: Any) -> None:
    client = make_client(listen=("client_error", "raw_message"), max_pending=10)
    gate = anyio.Event()

    @client.on("first")
    async def first(event: Any) -> None:
        told.add("waiting")
        await gate.wait()

    await client.start()
    slack.push({"type": "first"})
    await told.wait("waiting")
    told.clear()
    slack.push(*["not json", "{}"] * 500)
    assert (await client.send_message("the last", "C0GENERAL")).ts  # the frames before its answer were read
    await client.send_message("read, too", "C0GENERAL")
    feed = client._runtime.feed
    events, callbacks = feed.undelivered()
    assert callbacks == 0
    assert events < 20
    gate.set()
    await until(lambda: feed.undelivered() == (0, 0))
    errors = [type(error) for (error,) in told.of("client_error")]
    assert errors.count(SlowConsumer) == 1
    assert 0 < errors.count(BadFrame) <= 10
    assert told.names.count("raw_message") <= 10
