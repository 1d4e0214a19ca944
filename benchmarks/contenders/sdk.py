"""The official `ringcentral` SDK as a contender. It takes notifications; it has no REST over WebSocket, no recovery.

Runs in an environment of its own (tests/peers/python), in which nothing of ours is installed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from ringcentral import SDK
from ringcentral.websocket.events import WebSocketEvents

FILTERS = ["/restapi/v1.0/account/~/extension/~/telephony/sessions"]


async def notifications(client: Any, count: int, size: int, **_: object) -> dict[str, float]:
    """Take a burst."""
    loop = asyncio.get_running_loop()
    done, taken = loop.create_future(), 0

    def take(_: object) -> None:
        nonlocal taken
        taken += 1
        if taken == count:
            done.set_result(None)

    client.on(WebSocketEvents.receiveSubscriptionNotification, take)
    cpu, start = time.process_time(), time.perf_counter()
    meta = {"type": "ClientRequest", "messageId": "burst", "method": "POST", "path": "/restapi/v1.0/bench/burst"}
    await client.send_message([meta, {"count": count, "size": size}])
    await done
    sample = {"count": taken, "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
    client.off(WebSocketEvents.receiveSubscriptionNotification, take)
    return sample


async def main(server: str) -> None:
    """Log in, connect, subscribe, take orders."""
    sdk = SDK("benchmarks", "a secret", server)
    sdk.platform().login(jwt="a JWT")
    loop = asyncio.get_running_loop()
    connected, subscribed = loop.create_future(), loop.create_future()
    client = sdk.create_web_socket_client()
    client.once(WebSocketEvents.connectionCreated, connected.set_result)
    client.once(WebSocketEvents.receiveMessage, subscribed.set_result)
    receiving = asyncio.create_task(client.create_new_connection())
    await connected
    await client.create_subscription(FILTERS)
    await subscribed
    print(json.dumps({"ready": True}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        order.pop("do")
        print(json.dumps(await notifications(client, **order)), flush=True)
    receiving.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
