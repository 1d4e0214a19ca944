"""A gateway without sockets, and a browser of it: each request is one call of its ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from rcex_ws.gateway.app import GatewayApp
from tests.gateway.api.conftest import Person, ada, app, gateway_options, runner

__all__ = ["Person", "ada", "app", "gateway_options", "runner"]


@dataclass
class Page:
    """What a browser has got."""

    status: int
    headers: dict[str, str]
    text: str


@pytest.fixture
def get(app: GatewayApp, runner: asyncio.Runner) -> Callable[..., Page]:
    """Return a function that gets a path as a browser on some machine does."""

    async def ask(path: str, client: str, headers: Iterable[tuple[str, str]]) -> Page:
        sent: list[Any] = []
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "client": (client, 50000),
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await app.app(scope, receive, send)
        names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Page(sent[0]["status"], names, b"".join(one.get("body", b"") for one in sent[1:]).decode())

    def get(path: str, *, client: str = "127.0.0.1", host: str = "127.0.0.1:8080", **headers: str) -> Page:
        named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return runner.run(ask(path, client, named.items()))

    return get
