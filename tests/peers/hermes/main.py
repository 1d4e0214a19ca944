"""A published chat agent (`hermes-ringcentral`) gets what a colleague posts, before and after it loses its connection.

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


def client_of(user):
    return published("rc_client").RingCentralClient.from_jwt(
        client_id=os.environ["RINGCENTRAL_CLIENT_ID"],
        client_secret=os.environ["RINGCENTRAL_CLIENT_SECRET"],
        jwt_token=os.environ[user],
        server_url=os.environ["RINGCENTRAL_SERVER_URL"],
    )


async def main():
    client, colleague = client_of("RINGCENTRAL_JWT"), client_of("RINGCENTRAL_SECOND_JWT")
    extension = await client.get_own_extension()
    await colleague.get_own_extension()
    say("login", owner_id=client.owner_id, extensionNumber=extension["extensionNumber"])
    chat = (await client.create_or_find_dm([client.owner_id, colleague.owner_id]))["id"]

    states, posts = asyncio.Queue(), asyncio.Queue()

    async def on_state(name, details):
        if name.startswith("ws_subscription_") and not name.endswith("_sent"):
            await states.put((name, details))

    loop = published("rc_ws").RingCentralWebSocket(client, posts.put, own_person_id=client.owner_id, on_state=on_state)

    async def post_of_a_colleague(number):
        own = await client.send_post(chat, "a question of its own")
        sent = await colleague.send_post(chat, f"number {number}", parent_post_id=own["id"])
        say("event", sent=sent, post=await posts.get())

    await loop.start()
    name, details = await states.get()
    say("subscribed", state=name, **details)
    await post_of_a_colleague(1)

    session = await client._ensure_session()
    async with session.post(f"{os.environ['RINGCENTRAL_SERVER_URL']}/_gateway/cut") as answer:
        say("lost", cut=(await answer.json())["result"])
    name, details = await states.get()
    say("back", state=name, **details)
    await post_of_a_colleague(2)

    await loop.stop()
    await client.close()
    await colleague.close()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(), timeout=30))
