"""The main job with a client of httpx2 in the place of httpx: login, calls, streams, files both ways, the WebSocket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import pytest

from rcex_ws import RestError, RingCentral, Token, TransportError, WebSocketExtension
from rcex_ws.gateway import Gateway

HERE = "/restapi/v1.0/account/~/extension/~"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(200_000)


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient() as http:
        yield http


@pytest.fixture
async def rc(gateway: Gateway, http: httpx2.AsyncClient) -> AsyncIterator[RingCentral]:
    async with RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret, http=http
    ) as rc:
        await rc.authorize(jwt=gateway.jwt)
        yield rc


async def test_calls_and_their_errors(rc: RingCentral) -> None:
    me = (await rc.get(HERE)).json()
    note = {"from": {"extensionNumber": me["extensionNumber"]}, "to": [{"extensionNumber": me["extensionNumber"]}]}
    sent = await rc.post(f"{HERE}/company-pager", json={**note, "text": "a note"})
    assert sent.via == "https"
    assert (await rc.put(f"{HERE}/message-store/{sent.json()['id']}", json={"readStatus": "Read"})).status_code == 200
    assert (await rc.delete(f"{HERE}/message-store/{sent.json()['id']}")).status_code == 204
    with pytest.raises(RestError) as refused:
        await rc.get("/restapi/v1.0/account/~/extension/1")
    assert refused.value.status_code == 404
    await rc.refresh()
    await rc.get(HERE)


async def test_files_go_up_stream_and_come_down(rc: RingCentral, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(PICTURE)
    await rc.put(f"{HERE}/profile-image", files={"image": picture})
    async with rc.stream("GET", f"{HERE}/profile-image") as answer:
        assert answer.status_code == 200
        assert b"".join([chunk async for chunk in answer.aiter_bytes()]) == PICTURE
    await rc.download(f"{HERE}/profile-image", to=tmp_path / "copy.png")
    assert (tmp_path / "copy.png").read_bytes() == PICTURE


async def test_its_failures_are_our_errors(http: httpx2.AsyncClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    async with RingCentral(server=f"http://127.0.0.1:{port}", token=Token(access_token="secret"), http=http) as rc:
        with pytest.raises(TransportError) as refused:
            await rc.get(HERE)
    assert not refused.value.sent


async def test_the_extension_survives_a_cut(rc: RingCentral, gateway: Gateway) -> None:
    ext = WebSocketExtension(rest_over_websocket=True, reconnect_delays=lambda n: 0.02)
    recovered = anyio.Event()
    ext.on("autoRecoverSuccess", lambda link: recovered.set())
    await rc.install_extension(ext)
    subscription = await ext.subscribe([f"{HERE}/message-store"])
    assert (await rc.get(HERE)).via == "websocket"
    gateway.cut()
    with anyio.fail_after(10):
        await recovered.wait()
        gateway.notify(f"{HERE}/message-store", {"i": 1})
        assert (await anext(aiter(subscription))).body == {"i": 1}


async def test_its_client_stays_open(rc: RingCentral, http: httpx2.AsyncClient) -> None:
    await rc.aclose()
    assert not http.is_closed
