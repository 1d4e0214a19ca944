"""A logged-in client on the local gateway, extensions that reconnect fast, and a record of what they tell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from rcex_ws import Events, Notification, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway

pytest.register_assert_rewrite("tests.wsg.completeness_life")  # so that a failure shows the values

STORE = "/restapi/v1.0/account/~/extension/~/message-store"


class Told:
    """What the application was told, in order: ("event name", argument) and ("notification", i)."""

    def __init__(self) -> None:
        self.items: list[tuple[str, Any]] = []
        self._changed = anyio.Event()

    def add(self, name: str, value: Any = None) -> None:
        self.items.append((name, value))
        self._changed.set()
        self._changed = anyio.Event()

    def listen(self, ext: WebSocketExtension) -> None:
        for event in Events:
            ext.on(event, lambda *args, event=event: self.add(str(event), *args))

    def on_notification(self, notification: Notification) -> None:
        self.add("notification", notification)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.items]

    def of(self, name: str) -> list[Any]:
        return [value for found, value in self.items if found == name]

    @property
    def numbers(self) -> list[int]:
        """The `i` of each notification, in the order of delivery."""
        return [notification.body["i"] for notification in self.of("notification")]

    async def until(self, condition: Callable[[], bool], within: float = 10) -> None:
        """Wait for a condition that can only change when something is told."""
        with anyio.fail_after(within):
            while not condition():
                await self._changed.wait()

    async def wait(self, name: str, count: int = 1, within: float = 10) -> Any:
        await self.until(lambda: len(self.of(name)) >= count, within)
        return self.of(name)[count - 1]


@pytest.fixture
def told() -> Told:
    return Told()


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
