"""A script without async: sends a text message, waits for the answer, and prints it.

    python demo/ask_by_text.py +16505550199 "Can you take the late shift?"

`rcex_ws.blocking` has the same classes as `rcex_ws`, to be used without `await`. With the local gateway somebody
answers at once; an answer that does not come within ten minutes ends it, as does Ctrl-C.
"""

import sys

from shared import EXTENSION, Account, errors_in_one_line, find_account

from rcex_ws.blocking import RingCentral, WebSocketExtension

PATIENCE = 600.0  # seconds


def main(account: Account, number: str = "+16505550199", question: str = "Can you take the late shift?") -> None:
    """Ask, and wait for the answer."""
    with RingCentral(server=account.server, client_id=account.client_id, client_secret=account.client_secret) as rc:
        rc.authorize(jwt=account.jwt)
        ws_ext = WebSocketExtension(rest_over_websocket=True)
        rc.install_extension(ws_ext)
        subscription = ws_ext.subscribe([f"{EXTENSION}/message-store/instant?type=SMS"])  # before the question
        own = next(
            one["phoneNumber"]
            for one in rc.get(f"{EXTENSION}/phone-number").json()["records"]
            if "SmsSender" in one["features"]
        )
        text = {"from": {"phoneNumber": own}, "to": [{"phoneNumber": number}], "text": question}
        print(f"asked {number} via {rc.post(f'{EXTENSION}/sms', json=text).via}", flush=True)
        if account.gateway is not None:
            account.gateway.receive_sms("Yes, from nine", from_number=number)
        while (answer := subscription.next(timeout=PATIENCE).view).from_.phone_number != number:
            pass
        print("the answer is:", answer.subject)


if __name__ == "__main__":
    with find_account() as account, errors_in_one_line(account):
        print(f"Using {account}", flush=True)
        main(account, *sys.argv[1:])
