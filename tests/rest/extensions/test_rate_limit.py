"""The policy at the rate limit: calls wait outside of their time-out, and do not reach it again all at once."""

from __future__ import annotations

import io

import anyio
import httpx
import pytest

from rcex_ws.errors import ConfigurationError, NotConnected, RateLimited
from rcex_ws.rest import RateLimitExtension, RestError

PATH = "/restapi/v1.0/account/~"


def limited(**headers):
    return httpx.Response(429, headers={name.replace("_", "-"): value for name, value in headers.items()})


class Quota:
    """A server that allows so many calls per window, and says so as RingCentral does."""

    def __init__(self, limit, window=60):
        self.limit, self.window = limit, window
        self.used, self.ends = 0, 0.0
        self.refused = 0
        self.active = self.most_active = 0

    async def __call__(self, request):
        if anyio.current_time() >= self.ends:
            self.used, self.ends = 0, anyio.current_time() + self.window
        self.used += 1
        headers = {"X-Rate-Limit-Group": "light", "X-Rate-Limit-Window": str(self.window)}
        if self.used > self.limit:
            self.refused += 1
            return httpx.Response(429, headers=headers | {"Retry-After": str(self.window)})
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        await anyio.sleep(0.2)
        self.active -= 1
        return httpx.Response(200, headers=headers | {"X-Rate-Limit-Remaining": str(self.limit - self.used)})


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_on_asyncio(rc, api):
    route = api.post(PATH).mock(side_effect=[limited(Retry_After="0.01"), httpx.Response(200)])
    await rc.install_extension(RateLimitExtension())
    assert (await rc.post(PATH)).status_code == 200
    assert route.call_count == 2


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "7"}, 7),
        ({"X_Rate_Limit_Window": "30"}, 30),
        ({"Retry_After": "7", "X_Rate_Limit_Window": "30"}, 7),
        ({}, 60),
    ],
)
async def test_any_method_is_repeated_once_the_server_allows_it(rc, api, headers, wait):
    route = api.post(PATH).mock(side_effect=[limited(**headers), httpx.Response(200)])
    await rc.install_extension(RateLimitExtension())
    started = anyio.current_time()
    await rc.post(PATH, timeout=5.0)  # which is for the call, not for the wait
    assert anyio.current_time() - started == pytest.approx(wait)
    assert (route.call_count, rc.stats.retries) == (2, 1)


async def test_a_server_that_says_nothing_is_given_twice_the_time_each_time(rc, api):
    api.get(PATH).mock(side_effect=[limited(), limited(), httpx.Response(200)])
    await rc.install_extension(RateLimitExtension(rate_limit_window=40.0))
    started = anyio.current_time()
    await rc.get(PATH)
    assert anyio.current_time() - started == pytest.approx(40 + 80)


@pytest.mark.parametrize(("options", "calls"), [({}, 4), ({"max_retries": 0}, 1)])
async def test_retries_are_bounded(rc, api, options, calls):
    route = api.get(PATH).mock(side_effect=lambda _: limited(Retry_After="1"))
    await rc.install_extension(RateLimitExtension(**options))
    with pytest.raises(RestError, match="429"):
        await rc.get(PATH)
    assert route.call_count == calls


async def test_the_wait_is_bounded_in_all_attempts(rc, api):
    route = api.get(PATH).mock(side_effect=lambda _: limited(Retry_After="40"))
    await rc.install_extension(RateLimitExtension(max_wait=100.0))
    started = anyio.current_time()
    with pytest.raises(RateLimited):
        await rc.get(PATH)
    assert anyio.current_time() - started == pytest.approx(80)
    assert route.call_count == 3


async def test_other_errors_are_not_its_business(rc, api):
    route = api.get(PATH).respond(503)
    await rc.install_extension(RateLimitExtension())
    with pytest.raises(RestError):
        await rc.get(PATH)
    assert route.call_count == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # virtual time does not wait for the thread that reads
async def test_a_file_that_was_read_is_not_sent_empty(rc, api):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    route = api.post(PATH).mock(side_effect=lambda _: limited(Retry_After="1"))
    await rc.install_extension(RateLimitExtension())
    with pytest.raises(RestError, match="429"):
        await rc.post(PATH, files={"a": ("name", Pipe(b"x"))})
    assert route.call_count == 1


async def test_many_calls_never_reach_the_limit_again(rc, api):
    quota = Quota(limit=5)
    api.get(PATH).mock(side_effect=quota)
    await rc.install_extension(RateLimitExtension())
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(rc.get, PATH)
    assert quota.most_active == 5
    async with anyio.create_task_group() as tasks:
        for _ in range(12):
            tasks.start_soon(rc.get, PATH)
    assert quota.refused == 0
    assert rc.stats.rate_limited == 0
    assert rc.stats.statuses["2xx"] == 17


async def test_others_that_wait_longer_count_as_the_limit(rc, api):
    async def slow(_):
        await anyio.sleep(30)
        return httpx.Response(200)

    api.get(PATH).mock(side_effect=slow)
    rc.gate.hold("GET", PATH, seconds=10.0, now=anyio.current_time())
    await rc.install_extension(RateLimitExtension(max_wait=20.0))
    refused = []

    async def call():
        try:
            await rc.get(PATH)
        except RateLimited as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        tasks.start_soon(call)
    assert ["others wait" in str(error) for error in refused] == [True]
    await rc.get(PATH)  # the turn was given back


@pytest.mark.parametrize("installed", [True, False])
async def test_no_call_waits_longer_than_its_client_lives(rc, api, installed):
    route = api.get(PATH).mock(return_value=httpx.Response(200))
    rc.gate.hold("GET", PATH, seconds=50.0, now=anyio.current_time())
    if installed:
        await rc.install_extension(RateLimitExtension())
    ended = []

    async def call():
        with pytest.raises(NotConnected, match="it was not sent"):
            await rc.get(PATH)
        ended.append(anyio.current_time())

    started = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        await rc.aclose()
    assert [at - started for at in ended] == [0, 0, 0]
    assert not route.called


async def test_the_limit_of_another_server_is_not_ours(rc, api):
    route = api.get("https://media.example/a").mock(side_effect=lambda _: limited(Retry_After="50"))
    await rc.install_extension(RateLimitExtension())
    for _ in range(2):
        with pytest.raises(RestError):
            await rc.get("https://media.example/a")
    assert route.call_count == 2


@pytest.mark.parametrize(
    ("options", "name"), [({"max_retries": -1}, "max_retries"), ({"rateLimitWindow": 60}, "rate_limit_window")]
)
def test_wrong_options_are_named(options, name):
    with pytest.raises(ConfigurationError, match=name):
        RateLimitExtension(**options)
