"""The published Python client (`ringcentral`) logs in, calls REST and gets a notification from a gateway.

Run by test_python_sdk.py in an environment of its own, with the phone numbers of a sender and a recipient; prints one
JSON object per step. The environment variables name the gateway as its own first four lines do (RINGCENTRAL_SERVER_URL
and so on).
"""

import asyncio
import json
import os
import sys

from ringcentral import SDK
from ringcentral.websocket.events import WebSocketEvents


def say(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)  # noqa: T201


async def notification_of_a_pager(sdk, extension_number):
    """Subscribe, send a pager to ourselves, and return the notification it causes."""
    loop = asyncio.get_running_loop()
    connected, answered, notified = loop.create_future(), loop.create_future(), loop.create_future()

    def on_message(text):
        meta, *body = json.loads(text)
        if meta["type"] == "ClientRequest":
            answered.set_result(body[0])

    client = sdk.create_web_socket_client()
    client.on(WebSocketEvents.connectionCreated, connected.set_result)
    client.on(WebSocketEvents.receiveMessage, on_message)
    client.on(WebSocketEvents.receiveSubscriptionNotification, notified.set_result)
    # The client's receive loop runs inside this coroutine: it ends only when the connection does.
    receiving = asyncio.create_task(client.create_new_connection())
    await connected
    say("connected", details=json.loads(client.get_connection_info()["connection_details"])[1])

    await client.create_subscription(["/restapi/v1.0/account/~/extension/~/message-store"])
    say("subscribed", id=(await answered)["id"])

    pager = {"from": {"extensionNumber": extension_number}, "to": [{"extensionNumber": extension_number}], "text": "hi"}
    url = "/restapi/v1.0/account/~/extension/~/company-pager"
    await asyncio.to_thread(sdk.platform().post, url, body=pager)
    _, body = await notified
    say("event", uuid=body["uuid"], subscriptionId=body["subscriptionId"], type=body["body"]["changes"][0]["type"])

    await client.close_connection()
    await asyncio.gather(receiving, return_exceptions=True)


def texts(sdk, own, other):
    """Send an SMS as the package's sample does, and an MMS by its MultipartBuilder; say what has become of them."""
    extension = "/restapi/v1.0/account/~/extension/~"
    parties = {"from": {"phoneNumber": own}, "to": [{"phoneNumber": other}]}
    sms = sdk.platform().post(f"{extension}/sms", {**parties, "text": "Hello World from Python"}).json_dict()
    builder = sdk.create_multipart_builder().set_body({**parties, "text": "Look"})
    builder.add(("a.png", b"\x89PNG\r\n", "image/png"))
    mms = sdk.platform().send_request(builder.request(f"{extension}/mms")).json_dict()
    picture = sdk.platform().get(mms["attachments"][0]["uri"]).response().content
    say("texts", sms=sms, mms=mms, picture=picture.hex())


def main():
    sdk = SDK(
        os.environ["RINGCENTRAL_CLIENT_ID"],
        os.environ["RINGCENTRAL_CLIENT_SECRET"],
        os.environ["RINGCENTRAL_SERVER_URL"],
    )
    platform = sdk.platform()
    platform.login(jwt=os.environ["RINGCENTRAL_JWT"])
    say("login", logged_in=platform.logged_in())
    extension = platform.get("/restapi/v1.0/account/~/extension/~").json_dict()
    say("rest", id=extension["id"], extensionNumber=extension["extensionNumber"])
    texts(sdk, *sys.argv[1:])
    asyncio.run(asyncio.wait_for(notification_of_a_pager(sdk, extension["extensionNumber"]), timeout=20))
    platform.logout()
    say("revoked", access_token=platform.auth().access_token())


if __name__ == "__main__":
    main()
