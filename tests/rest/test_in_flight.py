"""No call outlives its client: what is under way when it is closed ends, and nothing is sent afterwards."""

from __future__ import annotations

import socket
import threading
from functools import partial

import anyio
import anyio.from_thread
import anyio.lowlevel
import httpx
import pytest

from rcex_ws.errors import NotConnected, TransportError
from rcex_ws.rest import Extension

PATH = "/restapi/v1.0/account/~"


async def ended(call, under_way, close):
    """Run a call, close its client meanwhile, and return the error that the call ends with."""

    async def perform():
        with pytest.raises((TransportError, NotConnected)) as caught:
            await call()
        errors.append(caught.value)

    errors = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(perform)
            await under_way.wait()
            await close()
            await anyio.wait_all_tasks_blocked()
            assert errors, "the call goes on after its client was closed"
    return errors[0]


async def test_what_is_being_connected(make_client, token, monkeypatch):
    asked, answer = anyio.Event(), threading.Event()
    token_of_loop = anyio.lowlevel.current_token()

    def slow_name_server(host, port, *args, **kwargs):
        if threading.current_thread() is threading.main_thread():  # trio asks first whether it is an address
            return getaddrinfo(host, port, *args, **kwargs)
        anyio.from_thread.run_sync(asked.set, token=token_of_loop)
        answer.wait(5)
        return getaddrinfo("127.0.0.1", 9, type=socket.SOCK_STREAM)

    getaddrinfo = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", slow_name_server)
    rc = make_client(server="http://slow.invalid", token=token)
    try:
        error = await ended(partial(rc.get, PATH), asked, rc.aclose)
    finally:
        answer.set()
    assert str(error) == f"GET {PATH}: the client was closed before the answer came"
    assert (type(error), error.retryable) == (TransportError, False)


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_the_users_own_http_client_is_sending(make_client, token, streamed):
    asked = anyio.Event()

    async def never_answer(request):
        asked.set()
        await anyio.sleep_forever()

    async with httpx.AsyncClient(transport=httpx.MockTransport(never_answer)) as http:
        rc = make_client(http=http, token=token)

        async def stream():
            async with rc.stream("GET", PATH):
                pass

        error = await ended(stream if streamed else partial(rc.get, PATH), asked, rc.aclose)
        assert not http.is_closed
    assert "closed before the answer came" in str(error)


async def test_what_an_extension_holds_back(rc, api):
    route = api.get(PATH).respond(200)
    held, closed = anyio.Event(), anyio.Event()

    class Hold(Extension):
        async def handle(self, request, call_next):
            held.set()
            await closed.wait()
            return await call_next(request)

    async def close():
        await rc.aclose()
        closed.set()

    await rc.install_extension(Hold())
    error = await ended(partial(rc.get, PATH), held, close)
    assert str(error) == f"GET {PATH}: the client is closed; the call was not sent"
    assert (type(error), error.retryable, route.called) == (NotConnected, False, False)
