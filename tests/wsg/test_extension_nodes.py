"""RingCentral is many machines: a session goes on at another one when its own is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rcex_ws import Events, Outcome, RestError, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway
from tests.told import Told
from tests.wsg.conftest import STORE

ROUNDS = 4


@pytest.fixture
def gateway_options() -> dict[str, Any]:
    return {"nodes": 2}


def nodes(gateway: Gateway) -> list[int]:
    """Return the node of each connection, in order."""
    return [entry["node"] for entry in gateway.log() if entry["kind"] == "connect"]


def wstoken_requests(gateway: Gateway) -> int:
    return len([entry for entry in gateway.log() if entry.get("path") == "/restapi/oauth/wstoken"])


async def test_every_notification_comes_once_while_one_node_after_the_other_is_lost(
    gateway: Gateway, rc: RingCentral, make_ext: Callable[..., WebSocketExtension], told: Told
) -> None:
    ext = make_ext()
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    sent = 0

    async def send_on() -> None:
        nonlocal sent
        while True:
            gateway.notify(STORE, {"i": sent})
            sent += 1
            await anyio.sleep(0.001)

    async with anyio.create_task_group() as group:
        group.start_soon(send_on)
        for round_ in range(1, ROUNDS + 1):
            node = nodes(gateway)[-1]
            await told.number(sent + 5)
            assert gateway.lose_node(node) == 1
            await told.wait(Events.AUTO_RECOVER_SUCCESS, round_)
            await told.number(sent + 5)
            gateway.restore_node(node)
        group.cancel_scope.cancel()
    await told.number(sent - 1)

    assert told.numbers == list(range(sent))
    assert nodes(gateway) == [1, 2, 1, 2, 1]
    assert not [gap for gap in told.gaps if gap.certain]
    assert Events.AUTO_RECOVER_FAILED not in told.names


async def test_it_waits_for_a_node_when_all_are_lost(
    gateway: Gateway, rc: RingCentral, ext: WebSocketExtension, told: Told, send: Callable[..., None]
) -> None:
    await ext.subscribe([STORE], told.on_notification)
    gateway.lose_node(2)
    gateway.lose_node(1)
    send(1, 2)
    error = await told.wait(Events.AUTO_RECOVER_ERROR)
    assert isinstance(error, RestError)
    assert error.status_code == 503
    gateway.restore_node(2)
    await told.number(2)
    assert told.numbers == [1, 2]
    assert nodes(gateway) == [1, 2]
    assert ext.last_recovery is not None
    assert ext.last_recovery.outcome is Outcome.RECOVERED


async def test_an_address_that_is_gone_is_asked_for_again(
    gateway: Gateway, rc: RingCentral, make_ext: Callable[..., WebSocketExtension], told: Told, ms: float
) -> None:
    """A node may die between the answer that names it and the dial: the wstoken would be good for minutes."""
    ext = make_ext(reconnect_delays=lambda _: 20 * ms)
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    gateway.answer_fault("wstoken", delay=200 * ms)
    asked = wstoken_requests(gateway)
    gateway.lose_node(1)
    while wstoken_requests(gateway) == asked:
        await anyio.sleep(5 * ms)
    gateway.lose_node(2)
    gateway.restore_node(1)
    await told.wait(Events.AUTO_RECOVER_SUCCESS)
    assert 1 <= len(told.of(Events.AUTO_RECOVER_ERROR)) <= 2
