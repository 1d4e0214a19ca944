"""The limits of a gateway: what it stores and what it reads is bounded."""

from __future__ import annotations

import json
import socket
import threading

import anyio
import httpx
import pytest

from rcex_ws.gateway import journal
from rcex_ws.gateway.account.messages import Attachment, MessageParty, MessageText
from rcex_ws.gateway.codes import CodeRequest
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.multipart import read_parts
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.sessions import MalformedWsc
from tests.gateway.conftest import EXTENSION, JWT_GRANT
from tests.gateway.test_core import Link, Time, subscribed

STORE = f"{EXTENSION}/message-store"
MIB = 2**20


def test_g7_ended_logins_are_forgotten():
    time = Time()
    core = GatewayCore(GatewayOptions(), time)
    owner = core.people.first
    for _ in range(800):
        login = core.oauth.log_in(owner)
        core.oauth.issue_wstoken(login)
    assert core.oauth.held()["logins"] == 5
    assert core.oauth.held()["wstokens"] == 5
    core.oauth.revoke(login.access_token)
    assert core.oauth.held()["logins"] == 4
    time.now += 604801
    core.oauth.log_in(owner)
    assert core.oauth.held() == {"logins": 1, "wstokens": 0, "codes": 0}
    for _ in range(800):
        core.oauth.issue_wstoken(login)
        core.oauth.codes.issue(owner, CodeRequest(core.apps.first, "http://localhost"))
    assert core.oauth.held()["codes"] <= 100
    assert core.oauth.held()["wstokens"] <= 1000


def test_g7_lost_sessions_are_forgotten_but_their_wsc_is_known():
    time = Time()
    core = GatewayCore(GatewayOptions(), time)
    login = core.oauth.log_in(core.people.first)
    first, link = subscribed(core, login)
    core.sessions.lose(link)
    for number in range(500):
        other = Link(10 + number)
        core.sessions.open(login, other)
        core.sessions.lose(other)
        time.now += 10
    assert len(core.sessions) <= 20
    opening = core.sessions.open(login, Link(2000), first.token)
    assert opening.recovery == {"recoveryState": "Failed", "recoveryErrorCode": "WSG-1005"}
    with pytest.raises(MalformedWsc):
        core.sessions.open(login, Link(2001), first.token[:-8] + "AAAAAAAA")


def test_g7_messages_are_bounded():
    core = GatewayCore(GatewayOptions(), Time())
    text, file = MessageText(type="Fax", sender=MessageParty(), to=[]), Attachment(0, "A", "a/b", bytes(10 * MIB))
    for _ in range(40):
        core.messages.add("1", "Outbound", text, [file])
    assert 10 <= len(core.messages) <= 26  # 256 MiB
    for _ in range(10_100):
        core.messages.add("1", "Outbound", text)
    assert len(core.messages) == 10_000


def test_g7_the_journal_is_bounded_in_width_too(monkeypatch):
    monkeypatch.setattr(journal, "_MOST_CHARACTERS", MIB)
    core = GatewayCore(GatewayOptions(), Time())
    core.journal.add("request", path="/" + "x " * MIB, filters=["y " * MIB] * 10_000)
    assert len(json.dumps(core.journal.entries())) < 60_000
    for _ in range(40):
        core.journal.add("request", path="/" + "x " * MIB, filters=["y " * 500] * 100)
    assert 15 < len(core.journal.entries()) < 25  # 1 MiB, not all of these


def _post(server: str, head: str, chunks: int, chunk: bytes) -> bytes:
    """Send a body for as long as the server reads it, and return the answer."""
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as sock:
        sock.sendall(head.encode())

        def send() -> None:
            try:
                for _ in range(chunks):
                    sock.sendall(chunk)
            except OSError:
                pass  # the server has stopped reading

        sending = threading.Thread(target=send)
        sending.start()
        answer = b""
        try:
            while more := sock.recv(65536):
                answer += more
        except ConnectionResetError:
            pass  # it was dropped
        finally:
            sock.close()
            sending.join()
        return answer


def test_g7_bodies_are_bounded(start):
    gw = start()
    head = f"POST {EXTENSION}/fax HTTP/1.1\r\nHost: x\r\n"
    announced = _post(gw.server, f"{head}Content-Length: {300 * MIB}\r\n\r\n", 0, b"")
    assert announced.startswith(b"HTTP/1.1 413 ")
    streamed = _post(gw.server, f"{head}Content-Length: {300 * MIB}\r\n\r\n", 300, bytes(MIB))
    assert streamed.startswith(b"HTTP/1.1 413 ")
    chunk = b"100000\r\n" + bytes(MIB) + b"\r\n"
    in_chunks = _post(gw.server, f"{head}Transfer-Encoding: chunked\r\n\r\n", 100, chunk)
    assert in_chunks.startswith(b"HTTP/1.1 413 ")
    assert httpx.get(f"{gw.server}/restapi").status_code == 200


def test_g7_what_comes_behind_a_request_that_hangs_is_bounded(start):
    gw = start()
    gw.refuse("GET /restapi", "hang")
    behind = _post(gw.server, "GET /restapi HTTP/1.1\r\nHost: x\r\n\r\n", 64, bytes(MIB))
    assert behind == b""  # it was dropped, long before everything was sent
    assert httpx.get(f"{gw.server}/restapi").status_code == 200


DEEP = "[" * 100_000 + "]" * 100_000
BAD_JSON = [
    DEEP,
    '{"to": ' + DEEP + "}",
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    '{"text": NaN}',
    '{"to": [{"extensionNumber": Infinity}]}',
    '{"text": "\\ud800"}',
    '{"\\udfff": 1}',
    "1" * 5000,
    '{"text": ' + "1" * 5000 + "}",
]


@pytest.mark.parametrize("content", BAD_JSON, ids=range(len(BAD_JSON)))
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{EXTENSION}/company-pager"),
        ("PUT", f"{EXTENSION}/presence"),
        ("POST", "/restapi/v1.0/subscription"),
        ("POST", "/_gateway/notify"),
    ],
)
async def test_g7_bad_json_is_400(start, log_in, method, path, content):
    user = await log_in(start())
    answer = await user.http.request(method, path, content=content)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "CMN-100")


@pytest.mark.parametrize("content", BAD_JSON, ids=range(len(BAD_JSON)))
async def test_g7_bad_json_in_a_frame_or_a_fax_is_refused(start, log_in, content):
    gw = start()
    user = await log_in(gw)
    socket, _ = await user.open()
    await socket.connection.send(f'[{{"type":"ClientRequest","messageId":"1","method":"GET","path":"/"}},{content}]')
    assert (await socket.recv())[1]["errorCode"] == "WSG-400"
    await socket.closed()
    files = [("json", ("request.json", content, "application/json")), ("file", ("a.txt", b"a", "text/plain"))]
    assert (await user.http.post(f"{EXTENSION}/fax", files=files)).status_code == 400


@pytest.mark.parametrize(
    "part",
    [
        ("to", (None, b"\xff\xfe")),
        ("json", ("r", b"[1, 2]", "application/json")),
        ("json", ("r", b'"text"', "application/json")),
        ("json", ("r", b'{"to": "1"}', "application/json")),
        ("faxResolution", (None, b"\xff")),
    ],
)
async def test_g7_a_fax_that_cannot_be_read_is_400(start, log_in, part):
    user = await log_in(start())
    answer = await user.http.post(f"{EXTENSION}/fax", files=[part, ("file", ("a.txt", b"a", "text/plain"))])
    assert answer.status_code == 400


@pytest.mark.parametrize("query", ["page=" + "9" * 5000, "perPage=" + "9" * 5000, "page=0", "page=\u0663x"])
async def test_g7_numbers_beyond_all_bounds_are_400(start, log_in, query):
    user = await log_in(start())
    assert (await user.http.get(f"{STORE}?{query}")).status_code == 400
    assert (await user.http.get(f"{STORE}/{'9' * 5000}")).status_code == 404


async def test_g7_credentials_of_any_letters_are_refused(start, log_in):
    gw = start()
    user = await log_in(gw)
    assert (await user.token(grant_type=JWT_GRANT, assertion="Ümläut")).status_code == 400
    assert (await user.token(grant_type="refresh_token", refresh_token="ü")).status_code == 400
    host, port = gw.server.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(b"POST /restapi/oauth/token HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xfe\r\n\r\n")
        with anyio.fail_after(5):
            assert (await stream.receive()).startswith(b"HTTP/1.1 401 ")


async def test_g7_a_fax_takes_the_space_of_its_documents(start, log_in):
    """Many lines or delimiters must not take a hundred times the memory, nor very long."""
    user = await log_in(start())
    for content in (b"\n" * 20 * MIB, b"--b\r\n" * MIB, b"--b\r\n\r\n" * MIB):
        body = b"--b\r\nContent-Type: text/plain\r\n\r\n" + content + b"\r\n--b--\r\n"
        answer = await user.http.post(
            f"{EXTENSION}/fax", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
        assert answer.status_code == 400  # and in time, or the client gives up
        assert answer.json()["errorCode"] in ("CMN-101", "MSG-349")


def test_g7_the_parts_of_a_fax_are_read_as_before():
    body = (
        b'preamble\r\n--b\r\nContent-Disposition: form-data; name="to"\r\n\r\n+1650\r\n'
        b'--b \r\nContent-Disposition: form-data; name="a"; filename="x.bin"\r\nContent-Type: a/b\r\n\r\n'
        b"\r\n--bb\n\x00\r\n\r\n--b\nContent-Transfer-Encoding: base64\n\naGk=\n"
        b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nh=69\r\n--b\r\n\r\nno head\r\n--b--\r\nepilogue"
    )
    parts = read_parts(body, "b")
    assert [(part.name, part.filename, part.content_type, part.content) for part in parts] == [
        ("to", None, "text/plain", b"+1650"),
        ("a", "x.bin", "a/b", b"\r\n--bb\n\x00\r\n"),
        (None, None, "text/plain", b"hi"),
        (None, None, "text/plain", b"hi"),
        (None, None, "text/plain", b"no head"),
    ]
    assert read_parts(b"nothing", "b") == []


async def test_g7_json_is_no_larger_than_a_frame_can_be(start, log_in):
    user = await log_in(start())
    answer = await user.http.post(f"{EXTENSION}/company-pager", content=b'{"text": "' + b"x" * 17 * MIB + b'"}')
    assert (answer.status_code, answer.json()["errorCode"]) == (413, "CMN-100")
