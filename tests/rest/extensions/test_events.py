"""Events of calls and of the session: which, with what, in which order, and never in the way."""

from __future__ import annotations

import anyio
import httpx
import pytest

from rcex_ws.errors import ConfigurationError, RateLimited, TransportError
from rcex_ws.rest import EventsExtension, RestError, RestEvents
from rcex_ws.rest.extensions import events

PATH = "/restapi/v1.0/account/~"


@pytest.fixture
def told():
    return []


@pytest.fixture
def listen(told):
    """Record all events of an extension."""

    def listen(extension):
        for event in RestEvents:
            extension.on(event, lambda *arguments, event=event: told.append((event, *arguments)))
        return extension

    return listen


def names(told):
    return [str(event) for event, *_ in told]


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_life(make_client, api, grants, listen, told):
    api.get(PATH).respond(200)
    api.post("/restapi/oauth/revoke").respond(200)
    rc = make_client()
    await rc.install_extension(listen(EventsExtension()))
    await rc.authorize(jwt="J")
    response = await rc.get(PATH)
    await rc.refresh()
    await rc.revoke()
    await rc.aclose()
    assert names(told) == [
        *("beforeLogin", "loginSuccess", "beforeRequest", "requestSuccess"),
        *("beforeRefresh", "refreshSuccess", "beforeLogout", "logoutSuccess"),
    ]
    assert told[0] == ("beforeLogin",)
    assert told[1][1].access_token == "ACCESS-1"
    assert (str(told[2][1]), told[3][1:]) == (f"GET {PATH}", (told[2][1], response))


async def test_errors(make_client, api, listen, told):
    refused = httpx.Response(400, json={"error": "invalid_grant"})
    api.post("/restapi/oauth/token").mock(side_effect=[refused, httpx.Response(200, json={"access_token": "A"})])
    api.get(PATH).mock(side_effect=[httpx.Response(429), httpx.ReadError("x")])
    rc = make_client()
    await rc.install_extension(listen(EventsExtension()))
    with pytest.raises(RestError) as login:
        await rc.authorize(jwt="J")
    await rc.authorize(jwt="J")
    with pytest.raises(RestError) as limit:
        await rc.get(PATH)
    with pytest.raises(RateLimited) as held:
        await rc.get(PATH, timeout=1.0)
    await anyio.sleep(100)
    with pytest.raises(TransportError):
        await rc.get(PATH)
    await rc.aclose()
    assert names(told) == [
        *("beforeLogin", "loginError", "beforeLogin", "loginSuccess"),
        *("beforeRequest", "requestError", "rateLimitError"),
        *("beforeRequest", "requestError", "rateLimitError"),
        *("beforeRequest", "requestError"),
    ]
    assert told[1][1] is login.value
    assert told[6][2] is limit.value
    assert told[9][2] is held.value


async def test_only_what_is_enabled(rc, api, listen, told):
    api.get(PATH).respond(200)
    await rc.install_extension(listen(EventsExtension(enabled_events=["requestSuccess", RestEvents.LOGIN_ERROR])))
    await rc.get(PATH)
    await rc.aclose()
    assert names(told) == ["requestSuccess"]


async def test_handlers_never_delay_or_fail_a_call(rc, api, told):
    api.get(PATH).respond(200)
    extension = EventsExtension()
    await rc.install_extension(extension)

    @extension.on("beforeRequest")
    async def slow(request):
        await anyio.sleep(50)
        told.append("slow")

    @extension.on(RestEvents.REQUEST_SUCCESS)
    def broken(request, response):
        raise ValueError("mine")

    extension.on("error", told.append)
    started = anyio.current_time()
    await rc.get(PATH)
    assert anyio.current_time() == started
    await anyio.sleep(60)
    assert told[0] == "slow"
    assert str(told[1]) == "mine"


async def test_a_handler_that_is_too_slow_loses_events_and_that_is_logged(rc, api, told, monkeypatch, caplog):
    monkeypatch.setattr(events, "_MAX_PENDING", 3)
    api.get(PATH).respond(200)
    extension = EventsExtension(enabled_events=["beforeRequest"])
    await rc.install_extension(extension)

    @extension.on("beforeRequest")
    async def slow(request):
        await anyio.sleep(1)
        told.append(request)

    for _ in range(10):
        await rc.get(PATH)
    await anyio.sleep(20)
    assert len(told) in {3, 4}
    assert caplog.text.count("too slow") == 1
    await rc.get(PATH)
    assert f"{10 - len(told)} events of calls were dropped" in caplog.text


async def test_closing_waits_for_handlers_but_not_long(rc, api, told):
    api.get(PATH).respond(200)
    extension = EventsExtension()
    await rc.install_extension(extension)

    @extension.on("beforeRequest")
    async def hang(request):
        told.append("began")
        await anyio.sleep(1000)

    await rc.get(PATH)
    started = anyio.current_time()
    await rc.aclose()
    assert anyio.current_time() - started <= 5
    assert told == ["began"]


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_handler_may_close_the_client(rc, api, told):
    api.get(PATH).respond(200)
    extension = EventsExtension()
    await rc.install_extension(extension)
    closed = anyio.Event()

    @extension.on("requestSuccess")
    async def close(request, response):
        await rc.aclose()
        closed.set()

    await rc.get(PATH)
    with anyio.fail_after(5):
        await closed.wait()


async def test_after_closing_the_session_is_no_longer_watched(make_client, grants, listen, told):
    extension = listen(EventsExtension())
    first = make_client()
    await first.install_extension(extension)
    await first.aclose()
    second = make_client()
    await second.install_extension(extension)
    await second.authorize(jwt="J")
    await second.aclose()
    assert names(told) == ["beforeLogin", "loginSuccess"]


@pytest.mark.parametrize(
    ("options", "name"), [({"enabled_events": ["x"]}, "enabled_events"), ({"enabledEvents": []}, "enabled_events")]
)
def test_wrong_options_are_named(options, name):
    with pytest.raises(ConfigurationError, match=name):
        EventsExtension(**options)
    with pytest.raises(ConfigurationError, match="event"):
        EventsExtension().on("x", print)
