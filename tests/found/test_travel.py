"""Failures found in where secrets go: to whom a token travels, and what is refused before anything is sent."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
import trustme

from rcex_ws import (
    ConfigurationError,
    ConnectFailed,
    Events,
    Extension,
    RestError,
    RingCentral,
    State,
    WebSocketExtension,
)
from rcex_ws.rest import Request
from rcex_ws.secret import redact
from rcex_ws.slack import RTMClient, SlackHttpError
from rcex_ws.websocket.endpoint import Endpoint
from rcex_ws.websocket.opener import open_websocket
from tests.found.lost import until
from tests.found.peer import Peer
from tests.found.test_answers import GET, http

PAGE = (Path(__file__).parents[2] / "docs" / "logging.md").read_text()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def certified(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Peer]:
    with Peer(tls=certified(authority, "localhost")) as peer:
        yield peer


@pytest.fixture
def other() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@asynccontextmanager
async def logged_in(peer: Peer, **options: object) -> AsyncGenerator[RingCentral]:
    async with RingCentral(server=peer.server, client_id="id", client_secret="secret", **options) as rc:
        await rc.authorize(jwt="jwt")
        yield rc


def bearers(peer: Peer) -> list[str]:
    return [
        line for head in peer.seen for line in head.split("\r\n") if line.lower().startswith("authorization: bearer")
    ]


async def test_t1_what_an_https_server_tells_in_clear_gets_no_token(secure, other, trusting, told):
    secure.told_uri = other.ws_uri
    async with logged_in(secure, ssl_context=trusting) as rc:
        ext = WebSocketExtension(reconnect_delays=lambda _: 0.02)
        told.listen(ext)
        async with anyio.create_task_group() as group:
            group.start_soon(rc.install_extension, ext)
            error = await told.wait(Events.AUTO_RECOVER_ERROR)
            assert isinstance(error, ConnectFailed)
            assert error.retryable
            assert "must send wss://" in str(error)
            secure.told_uri = secure.ws_uri
        assert ext.state is State.READY
    assert other.seen == []


async def test_t1_nor_does_what_slack_tells():
    start = {"ok": True, "url": "ws://insecure.example/?ticket=1", "self": {"id": "U"}, "team": {"id": "T"}}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=start))
    async with httpx.AsyncClient(transport=transport) as client:
        slack = RTMClient("xoxb-1", api_url="https://slack.example/api/", http=client, auto_reconnect=False)
        with pytest.raises(SlackHttpError, match="must send wss://") as caught:
            await slack.start()
        assert caught.value.retryable


@pytest.mark.parametrize("id", ["..", ".", ""])
async def test_t4_an_id_that_leads_elsewhere_is_refused(peer, id):
    async with logged_in(peer) as rc:
        with pytest.raises(ConfigurationError, match="id: "):
            await rc.restapi().account().extension().message_store(id).delete()
    assert [call for call in peer.calls if call[0] == "DELETE"] == []


@pytest.mark.parametrize(
    "path", ["/restapi/v1.0/../x", "/restapi/./x", "/a/%2e%2E/b", "/a/.%2e", "/..", "https://h/../x"]
)
def test_t4_so_is_such_a_path(path):
    with pytest.raises(ConfigurationError, match="path: has `"):
        Request("GET", path)


def test_t4_dots_elsewhere_are_no_segment():
    assert Request("GET", "/restapi/v1.0/a..b/...?x=../..").path == "/restapi/v1.0/a..b/...?x=../.."


async def test_t5_another_port_of_the_own_host_gets_no_token(peer, other):
    async with logged_in(peer) as rc:
        await rc.get(peer.server + GET)
        assert len(bearers(peer)) == 1
        await rc.get(other.server + GET)
        async with rc.stream("GET", other.server + GET) as streamed:
            await streamed.aread()
    assert len(other.seen) == 2
    assert bearers(other) == []


@pytest.mark.parametrize("how", ["get", "stream"])
async def test_t5_nor_does_a_redirection_take_it_there(peer, other, how):
    async with logged_in(peer) as rc:
        peer.scripted[GET] = [http(302, b"", f"Location: {other.server}/there"), http(307, b"", "Location: /here")]
        for _ in range(2):
            mine = {"X-Api-Key": "SECRET", "COOKIE": "SECRET", "Accept": "text/plain"}
            if how == "get":
                assert (await rc.get(GET, headers=mine, json={"body": "SECRET"})).is_success
            else:
                async with rc.stream("GET", GET, headers=mine, json={"body": "SECRET"}) as streamed:
                    assert streamed.status_code == 200
    assert bearers(other) == []
    (there,) = other.seen
    assert there.split()[1] == "/there"
    assert "SECRET" not in there
    assert "accept: text/plain" in there.lower()  # what only describes the answer goes along
    assert "content-length" not in there.lower()
    assert len(bearers(peer)) == 3  # twice here, and within the origin it goes along
    assert peer.seen[-1].split()[1] == "/here"


@pytest.mark.parametrize("location", ["http://[", "ftp://x/", "http://u:p@h/"])
async def test_t5_a_redirection_to_nowhere_is_an_error_of_ours(peer, location):
    async with logged_in(peer) as rc:
        peer.scripted[GET] = [http(302, b"", f"Location: {location}")]
        with pytest.raises(Exception, match="redirected to something that is no") as caught:
            await rc.get(GET)
        assert caught.value.retryable


async def test_t5_redirections_end(peer):
    async with logged_in(peer) as rc:
        peer.scripted[GET] = [http(302, b"", f"Location: {GET}")] * 20
        with pytest.raises(Exception, match="redirected more than 5 times"):
            await rc.get(GET)
        with pytest.raises(RestError, match="302"):  # a POST is not redirected: its body would go elsewhere
            await rc.post(GET)


BAD_HEADERS = [
    {"X-A": "a\r\nX-B: b"},
    {"X-A": "a\nb"},
    {"X-A": "a\x00"},
    {"X-A": "ä"},
    {"X-A": None},
    {"X-A": 1},
    {"X-A": b"a"},
    {"X A": "a"},
    {"X-A:": "a"},
    {"": "a"},
    {"X-Ä": "a"},
    {None: "a"},
    ["X-A"],
    "X-A: a",
]


@pytest.mark.parametrize("way", ["https", "websocket"])
@pytest.mark.parametrize("headers", BAD_HEADERS, ids=repr)
async def test_t6_headers_that_cannot_be_sent_are_refused_whatever_the_way(peer, way, headers):
    async with logged_in(peer) as rc:
        if way == "websocket":
            await rc.install_extension(WebSocketExtension(rest_over_websocket=True))
        assert (await rc.get(GET)).via == way
        before = len(peer.calls)
        with pytest.raises(ConfigurationError, match="headers: ") as caught:
            await rc.get(GET, headers=headers)
        assert "token" not in f"{caught.value!r}"
        assert not caught.value.retryable
        assert len(peer.calls) == before


BAD_PATHS = [
    "/a\nb",
    "/a b",
    "/a\tb",
    "/a\x7f",
    "/a#b",
    "/a\\b",
    "/\ud800",
    None,
    5,
    b"/a",
    "a",
    "",
    "http://[",
    "http://h:0/",
]


@pytest.mark.parametrize("way", ["https", "websocket"])
@pytest.mark.parametrize("path", BAD_PATHS, ids=repr)
async def test_t6_paths_too(peer, way, path):
    async with logged_in(peer) as rc:
        if way == "websocket":
            await rc.install_extension(WebSocketExtension(rest_over_websocket=True))
        before = len(peer.calls)
        with pytest.raises(ConfigurationError, match="path: "):
            await rc.get(path)
        assert len(peer.calls) == before


@pytest.mark.parametrize("way", ["https", "websocket"])
async def test_t6_what_is_not_ascii_is_encoded_the_same_whatever_the_way(peer, way):
    async with logged_in(peer) as rc:
        if way == "websocket":
            await rc.install_extension(WebSocketExtension(rest_over_websocket=True))
        response = await rc.get("/restapi/v1.0/grüße%20x")
        assert (response.via, response.json()) == (way, {"path": "/restapi/v1.0/gr%C3%BC%C3%9Fe%20x"})


async def test_t6_what_a_middleware_makes_of_a_call_is_checked_too(peer):
    class Careless(Extension):
        async def handle(self, request, call_next):
            request.headers["X-A"] = "a\r\nb"
            return await call_next(request)

    async with logged_in(peer) as rc:
        await rc.install_extension(Careless())
        with pytest.raises(ConfigurationError, match="headers: X-A"):
            await rc.get(GET)
    assert [call for call in peer.calls if call[1] == GET] == []


async def test_t7_cookies_of_one_login_do_not_go_with_the_next(peer):
    async with logged_in(peer) as rc:
        cookies = ("Set-Cookie: session=ONE", "Set-Cookie: other=TWO; Path=/")
        peer.scripted[GET] = [http(200, b"{}", *cookies)]
        await rc.get(GET)
        await rc.get(GET)
        await rc.revoke()
        await rc.authorize(jwt="another")
        await rc.get(GET)
    assert [head for head in peer.seen if "cookie:" in head.lower()] == []


SHOWN = [
    b'[{"type":"ClientRequest","headers":{"Authorization":"Bearer SECRET"}}]',
    b'[{"path":"/x?access_token=SECRET&y=1"}]',
    b'{"accessToken":"SECRET","refreshToken" : "SECRET"}',
    b'{"client_secret":"SECRET","clientSecret":"SECRET"}',
    b'{"wsc":{"token":"SECR\\"ET","sequence":1}}',
    b'{"ws_access_token":"SECRET',
    b'{"password":"SECRET\\',
    b'{"uri":"wss://h/ws?access_token=SECRET&wsc=SECRET"}',
    b'{"jwt":"SECRET","code_verifier":"SECRET","assertion":"SECRET"}',
    b'{"cookie":"a=SECRET","Set-Cookie":"a=SECRET"}',
    b"grant_type=password&password=SECRET&username=u",
    b'{"text":"he said: Basic SECRET="}',
    b'{"access_token":["SECRET","SECRET"]}',
    b'{"token":{"value":"SECRET"}}',
    b'{"text":"{\\"access_token\\":\\"SECRET\\"}"}',
    b'{"accessKey":"SECRET","X-Auth-Key":"SECRET","credentials":"SECRET"}',
]


@pytest.mark.parametrize("data", SHOWN, ids=lambda data: data[:40].decode())
@pytest.mark.parametrize("cut", [0, 1, 2, 4])
def test_t8_what_is_shown_of_a_message_has_no_secret(data, cut):
    shown = redact(data[: len(data) - cut])
    assert "SECR" not in shown
    assert "***" in shown


async def test_t8_debug_mode_shows_none(peer, capfd):
    async with logged_in(peer) as rc:
        await rc.install_extension(WebSocketExtension(rest_over_websocket=True, debug_mode=True))
        headers = {"Authorization": "Bearer SECRET", "X-Api-Key": "SECRET"}
        body = {"accessToken": "SECRET", "client_secret": "SECRET"}
        response = await rc.post(
            f"{GET}?access_token=SECRET", json=body, headers=headers, params={"wsc_token": "SECRET"}
        )
        assert response.via == "websocket"
    shown = capfd.readouterr().err
    assert "ClientRequest" in shown
    assert "SECRET" not in shown


@pytest.mark.parametrize(
    "server",
    [
        "https://:pw@h",
        "https://user:SECRET@h",
        "https://h/#SECRET",
        "https://h:99999",
        "https://h:abc",
        "https://h:0",
        "https://h/?a=SECRET",
        "https://h h/",
        "https://h\n",
        "https://",
        "https://[",
        "ftp://h",
        "h",
        "",
        None,
        5,
        b"https://h",
    ],
    ids=repr,
)
def test_t10_what_is_no_server_is_refused(server):
    for make, name in (
        (lambda: RingCentral(server=server), "server"),
        (lambda: RTMClient("xoxb-1", api_url=server), "api_url"),
    ):
        with pytest.raises(ConfigurationError, match=rf"^{name}: ") as caught:
            make()
        assert "SECRET" not in repr(caught.value)
        assert not caught.value.retryable


async def test_t11_the_libraries_below_are_silenced_as_the_docs_say(peer, caplog):
    """httpx prints the addresses it calls at INFO, httpcore the headers that come at DEBUG."""
    lines = [line for line in PAGE.splitlines() if line.startswith("logging.getLogger(")]
    assert len(lines) == 2
    caplog.set_level(logging.DEBUG)
    async with logged_in(peer) as rc:
        await rc.get(f"{GET}?access_token=SECRET")
        assert "SECRET" in caplog.text
        assert "receive_response_headers" in caplog.text
        caplog.clear()
        levels = {name: logging.getLogger(name).level for name in ("httpx", "httpcore")}
        try:
            for line in lines:
                exec(line, {"logging": logging})
            await rc.get(f"{GET}?access_token=SECRET")
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
    assert "SECRET" not in caplog.text
    assert "receive_response_headers" not in caplog.text


@pytest.mark.parametrize("leg", ["REST", "upgrade", "Upgrade in capitals"])
@pytest.mark.parametrize("fault", ["wrong host", "unknown authority", "expired"])
async def test_t2_tls_is_verified_on_every_leg(authority, trusting, leg, fault):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if fault == "expired":
        authority.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1)).configure_cert(tls)
    elif fault == "wrong host":
        authority.issue_cert("elsewhere.example").configure_cert(tls)
    else:
        trustme.CA().issue_cert("localhost").configure_cert(tls)
    with Peer(tls=tls) as peer:
        if leg == "REST":
            async with RingCentral(server=peer.server, client_id="id", ssl_context=trusting) as rc:
                with pytest.raises(Exception, match=r"TLS: |certificate") as caught:
                    await rc.authorize(jwt="jwt")
                assert caught.value.retryable
        else:
            url = peer.ws_uri if leg == "upgrade" else peer.ws_uri.replace("wss:", "WSS:")
            with pytest.raises(ConnectFailed, match="TLS: certificate verify failed"):
                async with open_websocket(Endpoint(f"{url}?access_token=SECRET", ssl_context=trusting)):
                    pass
        assert peer.seen == []


async def test_t1_a_gateway_without_tls_is_its_own_scheme(peer):
    async with logged_in(peer) as rc:
        ext = WebSocketExtension()
        await rc.install_extension(ext)
        assert ext.state is State.READY
    await until(lambda: not peer.connected)
