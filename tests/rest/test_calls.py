"""Calls by HTTPS: verbs, bodies, errors, time-outs, the bearer's reach, the rate gate, streams."""

from __future__ import annotations

import socket
import sys

import anyio
import httpx
import pytest

from rcex_ws.errors import ConfigurationError, RateLimited, RequestTimeout, TransportError
from rcex_ws.rest import Request, RestError, RingCentral

PATH = "/restapi/v1.0/account/~"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
async def test_verbs(rc, api, method):
    route = api.request(method, PATH, params={"a": "1"}).respond(200, json={"ok": True}, headers={"X-Y": "z"})
    response = await getattr(rc, method)(PATH, params={"a": 1})
    assert route.call_count == 1
    assert (response.status_code, response.json(), response.via) == (200, {"ok": True}, "https")
    assert response.headers["x-y"] == "z"
    assert type(response.headers).__module__.startswith("rcex_ws")


async def test_what_every_call_carries(make_client, api, token):
    route = api.get(PATH).respond(204)
    await make_client(token=token, app_name="Bot", app_version="1.2").get(PATH, headers={"X-Mine": "1"})
    headers = route.calls.last.request.headers
    assert headers["Authorization"] == "Bearer ACCESS-0"
    version = ".".join(map(str, sys.version_info[:3]))
    assert headers["User-Agent"].startswith("Bot/1.2 rcex_ws/0.")  # P16: no literal "VERSION"
    assert headers["User-Agent"].endswith(f" python/{version}")
    assert headers["X-User-Agent"] == headers["User-Agent"]
    assert headers["X-Mine"] == "1"


@pytest.mark.parametrize(
    ("options", "kind", "content"),
    [
        ({"json": {"a": [1, None]}}, "application/json", b'{"a":[1,null]}'),
        ({"json": None}, "application/json", b"null"),
        ({"json": {}, "headers": {"content-type": "application/x+json"}}, "application/x+json", b"{}"),
        ({"data": {"a": "b c", "d": "&"}}, "application/x-www-form-urlencoded", b"a=b+c&d=%26"),
        ({"content": b"\x00\x01", "headers": {"Content-Type": "image/png"}}, "image/png", b"\x00\x01"),
        ({"content": "text"}, None, b"text"),
        ({}, None, b""),
    ],
)
async def test_bodies(rc, api, options, kind, content):
    route = api.post(PATH).respond(204)
    await rc.post(PATH, **options)
    request = route.calls.last.request
    assert (request.headers.get("Content-Type"), request.content) == (kind, content)


async def test_the_query_is_encoded(rc, api):
    route = api.get(PATH).respond(204)
    await rc.get(PATH + "?x=1", params={"phoneNumber": "+1650", "q": "a&b c", "type": ["SMS", "Fax"], "all": True})
    assert route.calls.last.request.url.query == b"x=1&phoneNumber=%2B1650&q=a%26b%20c&type=SMS&type=Fax&all=true"


async def test_an_error_answer_raises(rc, api):
    api.get(PATH).respond(403, json={"errorCode": "CMN-401", "message": "no permission"})
    with pytest.raises(RestError, match="CMN-401: no permission") as caught:
        await rc.get(PATH + "?token=SECRET")
    assert caught.value.response.json()["errorCode"] == "CMN-401"
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError, httpx.ProxyError, ConnectionResetError]
)
async def test_no_answer(rc, api, error):
    api.get(PATH).mock(side_effect=error("SECRET"))
    with pytest.raises(TransportError, match=r"^GET .*: no answer from platform\.ringcentral\.com") as caught:
        await rc.get(PATH + "?token=SECRET")
    assert caught.value.retryable
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "path", "error", "retryable"),
    [
        ("GET", PATH, httpx.ReadError, True),
        ("PUT", PATH, httpx.ReadError, True),
        ("POST", PATH, httpx.ReadError, False),
        ("PATCH", PATH, httpx.ReadError, False),
        ("POST", PATH, httpx.ConnectError, True),  # it was not sent
        ("POST", "/restapi/oauth/wstoken", httpx.ReadError, True),  # it does no harm
    ],
)
async def test_what_the_server_may_have_executed_is_not_retryable(rc, api, method, path, error, retryable):
    api.route(method=method, path=path).mock(side_effect=error(""))
    with pytest.raises(TransportError) as caught:
        await rc.request(method, path)
    assert caught.value.retryable is retryable
    if path == PATH:
        with pytest.raises(TransportError) as caught:
            async with rc.stream(method, path):
                pass
        assert caught.value.retryable is retryable


async def test_a_post_that_timed_out_is_not_retryable(rc, api):
    async def hang(_: object) -> None:
        await anyio.sleep_forever()

    api.post(PATH).mock(side_effect=hang)
    with pytest.raises(RequestTimeout) as caught:
        await rc.post(PATH, timeout=0.01)
    assert not caught.value.retryable


async def test_the_reason_of_the_operating_system_is_told(make_client, token):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets the port
        rc = make_client(server=f"http://127.0.0.1:{unused.getsockname()[1]}", token=token)
        with pytest.raises(TransportError, match=r"from 127\.0\.0\.1: Connection refused"):
            await rc.get(PATH)


async def test_a_circle_of_causes_ends(rc, api):
    def fail(_):
        first, second = httpx.ConnectError("a"), ValueError("b")
        second.__cause__, first.__cause__ = first, second
        raise first

    api.get(PATH).mock(side_effect=fail)
    with pytest.raises(TransportError, match="ConnectError"):
        await rc.get(PATH)


def test_a_token_that_no_header_can_hold_does_not_leak(token):
    """h11 would quote the header it refuses; only our words come out, in the traceback too."""
    import traceback

    with pytest.raises(ConfigurationError, match=r"^access_token: ") as caught:
        type(token)(access_token="TOP\n" + "secret".upper())
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


async def test_timeout_bounds_the_whole_call(rc, api, ms):
    async def hang(_):
        await anyio.sleep_forever()

    api.get(PATH).mock(side_effect=hang)
    with anyio.fail_after(5), pytest.raises(RequestTimeout, match="within") as caught:
        await rc.get(PATH, timeout=20 * ms)
    assert caught.value.__suppress_context__  # where the HTTP library was cancelled is dozens of lines of a traceback


async def test_the_clients_timeout_is_the_default(make_client, api, token, ms):
    async def hang(_):
        await anyio.sleep_forever()

    api.get(PATH).mock(side_effect=hang)
    with anyio.fail_after(5), pytest.raises(RequestTimeout):
        await make_client(token=token, timeout=20 * ms).get(PATH)


async def test_a_cancelled_call_is_cancelled(rc, api):
    started, ended = anyio.Event(), anyio.Event()

    async def hang(_):
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    api.get(PATH).mock(side_effect=hang)
    async with anyio.create_task_group() as group:
        group.start_soon(rc.get, PATH)
        await started.wait()
        group.cancel_scope.cancel()
    assert ended.is_set()
    api.get(PATH).respond(204)
    assert (await rc.get(PATH)).status_code == 204


async def test_the_bearer_goes_to_ringcentral_only(make_client, api, token):
    with_bearer = [api.get("https://media.ringcentral.com/x").respond(204), api.get(PATH).respond(204)]
    without = [
        api.get("https://evil.example/x").respond(204),
        api.get("http://platform.ringcentral.com/x").respond(204),
    ]
    rc = make_client(token=token)
    for url in ("https://media.ringcentral.com/x", PATH, "https://evil.example/x", "http://platform.ringcentral.com/x"):
        await rc.get(url)
    assert [route.calls.last.request.headers.get("Authorization") for route in with_bearer] == ["Bearer ACCESS-0"] * 2
    assert [route.calls.last.request.headers.get("Authorization") for route in without] == [None] * 2


async def test_a_401_of_another_host_does_not_touch_the_session(rc, api, grants):
    api.get("https://evil.example/x").respond(401)
    with pytest.raises(RestError):
        await rc.get("https://evil.example/x")
    assert grants.call_count == 0


async def test_the_callers_own_authorization_stands(rc, api, grants):
    route = api.get(PATH).respond(401)
    with pytest.raises(RestError):
        await rc.get(PATH, headers={"authorization": "Basic mine"})
    assert route.calls.last.request.headers.get_list("Authorization") == ["Basic mine"]
    assert (route.call_count, grants.call_count) == (1, 0)


async def test_a_redirect_does_not_take_the_bearer_along(rc, api):
    api.get(PATH).respond(302, headers={"Location": "https://cdn.example/file"})
    target = api.get("https://cdn.example/file").respond(200, content=b"file")
    assert (await rc.get(PATH)).content == b"file"
    assert "Authorization" not in target.calls.last.request.headers


async def test_a_redirected_post_is_not_followed(rc, api):
    api.post(PATH).respond(307, headers={"Location": "https://evil.example/"})
    with pytest.raises(RestError, match="307"):
        await rc.post(PATH, json={"secret": 1})


@pytest.mark.parametrize("path", ["restapi/v1.0", "https://platform.ringcentral.com@evil.example/"])
async def test_no_path(rc, path):
    with pytest.raises(ConfigurationError, match="path"):
        await rc.get(path)


async def test_an_unknown_option(rc):
    with pytest.raises(TypeError, match="jsn"):
        await rc.get(PATH, jsn={})


async def test_the_callers_headers_are_not_changed(rc, api):
    api.get(PATH).respond(204)
    mine = {"X": "1"}
    await rc.get(PATH, headers=mine)
    assert mine == {"X": "1"}


async def test_after_a_429_the_group_waits(rc, api, ms):
    limits = {"X-Rate-Limit-Group": "medium", "X-Rate-Limit-Window": "60"}
    other = api.get("/restapi/v1.0/other").respond(204, headers=limits)
    api.get(PATH).respond(429, headers=limits | {"Retry-After": str(300 * ms)})
    await rc.get("/restapi/v1.0/other")
    start = anyio.current_time()
    with pytest.raises(RestError) as caught:  # the caller of the 429 gets it
        await rc.get(PATH)
    assert caught.value.retry_after == 300 * ms
    with pytest.raises(RateLimited) as limited:
        await rc.get("/restapi/v1.0/other", timeout=10 * ms)
    assert 0 < limited.value.retry_after <= 300 * ms
    assert other.call_count == 1
    await rc.get("/restapi/v1.0/other")
    assert anyio.current_time() - start >= 300 * ms
    assert other.call_count == 2


async def test_another_hosts_429_closes_nothing(rc, api):
    api.get(f"https://evil.example{PATH}").respond(429, headers={"Retry-After": "1000"})
    api.get(PATH).respond(204)
    with pytest.raises(RestError):
        await rc.get(f"https://evil.example{PATH}")
    assert (await rc.get(PATH, timeout=1)).status_code == 204


async def test_stream(rc, api):
    api.get(PATH).respond(200, content=b"abc" * 1000, headers={"X-Y": "z"})
    async with rc.stream("GET", PATH) as answer:
        assert (answer.status_code, answer.headers["x-y"]) == (200, "z")
        assert b"".join([chunk async for chunk in answer.aiter_bytes()]) == b"abc" * 1000
    async with rc.stream("GET", PATH) as answer:
        assert await answer.aread() == b"abc" * 1000


async def test_stream_error(rc, api):
    api.get(PATH).respond(404, json={"errorCode": "CMN-102"})
    with pytest.raises(RestError, match="CMN-102"):
        async with rc.stream("GET", PATH):
            pytest.fail("an error answer was given to the caller")


async def test_stream_refreshes_once(rc, api, grants):
    route = api.get(PATH).mock(side_effect=[httpx.Response(401), httpx.Response(200, content=b"x")])
    async with rc.stream("GET", PATH) as answer:
        assert await answer.aread() == b"x"
    assert (route.call_count, grants.call_count) == (2, 1)
    api.get(PATH).respond(401)
    with pytest.raises(RestError, match="401"):
        async with rc.stream("GET", PATH):
            pass
    assert grants.call_count == 2


async def test_stream_that_does_not_begin_or_breaks(rc, api, ms):
    async def hang(_):
        await anyio.sleep_forever()

    api.get(PATH).mock(side_effect=hang)
    with anyio.fail_after(5), pytest.raises(RequestTimeout):
        async with rc.stream("GET", PATH, timeout=20 * ms):
            pass

    async def body(error):
        yield b"half"
        raise error

    for error, expected in ((httpx.ReadError("SECRET"), TransportError), (httpx.ReadTimeout("SECRET"), RequestTimeout)):
        api.get(PATH).mock(side_effect=None, return_value=httpx.Response(200, content=body(error)))
        async with rc.stream("GET", PATH) as answer:
            with pytest.raises(expected) as caught:
                await answer.aread()
            assert "SECRET" not in str(caught.value)


async def test_a_users_error_in_a_stream_is_the_users(rc, api):
    api.get(PATH).respond(200)
    with pytest.raises(httpx.ReadError):
        async with rc.stream("GET", PATH):
            raise httpx.ReadError("of another client")


async def test_send_takes_a_request(rc, api):
    api.put(PATH).respond(200, json={})
    assert (await rc.send(Request("PUT", PATH, json={}))).is_success


async def test_server_is_checked():
    with pytest.raises(ConfigurationError, match="server"):
        RingCentral(server="platform.ringcentral.com")


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (httpx.ConnectError, False),
        (httpx.ConnectTimeout, False),
        (httpx.PoolTimeout, False),
        (httpx.ProxyError, False),
        (httpx.ReadError, True),
        (httpx.WriteError, True),
        (httpx.ReadTimeout, True),
        (httpx.RemoteProtocolError, True),
        (ConnectionResetError, True),
    ],
)
async def test_an_error_tells_whether_the_server_may_have_got_the_call(rc, api, error, sent):
    api.post(PATH).mock(side_effect=error("x"))
    with pytest.raises(TransportError) as caught:
        await rc.post(PATH)
    assert caught.value.sent is sent


async def test_a_call_that_waits_for_a_token_in_vain_was_not_sent(make_client, api, token):
    api.post("/restapi/oauth/token").mock(side_effect=httpx.ReadError)
    rc = make_client(token=type(token)(access_token="OLD", refresh_token="R", expires_at=1.0))
    with pytest.raises(TransportError) as caught:
        await rc.refresh()
    assert caught.value.sent
    rc._auth._granted_at = -1e9  # it is certain that it has expired
    with pytest.raises(TransportError) as caught:
        await rc.post(PATH)
    assert not caught.value.sent
