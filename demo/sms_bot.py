"""A bot that answers every text message.

    python demo/sms_bot.py

Needs RINGCENTRAL_SERVER_URL, RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET and RINGCENTRAL_JWT in the environment:
your account's, or those that `python -m rcex_ws.gateway` prints. Messages that come while it is away are answered when
it is started again, within the time that RingCentral keeps a session (about three minutes).
"""

import os

import anyio

from rcex_ws import FileSessionStore, FileTokenStore, RingCentral, WebSocketExtension

EXTENSION = "/restapi/v1.0/account/~/extension/~"
rc = RingCentral(
    server=os.environ["RINGCENTRAL_SERVER_URL"],
    client_id=os.environ["RINGCENTRAL_CLIENT_ID"],
    client_secret=os.environ["RINGCENTRAL_CLIENT_SECRET"],
    token_store=FileTokenStore("sms_bot/token.json"),
)
ws_ext = WebSocketExtension(session_store=FileSessionStore("sms_bot/session.json"))


@ws_ext.on_event(f"{EXTENSION}/message-store/instant", type="SMS")
async def answer(notification):
    """Answer a message."""
    message = notification.view
    me, you = ({"phoneNumber": end.phone_number} for end in (message.to[0], message.from_))
    await rc.restapi().account().extension().sms().post(json={"from": me, "to": [you], "text": "I am a bot."})
    print("answered", message.from_.phone_number, "who wrote", message.subject, flush=True)


async def main():
    """Run until it is stopped."""
    async with rc:
        await rc.authorize(jwt=os.environ["RINGCENTRAL_JWT"])
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe()
        await ws_ext.wait_closed()


anyio.run(main)
