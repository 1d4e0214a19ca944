"""Texts whoever called and was not answered: "Sorry that we missed you".

    python demo/missed_call_text.py

The server selects the missed calls, by the query of the filter. Each caller gets one text an hour, however often they
ring: an answer that repeats itself is the fault that such bots are known for.
"""

import time

from shared import Account, run

from rcex_ws import FileSessionStore, FileTokenStore, RestError, WebSocketExtension

EXTENSION = "/restapi/v1.0/account/~/extension/~"
TEXT = "Sorry that we missed your call. Answer here, and we will call you back."
QUIET = 3600.0  # seconds


async def main(account: Account) -> None:
    """Run until it is stopped."""
    rc = account.client(token_store=FileTokenStore("missed_call_text/token.json"))
    ws_ext = WebSocketExtension(session_store=FileSessionStore("missed_call_text/session.json"))
    texted: dict[str, float] = {}

    @ws_ext.on_event(f"{EXTENSION}/telephony/sessions", direction="Inbound", missedCall="true")
    async def on_missed(notification) -> None:
        party = notification.view.parties[0]
        caller, own = (end.get("phoneNumber") for end in (party.from_, party.to))
        now = time.monotonic()
        if not caller or not own or now - texted.get(caller, -QUIET) < QUIET:
            print("no text to", caller or "somebody who hides their number", flush=True)
            return
        texted[caller] = now
        text = {"from": {"phoneNumber": own}, "to": [{"phoneNumber": caller}], "text": TEXT}
        try:
            await rc.restapi().account().extension().sms().post(json=text)
        except RestError as refused:  # a landline, a number that has opted out
            print(f"no text to {caller}: {refused.message}", flush=True)
        else:
            print("texted", caller, flush=True)

    async with rc:
        await rc.authorize(jwt=account.jwt)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe()
        print("listening", flush=True)
        await ws_ext.wait_closed()


if __name__ == "__main__":
    run(main, "ring", "miss")
