"""A logged-in client on the local gateway, extensions that reconnect fast, and a record of what they tell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from rcex_ws import RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway
from tests.told import Told

pytest.register_assert_rewrite("tests.wsg.completeness_life")  # so that a failure shows the values

STORE = "/restapi/v1.0/account/~/extension/~/message-store"


@pytest.fixture
def told() -> Told:
    return Told(patience=10)


@pytest.fixture
async def rc(gateway: Gateway) -> AsyncIterator[RingCentral]:
    async with RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
    ) as rc:
        await rc.authorize(jwt=gateway.jwt)
        yield rc


@pytest.fixture
def make_ext(told: Told) -> Callable[..., WebSocketExtension]:
    """Make an extension whose events are recorded and which does not wait long."""

    def make(**options: Any) -> WebSocketExtension:
        options.setdefault("reconnect_delays", lambda n: 0.02)
        ext = WebSocketExtension(**options)
        told.listen(ext)
        return ext

    return make


@pytest.fixture
async def ext(rc: RingCentral, make_ext: Callable[..., WebSocketExtension]) -> WebSocketExtension:
    """An installed extension with REST over the WebSocket."""
    ext = make_ext(rest_over_websocket=True)
    await rc.install_extension(ext)
    return ext


@pytest.fixture
def send(gateway: Gateway) -> Callable[..., None]:
    """Send numbered notifications."""

    def send(*numbers: int, event: str = STORE) -> None:
        for number in numbers:
            gateway.notify(event, {"i": number})

    return send


@pytest.fixture
def requests(gateway: Gateway) -> Callable[[str], list[dict[str, Any]]]:
    """The requests the gateway has seen at a path that contains a text."""

    def requests(part: str) -> list[dict[str, Any]]:
        return [entry for entry in gateway.log() if entry["kind"] == "request" and part in entry["path"]]

    return requests
