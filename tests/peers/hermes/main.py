"""A published chat agent (`hermes-ringcentral`) logs in, subscribes, gets an event, loses its connection, comes back.

Run by test_hermes.py in an environment of its own; prints one JSON object per step. The environment variables name the
gateway as its own first four lines do (RINGCENTRAL_SERVER_URL and so on).

The package is a plug-in: its `__init__` imports the agent, of which nothing is needed here. What is run is its client
and its WebSocket loop, as they are published.
"""

import asyncio
import importlib.util
import json
import os
import sys
import types
from pathlib import Path


def published(name):
    """Import a module of the package without running the package's `__init__`."""
    if "ringcentral" not in sys.modules:
        package = types.ModuleType("ringcentral")
        package.__path__ = [str(Path(importlib.util.find_spec("ringcentral").origin).parent)]
        sys.modules["ringcentral"] = package
    return importlib.import_module(f"ringcentral.{name}")


def say(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)  # noqa: T201


async def main():
    server = os.environ["RINGCENTRAL_SERVER_URL"]
    client = published("rc_client").RingCentralClient.from_jwt(
        client_id=os.environ["RINGCENTRAL_CLIENT_ID"],
        client_secret=os.environ["RINGCENTRAL_CLIENT_SECRET"],
        jwt_token=os.environ["RINGCENTRAL_JWT"],
        server_url=server,
    )
    extension = await client.get_own_extension()
    say("login", owner_id=client.owner_id, extensionNumber=extension["extensionNumber"])

    states, posts = asyncio.Queue(), asyncio.Queue()

    async def on_state(name, details):
        if name.startswith("ws_subscription_") and not name.endswith("_sent"):
            await states.put((name, details))

    loop = published("rc_ws").RingCentralWebSocket(client, posts.put, own_person_id=client.owner_id, on_state=on_state)
    session = await client._ensure_session()

    async def post_of_a_colleague(number):
        post = {"id": str(number), "eventType": "PostAdded", "creatorId": "7", "text": f"number {number}"}
        order = {"event": "/team-messaging/v1/posts", "body": post}
        async with session.post(f"{server}/_gateway/notify", json=order) as answer:
            sent = (await answer.json())["result"]
        say("event", sent=sent, post=await posts.get())

    await loop.start()
    name, details = await states.get()
    say("subscribed", state=name, **details)
    await post_of_a_colleague(1)

    async with session.post(f"{server}/_gateway/cut") as answer:
        say("lost", cut=(await answer.json())["result"])
    name, details = await states.get()
    say("back", state=name, **details)
    await post_of_a_colleague(2)

    await loop.stop()
    await client.close()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(), timeout=30))
