"""The Web API beside the socket, the way through proxies, and what stands in logs and errors."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
import trustme

from rcex_ws.errors import ConfigurationError, ConnectFailed, NotConnected, RateLimited, RcexError, TransportError
from rcex_ws.slack import RTMClient, SlackApiError, SlackHttpError
from rcex_ws.slack.logs import make_logger
from rcex_ws.testing import FakeSlack

ROOM = "C0GENERAL"


async def test_update_message(client, slack):
    reply = await client.send_message("one", ROOM)
    attachments = [{"text": "more", "n": 1}]
    answer = await client.update_message(
        reply.ts, ROOM, "two", attachments=attachments, unfurls=None, as_user=True, parse="full"
    )
    assert (answer["ok"], answer["ts"], answer["text"]) == (True, reply.ts, "two")
    (call,) = (call for call in slack.calls if call.method == "chat.update")  # the store looks people up meanwhile
    assert call.verb == "POST"
    assert call.fields == {
        "ts": reply.ts,
        "channel": ROOM,
        "text": "two",
        "attachments": '[{"text":"more","n":1}]',
        "as_user": "true",
        "parse": "full",
    }
    assert slack.workspace.messages[-1]["text"] == "two"


async def test_update_message_needs_no_connection(make_client, slack):
    ts = slack.workspace.add_message(ROOM, slack.self_id, "one")["ts"]
    client = make_client()
    assert (await client.update_message(ts, ROOM, "two"))["text"] == "two"


async def test_update_message_is_refused(client):
    with pytest.raises(SlackApiError, match="message_not_found") as caught:
        await client.update_message("1.0", ROOM, "two")
    assert (caught.value.method, caught.value.data["ok"]) == ("chat.update", False)


async def test_update_message_waits_out_a_rate_limit(client, slack, told, ms):
    ts = (await client.send_message("one", ROOM)).ts
    slack.fail("chat.update", status=429, retry_after=200 * ms, times=2)
    assert (await client.update_message(ts, ROOM, "two"))["ok"]
    times = [call.time for call in slack.calls if call.method == "chat.update"]
    assert times[2] - times[0] >= 390 * ms
    assert await told.wait("rate_limited", 2) == (200 * ms,)


async def test_update_message_does_not_outlive_the_client(client, slack, told):
    slack.fail("chat.update", status=429, retry_after=5)

    async def update():
        with pytest.raises(NotConnected, match="not sent"):
            await client.update_message("1.0", ROOM, "two")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(update)
        await told.wait("rate_limited")
        await client.aclose()  # which ends the wait
    assert len([call for call in slack.calls if call.method == "chat.update"]) == 1


async def test_update_message_does_not_wait_longer_than_an_attempt(make_client, slack, ms):
    client = make_client(attempt_timeout=500 * ms)
    slack.fail("chat.update", status=429, retry_after=30)
    with pytest.raises(RateLimited) as caught:
        await client.update_message("1.0", ROOM, "two")
    assert caught.value.retry_after == 30
    with pytest.raises(RateLimited, match="Slack asks to wait"):
        await client.update_message("1.0", ROOM, "two")  # without asking Slack, which has said so
    assert len(slack.calls) == 1
    client = make_client(attempt_timeout=500 * ms)
    slack.fail("chat.update", status=500)
    with pytest.raises(SlackHttpError, match="500"):
        await client.update_message("1.0", ROOM, "two")
    slack.fail("chat.update", status="hang")
    with pytest.raises(TransportError):
        await client.update_message("1.0", ROOM, "two")


async def test_a_client_of_the_users_own(make_client, slack):
    async with httpx.AsyncClient(headers={"X-Own": "1"}) as http:
        client = make_client(http=http)
        await client.start()
        await client.aclose()
        assert slack.calls[0].headers["x-own"] == "1"
        assert not http.is_closed


async def test_socks_proxy(make_client, slack, proxy):
    client = make_client(proxy=f"socks5://127.0.0.1:{proxy.port}")
    await client.start()
    assert (await client.send_message("through", ROOM)).ts
    ports = [urlsplit(url).port for url in (slack.api_url, slack.ws_url)]
    assert proxy.targets == [f"socks 127.0.0.1:{port}" for port in ports]


class TlsFront:
    """Take TLS off, and pass what is inside to a port."""

    def __init__(self, context: ssl.SSLContext, target: int) -> None:
        self._context, self._target = context, target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="tls front")]
        self._stop = threading.Event()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # the test is over
            thread = threading.Thread(target=self._serve, args=(client,), name="tls")
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),  # either side may end it
            self._context.wrap_socket(client, server_side=True) as inside,
            socket.create_connection(("127.0.0.1", self._target)) as server,
        ):
            other = {inside: server, server: inside}
            while not self._stop.is_set():
                for ready in select.select([inside, server], [], [], 0.02)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    other[ready].sendall(data)

    def __enter__(self) -> TlsFront:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def secure(slack):
    """The fake Slack behind TLS, as Slack is; gives the address of the Web API and the context that trusts it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    api, sockets = (urlsplit(url).port for url in (slack.api_url, slack.ws_url))
    with TlsFront(server, api) as web, TlsFront(server, sockets) as wire:
        slack.options.public_ws_url = f"wss://localhost:{wire.port}"
        yield f"https://localhost:{web.port}/api/", trust, [web.port, wire.port]


async def test_http_connect_tunnels_both(make_client, slack, proxy, secure):
    api_url, trust, ports = secure
    client = make_client(api_url=api_url, ssl_context=trust, proxy=f"http://127.0.0.1:{proxy.port}")
    await client.start()
    assert (await client.send_message("through", ROOM)).ts
    assert proxy.targets == [f"http localhost:{port}" for port in ports]
    assert all(head.startswith("CONNECT ") for head in proxy.headers)
    assert slack.token not in "".join(proxy.headers)


async def test_k6_both_ways_over_tls(make_client, told):
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with FakeSlack(ssl_context=server) as slack:
        client = make_client(token=slack.token, api_url=slack.api_url, ssl_context=trust)
        await client.start()
        assert (await client.send_message("over TLS", ROOM)).ts
        slack.cut()
        await told.wait("open", 2)
        await client.aclose()
        suspicious = make_client(
            token=slack.token, api_url=slack.api_url, ssl_context=ssl.create_default_context(), auto_reconnect=False
        )
        with pytest.raises(TransportError, match=r"TLS: .*certificate"):
            await suspicious.start()
    assert slack.connections_total == 2


async def test_the_proxy_of_the_environment_and_none(make_client, slack, proxy, secure, monkeypatch):
    api_url, trust, _ = secure
    for name in ("https_proxy", "wss_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    await make_client(api_url=api_url, ssl_context=trust).start()
    assert len(proxy.targets) == 2
    await make_client(api_url=api_url, ssl_context=trust, proxy=False).start()
    assert len(proxy.targets) == 2


async def test_without_trust_there_is_no_connection(make_client, slack, secure, told):
    client = make_client(api_url=secure[0], auto_reconnect=False)
    with pytest.raises(TransportError, match="TLS"):
        await client.start()
    assert slack.calls == []


async def test_a_proxy_that_refuses(make_client, slack, proxy, secure, no_secrets):
    proxy.answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
    api_url, trust, _ = secure
    client = make_client(
        api_url=api_url, ssl_context=trust, proxy=f"http://me:TOPSECRET@127.0.0.1:{proxy.port}", auto_reconnect=False
    )
    with pytest.raises(TransportError) as caught:
        await client.start()
    no_secrets(caught.value)
    assert "TOPSECRET" not in repr(caught.value)


@pytest.mark.parametrize(
    "failure",
    [
        {"error": "invalid_auth"},
        {"error": "fatal_error"},
        {"status": 500, "body": "xoxb"},
        {"status": 200, "body": "no json"},
        {"status": 200, "body": '{"ok": true, "url": "wss://secret.example/ticket-0"}'},
        {"status": 200, "body": '{"ok": true, "url": "not a url ticket-0", "self": {"id": "U"}, "team": {"id": "T"}}'},
        {"status": 429, "retry_after": 60},
        {"status": "rst"},
        {"status": "hang"},
    ],
    ids=str,
)
async def test_no_secret_in_an_error_of_the_start(make_client, slack, told, failure, no_secrets, ms):
    slack.fail(**failure)
    client = make_client(
        listen=("unable_to_rtm_start", "ws_error", "disconnect"), auto_reconnect=False, attempt_timeout=200 * ms
    )
    with pytest.raises(RcexError) as caught:
        await client.start()
    no_secrets(caught.value, client, *told.items)


async def test_no_secret_in_the_log_of_a_long_life(make_client, slack, told, no_secrets, until, ms):
    client = make_client(listen=("open", "ws_close", "ws_error", "client_error"), ping_interval=30 * ms)
    client.on("open", lambda: 1 / 0)
    await client.start()
    slack.push("no json", {"type": "message"})
    sent = client.send_message("hi", ROOM)
    await sent
    slack.refuse_upgrade(503)
    slack.refuse_upgrade("rst")
    slack.cut()
    await told.wait("open", 2)
    slack.goodbye()
    await told.wait("open", 3)
    slack.migrate()
    await told.wait("open", 4)
    slack.fail(error="account_inactive")
    slack.close(1001)
    with pytest.raises(SlackApiError):
        await client.wait_closed()
    no_secrets(client, sent, *told.items)


async def test_a_bad_token_is_not_shown(slack, no_secrets):
    for token in ("", "xo\nxb-", slack.token + "\u00e9", slack.token + " \x00"):
        with pytest.raises(ConfigurationError) as caught:
            RTMClient(token, api_url=slack.api_url)
        no_secrets(caught.value)


async def test_a_function_as_logger(make_client, slack, told, caplog):
    lines = []
    client = make_client(logger=lambda level, text: lines.append((level, text)), log_level="INFO")
    await client.start()
    slack.close(1001, "bye")
    await told.wait("open", 2)
    levels = {level for level, _ in lines}
    assert logging.WARNING in levels
    assert logging.DEBUG not in levels
    assert any("connection lost" in text and "1001" in text for _, text in lines)
    assert "connection lost" not in caplog.text  # nobody else gets it


async def test_a_logger_of_the_users_own(make_client, slack, told, caplog):
    own = logging.getLogger("my.bot")
    client = make_client(logger=own, log_level=logging.DEBUG)
    await client.start()
    slack.close(1001, "bye")
    await told.wait("open", 2)
    names = {record.name for record in caplog.records if "connection lost" in record.getMessage()}
    assert names == {"my.bot"}
    assert own.level == logging.DEBUG
    own.setLevel(logging.NOTSET)


async def test_the_logger_of_each_client(make_client, slack, told, caplog):
    client, other = make_client(), make_client(log_level="ERROR")
    await client.start()
    await other.start()
    slack.close(1001, "bye")
    await told.wait("open", 4)
    (name,) = {record.name for record in caplog.records if "connection lost" in record.getMessage()}
    assert name.startswith("rcex_ws.slack.")


def test_a_client_leaves_no_logger_behind(slack):
    before = len(logging.Logger.manager.loggerDict)
    for number in range(20):
        RTMClient(slack.token, log_level="INFO", logger=None if number % 2 else lambda level, text: None)
    assert len(logging.Logger.manager.loggerDict) == before


def test_the_logger_of_a_client_follows_those_above(caplog):
    log, parent = make_logger(None, None), logging.getLogger("rcex_ws.slack")
    quiet = make_logger(None, "ERROR")
    try:
        for level, text in ((logging.INFO, "one"), (logging.WARNING, "two"), (logging.DEBUG, "three")):
            parent.setLevel(level)
            log.info(text)
            quiet.info("never")
        logging.disable(logging.INFO)
        log.info("four")
        logging.disable(logging.NOTSET)
        log.info("five")
    finally:
        parent.setLevel(logging.NOTSET)
        logging.disable(logging.NOTSET)
    assert [record.getMessage() for record in caplog.records] == ["one", "three", "five"]


async def test_a_logger_that_raises_breaks_nothing(make_client, slack, told, capsys):
    def broken(level, text):
        raise ValueError("the log is full")

    await make_client(logger=broken).start()
    slack.close(1001, "bye")
    await told.wait("open", 2)
    assert "the log is full" in capsys.readouterr().err


async def test_a_server_that_is_not_there(make_client, slack, told, ms):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = make_client(api_url=f"http://127.0.0.1:{port}/api/", open_timeout=200 * ms)
    began = time.monotonic()
    with pytest.raises(ConnectFailed, match="Connection refused"):
        await client.start()
    assert time.monotonic() - began < 3
    with anyio.fail_after(1):
        await client.aclose()
