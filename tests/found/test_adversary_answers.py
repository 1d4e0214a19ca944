"""Failures found by a server made to break the client: answers and frames that no honest one gives."""

from __future__ import annotations

import gc
import socket
import threading

import anyio
import pytest

from rcex_ws import (
    Events,
    Extension,
    NotJSON,
    RcexError,
    RingCentral,
    State,
    SubscriptionInfo,
    SubscriptionState,
    TransportError,
)
from rcex_ws.bounds import WSTOKEN_LIFETIME
from rcex_ws.readers import encodable
from rcex_ws.rest import Request, Response
from rcex_ws.slack import RTMClient
from rcex_ws.wsg.subscription_machine import SubscriptionMachine
from tests.found.lost import until
from tests.found.peer import MESSAGES
from tests.found.test_answers import GET, OAUTH, WSTOKEN, client, extension, http

#: As deep as the standard library reads it; half a character is what msgspec refuses.
DEEP = '"half":"\\ud800","deep":' + "[" * 600 + "]" * 600
#: A name of a host that no library can make one of.
NOWHERE = "Location: http://xn--a/"


async def test_deep_json_with_half_a_character_from_the_wstoken_endpoint_is_tried_again(peer, told):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension()
        told.listen(ext)
        peer.scripted[WSTOKEN] = [http(200, f'{{"ws_access_token":"x",{DEEP}}}'.encode())]
        await rc.install_extension(ext)
        assert ext.state is State.READY
        assert (await told.wait(Events.AUTO_RECOVER_ERROR)).retryable


async def test_deep_json_with_half_a_character_in_an_error_frame_costs_one_connection(peer, told):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension()
        told.listen(ext)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        peer.send_raw(f'[{{"type":"Error","status":400}},{{"errorCode":"WSG-1",{DEEP}}}]')
        await told.wait(Events.CONNECTION_READY, 2)
        peer.notify(1)
        await told.number(1)


def test_what_is_too_deep_to_be_looked_at_is_no_json():
    with pytest.raises(NotJSON):
        encodable(Response(200, {}, b"[" * 600 + b"]" * 600).json())


@pytest.mark.parametrize("charset", ["idna", "undefined", "punycode", "\x00", "hex", "none"])
def test_a_text_in_any_charset_can_be_read(charset):
    assert "abc" in Response(200, {"Content-Type": f"text/html; charset={charset}"}, b"\xffabc").text


@pytest.mark.parametrize("path", [OAUTH, GET])
async def test_a_redirection_to_no_host_is_an_error_of_ours(peer, path):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        peer.scripted[path] = [http(302, b"", NOWHERE)] * 2
        for call in (rc.refresh,) if path == OAUTH else (lambda: rc.get(path), lambda: rc.post(path)):
            with pytest.raises(TransportError):
                await call()


async def test_nor_does_it_end_slack(peer):
    peer.scripted["/rtm.connect"] = [http(302, b"", NOWHERE)] * 100
    slack = RTMClient("xoxb-1", api_url=peer.server, open_timeout=0.3, reconnect_delays=lambda _: 0.1)
    with pytest.raises(RcexError) as caught:
        await slack.start()
    assert caught.value.retryable
    await slack.aclose()


@pytest.mark.parametrize("header", ["Location: /ws", "Retry-After: 0"])
async def test_a_header_that_comes_twice_does_not_end_the_client(peer, told, header):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        peer.scripted["/ws"] = [http(302, b"", header, header)]
        ext = extension()
        told.listen(ext)
        await rc.install_extension(ext)
        assert ext.state is State.READY


class Broken(Extension):
    """Be a middleware with a bug."""

    def __init__(self, *methods: str) -> None:
        self.methods = methods

    async def handle(self, request, call_next):
        if request.method in self.methods:
            raise KeyError("a bug of the application")
        return await call_next(request)


async def test_a_middleware_that_raises_does_not_end_the_client_after_a_suspend(peer, told):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        await rc.install_extension(Broken("GET"))
        ext = extension()
        await rc.install_extension(ext)
        assert ext._runtime is not None
        ext._runtime._check_after_suspend()
        await anyio.sleep(0.1)
        assert ext.state is State.READY


async def test_a_middleware_that_raises_does_not_keep_the_client_from_closing(peer, told):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        await rc.install_extension(Broken("DELETE"))
        ext = extension()
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        await ext.revoke()
        assert ext.state is State.CLOSED


@pytest.mark.parametrize("status", [0, 100, 302])
async def test_an_answer_that_is_no_refusal_does_not_end_the_subscription(peer, told, status, monkeypatch):
    """What asserts the filters anew gets an answer without a status that says anything."""
    answer, odd = peer._answer, [status]

    def answer_oddly(method, path, body):
        real = answer(method, path, body)
        return (odd.pop(), {}) if method == "POST" and "subscription" in path and told.names and odd else real

    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension()
        told.listen(ext)
        await rc.install_extension(ext)
        odd.clear()
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        odd.append(status)
        monkeypatch.setattr(peer, "_answer", answer_oddly)
        peer.refuse_recovery = "WSG-1003"
        peer.reset()
        await told.wait(Events.AUTO_RECOVER_ERROR)
        peer.refuse_recovery = None
        await told.wait(Events.AUTO_RECOVER_FAILED)
        assert subscription.state is SubscriptionState.ACTIVE
        peer.notify(1)
        await told.number(1)


def test_an_unused_wstoken_does_not_hold_the_client_to_a_dead_address_for_long():
    assert WSTOKEN_LIFETIME.clamp(3600) <= 60  # a session is kept for 180 s


async def test_what_vanishes_in_a_frame_without_end_is_no_sign_of_life(peer, told):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension(heartbeat_interval=0.1, heartbeat_timeout=0.2)
        told.listen(ext)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        peer._link._sock.sendall(b"\x81\x7f" + (10 * 2**20).to_bytes(8, "big"))
        for number in range(1, 21):  # as its heartbeats are answered, too
            peer.notify(number)
            await anyio.sleep(0.05)
        await told.wait(Events.CONNECTION_READY, 2)
        assert told.gaps
        peer.notify(21)
        await told.until(lambda: 21 in told.numbers)


async def test_a_large_frame_on_its_way_is_one(peer, told):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension(heartbeat_interval=0.1, heartbeat_timeout=0.2)
        told.listen(ext)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        sock, text = peer._link._sock, b'[{"type":"Odd"},"' + b"x" * 2**20 + b'"]'
        sock.sendall(b"\x81\x7f" + len(text).to_bytes(8, "big"))
        for start in range(0, len(text), 2**15):
            sock.sendall(text[start : start + 2**15])
            await anyio.sleep(0.03)
        peer.notify(1)
        await told.number(1)
        assert ext.stats.connections == 1


async def test_a_token_in_each_frame_does_not_fill_the_memory_behind_a_slow_handler(peer, told):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension()
        released, told_tokens = anyio.Event(), []

        async def hold(wsc):
            told_tokens.append(wsc.sequence)
            await released.wait()

        ext.on(Events.NEW_WSC, hold)
        await rc.install_extension(ext)
        for number in range(100, 2100):
            peer.send_raw(f'[{{"type":"x","wsc":{{"token":"t","sequence":{number}}}}}]')
        await until(lambda: ext.wsc.sequence == 2099)
        released.set()
        await until(lambda: told_tokens[-1] == 2099)
        assert len(told_tokens) < 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 400 Bad\r\n\r\n", b"\x05\x00\x05\x00\x00\x09abc"])
async def test_a_proxy_that_does_not_speak_socks_is_an_error_of_ours(reply):
    """The socket of such a proxy is left to the collector by httpcore, which warns of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            sock, _ = listener.accept()
            with sock:
                sock.recv(100)
                sock.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        proxy = f"socks5://127.0.0.1:{listener.getsockname()[1]}"
        async with RingCentral(server="http://127.0.0.1:1", client_id="id", client_secret="secret", proxy=proxy) as rc:
            with pytest.raises(TransportError, match="does not speak SOCKS"):
                await rc._calls.send_as_application(Request("POST", "/x"))
        thread.join()
        gc.collect()  # here, not in another test


def test_what_a_server_refuses_to_delete_is_not_kept_without_end():
    machine: SubscriptionMachine[None] = SubscriptionMachine()
    for number in range(1000):
        machine.granted_late(SubscriptionInfo(id=str(number)))
    assert len(machine.orphans) == 100
    assert machine.orphans[-1] == "999"
