"""A running gateway and a minimal client for it: raw `websockets` and httpx, nothing of this library's own client."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import anyio
import httpx
import pytest
import websockets.asyncio.client
import websockets.trio.client

from rcex_ws.gateway import Gateway

EXTENSION = "/restapi/v1.0/account/~/extension/~"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
IDLE_LIMIT = 5.0


class Socket:
    """A raw WebSocket that sends and receives `[meta, body]` frames."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def raw(self) -> str | bytes:
        with anyio.fail_after(IDLE_LIMIT):
            return await self.connection.recv()

    async def recv(self) -> list[Any]:
        return json.loads(await self.raw())

    async def send(self, meta: dict[str, Any], *body: Any) -> None:
        await self.connection.send(json.dumps([meta, *body]))

    async def ask(self, method: str, path: str, *body: Any, **meta: Any) -> str:
        message_id = str(uuid.uuid4())
        await self.send(
            {"type": "ClientRequest", "messageId": message_id, "method": method, "path": path} | meta, *body
        )
        return message_id

    async def request(self, method: str, path: str, *body: Any, **meta: Any) -> tuple[dict[str, Any], Any]:
        """Send a request, and return the next frame, which must be the answer."""
        message_id = await self.ask(method, path, *body, **meta)
        frame = await self.recv()
        assert frame[0]["messageId"] == message_id
        return frame[0], frame[1] if len(frame) > 1 else None

    async def subscribe(self, *filters: str) -> dict[str, Any]:
        meta, body = await self.request(
            "POST",
            "/restapi/v1.0/subscription",
            {"eventFilters": list(filters), "deliveryMode": {"transportType": "WebSocket"}},
        )
        assert meta["status"] == 200, body
        return body

    async def close(self) -> None:
        connection = self.connection
        await (connection.aclose() if hasattr(connection, "aclose") else connection.close())

    async def closed(self) -> websockets.exceptions.ConnectionClosed:
        """Wait for the end, and discard messages before it."""
        while True:
            try:
                await self.raw()
            except websockets.exceptions.ConnectionClosed as closed:
                return closed


class User:
    """One user of the gateway: a login, its HTTP client, its WebSockets."""

    def __init__(self, gw: Gateway, stack: AsyncExitStack, backend: str) -> None:
        self.gw = gw
        self.stack = stack
        self.connect = (websockets.trio if backend == "trio" else websockets.asyncio).client.connect
        self.http = httpx.AsyncClient(base_url=gw.server, timeout=IDLE_LIMIT, verify=False)
        self.tokens: dict[str, Any] = {}

    async def token(self, **form: str) -> httpx.Response:
        return await self.http.post("/restapi/oauth/token", data=form, auth=(self.gw.client_id, self.gw.client_secret))

    async def log_in(self, **form: str) -> None:
        answer = await self.token(**(form or {"grant_type": JWT_GRANT, "assertion": self.gw.jwt}))
        assert answer.status_code == 200, answer.text
        self.keep(answer.json())

    async def refresh(self) -> None:
        answer = await self.token(grant_type="refresh_token", refresh_token=self.tokens["refresh_token"])
        self.keep(answer.json())

    def keep(self, tokens: dict[str, Any]) -> None:
        self.tokens = tokens
        self.http.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    async def wstoken(self) -> dict[str, Any]:
        return (await self.http.post("/restapi/oauth/wstoken")).raise_for_status().json()

    async def open_raw(self, *, wsc: str | None = None, wstoken: str | None = None, **options: Any) -> Socket:
        issued = await self.wstoken()
        query = {"access_token": wstoken or issued["ws_access_token"]} | ({"wsc": wsc} if wsc else {})
        manager = self.connect(f"{issued['uri']}?{httpx.QueryParams(query)}", proxy=None, **options)
        return Socket(await self.stack.enter_async_context(manager))

    async def open(self, wsc: str | None = None) -> tuple[Socket, list[Any]]:
        """Open a WebSocket and return it with its ConnectionDetails."""
        socket = await self.open_raw(wsc=wsc)
        details = await socket.recv()
        assert details[0]["type"] == "ConnectionDetails"
        return socket, details

    async def pager(self, text: str, to: str = "101") -> dict[str, Any]:
        answer = await self.http.post(
            f"{EXTENSION}/company-pager", json={"to": [{"extensionNumber": to}], "text": text}
        )
        return answer.raise_for_status().json()


@pytest.fixture
def start() -> Iterator[Callable[..., Gateway]]:
    """Return a function that starts a gateway with some options."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Gateway(**options))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def log_in(stack: AsyncExitStack, anyio_backend_name: str) -> Callable[..., Any]:
    """Return a function that logs a new client in at a gateway."""

    async def log_in(gw: Gateway, **form: str) -> User:
        user = User(gw, stack, anyio_backend_name)
        await stack.enter_async_context(user.http)
        await user.log_in(**form)
        return user

    return log_in


@pytest.fixture
def kinds() -> Callable[[Gateway], list[str]]:
    """Return the kinds of all entries in the log of a gateway."""
    return lambda gw: [entry["kind"] for entry in gw.log()]


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait until the gateway's thread has made a condition true."""

    async def until(condition: Callable[[], bool]) -> None:
        with anyio.fail_after(IDLE_LIMIT):
            while not condition():  # the other side is a thread, which sets no event here
                await anyio.sleep(0.005)

    return until


@pytest.fixture(autouse=True)
def no_error_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test if the gateway or the event loop has logged an error during it."""
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []
