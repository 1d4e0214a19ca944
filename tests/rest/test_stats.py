"""The counters of a client: what RingCentral looks at before it lets an application into production."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from rcex_ws.errors import TransportError
from rcex_ws.rest import Extension, Response, RestError
from rcex_ws.rest.stats import CallCounter

PATH = "/restapi/v1.0/account/~"
HOUR, DAY = 3600.0, 86400.0


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


async def test_calls_are_counted_by_transport_and_class_of_status(rc, api):
    api.get(PATH).respond(200)
    api.put(PATH).respond(404)
    api.post(PATH).respond(429)
    api.delete(PATH).mock(side_effect=httpx.ReadError)
    for _ in range(6):
        await rc.get(PATH)
    for method in (rc.put, rc.post):
        with pytest.raises(RestError):
            await method(PATH)
    with pytest.raises(TransportError):
        await rc.delete(PATH)
    async with rc.stream("GET", PATH):
        pass
    with pytest.raises(TransportError):
        async with rc.stream("DELETE", PATH):
            pass
    stats = rc.stats
    assert stats.calls == {"https": 9, "websocket": 0}
    assert stats.statuses == {"2xx": 7, "3xx": 0, "4xx": 2, "5xx": 0}
    assert (stats.errors, stats.rate_limited, stats.unanswered, stats.retries) == (2, 1, 2, 0)
    assert stats.error_rate == pytest.approx(2 / 9)
    assert msgspec.to_builtins(stats.last_day) == msgspec.to_builtins(stats.last_week)
    assert msgspec.json.decode(msgspec.json.encode(stats))["last_day"]["errors"] == 2
    assert stats.since.tzinfo is not None


async def test_what_the_websocket_brings_is_counted_and_calls_to_others_are_not(rc, api):
    class Socket(Extension):
        async def transport(self, request, call_next):
            return Response(200, {}, b"", "websocket") if request.path == PATH else await call_next(request)

    await rc.install_extension(Socket())
    await rc.get(PATH)
    api.get("https://media.example/x").respond(200)
    await rc.get("https://media.example/x")
    assert rc.stats.calls == {"https": 0, "websocket": 1}


async def test_logins_and_the_second_attempt_after_a_401_are_counted(make_client, api, grants):
    api.get(PATH).mock(side_effect=[httpx.Response(401), httpx.Response(200)])
    rc = make_client()
    await rc.authorize(jwt="J")
    await rc.get(PATH)
    assert rc.stats.statuses == {"2xx": 3, "3xx": 0, "4xx": 1, "5xx": 0}
    assert rc.stats.retries == 1


async def test_a_call_that_a_middleware_sends_again_is_a_retry(rc, api):
    class Twice(Extension):
        async def handle(self, request, call_next):
            await call_next(request)
            return await call_next(request)

    api.get(PATH).respond(200)
    await rc.install_extension(Twice())
    await rc.get(PATH)
    assert rc.stats.retries == 1


def test_a_day_and_a_week_end_and_the_total_does_not():
    clock = Clock()
    counter = CallCounter(clock)
    counter.answered(429, "https", now=clock.now + 5e6)
    clock.now += DAY - HOUR
    counter.answered(200, "websocket", now=clock.now + 5e6)
    assert counter.stats().last_day.rate_limited == 1
    clock.now += 3 * HOUR
    assert (counter.stats().last_day.rate_limited, counter.stats().last_week.rate_limited) == (0, 1)
    counter.answered(500, "https", now=clock.now + 5e6)
    assert counter.stats().last_day.error_rate == 0.5
    clock.now += 7 * DAY + HOUR
    assert counter.stats().last_week.calls == {"https": 0, "websocket": 0}  # though nothing has been called since
    counter.unanswered()
    counter.retried()
    stats = counter.stats()
    assert (stats.last_week.unanswered, stats.last_week.errors) == (1, 0)
    assert (stats.errors, stats.rate_limited, stats.unanswered, stats.retries) == (2, 1, 1, 1)
    assert stats.calls == {"https": 2, "websocket": 1}


def test_the_buckets_of_a_week_are_all_there_are():
    clock = Clock()
    counter = CallCounter(clock)
    for _ in range(400):
        counter.answered(200, "https", now=clock.now + 5e6)
        clock.now += HOUR
    assert counter.stats().calls["https"] == 400
    assert counter.stats().last_week.calls["https"] == 168
    assert len(counter._buckets) <= 169


@pytest.mark.parametrize("status", [0, 100, 600, 999, 10**9])
def test_a_status_that_no_server_should_send_counts_as_an_error(status):
    counter = CallCounter(Clock())
    counter.answered(status, "https", now=1.0)
    assert counter.stats().errors == 1


def test_before_the_first_call_there_is_no_error():
    assert CallCounter(Clock()).stats().error_rate == 0.0
