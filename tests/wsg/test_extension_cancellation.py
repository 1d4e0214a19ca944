"""Cancel at every await of each operation, one await per round, and find a clean house each time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import anyio
import pytest

from rcex_ws import RingCentral, State, WebSocketExtension
from rcex_ws.connection import Supervisor
from rcex_ws.connection.connection import Connection

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]
PRESENCE = ["/restapi/v1.0/account/~/extension/~/presence"]
INFO = "/restapi/v1.0/account/~/extension/~"


class AtAwait:
    """Await something; call `action` when it is about to wait for the n-th time."""

    def __init__(self, awaitable: Awaitable[Any], n: int, action: Callable[[], object]) -> None:
        self._awaitable, self._n, self._action = awaitable, n, action
        self.reached = False

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self._awaitable.__await__()
        count = 0
        step: Callable[[], Any] = lambda: inner.send(None)  # noqa: E731
        while True:
            try:
                waited_for = step()
            except StopIteration as stop:
                return stop.value
            count += 1
            if count == self._n:
                self.reached = True
                self._action()
            try:
                value = yield waited_for
            except BaseException as exc:  # noqa: BLE001 - handed on
                step = lambda exc=exc: inner.throw(exc)  # noqa: E731
            else:
                step = lambda value=value: inner.send(value)  # noqa: E731


@pytest.fixture
def new_client(gateway):
    def new_client() -> RingCentral:
        return RingCentral(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret)

    return new_client


def new_ext() -> WebSocketExtension:
    return WebSocketExtension(rest_over_websocket=True, reconnect_delays=lambda n: 0.01, close_timeout=2)


async def rounds(operation: Callable[[int], Awaitable[bool]]) -> int:
    """Run `operation(n)` for n = 1, 2, ... until it ends before its n-th await; tell how many awaits it has."""
    for n in range(1, 200):
        with anyio.fail_after(10):
            if not await operation(n):
                return n - 1
    raise AssertionError("the operation never ends")


async def clean(gateway, rc: RingCentral, ext: WebSocketExtension) -> None:
    """Close, and see that nothing is left: no task of the client, no request, no socket at the server."""
    with anyio.fail_after(4):
        await rc.aclose()
    assert not rc.tasks.running
    if ext._runtime is not None:
        assert len(ext._runtime._table) == 0
        assert all(child.done for child in ext._runtime.life._children)
    with anyio.move_on_after(4) as scope:
        while True:
            log = gateway.log()
            opened = {entry["connection"] for entry in log if entry["kind"] == "connect"}
            if opened <= {entry["connection"] for entry in log if entry["kind"] in ("lost", "superseded")}:
                break
            await anyio.sleep(0.002)
    assert not scope.cancelled_caught, log


async def works(gateway, ext: WebSocketExtension) -> None:
    """See that the extension still does its job."""
    got = anyio.Event()
    await ext.subscribe(STORE, lambda n: got.set())
    gateway.notify(STORE[0], {})
    with anyio.fail_after(4):
        await got.wait()


async def test_connect_cancelled(gateway, new_client):
    async def operation(n: int) -> bool:
        gateway.clear_log()
        rc, ext = new_client(), new_ext()
        await rc.authorize(jwt=gateway.jwt)
        with anyio.CancelScope() as scope:
            attempt = AtAwait(rc.install_extension(ext), n, scope.cancel)
            await attempt
        if attempt.reached:
            again = new_ext()
            await rc.install_extension(again)
            await works(gateway, again)
        await clean(gateway, rc, ext)
        return attempt.reached

    assert await rounds(operation) >= 1


@pytest.mark.parametrize(("owner", "method", "awaits"), [(Supervisor, "run", 3), (Connection, "run_until_lost", 5)])
async def test_closed_at_every_await_of_the_supervisor(gateway, new_client, monkeypatch, owner, method, awaits):
    """The loop of the supervisor and each connection, closed at each of their awaits, a loss included."""
    run = getattr(owner, method)

    async def operation(n: int) -> bool:
        gateway.clear_log()
        reached = anyio.Event()
        attempts: list[AtAwait] = []

        async def watched(self: Any) -> Any:
            attempts.append(AtAwait(run(self), n, reached.set))
            return await attempts[-1]

        monkeypatch.setattr(owner, method, watched)
        rc, ext = (
            new_client(),
            WebSocketExtension(start_in_background=True, reconnect_delays=lambda n: 0.01, close_timeout=2),
        )
        await rc.authorize(jwt=gateway.jwt)
        await rc.install_extension(ext)
        cut = False
        with anyio.move_on_after(0.4):
            while not reached.is_set():
                if ext.state is State.READY and not cut:
                    cut = gateway.cut() > 0
                await anyio.sleep(0.001)
        with anyio.fail_after(4):
            await ext.aclose()
        await clean(gateway, rc, ext)
        return reached.is_set()

    assert await rounds(operation) >= awaits


@pytest.mark.parametrize("what", ["subscribe", "replace", "request", "recover", "revoke", "detach"])
async def test_cancelled(gateway, new_client, what, anyio_backend_name):
    async def operation(n: int) -> bool:
        gateway.clear_log()
        rc, ext = new_client(), new_ext()
        await rc.authorize(jwt=gateway.jwt)
        await rc.install_extension(ext)
        if what in ("replace", "recover", "revoke", "detach"):
            await ext.subscribe(STORE, lambda n: None)
        if what == "recover":
            gateway.cut()
            with anyio.fail_after(4):
                while ext.ws is not None:
                    await anyio.sleep(0.001)
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "subscribe": lambda: ext.subscribe(STORE, lambda n: None),
            "replace": lambda: ext.subscribe(PRESENCE, lambda n: None),
            "request": lambda: rc.get(INFO),
            "recover": ext.recover,
            "revoke": ext.revoke,
            "detach": ext.detach,
        }
        with anyio.CancelScope() as scope:
            attempt = AtAwait(calls[what](), n, scope.cancel)
            await attempt
        if what in ("revoke", "detach"):
            assert ext.state is State.CLOSED, "closing is carried out though its caller was cancelled"
        elif attempt.reached:
            await works(gateway, ext)
        await clean(gateway, rc, ext)
        return attempt.reached

    before = asyncio.all_tasks() if anyio_backend_name == "asyncio" else set()
    awaits = await rounds(operation)
    assert awaits >= 1
    if anyio_backend_name == "asyncio":
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
