"""The published Python client (`ringcentral`) and ours in one process: each with a login, a WebSocket, a subscription.

Run by test_python_sdk.py with this package's Python, and the SDK on the path; prints one JSON object per step.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

# Its own dependencies come first: it pins websockets 15, which the extension works with, too.
sys.path.insert(0, str(next(Path(__file__).parent.glob(".venv/lib/python*/site-packages"))))
from ringcentral import SDK
from ringcentral.websocket.events import WebSocketEvents

from rcex_ws import Events, RingCentral, State, WebSocketExtension

EXTENSION = "/restapi/v1.0/account/~/extension/~"
FILTERS = [f"{EXTENSION}/message-store"]


def say(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)  # noqa: T201


async def connect(client, events):
    """Connect their client and subscribe; return the task that reads."""
    answered, connected = asyncio.Event(), asyncio.Event()
    client.on(WebSocketEvents.connectionCreated, lambda _: connected.set())
    client.on(WebSocketEvents.receiveMessage, lambda text: "ClientRequest" in text and answered.set())
    client.on(WebSocketEvents.receiveSubscriptionNotification, lambda frame: events.put_nowait(frame[1]["uuid"]))
    receiving = asyncio.create_task(client.create_new_connection())
    await connected.wait()
    await client.create_subscription(FILTERS)
    await answered.wait()
    return receiving


async def main():
    env = os.environ
    credentials = env["RINGCENTRAL_CLIENT_ID"], env["RINGCENTRAL_CLIENT_SECRET"]
    sdk = SDK(*credentials, env["RINGCENTRAL_SERVER_URL"])
    platform = sdk.platform()
    platform.login(jwt=env["RINGCENTRAL_JWT"])
    theirs, ours = asyncio.Queue(), asyncio.Queue()
    client = sdk.create_web_socket_client()
    receiving = await connect(client, theirs)
    rc = RingCentral(server=env["RINGCENTRAL_SERVER_URL"], client_id=credentials[0], client_secret=credentials[1])
    async with rc:
        await rc.authorize(jwt=env["RINGCENTRAL_JWT"])
        ws_ext = WebSocketExtension(rest_over_websocket=True, reconnect_delays=lambda n: 0.3)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe(FILTERS, lambda notification: ours.put_nowait(notification.uuid))
        say("connected", websockets=sys.modules["websockets"].__version__)

        me = (await rc.get(EXTENSION)).json()["extensionNumber"]
        pager = {"from": {"extensionNumber": me}, "to": [{"extensionNumber": me}], "text": "hi"}

        async def send():
            await asyncio.to_thread(platform.post, f"{EXTENSION}/company-pager", pager)

        await send()
        say("both", theirs=await theirs.get(), ours=await ours.get())

        ready = asyncio.Event()
        ws_ext.on(Events.AUTO_RECOVER_SUCCESS, lambda ws: ready.set())
        ws_ext.ws.abort()
        while ws_ext.state is State.READY:
            await asyncio.sleep(0)
        state = ws_ext.state
        status = (await asyncio.to_thread(platform.get, EXTENSION)).response().status_code
        await send()
        say(
            "while ours is away",
            state=state,
            status=status,
            theirs=await theirs.get(),
            via=(await rc.get(EXTENSION)).via,
        )
        await ready.wait()
        say("recovered", ours=await ours.get(), via=(await rc.get(EXTENSION)).via)

        await client.close_connection()
        await asyncio.gather(receiving, return_exceptions=True)
        await asyncio.to_thread(platform.logout)
        answer = await rc.post(f"{EXTENSION}/company-pager", json=pager)
        say("theirs has ended", via=answer.via, ours=await ours.get(), left=theirs.qsize() + ours.qsize())


asyncio.run(asyncio.wait_for(main(), 30))
