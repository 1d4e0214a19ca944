"""A bot that answers every text message, also those that came while it was away.

    python demo/sms_bot.py

It keeps its login and its session in the folder sms_bot. Started again within the time that RingCentral keeps a session
(about three minutes), it answers what has come meanwhile. exactly_once_bot.py is the one that also answers what came
in a gap, and nothing twice.
"""

from shared import Account, run

from rcex_ws import FileSessionStore, FileTokenStore, Gap, WebSocketExtension

EXTENSION = "/restapi/v1.0/account/~/extension/~"


def report(gap: Gap) -> None:
    """Say for which time texts may be missing."""
    print(f"texts {'are' if gap.certain else 'may be'} missing since {gap.since}: {gap.reason}", flush=True)


async def main(account: Account) -> None:
    """Run until it is stopped."""
    rc = account.client(token_store=FileTokenStore("sms_bot/token.json"))
    ws_ext = WebSocketExtension(session_store=FileSessionStore("sms_bot/session.json"), on_gap=report)

    @ws_ext.on_event(f"{EXTENSION}/message-store/instant", type="SMS")
    async def answer(notification) -> None:
        message = notification.view
        me, you = ({"phoneNumber": end.phone_number} for end in (message.to[0], message.from_))
        await rc.restapi().account().extension().sms().post(json={"from": me, "to": [you], "text": "I am a bot."})
        print("answered", message.from_.phone_number, "who wrote", message.subject, flush=True)

    async with rc:
        await rc.authorize(jwt=account.jwt)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe()
        await ws_ext.wait_closed()


if __name__ == "__main__":
    run(main, 'receive_sms {"text": "Are you there?"}')
