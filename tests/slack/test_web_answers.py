"""Odd answers of the Web API: bytes that are no text, and how long a refusal asks to wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import pytest

from rcex_ws.slack import RTMClient, SlackHttpError
from rcex_ws.slack import web as web_module

START = rb'{"ok": true, "url": "%b", "self": {"id": "U"}, "team": {"id": "T"}}'


@pytest.fixture
async def answering(make_client: Callable[..., RTMClient]) -> AsyncIterator[Callable[[bytes], RTMClient]]:
    """Make a client whose calls are all answered by the same bytes."""
    opened: list[httpx.AsyncClient] = []

    def answering(content: bytes) -> RTMClient:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, content=content))
        opened.append(httpx.AsyncClient(transport=transport))
        return make_client(http=opened[-1], auto_reconnect=False)

    yield answering
    for http in opened:
        await http.aclose()


@pytest.mark.parametrize(
    "content",
    [b'{"ok": true, "x": "\xff"}', b"\xff\xfe", b"[" * 100_000, b'["ok"]', b""],
    ids=["bad UTF-8", "no text", "deep", "no object", "empty"],
)
async def test_an_answer_that_cannot_be_read(answering: Any, told: Any, content: bytes) -> None:
    client = answering(content)
    with pytest.raises(SlackHttpError, match=r"^rtm\.connect: the answer cannot be read") as caught:
        await client.start()
    assert (caught.value.status, caught.value.retryable) == (200, True)
    assert told.of("unable_to_rtm_start") == [(caught.value,)]
    assert told.of("client_error") == []


async def test_what_only_the_standard_json_reads(answering: Any) -> None:
    client = answering(rb'{"ok": true, "text": "\ud83d", "n": NaN}')
    assert (await client.update_message("1.0", "C0GENERAL", "x"))["text"] == "\ud83d"


async def test_an_address_with_a_lone_surrogate(answering: Any) -> None:
    with pytest.raises(SlackHttpError, match=r"from rtm\.connect is not a valid ws://"):
        await answering(START % rb"ws://nowhere/\ud83d").start()


async def test_the_retry_after_of_any_status_is_waited_for(make_client: Any, slack: Any, told: Any, ms: float) -> None:
    slack.fail(status=503, retry_after=300 * ms)
    await make_client().start()
    ((error,),) = told.of("unable_to_rtm_start")
    assert (error.status, error.retry_after) == (503, pytest.approx(300 * ms))
    first, second = slack.calls
    assert second.time - first.time >= 290 * ms
    assert told.of("rate_limited") == []


async def test_a_retry_after_of_0_leaves_the_wait_to_the_schedule(make_client: Any, slack: Any, told: Any) -> None:
    slack.fail(status=429, retry_after=0)
    with anyio.fail_after(5):
        await make_client().start()
    assert told.of("rate_limited") == [(0.0,)]


async def test_a_429_that_does_not_say_how_long(make_client: Any, slack: Any, told: Any) -> None:
    slack.fail(status=429)
    await make_client().start(wait=False)
    assert await told.wait("rate_limited") == (60.0,)


async def test_a_call_whose_wait_is_0_does_not_run_hot(
    make_client: Any, slack: Any, told: Any, monkeypatch: pytest.MonkeyPatch, ms: float
) -> None:
    monkeypatch.setattr(web_module, "_LEAST_WAIT", 100 * ms)
    slack.fail("chat.update", status=429, retry_after=0, times=2)
    client = make_client()
    await client.start()
    ts = (await client.send_message("one", "C0GENERAL")).ts
    assert (await client.update_message(ts, "C0GENERAL", "two"))["ok"]
    times = [call.time for call in slack.calls if call.method == "chat.update"]
    assert times[2] - times[0] >= 190 * ms
    assert await told.wait("rate_limited", 2) == (0.0,)
