"""The HTTP edge: uploads, the user's own HTTP client, proxies, TLS, and when httpx is imported."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from email import message_from_bytes

import httpx
import pytest
import trustme

from rcex_ws.errors import TransportError
from rcex_ws.rest import Extension, RestError, RingCentral

FAX = "/restapi/v1.0/account/~/extension/~/fax"


def parts(request):
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    return [
        (
            part.get_param("name", header="Content-Disposition"),
            part.get_filename(),
            part.get_content_type(),
            part.get_payload(decode=True),
        )
        for part in message_from_bytes(head + request.content).get_payload()
    ]


async def test_a_fax_has_its_json_first(rc, api):
    route = api.post(FAX).respond(200, json={"id": 1})
    response = await rc.post(
        FAX, json={"to": [{"phoneNumber": "+1"}]}, files=[("attachment", ("a.pdf", b"%PDF", "application/pdf"))]
    )
    request = route.calls.last.request
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert parts(request) == [
        ("json", "request.json", "application/json", b'{"to":[{"phoneNumber":"+1"}]}'),
        ("attachment", "a.pdf", "application/pdf", b"%PDF"),
    ]
    assert response.json() == {"id": 1}


async def test_form_fields_and_files(rc, api):
    route = api.post(FAX).respond(204)
    await rc.post(FAX, data={"to": "+1"}, files={"a": b"1", "b": io.BytesIO(b"2")})
    assert [(name, payload) for name, _, _, payload in parts(route.calls.last.request)] == [
        ("to", b"+1"),
        ("a", b"1"),
        ("b", b"2"),
    ]


async def test_open_files_are_sent_whole_each_time(rc, api, grants, tmp_path):
    """Also after a 401 and by a middleware that repeats; read in a worker thread (blockbuster watches)."""

    class Retry(Extension):
        async def handle(self, request, call_next):
            try:
                return await call_next(request)
            except RestError:
                return await call_next(request)

    path = tmp_path / "fax.txt"
    path.write_bytes(b"page")
    route = api.post(FAX).mock(side_effect=[httpx.Response(401), httpx.Response(503), httpx.Response(204)])
    await rc.install_extension(Retry())
    with path.open("rb") as file:
        await rc.post(FAX, files={"attachment": file, "tuple": ("b.txt", file)})
    assert route.call_count == 3
    for call in route.calls:
        assert [(part[1], part[3]) for part in parts(call.request)] == [("fax.txt", b"page"), ("b.txt", b"page")]


async def test_a_given_client_is_used_and_left_open(api, token):
    api.get("/restapi/v1.0/x").respond(204)
    async with httpx.AsyncClient(headers={"X-Theirs": "1"}) as http:
        async with RingCentral(token=token, http=http) as rc:
            await rc.get("/restapi/v1.0/x")
        assert api.calls.last.request.headers["X-Theirs"] == "1"
        assert not http.is_closed


async def test_any_client_with_the_same_method_will_do(token):
    class Other:
        @asynccontextmanager
        async def stream(self, method, url, **options):
            if url.endswith("/down"):
                raise ConnectionResetError(104, "Connection reset by peer")
            if url.endswith("/bug"):
                raise KeyError("bug")
            yield httpx.Response(200, json=[method, url, options["timeout"]])

    async with RingCentral(token=token, http=Other()) as rc:
        assert (await rc.get("/a")).json() == ["GET", "https://platform.ringcentral.com/a", None]
        with pytest.raises(TransportError, match="Connection reset by peer"):
            await rc.get("/down")
        with pytest.raises(KeyError):
            await rc.get("/bug")


async def test_one_own_client_for_all_calls_closed_at_the_end(api, token, monkeypatch):  # P15
    clients, contexts = [], []
    client_class, transport_class = httpx.AsyncClient, httpx.AsyncHTTPTransport

    class ClientSpy(client_class):
        def __init__(self, **options):
            clients.append(self)
            super().__init__(**options)

    class TransportSpy(transport_class):
        def __init__(self, **options):
            contexts.append(options["verify"])
            super().__init__(**options)

    monkeypatch.setattr(httpx, "AsyncClient", ClientSpy)
    monkeypatch.setattr(httpx, "AsyncHTTPTransport", TransportSpy)
    api.get("/a").respond(204)
    async with RingCentral(token=token) as rc:
        assert clients == []
        for _ in range(3):
            await rc.get("/a")
        context = rc.ssl_context
    (client,) = clients
    assert client.is_closed
    assert contexts == [context]  # one TLS context for HTTPS and WebSocket


def test_a_given_tls_context_is_the_one():
    context = ssl.create_default_context()
    assert RingCentral(ssl_context=context).ssl_context is context
    rc = RingCentral()
    assert rc.ssl_context is rc.ssl_context
    assert rc.ssl_context.verify_mode is ssl.CERT_REQUIRED


@pytest.fixture
def tls_server():
    """Listen with a certificate of an authority that nobody trusts; give the URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    yield from serve_once(lambda connection: context.wrap_socket(connection, server_side=True).recv(1))


@pytest.fixture
def plain_server():
    """Listen without TLS; give the URL of a client that thinks otherwise."""
    yield from serve_once(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))


def serve_once(talk):
    with socket.create_server(("localhost", 0)) as listener:

        def accept():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):  # the client hangs up, that is the point
                talk(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}"
        thread.join(10)


async def test_a_certificate_that_is_not_trusted_is_named(tls_server, make_client, token):
    rc = make_client(server=tls_server, token=token)
    with pytest.raises(TransportError, match=r"no answer from localhost: TLS: .*certificate") as caught:
        await rc.get("/restapi/v1.0/x")
    assert "ACCESS-0" not in str(caught.value)


async def test_https_to_a_server_without_tls_is_named(plain_server, make_client, token):
    rc = make_client(server=plain_server, token=token)
    with pytest.raises(TransportError, match=r"no answer from localhost: TLS: [A-Z_]+$"):
        await rc.get("/restapi/v1.0/x")


@pytest.mark.parametrize("module", ["rcex_ws.rest", "rcex_ws.rest; rcex_ws.rest.RingCentral(client_id='x')"])
def test_importing_does_not_load_httpx(module):
    program = f"import sys, {module}; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", program], check=False).returncode == 0
