"""Failures found when a program is ended out of a callback: by Ctrl-C, by SystemExit."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from rcex_ws import NotConnected, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"

PROGRAM = """
import os, signal, sys, time
import anyio
from rcex_ws import RingCentral, WebSocketExtension

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"
backend, where, how, style, server, client_id, secret, jwt = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # what the shell has started in the background ignores it


def strike(*args):
    print("struck at", time.monotonic(), file=sys.stderr, flush=True)
    if how == "sys.exit":
        sys.exit(3)
    if how == "raise":
        raise KeyboardInterrupt
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)  # where it strikes, on trio


async def use(rc):
    await rc.authorize(jwt=jwt)
    ext = WebSocketExtension(on_gap=strike if where == "on_gap" else None, reconnect_delays=lambda n: 0.01)
    if where == "handler":
        ext.on("connectionReady", strike)
    await rc.install_extension(ext)
    await ext.subscribe([MESSAGES], strike if where == "callback" else print)
    print("subscribed", flush=True)
    if where == "on_gap":
        ext.ws.abort()
    me = {"extensionNumber": (await rc.restapi().account().extension().get())["extensionNumber"]}
    await rc.restapi().account().extension().company_pager().post(json={"from": me, "to": [me], "text": "x"})
    await anyio.sleep(30)
    print("it went on", flush=True)


async def main():
    rc = RingCentral(server=server, client_id=client_id, client_secret=secret)
    if style == "async with":
        async with rc:
            await use(rc)
    else:
        try:
            await use(rc)
        finally:
            await rc.aclose()
            print("closed", flush=True)


if backend == "trio":
    import trio

    trio.run(main)
else:
    import asyncio

    asyncio.run(main())
"""


CASES = [
    ("callback", "sys.exit", "async with"),
    ("callback", "raise", "async with"),
    ("callback", "Ctrl-C", "async with"),
    ("handler", "sys.exit", "aclose"),
    ("on_gap", "Ctrl-C", "aclose"),
]


@pytest.mark.parametrize(("where", "how", "style"), CASES)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_e6_what_ends_the_program_in_a_callback_ends_it_in_order(
    gateway: Gateway, backend: str, where: str, how: str, style: str
) -> None:
    account = (gateway.server, gateway.client_id, gateway.client_secret, gateway.jwt)
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", PROGRAM, backend, where, how, style, *account],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    over = time.monotonic()
    shown = ended.stdout + ended.stderr
    assert ended.returncode == (3 if how == "sys.exit" else -2), shown
    assert "it went on" not in shown
    for trouble in ("Internal", "internal error", "file a bug", "never retrieved", "never awaited", "ExceptionGroup"):
        assert trouble not in shown, shown
    assert "destroyed" not in ended.stderr, shown
    struck = float(ended.stderr.rpartition("struck at ")[2].split()[0])
    assert over - struck < 10, shown  # not the sleep, and no close that waits for what is gone
    deleted = [e for e in gateway.log() if e["kind"] == "request" and e["method"] == "DELETE"]
    if "subscribed" in ended.stdout:
        assert deleted, "an orderly end leaves no subscription behind: " + shown


def test_e6_a_loop_that_goes_on_finds_no_dead_client(gateway: Gateway) -> None:
    """A notebook's, or that of `python -m asyncio`: an interrupt ends one piece of code, not the loop."""

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    with asyncio.Runner() as runner:
        run = runner.run
        rc = RingCentral(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret)
        run(rc.authorize(jwt=gateway.jwt))
        ext = WebSocketExtension(reconnect_delays=lambda _: 0.01)
        off = ext.on("disconnected", interrupted)
        run(rc.install_extension(ext))
        run(ext.subscribe([MESSAGES], interrupted))
        # In a handler: the connection goes on.
        gateway.cut()
        with pytest.raises(KeyboardInterrupt):
            run(asyncio.sleep(5))
        off()
        run(asyncio.sleep(0.3))
        assert ext.state == "ready"
        # In the callback of the subscription: it has no consumer any more, so the client says that it is at an end.
        gateway.notify(MESSAGES, {"text": "x"})
        with pytest.raises(KeyboardInterrupt):
            run(asyncio.sleep(5))
        assert ext.state == "failed"
        assert "KeyboardInterrupt" in ext.state_reason.text
        for call in (ext.recover, lambda: ext.subscribe([MESSAGES + "?x"])):
            with pytest.raises(NotConnected, match="KeyboardInterrupt"):
                run(asyncio.wait_for(call(), 5))
        got: list[str] = []
        run(asyncio.wait_for(ext.connect(), 5))
        run(ext.subscribe([MESSAGES], lambda notification: got.append(notification.body["text"])))
        gateway.notify(MESSAGES, {"text": "again"})
        run(asyncio.sleep(0.3))
        assert got == ["again"]
        run(rc.aclose())
    made = [e for e in gateway.log() if e["kind"] == "request" and "/subscription" in e["path"]]
    assert [e["method"] for e in made].count("POST") == [e["method"] for e in made].count("DELETE") == 2


CALLBACK_CLIENT = """
import signal, sys, threading
from websockets.sync.server import serve
from rcex_ws.callback import Reply, Reconnect, Text, WebSocketClient, WebSocketHandler

signal.signal(signal.SIGINT, signal.default_int_handler)  # what the shell has started in the background ignores it

class Handler(WebSocketHandler):
    def onconnect(self, ref, state):
        return Reply(Text("hello"), state)
    def websocket_handle(self, frame, ref, state):
        if sys.argv[2] == "sys.exit":
            sys.exit(3)
        raise KeyboardInterrupt
    def ondisconnect(self, reason, state):
        return Reconnect(state, delay=0.05)

def echo(connection):
    for message in connection:
        connection.send(message)

async def main():
    await WebSocketClient.run(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/", Handler(), 0)

with serve(echo, "127.0.0.1", 0) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if sys.argv[1] == "trio":
        import trio
        trio.run(main)
    else:
        import asyncio
        asyncio.run(main())
"""


@pytest.mark.parametrize(("how", "code"), [("sys.exit", 3), ("raise", -2)])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_e6_the_callback_client_wraps_it_in_no_group(backend: str, how: str, code: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", CALLBACK_CLIENT, backend, how],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    assert "ExceptionGroup" not in ended.stderr
