"""The published Python client (`ringcentral`) hosts the WebSocket extension: one session, owned by the SDK.

Run by test_python_sdk.py with this package's Python, and the SDK on the path; prints one JSON object per step.
"""

import json
import os
import sys
from pathlib import Path

import anyio

# Its own dependencies come first: it pins websockets 15, which the extension works with, too.
sys.path.insert(0, str(next(Path(__file__).parent.glob(".venv/lib/python*/site-packages"))))
from ringcentral import SDK

from rcex_ws import Events, RingCentral, WebSocketExtension

EXTENSION = "/restapi/v1.0/account/~/extension/~"


def say(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)  # noqa: T201


async def main():
    env = os.environ
    sdk = SDK(env["RINGCENTRAL_CLIENT_ID"], env["RINGCENTRAL_CLIENT_SECRET"], env["RINGCENTRAL_SERVER_URL"])
    sdk.platform().login(jwt=env["RINGCENTRAL_JWT"])
    say("login", module=sys.modules["websockets"].__version__)
    async with RingCentral.from_sdk(sdk) as rc:
        ws_ext = WebSocketExtension(rest_over_websocket=True, reconnect_delays=lambda n: 0.05)
        await rc.install_extension(ws_ext)
        recovered = anyio.Event()
        ws_ext.on(Events.AUTO_RECOVER_SUCCESS, lambda ws: recovered.set())
        subscription = await ws_ext.subscribe([f"{EXTENSION}/message-store"])
        old = sdk.platform().auth().access_token()
        await rc.refresh()
        say("refreshed", by_sdk=sdk.platform().auth().access_token() != old)
        sdk.platform().refresh()  # and now behind our back
        ws_ext.ws.abort()
        await recovered.wait()
        me = sdk.platform().get(f"{EXTENSION}").json_dict()["extensionNumber"]  # the SDK's own calls go on
        sdk.platform().post(f"{EXTENSION}/company-pager", {"text": "hi", "to": [{"extensionNumber": me}]})
        async for notification in subscription:
            say("event", type=notification.body["changes"][0]["type"])
            break
        say("rest", via=(await rc.get(EXTENSION)).via)
    say("logged in", still=sdk.platform().logged_in())


anyio.run(main)
