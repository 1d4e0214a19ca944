"""Retries: only what may pass, never what the server may have done already, and within bounds."""

from __future__ import annotations

import anyio
import httpx
import pytest

from rcex_ws.errors import ConfigurationError, RequestLost, RequestTimeout, TransportError
from rcex_ws.rest import Extension, RateLimitExtension, Response, RestError, RetryExtension, default_retry_delay

PATH = "/restapi/v1.0/account/~"
OK = httpx.Response(200)
BUSY = httpx.Response(503)


def elapsed(started):
    return anyio.current_time() - started


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_on_asyncio(rc, api):
    route = api.get(PATH).mock(side_effect=[BUSY, httpx.ConnectError("x"), OK])
    await rc.install_extension(RetryExtension(retry_delay=lambda error, retries: 0.001))
    assert (await rc.get(PATH)).status_code == 200
    assert (route.call_count, rc.stats.retries) == (3, 2)


async def test_waits_grow_and_are_spread(rc, api):
    api.get(PATH).respond(503)
    await rc.install_extension(RetryExtension())
    started = anyio.current_time()
    with pytest.raises(RestError):
        await rc.get(PATH)
    assert 0.75 * (2 + 3 + 5) <= elapsed(started) <= 1.25 * (2 + 3 + 5)
    error = TransportError()
    assert len({default_retry_delay(error, 0) for _ in range(20)}) > 1
    assert 22.5 <= default_retry_delay(error, 1000) <= 37.5


@pytest.mark.parametrize("failure", [408, 429, 500, 502, 503, 504, httpx.ConnectError, httpx.ReadError, TimeoutError])
async def test_a_get_is_repeated_after_whatever_may_pass(rc, api, failure):
    first = httpx.Response(failure) if isinstance(failure, int) else failure("x")
    route = api.get(PATH).mock(side_effect=[first, OK])
    await rc.install_extension(RetryExtension())
    await rc.get(PATH)
    assert route.call_count == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
async def test_an_error_that_stays_is_raised_at_once(make_client, api, status):
    route = api.get(PATH).respond(status)
    rc = make_client(bot_token="B")
    await rc.install_extension(RetryExtension())
    with pytest.raises(RestError):
        await rc.get(PATH)
    assert route.call_count == 1


@pytest.mark.parametrize("method", ["post", "patch"])
@pytest.mark.parametrize(
    ("failure", "again"),
    [
        (httpx.ConnectError("x"), True),  # never sent
        (httpx.ConnectTimeout("x"), True),
        (httpx.Response(429), True),  # not executed
        (httpx.ReadError("x"), False),
        (httpx.ReadTimeout("x"), False),
        (httpx.RemoteProtocolError("x"), False),
        (BUSY, False),
        (httpx.Response(500), False),
    ],
)
async def test_what_the_server_may_have_done_is_not_done_twice(rc, api, method, failure, again):
    route = api.request(method, PATH).mock(side_effect=[failure, OK])
    await rc.install_extension(RetryExtension(should_retry=lambda error, retries: True))  # which it cannot change
    if again:
        await getattr(rc, method)(PATH)
    else:
        with pytest.raises((TransportError, RestError)):
            await getattr(rc, method)(PATH)
    assert route.call_count == 1 + again


@pytest.mark.parametrize(("method", "sent", "calls"), [("GET", True, 2), ("POST", True, 1), ("POST", False, 2)])
async def test_what_a_websocket_lost(rc, method, sent, calls):
    class Socket(Extension):
        calls = 0

        async def transport(self, request, call_next):
            self.calls += 1
            if self.calls == 1:
                raise RequestLost("lost", sent=sent)
            return Response(200, {}, b"", "websocket")

    socket = Socket()
    await rc.install_extension(socket)
    await rc.install_extension(RetryExtension())
    if calls == 2:
        await rc.request(method, PATH)
    else:
        with pytest.raises(RequestLost):
            await rc.request(method, PATH)
    assert socket.calls == calls


async def test_a_time_out_is_repeated_with_its_whole_time(rc, api):
    takes = iter([100, 5])

    async def answer(request):
        await anyio.sleep(next(takes))
        return OK

    api.get(PATH).mock(side_effect=answer)
    await rc.install_extension(RetryExtension())
    started = anyio.current_time()
    await rc.get(PATH, timeout=10.0)
    assert elapsed(started) > 10 + 5


async def test_a_post_that_timed_out_is_not_repeated(rc, api):
    takes = iter([100, 5])

    async def answer(request):
        await anyio.sleep(next(takes))

    api.post(PATH).mock(side_effect=answer)
    await rc.install_extension(RetryExtension())
    with pytest.raises(RequestTimeout):
        await rc.post(PATH, timeout=10.0)
    assert next(takes) == 5  # nobody asked again


@pytest.mark.parametrize("wait", [7, 100])
async def test_retry_after_is_the_least_wait(rc, api, wait):
    api.get(PATH).mock(side_effect=[httpx.Response(503, headers={"Retry-After": str(wait)}), OK])
    await rc.install_extension(RetryExtension())
    started = anyio.current_time()
    await rc.get(PATH)
    assert elapsed(started) == pytest.approx(wait)


async def test_a_429_is_waited_for_as_long_as_the_gate_is_closed(rc, api):
    api.get(PATH).mock(side_effect=[httpx.Response(429, headers={"X-Rate-Limit-Window": "120"}), OK])
    await rc.install_extension(RetryExtension())
    started = anyio.current_time()
    await rc.get(PATH, timeout=5.0)
    assert elapsed(started) == pytest.approx(120)


@pytest.mark.parametrize(("options", "calls"), [({}, 4), ({"max_retries": 0}, 1), ({"max_retries": 9}, 10)])
async def test_attempts_are_bounded(rc, api, options, calls):
    route = api.get(PATH).respond(503)
    await rc.install_extension(RetryExtension(**options))
    with pytest.raises(RestError):
        await rc.get(PATH)
    assert route.call_count == calls


async def test_time_is_bounded(rc, api):
    route = api.get(PATH).mock(side_effect=[BUSY, httpx.Response(503, headers={"Retry-After": "60"}), OK])
    await rc.install_extension(RetryExtension(max_time=60.0))
    started = anyio.current_time()
    with pytest.raises(RestError):
        await rc.get(PATH)
    assert route.call_count == 2
    assert elapsed(started) < 60


async def test_the_application_decides_by_error_and_number(rc, api):
    asked, waited = [], []

    def should_retry(error, retries):
        asked.append((error.status_code, retries))
        return retries < 1

    def retry_delay(error, retries):
        waited.append((error.status_code, retries))
        return 0

    route = api.get(PATH).respond(404)
    await rc.install_extension(RetryExtension(should_retry=should_retry, retry_delay=retry_delay))
    with pytest.raises(RestError):
        await rc.get(PATH)
    assert route.call_count == 2
    assert (asked, waited) == ([(404, 0), (404, 1)], [(404, 0)])


@pytest.mark.parametrize("delay", [-1, float("nan"), None, "5"])
async def test_a_wait_that_is_none_is_an_error_of_the_application(rc, api, delay):
    api.get(PATH).respond(503)
    await rc.install_extension(RetryExtension(retry_delay=lambda error, retries: delay))
    with pytest.raises(ConfigurationError, match=r"^retry_delay: "):
        await rc.get(PATH)


async def test_closing_ends_the_waits(rc, api):
    api.get(PATH).respond(503)
    await rc.install_extension(RetryExtension(retry_delay=lambda error, retries: 250))
    started = anyio.current_time()
    async with anyio.create_task_group() as tasks:

        async def call():
            with pytest.raises(RestError):
                await rc.get(PATH)

        tasks.start_soon(call)
        await anyio.sleep(1)
        await rc.aclose()
    assert elapsed(started) < 2


@pytest.mark.parametrize("path", ["/restapi/oauth/wstoken", "/restapi/v1.0/subscription/1"])
@pytest.mark.parametrize("kind", [RetryExtension, RateLimitExtension])
async def test_whoever_has_a_schedule_is_told_at_once(rc, api, path, kind):
    route = api.get(path).respond(429, headers={"Retry-After": "1"})
    await rc.install_extension(kind())
    started = anyio.current_time()
    with pytest.raises(RestError):
        await rc.get(path)
    assert (route.call_count, elapsed(started)) == (1, 0)


async def test_disabled_it_does_nothing(rc, api):
    route = api.get(PATH).respond(503)
    extension = RetryExtension()
    await rc.install_extension(extension)
    extension.enabled = False
    with pytest.raises(RestError):
        await rc.get(PATH)
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"max_retries": -1}, "max_retries"),
        ({"max_time": 0}, "max_time"),
        ({"should_retry": lambda error: True}, "should_retry"),
        ({"shouldRetry": print}, "should_retry"),
    ],
)
def test_wrong_options_are_named(options, name):
    with pytest.raises(ConfigurationError, match=name):
        RetryExtension(**options)
