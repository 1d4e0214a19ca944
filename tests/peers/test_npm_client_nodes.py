"""The published JavaScript client (`@rc-ex/core` + `@rc-ex/ws`) comes back at another node when its own is lost."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.gateway import Gateway
from tests.peers.driven import Driven

NODE = Path(__file__).parent / "node"
STORE = "/restapi/v1.0/account/~/extension/~/message-store"
MISSED = 5

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def anyio_backend() -> str:
    """The client is a process of its own: one event loop on our side is enough."""
    return "asyncio"


@pytest.fixture
def gateway_options() -> dict[str, Any]:
    # As for test_npm_client.py. And it opens every WebSocket at the address that came with its wstoken, for 80 % of the
    # life of that: it finds no other node before.
    return {"nodes": 2, "coalesce": False, "wstoken_expires_in": 1}


@pytest.fixture
async def client(gateway: Gateway, need: Callable[[bool, str], None]) -> AsyncIterator[Driven]:
    node = shutil.which("node")
    need(node is not None, "node")
    need((NODE / "node_modules/.installed").is_file(), "the npm client")
    environment = {
        "RINGCENTRAL_SERVER_URL": gateway.server,
        "RINGCENTRAL_CLIENT_ID": gateway.client_id,
        "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
        "RINGCENTRAL_JWT": gateway.jwt,
    }
    async with Driven.run([str(node), str(NODE / "ws_extension.mjs")], environment=environment) as client:
        yield client


def nodes(gateway: Gateway) -> list[int]:
    """Return the node of each connection, in order."""
    return [entry["node"] for entry in gateway.log() if entry["kind"] == "connect"]


async def test_session_goes_on_at_the_other_node_with_what_was_missed(gateway: Gateway, client: Driven) -> None:
    await client.call("install")
    subscription = await client.call("subscribe", filters=[STORE])
    sent = gateway.notify(STORE, {"n": 0})
    await client.event("notification")

    (node,) = nodes(gateway)
    assert gateway.lose_node(node) == 1
    sent += [gateway.notify(STORE, {"n": n + 1})[0] for n in range(MISSED)]
    await client.event("autoRecoverSuccess")
    sent += gateway.notify(STORE, {"n": MISSED + 1})

    def received() -> list[str]:
        return [step["args"][0]["uuid"] for step in client.all("notification")]

    await client.until(lambda: sent[-1] in received())
    # Where the machine is slow, the first of these reach this client together with ConnectionDetails, and are lost.
    replayed = received()[1:-1]
    assert replayed == sent[len(sent) - 1 - len(replayed) : -1]
    assert received()[0] == sent[0]

    assert await client.call("recoveryState") == "Successful"
    assert {step["args"][0]["subscriptionId"] for step in client.all("notification")} == {subscription}
    assert not client.all("autoRecoverFailed")
    log = gateway.log()
    assert nodes(gateway) == [node, 3 - node]
    assert [entry["replayed"] for entry in log if entry["kind"] == "recovered"] == [MISSED]
    assert len([entry for entry in log if entry["kind"] == "subscribe"]) == 1
