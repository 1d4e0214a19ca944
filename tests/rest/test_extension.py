"""The chain: middlewares around transports, whatever the order of installation; the life of extensions."""

from __future__ import annotations

import gc
import itertools
import logging
import warnings

import anyio
import pytest

from rcex_ws.errors import ConfigurationError, NotConnected, RequestTimeout, TransportError
from rcex_ws.rest import Extension, Response, RestError, RingCentral

PATH = "/restapi/v1.0/account/~"


class Middleware(Extension):
    def __init__(self, name, log):
        self.name, self.log = name, log

    async def handle(self, request, call_next):
        self.log.append(f"{self.name}>")
        try:
            return await call_next(request)
        finally:
            self.log.append(f"<{self.name}")


class Transport(Extension):
    """Take what its filter lets through, like a WebSocket that is ready."""

    def __init__(self, name, log, *, status=200, wants=lambda request: True):
        self.name, self.log, self.status, self.wants = name, log, status, wants

    async def transport(self, request, call_next):
        self.log.append(self.name)
        if not self.wants(request):
            return await call_next(request)
        return Response(self.status, {}, b'{"a": 1}', "websocket")


@pytest.mark.parametrize("order", list(itertools.permutations("ABT")), ids="".join)
async def test_two_middlewares_and_a_transport_in_any_order(rc, order):
    log = []
    parts = {"A": Middleware("A", log), "B": Middleware("B", log), "T": Transport("T", log)}
    for name in order:
        await rc.install_extension(parts[name])
    response = await rc.get(PATH)
    assert response.via == "websocket"
    outer, inner = [name for name in reversed(order) if name != "T"]
    assert log == [f"{outer}>", f"{inner}>", "T", f"<{inner}", f"<{outer}"]


async def test_the_first_transport_is_asked_first_and_https_last(rc, api):
    log = []
    api.get(PATH).respond(204)
    api.post(PATH).respond(204)
    await rc.install_extension(Transport("1", log, wants=lambda request: request.method == "POST"))
    await rc.install_extension(Transport("2", log, wants=lambda request: False))
    assert (await rc.get(PATH)).via == "https"
    assert (await rc.post(PATH)).via == "websocket"
    assert log == ["1", "2", "1"]


async def test_a_given_transport_goes_past_the_others_but_not_past_the_middlewares(rc):
    log = []
    await rc.install_extension(Transport("T", log))
    await rc.install_extension(Middleware("A", log))

    async def own(request):
        log.append("own")
        return Response(200, {}, b"{}", "websocket")

    from rcex_ws.rest import Request

    await rc.send(Request("POST", "/restapi/v1.0/subscription"), transport=own)
    assert log == ["A>", "own", "<A"]


async def test_a_disabled_extension_is_gone_around(rc, api):
    log = []
    api.get(PATH).respond(204)
    extensions = [Transport("T", log), Middleware("A", log)]
    for extension in extensions:
        await rc.install_extension(extension)
        extension.enabled = False
    assert (await rc.get(PATH)).via == "https"
    assert log == []
    extensions[0].enabled = True
    assert (await rc.get(PATH)).via == "websocket"


async def test_middlewares_see_errors_as_callers_do_and_may_mend_them(rc):
    seen = []

    class Mend(Extension):
        async def handle(self, request, call_next):
            try:
                return await call_next(request)
            except RestError as exc:
                seen.append(exc.status_code)
                return Response(200, {}, b"{}")

    await rc.install_extension(Transport("T", [], status=404))
    await rc.install_extension(Mend())
    assert (await rc.get(PATH)).is_success
    assert seen == [404]


async def test_a_middleware_may_repeat_and_change_the_request(rc, api):
    class Retry(Extension):
        async def handle(self, request, call_next):
            request.headers["X-Try"] = "1"
            try:
                return await call_next(request)
            except RestError:
                request.headers["X-Try"] = "2"
                return await call_next(request)

    route = api.get(PATH).respond(503)
    await rc.install_extension(Retry())
    with pytest.raises(RestError):
        await rc.get(PATH)
    assert [call.request.headers["X-Try"] for call in route.calls] == ["1", "2"]


async def test_a_401_over_a_transport_refreshes_and_repeats_over_it(rc, grants):
    answers = [401, 200]

    class Socket(Extension):
        async def transport(self, request, call_next):
            return Response(answers.pop(0), {}, b"{}", "websocket")

    await rc.install_extension(Socket())
    assert (await rc.get(PATH)).via == "websocket"
    assert grants.call_count == 1
    assert answers == []


async def test_rate_limits_of_a_transport_close_the_gate(rc):
    class Socket(Extension):
        async def transport(self, request, call_next):
            return Response(429, {"X-Rate-Limit-Group": "light", "Retry-After": "50"}, b"", "websocket")

    await rc.install_extension(Socket())
    with pytest.raises(RestError):  # J21: an answer without a body
        await rc.get(PATH)
    assert 49 < rc.gate.delay("GET", PATH, now=anyio.current_time()) <= 50


async def test_credentials_pass_no_extension(make_client, grants):
    log = []
    rc = make_client()
    await rc.install_extension(Middleware("A", log))
    await rc.install_extension(Transport("T", log))
    await rc.authorize(jwt="J")
    assert log == []


async def test_install_gets_the_client_and_may_call(rc, api):
    api.post("/restapi/oauth/wstoken").respond(200, json={"ws_access_token": "W"})
    got = []

    class Socket(Extension):
        async def install(self, rc):
            got.append(await rc.post("/restapi/oauth/wstoken"))

    await rc.install_extension(Socket())
    assert got[0].json() == {"ws_access_token": "W"}
    assert got[0].via == "https"


async def test_a_failed_install_leaves_nothing(rc):
    log = []

    class Broken(Middleware):
        async def install(self, rc):
            raise TransportError("no way")

    with pytest.raises(TransportError, match="no way"):
        await rc.install_extension(Broken("A", log))
    assert not rc.tasks.running
    await rc.install_extension(Transport("T", log))
    await rc.get(PATH)
    assert log == ["T"]


async def test_a_cancelled_install_leaves_nothing(rc):
    class Slow(Extension):
        async def install(self, rc):
            scope.cancel()
            await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await rc.install_extension(Slow())
    assert not rc.tasks.running


async def test_a_failed_install_leaves_the_one_beside_it_alone(rc):
    first, failed = anyio.Event(), anyio.Event()

    class Slow(Extension):
        async def install(self, rc):
            first.set()
            await failed.wait()

    class Broken(Extension):
        async def install(self, rc):
            raise TransportError("no way")

    async with anyio.create_task_group() as group:
        group.start_soon(rc.install_extension, Slow())
        await first.wait()
        with pytest.raises(TransportError):
            await rc.install_extension(Broken())
        assert rc.tasks.running
        failed.set()


async def test_installing_twice(rc):
    extension = Extension()
    await rc.install_extension(extension)
    with pytest.raises(ConfigurationError, match="already"):
        await rc.install_extension(extension)


async def test_closing_is_in_reverse_order_isolated_and_idempotent(rc, caplog):
    log = []

    class Closing(Extension):
        def __init__(self, name):
            self.name = name

        async def aclose(self):
            log.append(self.name)
            if self.name == "B":
                raise ValueError("broken")

    for name in "ABC":
        await rc.install_extension(Closing(name))
    with caplog.at_level(logging.ERROR, "rcex_ws.rest"):
        await rc.aclose()
    assert log == ["C", "B", "A"]
    assert "broken" in caplog.text
    assert not rc.tasks.running
    await rc.aclose()
    assert log == ["C", "B", "A"]
    with pytest.raises(NotConnected, match="closed"):
        await rc.get(PATH)
    with pytest.raises(NotConnected, match="closed"):
        await rc.install_extension(Extension())


async def test_an_extension_may_call_while_it_closes(rc, api):
    log = []
    api.delete(PATH).respond(204)

    class Closing(Extension):
        async def aclose(self):
            log.append((await rc.delete(PATH)).status_code)

    await rc.install_extension(Middleware("A", log))
    await rc.install_extension(Closing())
    await rc.aclose()
    assert log == ["A>", "<A", 204]


async def test_a_client_closed_during_an_install(rc):
    log = []

    class Slow(Extension):
        async def install(self, rc):
            await rc.aclose()

        async def aclose(self):
            log.append("closed")

    with pytest.raises(NotConnected, match="closed"):
        await rc.install_extension(Slow())
    assert log == ["closed"]
    assert not rc.tasks.running


async def test_async_with(api, token):
    api.get(PATH).respond(204)
    async with RingCentral(token=token) as rc:
        await rc.get(PATH)
    with pytest.raises(NotConnected, match="closed"):
        await rc.get(PATH)


async def test_a_forgotten_close_is_told(api, token):
    api.get(PATH).respond(204)
    rc = RingCentral(token=token)
    await rc.get(PATH)
    gc.collect()
    del rc
    with pytest.warns(ResourceWarning, match="was not closed"):
        gc.collect()


async def test_an_unused_client_needs_no_close(token):
    rc = RingCentral(token=token)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del rc
        gc.collect()


def test_a_client_that_was_never_made_says_nothing():
    with pytest.raises(ConfigurationError):
        RingCentral(server="x")
    gc.collect()


async def test_a_thousand_extensions_that_take_nothing_cost_no_stack(rc, api):
    class Idle(Extension):
        def takes(self, request):
            return False

        async def transport(self, request, call_next):
            raise AssertionError("it was not to be asked")

    api.get(PATH).respond(204)
    for _ in range(1000):
        await rc.install_extension(Idle())
    assert (await rc.get(PATH)).via == "https"


async def test_a_transport_that_does_not_keep_the_deadline_is_cancelled_at_it(rc, ms):
    class Slow(Extension):
        async def transport(self, request, call_next):
            await anyio.sleep(10)

    await rc.install_extension(Slow())
    with pytest.raises(RequestTimeout):
        await rc.get(PATH, timeout=20 * ms)
