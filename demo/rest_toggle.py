"""Switch REST over the WebSocket on and off, and see which way each call goes.

    python demo/rest_toggle.py

Runs where main.py runs: on a local gateway, or at RingCentral if the environment names an account. The exit code is 1
if a call went another way than it should.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import anyio
from shared import EXTENSION, Account, Heard, Report, find_account

from rcex_ws import Events, RcexError, RingCentral, WebSocketExtension


async def toggle(account: Account, rc: RingCentral, ws_ext: WebSocketExtension, report: Report) -> None:
    """Make the same calls under every setting."""
    heard = Heard(ws_ext)
    await rc.authorize(jwt=account.jwt)
    await rc.install_extension(ws_ext)
    me = {"extensionNumber": (await rc.restapi().account().extension().get())["extensionNumber"]}
    note = {"from": me, "to": [me], "text": "which way?"}

    async def call(expected: str, what: str, method: str, path: str, **options: Any) -> None:
        answer = await rc.request(method, path, **options)
        report.check(answer.via == expected, f"{what:<35} {method:<5} via {answer.via}")

    report.title("rest_over_websocket = True")
    ws_ext.rest_over_websocket = True
    await call("websocket", "JSON", "GET", EXTENSION)
    await call("websocket", "a JSON body", "POST", f"{EXTENSION}/company-pager", json=note)
    await call("https", "another Accept header", "GET", EXTENSION, headers={"Accept": "application/json, text/plain"})
    await call("https", "a path of OAuth", "POST", "/restapi/oauth/wstoken")
    if account.fax_to is not None:
        fax = {"to": [{"phoneNumber": account.fax_to}]}
        files = [("attachment", ("page.txt", b"hello", "text/plain"))]
        await call("https", "multipart: an upload", "POST", f"{EXTENSION}/fax", json=fax, files=files)
    listed = await rc.restapi().account().extension().message_store().get()
    attachments = [item["uri"] for record in listed["records"] for item in record.get("attachments", ())]
    if attachments:
        await call("https", "binary content: a download", "GET", attachments[0])

    report.title("rest_over_websocket = False")
    ws_ext.rest_over_websocket = False
    await call("https", "JSON", "GET", EXTENSION)
    answer = await ws_ext.request("GET", EXTENSION)
    report.check(answer.via == "websocket", f"{'ws_ext.request(), always the socket':<35} GET   via {answer.via}")

    report.title("disable(), then enable()")
    ws_ext.rest_over_websocket = True
    ws_ext.disable()
    await call("https", "JSON, disabled", "GET", EXTENSION)
    ws_ext.enable()
    await call("websocket", "JSON, enabled", "GET", EXTENSION)

    report.title("The connection is lost")
    if ws_ext.ws is not None:
        ws_ext.ws.abort()
    await heard.event(Events.DISCONNECTED)
    await call("https", "JSON, while it is lost", "GET", EXTENSION)
    await heard.event(Events.CONNECTION_READY, after=1)
    await call("websocket", "JSON, connected again", "GET", EXTENSION)


async def run(account: Account) -> int:
    """Run it and give the exit code."""
    report = Report(account)
    try:
        async with account.client() as rc:
            await toggle(account, rc, WebSocketExtension(), report)
    except (RcexError, TimeoutError) as error:
        report.broken_off(error)
    return report.end("Every call went the way it should.")


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)  # the library's warnings come as events
    with find_account() as where:
        sys.exit(anyio.run(run, where))
