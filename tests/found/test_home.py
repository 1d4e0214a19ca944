"""Failures found around the client: other loops, other threads, child processes, another client."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rcex_ws import (
    ConfigurationError,
    ConnectFailed,
    NotConnected,
    RingCentral,
    WebSocketExtension,
    WrongEventLoop,
)
from rcex_ws.callback import Ok, Text, WebSocketClient, WebSocketHandler
from rcex_ws.gateway import Gateway
from rcex_ws.slack import RTMClient
from rcex_ws.testing import FakeSlack

INFO = "/restapi/v1.0/account/~/extension/~"
MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"


def client(gateway: Gateway, **options: Any) -> RingCentral:
    return RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret, **options
    )


def elsewhere(function: Callable[[], object]) -> Exception | None:
    """Call a function in another thread; give what it raised."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            function()
        except Exception as exc:  # noqa: BLE001 - the test looks at it
            raised.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it hangs"
    return raised[0] if raised else None


def step(awaitable: Any) -> object:
    """Run an awaitable up to its first wait, in a thread that has no event loop."""
    return awaitable.__await__().send(None)


CALLS: dict[str, Callable[[RingCentral, WebSocketExtension], Any]] = {
    "get": lambda rc, ext: rc.get(INFO),
    "path builder": lambda rc, ext: rc.restapi().account().extension().get(),
    "authorize": lambda rc, ext: rc.authorize(jwt="x"),
    "ensure_token": lambda rc, ext: rc.ensure_token(),
    "refresh": lambda rc, ext: rc.refresh(),
    "revoke login": lambda rc, ext: rc.revoke(),
    "stream": lambda rc, ext: rc.stream("GET", INFO).__aenter__(),
    "install_extension": lambda rc, ext: rc.install_extension(WebSocketExtension()),
    "aclose": lambda rc, ext: rc.aclose(),
    "subscribe": lambda rc, ext: ext.subscribe([MESSAGES]),
    "request": lambda rc, ext: ext.request("GET", INFO),
    "connect": lambda rc, ext: ext.connect(),
    "recover": lambda rc, ext: ext.recover(),
    "revoke": lambda rc, ext: ext.revoke(),
    "detach": lambda rc, ext: ext.detach(),
    "update": lambda rc, ext: ext.subscription.update([MESSAGES]),
    "subscription revoke": lambda rc, ext: ext.subscription.revoke(),
    "subscription refresh": lambda rc, ext: ext.subscription.refresh(),
}


async def test_e2_a_client_is_refused_in_another_event_loop(gateway: Gateway) -> None:
    rc = client(gateway)
    await rc.authorize(jwt=gateway.jwt)
    ext = WebSocketExtension(rest_over_websocket=True)
    await rc.install_extension(ext)
    await ext.subscribe([MESSAGES])
    for name, call in CALLS.items():

        async def run(call: Any = call) -> None:
            await call(rc, ext)

        with anyio.fail_after(10):
            error = await anyio.to_thread.run_sync(elsewhere, lambda run=run: asyncio.run(run()))
        assert isinstance(error, WrongEventLoop), name
        assert "belongs to another event loop; make one per loop" in str(error), name
    assert (await rc.get(INFO)).via == "websocket"  # it has taken no harm
    await rc.aclose()


def test_e2_two_runs_of_a_loop_one_after_the_other(gateway: Gateway) -> None:
    """What Django's `async_to_sync` does: a new loop for each call."""
    rc = client(gateway)
    asyncio.run(_log_in(rc, gateway.jwt))
    with pytest.raises(WrongEventLoop, match="make one per loop"):
        asyncio.run(_get(rc))


async def _log_in(rc: RingCentral, jwt: str) -> None:
    await rc.authorize(jwt=jwt)
    await rc.get(INFO)
    await rc._https.aclose()  # its client would go on into the next loop


async def _get(rc: RingCentral) -> None:
    await rc.get(INFO)


async def test_e3_a_call_from_another_thread_is_refused_at_once(gateway: Gateway) -> None:
    async with client(gateway) as rc:
        await rc.authorize(jwt=gateway.jwt)
        ext = WebSocketExtension(rest_over_websocket=True)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES])
        for name, call in CALLS.items():
            error = await anyio.to_thread.run_sync(elsewhere, lambda call=call: step(call(rc, ext)))
            assert isinstance(error, WrongEventLoop), name
            assert "anyio.from_thread.run" in str(error), name
            assert "asyncio.run_coroutine_threadsafe" in str(error), name
        assert ext.ws is not None
        assert isinstance(await anyio.to_thread.run_sync(elsewhere, ext.ws.abort), WrongEventLoop)
        subscription = ext.subscription
        assert isinstance(await anyio.to_thread.run_sync(elsewhere, lambda: aiter(subscription)), WrongEventLoop)
        assert ext.state == "ready"
        answer = await anyio.to_thread.run_sync(anyio.from_thread.run, rc.get, INFO)  # the remedy
        assert answer.via == "websocket"


async def test_e3_slack_refuses_another_thread(fake_slack: FakeSlack) -> None:
    rtm = RTMClient(fake_slack.token, api_url=fake_slack.api_url)
    await rtm.start()
    try:
        for call in (
            lambda: rtm.send_message("hi", "C1"),
            lambda: step(rtm.aclose()),
            lambda: step(rtm.start()),
        ):
            error = await anyio.to_thread.run_sync(elsewhere, call)
            assert isinstance(error, WrongEventLoop)
    finally:
        await rtm.aclose()


class Quiet(WebSocketHandler[None]):
    async def init(self, state: None) -> Ok[None]:
        return Ok(state)


async def test_e3_the_callback_client_refuses_another_thread(gateway: Gateway) -> None:
    async with anyio.create_task_group() as group:
        websocket = await WebSocketClient.start("ws://127.0.0.1:1/", Quiet(), None, task_group=group)
        for call in (
            lambda: websocket.cast(Text("x")),
            lambda: websocket.info("x"),
            lambda: step(websocket.stop()),
        ):
            assert isinstance(await anyio.to_thread.run_sync(elsewhere, call), WrongEventLoop)
        group.cancel_scope.cancel()


FORK = """
import asyncio, os, sys, time
from pathlib import Path
from rcex_ws import FileSessionStore, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway

def sockets():
    return sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                  if os.path.islink(f"/proc/self/fd/{fd}"))

async def main(server, client_id, secret, jwt, folder):
    before = sockets()
    rc = RingCentral(server=server, client_id=client_id, client_secret=secret)
    await rc.authorize(jwt=jwt)
    ext = WebSocketExtension(session_store=FileSessionStore(folder + "/session.json"))
    await rc.install_extension(ext)
    await ext.subscribe(["/restapi/v1.0/account/~/extension/~/message-store"])
    child = os.fork()
    if child == 0:
        try:
            left = [name for name in set(sockets()) - set(before) if name != os.devnull]
            print("LEFT", *left)
            for call in (rc.get("/x"), ext.subscribe(["/restapi/v1.0/x"]), rc.aclose()):
                try:
                    call.send(None)
                except Exception as error:
                    print(type(error).__name__, error)
            sys.stdout.flush()
            try:
                asyncio.run(ext.detach())
            except Exception as error:
                print(type(error).__name__, error)
            sys.stdout.flush()
            sys.stdin.read()  # the parent's end comes first
        finally:
            os._exit(0)
    await asyncio.sleep(0.5)
    await rc.aclose()  # detaches: the lock is free though the child lives
    import fcntl
    with open(folder + "/session.json.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("FREE")
    sys.stdout.flush()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_e4_a_child_process_refuses_every_call_and_keeps_nothing_of_the_parents_open(
    gateway: Gateway, tmp_path: Any
) -> None:
    command = [sys.executable, "-c", FORK, gateway.server, gateway.client_id, gateway.client_secret, gateway.jwt]
    with subprocess.Popen(
        [*command, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        out, err = program.communicate(timeout=30)
    lines = out.splitlines()
    assert lines[0].strip() == "LEFT", (lines, err)
    refused = [line for line in lines if line.startswith("WrongEventLoop")]
    assert len(refused) == 4, (lines, err)
    assert all("another process" in line for line in refused)
    assert "FREE" in lines, (lines, err)


async def test_e7_an_extension_is_installed_into_one_client(gateway: Gateway) -> None:
    async with client(gateway) as first, client(gateway) as second:
        for rc in (first, second):
            await rc.authorize(jwt=gateway.jwt)
        ext = WebSocketExtension()
        await first.install_extension(ext)
        with pytest.raises(ConfigurationError, match="is installed in another client; make one for each"):
            await second.install_extension(ext)
        assert ext.state == "ready"
        await ext.subscribe([MESSAGES])


async def test_e7_while_it_is_being_installed_and_again_after_a_failure(gateway: Gateway) -> None:
    async with client(gateway) as first, client(gateway) as second:
        for rc in (first, second):
            await rc.authorize(jwt=gateway.jwt)
        ext = WebSocketExtension(open_timeout=1.0)
        refused: list[Exception] = []

        async def install(rc: RingCentral) -> None:
            try:
                await rc.install_extension(ext)
            except ConfigurationError as exc:
                refused.append(exc)

        async with anyio.create_task_group() as group:
            for rc in (first, second, first):
                group.start_soon(install, rc)
        assert len(refused) == 2
        assert ext.state == "ready"
    async with client(gateway) as third:
        with pytest.raises(ConfigurationError):  # nobody is logged in: it is free for another try
            await third.install_extension(ext := WebSocketExtension())
        await third.authorize(jwt=gateway.jwt)
        await third.install_extension(ext)


async def test_e7_an_extension_that_is_not_installed_does_not_connect(gateway: Gateway) -> None:
    """Else it would live on behind a client that does not know it."""
    ext = WebSocketExtension(open_timeout=0.5, reconnect_delays=lambda _: 0.01)
    async with client(gateway) as rc:
        await rc.authorize(jwt=gateway.jwt)
        gateway.refuse("upgrade", 503, times=None)
        with pytest.raises(ConnectFailed):
            await rc.install_extension(ext)
        gateway.clear_faults()
        with pytest.raises(NotConnected, match=r"rc\.install_extension"):
            await ext.connect()
        await rc.install_extension(ext)
    with pytest.raises(NotConnected, match=r"rc\.install_extension"):
        await ext.connect()
    assert not rc.tasks.running


async def test_e7_closing_the_client_ends_what_is_being_installed(gateway: Gateway) -> None:
    rc = client(gateway)
    await rc.authorize(jwt=gateway.jwt)
    gateway.refuse("upgrade", "hang", times=None)
    refused: list[Exception] = []

    async def install() -> None:
        try:
            await rc.install_extension(WebSocketExtension(open_timeout=20, close_timeout=1))
        except Exception as exc:  # noqa: BLE001 - the test looks at it
            refused.append(exc)

    with anyio.fail_after(8):
        async with anyio.create_task_group() as group:
            group.start_soon(install)
            await anyio.sleep(0.3)
            await rc.aclose()
    assert [type(exc) for exc in refused] == [NotConnected]
    gateway.clear_faults()


FRESH = """
import asyncio, os, sys
from rcex_ws import RingCentral
server, client_id, secret, jwt = sys.argv[1:]
rc = RingCentral(server=server, client_id=client_id, client_secret=secret)

async def main():
    async with rc:
        await rc.authorize(jwt=jwt)
        print((await rc.get("/restapi/v1.0/account/~/extension/~")).status_code)

if os.fork() == 0:
    asyncio.run(main())
    os._exit(0 if sys.stdout.flush() is None else 1)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_e4_a_client_that_was_not_used_before_the_fork_lives_in_the_child(gateway: Gateway) -> None:
    command = [sys.executable, "-c", FRESH, gateway.server, gateway.client_id, gateway.client_secret, gateway.jwt]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.stdout == "200\n", ended.stderr
