"""Failures found in answers and frames: none of them ends the client, raises a foreign error or makes a hot loop."""

from __future__ import annotations

import gzip
import json
import logging
import math
import pickle
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from rcex_ws import (
    ConfigurationError,
    ConnectFailed,
    Events,
    FileSessionStore,
    NotJSON,
    RcexError,
    ResponseTooLarge,
    RestError,
    RingCentral,
    State,
    Token,
    TransportError,
    WebSocketExtension,
)
from rcex_ws.bounds import TOKEN_LIFETIME
from rcex_ws.callback import WebSocketClient
from rcex_ws.rest import RateGate
from rcex_ws.rest.headers import Headers
from rcex_ws.slack import RTMClient
from rcex_ws.testing.fake_slack import FakeSlack
from tests.callback.scripted import Scripted
from tests.found.lost import until
from tests.found.peer import MESSAGES, Peer

WSTOKEN, OAUTH, SUBSCRIPTION = "/restapi/oauth/wstoken", "/restapi/oauth/token", "/restapi/v1.0/subscription"
GET = "/restapi/v1.0/x"
DEEP = b"[" * 100_000
LATIN = '{"errorCode": "CMN-101", "message": "Geräte"}'.encode("latin-1")


def http(status: int, body: bytes = b"", *headers: str, kind: str = "application/json") -> bytes:
    """Write an HTTP answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(**members: object) -> bytes:
    return http(200, json.dumps(members).encode())


@asynccontextmanager
async def client(peer: Peer, **options: object) -> AsyncGenerator[RingCentral]:
    async with RingCentral(server=peer.server, client_id="id", client_secret="secret", **options) as rc:
        yield rc


def extension(**options: object) -> WebSocketExtension:
    return WebSocketExtension(reconnect_delays=lambda _: 0.02, **options)


BAD = {
    "503-latin-1": http(503, LATIN),
    "503-deep": http(503, DEEP),
    "503-empty": http(503),
    "200-bad-utf-8": http(200, b'{"access_token": "\xff", "ws_access_token": "\xff"}'),
    "200-deep": http(200, DEEP),
    "200-huge-number": http(200, b'{"access_token": ' + b"9" * 5000 + b"}"),
    "200-list": http(200, b"[]"),
    "200-null": http(200, b"null"),
    "200-empty": http(200),
    "200-html": http(200, b"<html>", kind="text/html"),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
}


@pytest.mark.parametrize("path", [OAUTH, WSTOKEN])
@pytest.mark.parametrize("name", BAD)
async def test_a1_a_bad_answer_to_a_call_of_ours_is_tried_again(peer, path, name):
    async with client(peer) as rc:
        if path == OAUTH:
            peer.scripted[path] = [BAD[name]]
            with pytest.raises(RcexError) as caught:
                await rc.authorize(jwt="jwt")
            assert caught.value.retryable
        await rc.authorize(jwt="jwt")
        peer.scripted[WSTOKEN] = [BAD[name]] if path == WSTOKEN else []
        ext = extension()
        await rc.install_extension(ext)
        assert ext.state is State.READY


@pytest.mark.parametrize(
    "name", [name for name in BAD if name.startswith("2") and name not in {"200-list", "200-null"}]
)
async def test_a1_a_caller_hears_that_an_answer_is_no_json(peer, name):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        peer.scripted[GET] = [BAD[name]]
        response = await rc.get(GET)
        with pytest.raises(NotJSON, match=f"the answer {response.status_code} .* is no JSON") as caught:
            response.json()
        assert not caught.value.retryable


@pytest.mark.parametrize("name", [name for name in BAD if name.startswith("5")])
async def test_a1_an_error_keeps_what_its_status_says(peer, name):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        peer.scripted[GET] = [BAD[name]]
        with pytest.raises(RestError) as caught:
            await rc.get(GET)
        assert (caught.value.status_code, caught.value.retryable) == (503, True)


@pytest.mark.parametrize("name", BAD)
async def test_a1_a_bad_answer_to_a_refresh_is_no_foreign_error(peer, name):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        refreshable = Token(access_token="A", refresh_token="R", expires_at=time.time() + 100)
    async with client(peer, token=refreshable) as rc:
        peer.scripted[OAUTH] = [BAD[name]] * (
            1 if name.startswith("5") else 2
        )  # what was no answer is asked for once more
        with pytest.raises(RcexError) as caught:
            await rc.refresh()
        assert caught.value.retryable
        assert (await rc.refresh()).access_token == "token"


FRAMES = [
    '[{"status":"²"},--B\r\n\r\n--B--]',
    '[{"status":"%s"},--B\r\n\r\n--B--]' % ("9" * 5000),
    '[{"status":%s}]' % ("9" * 5000),
    '[{"type":"ServerNotification","messageId":"x","wsc":{"token":"\\ud800","sequence":99}},{"event":"e","uuid":"u"}]',
    '[{"type":"ServerNotification"},{"event":"\\ud800","uuid":"\\ud801","subscriptionId":"\\ud802"}]',
    '[{"type":"ClientRequest","messageId":{"a":1},"status":-5}]',
    '[{"type":"ConnectionDetails","wsc":{"token":"x","sequence":1e999}},{"recoveryTimeout":1e999}]',
    "[" * 50_000,
    "[{}",
]

ERRORS = ['{"errorCode":{"a":[]},"message":7}', '"%s"' % ("x" * 70_000), '{"errorCode":"\\ud800"}', "[]", "1e999"]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame[:30])
async def test_a2_a_frame_that_cannot_be_read_does_not_end_the_client(peer, told, tmp_path, frame):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension(session_store=FileSessionStore(tmp_path / "session"))
        told.listen(ext)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        await anyio.to_thread.run_sync(peer.send_raw, frame)
        peer.notify(1)
        await told.until(lambda: {"i": 1} in [one.body for one in told.of("notification")])
        peer.reset()
        await told.wait(Events.AUTO_RECOVER_SUCCESS)
        peer.notify(2)
        await told.until(lambda: {"i": 2} in [one.body for one in told.of("notification")])
        assert ext.state is State.READY
    stored = json.loads((tmp_path / "session").read_bytes())  # what is kept can be written
    assert "\\ud800" not in stored["wsc"]["token"]


@pytest.mark.parametrize("body", ERRORS, ids=lambda body: body[:30])
async def test_a2_an_error_frame_with_any_body_costs_one_connection(peer, told, body):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension()
        told.listen(ext)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        peer.send_raw(f'[{{"type":"Error","status":400}},{body}]')
        await told.wait(Events.CONNECTION_READY, 2)
        await until(lambda: peer.connected)
        peer.notify(1)
        await told.number(1)


@pytest.mark.parametrize("value", [0, -1, 1e-9, 1e308, "soon", None, "NaN", True, {}])
async def test_a3_a_lifetime_without_sense_makes_no_hot_loop(peer, value):
    token = answer(access_token="token", refresh_token="R", expires_in=value, refresh_token_expires_in=value)
    async with client(peer) as rc:
        peer.scripted[OAUTH] = [token] * 50
        began = time.time()
        await rc.authorize(jwt="jwt")
        await rc.install_extension(extension())
        for _ in range(5):
            await rc.get(GET)
        assert len(peer.scripted[OAUTH]) == 49
        assert TOKEN_LIFETIME.least <= rc.token.lifetime <= TOKEN_LIFETIME.most
        assert began + TOKEN_LIFETIME.least <= rc.token.expires_at <= time.time() + TOKEN_LIFETIME.most


ADDRESSES = ["", "http://127.0.0.1/", "ws://[x", "ws://h:99999/", "ws://h:abc/", "ws://h/#f", "ws://u:p@h/", 7, None]
ADDRESSES += ["ws://h\n/", "ws://\ud800/", "ws:///x", "//h/x", "ws://h:0/", ["ws://h"]]


@pytest.mark.parametrize("uri", ADDRESSES, ids=repr)
async def test_a4_a_bad_address_of_the_servers_is_tried_again(peer, uri):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        peer.scripted[WSTOKEN] = [answer(ws_access_token="wstoken", uri=uri, expires_in=60)] * 2
        ext = extension()
        errors: list[Exception] = []
        ext.on(Events.AUTO_RECOVER_ERROR, errors.append)
        await rc.install_extension(ext)
        assert ext.state is State.READY
        await until(lambda: len(errors) == 2)
        for error in errors:
            assert isinstance(error, ConnectFailed)
            assert error.retryable
            assert WSTOKEN in str(error)


@pytest.mark.parametrize("uri", ADDRESSES, ids=repr)
async def test_a4_nor_is_slacks(uri):
    async with FakeSlack() as slack:
        start = {"ok": True, "url": uri, "self": {"id": "U1"}, "team": {"id": "T1"}}
        slack.fail("rtm.connect", body=json.dumps(start), times=2)
        async with RTMClient(slack.token, api_url=slack.api_url, reconnect_delays=lambda _: 0.02) as client:
            await client.start()
            assert client.connected


@pytest.mark.parametrize("url", [uri for uri in ADDRESSES if isinstance(uri, str)], ids=repr)
async def test_a4_the_callers_own_is_refused_at_the_call(url):
    with pytest.raises(ConfigurationError, match=r"^url: ") as caught:
        await WebSocketClient.run(url, Scripted(), None)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("value", "wait"),
    [("1e300", 3600), ("-5", 0), ("nan", None), ("1e999", None), ("Fri, 01 Jan 2100 00:00:00 GMT", 3600)],
)
def test_a5_no_wait_is_longer_than_an_hour(value, wait, caplog):
    gate = RateGate()
    with caplog.at_level(logging.WARNING, "rcex_ws"):
        gate.note("GET", GET, 429, Headers({"Retry-After": value}), now=0.0)
    assert gate.delay("GET", GET, now=0.0) == (30 if wait is None else wait)
    assert ("trying again after 3600 s" in caplog.text) is (wait == 3600)


@pytest.mark.parametrize("status", [429, 503])
async def test_a5_nor_that_of_an_attempt_to_connect(peer, status):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        peer.scripted[WSTOKEN] = [http(status, b"{}", "Retry-After: 1e300")]
        ext = extension(open_timeout=0.5)
        errors: list[RcexError] = []
        ext.on(Events.AUTO_RECOVER_ERROR, errors.append)
        with pytest.raises(RcexError):
            await rc.install_extension(ext)
        assert {error.retry_after for error in errors} <= {3600, None}


@pytest.mark.parametrize("value", [0, -1, 1e308, "x", None, [], True, -math.inf])
async def test_a6_absurd_details_starve_no_call(peer, told, value):
    names = ("maxActiveRequests", "idleTimeout", "recoveryTimeout", "recoveryBufferSize", "absoluteTimeout")
    peer.details = dict.fromkeys((*names, "maxConnectionsPerSession"), value)
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension(rest_over_websocket=True)
        told.listen(ext)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        assert (await rc.get(GET, timeout=2)).via == "websocket"
        details = ext.connection_details
        assert 1 <= details.max_active_requests <= 1000
        assert 0 <= details.recovery_timeout <= 7 * 86400
        assert 1 <= details.recovery_buffer_size <= 100_000
        peer.reset()
        await told.until(lambda: "autoRecoverSuccess" in told.names or "autoRecoverFailed" in told.names)
        peer.notify(1)
        await told.number(1)


def test_a7_a_new_group_in_each_answer_is_not_kept_for_ever():
    gate = RateGate()
    for number in range(3000):
        headers = Headers({"X-Rate-Limit-Group": f"g{number}", "Retry-After": "60"})
        gate.note("GET", f"/restapi/v1.0/{'x' * (number % 5)}/word{number}", 429, headers, now=0.0)
    assert len(pickle.dumps(gate)) < 100_000
    assert gate.delay("GET", "/restapi/v1.0/xxxx/word2999", now=0.0) == 60


@pytest.mark.parametrize("kind", ["gzip", "plain", "endless"])
async def test_a8_a_body_is_bounded(peer, kind):
    body = b"0" * 3_000_000
    raw = {
        "gzip": http(200, gzip.compress(body), "Content-Encoding: gzip"),
        "plain": http(200, body),
        "endless": b"HTTP/1.1 200 OK\r\n\r\n" + body,
    }[kind]
    async with client(peer, max_response_bytes=2_000_000) as rc:
        await rc.authorize(jwt="jwt")
        peer.scripted[GET] = [raw, raw, http(503, body)]
        with pytest.raises(ResponseTooLarge, match="max_response_bytes") as caught:
            await rc.get(GET, timeout=5)
        assert not caught.value.retryable
        if kind != "endless":
            async with rc.stream("GET", GET) as streamed:  # free of it
                assert await streamed.aread() == body
            with pytest.raises(ResponseTooLarge):  # but not what nobody asked to be streamed
                async with rc.stream("GET", GET):
                    pass
        assert (await rc.get("/restapi/v1.0/y")).is_success


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (answer(error="x"), "answered 200 .14 bytes, application/json. without a token"),
        (http(200, b"<html>log in</html>", kind="text/html"), "answered 200 .19 bytes, text/html. without a token"),
        (http(302, b"", "Location: http://portal.example/"), "redirected with HTTP 302"),
    ],
)
async def test_a10_the_error_says_what_came_and_from_where(peer, raw, words):
    async with client(peer) as rc:
        peer.scripted[OAUTH] = [raw]
        with pytest.raises(TransportError, match=words) as caught:
            await rc.authorize(jwt="jwt")
        assert "captive portal" in str(caught.value)
        assert caught.value.retryable


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (http(200, b"<html>", kind="text/html"), "HTTP 200"),
        (http(302, b"", "Location: http://portal.example/"), "was redirected to no WebSocket"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "is not HTTP, or"),
        (b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: " + b"y" * 9000 + b"\r\n\r\n", "or its head is too large"),
        (b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 500 + b"\r\n", "or its head is too large"),
        (None, "closed without an answer"),
    ],
)
async def test_a10_and_of_an_upgrade_too(peer, told, raw, words):
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        peer.scripted["/ws"] = [raw]
        ext = extension()
        told.listen(ext)
        await rc.install_extension(ext)
        error = await told.wait(Events.AUTO_RECOVER_ERROR)
        assert words in str(error)


async def test_a1_every_endpoint_of_the_extension_survives_every_bad_answer(peer, told):
    """What the extension asks by HTTPS while it runs: a bad answer costs an attempt and no more."""
    async with client(peer) as rc:
        await rc.authorize(jwt="jwt")
        ext = extension()
        told.listen(ext)
        await rc.install_extension(ext)
        await ext.subscribe([MESSAGES], told.on_notification)
        for number, raw in enumerate(BAD.values()):
            peer.scripted[WSTOKEN] = [raw]
            await until(lambda: peer.connected)
            peer.reset()
            await told.until(lambda number=number: len(told.of(Events.CONNECTION_READY)) > number)
        await until(lambda: peer.connected)
        peer.notify(1)
        await told.number(1)
