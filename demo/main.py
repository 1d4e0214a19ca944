"""The main job, from the login to a session that cannot be recovered. Run it by `make demo`.

It runs against a gateway of its own, over real sockets of this machine. With RINGCENTRAL_SERVER_URL,
RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET and RINGCENTRAL_JWT set it runs against RingCentral: all messages go
to yourself, a fax is sent only if RINGCENTRAL_FAX_TO names a number. The exit code is 1 if anything did not hold.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from dataclasses import dataclass

import anyio
from shared import EXTENSION, MESSAGES, UNTIL_SEEN, Account, Heard, Report, find_account, send_notes

from rcex_ws import Events, Gap, Outcome, RcexError, RingCentral, WebSocketExtension

DOCUMENT = b"%PDF-1.4 a page that is faxed and comes back\n"
NOTES = 20


@dataclass
class Demo:
    """Hold what the steps below share."""

    account: Account
    rc: RingCentral
    ws_ext: WebSocketExtension
    heard: Heard
    report: Report

    async def connect(self) -> None:
        """Log in, install, subscribe."""
        self.report.title("Connect")
        await self.rc.authorize(jwt=self.account.jwt)
        self.report.say(f"logged in at {self.account.server}")
        await self.rc.install_extension(self.ws_ext)
        self.report.say("WebSocket ready")
        await self.ws_ext.subscribe([MESSAGES], self.heard.on_notification)
        self.report.say("subscribed to the message store")

    async def call(self) -> None:
        """Call REST over the socket; upload and download by HTTPS, because the socket cannot take those."""
        self.report.title("Call REST: over the socket what it can take, the rest by HTTPS")
        info = await self.rc.get(EXTENSION)
        self.report.say(f"I am {info.json()['name']}, extension {info.json()['extensionNumber']}")
        self.report.check(info.via == "websocket", f"the REST call went via {info.via}")
        if self.account.fax_to is None:
            self.report.say("upload skipped: set RINGCENTRAL_FAX_TO to a number that may be sent a fax")
        else:
            fax = await self.rc.post(
                f"{EXTENSION}/fax",
                json={"to": [{"phoneNumber": self.account.fax_to}]},
                files=[("attachment", ("page.pdf", DOCUMENT, "application/pdf"))],
            )
            self.report.check(fax.via == "https", f"the upload of {len(DOCUMENT)} bytes (a fax) went via {fax.via}")
        listed = await self.rc.restapi().account().extension().message_store().get()
        attachments = [item for record in listed["records"] for item in record.get("attachments", ())]
        if not attachments:
            self.report.say("download skipped: no message has an attachment")
            return
        file = await self.rc.get(attachments[0]["uri"])
        self.report.check(file.via == "https", f"the download of {len(file.content)} bytes went via {file.via}")
        if self.account.gateway is not None:  # RingCentral renders what it faxes
            self.report.check(file.content == DOCUMENT, "the download is what was uploaded")

    async def cause_event(self, text: str) -> int:
        """Send a note to ourselves and wait for the event it causes; give the message's id."""
        (note,) = await send_notes(self.rc, [text])
        await self.heard.message(note.id)
        self.report.say(f"message {note.id} sent via {note.via}, its event came")
        return note.id

    async def lose(self) -> None:
        """Lose the connection, and wait until the program has noticed."""
        losses = len(self.heard.of(Events.DISCONNECTED))
        if self.account.gateway is not None:
            self.account.gateway.cut()
        elif self.ws_ext.ws is not None:
            self.ws_ext.ws.abort()
        await self.heard.event(Events.DISCONNECTED, after=losses)
        self.report.say("the connection is cut")
        if self.account.gateway is None:
            await anyio.sleep(UNTIL_SEEN)

    async def recover(self) -> None:
        """Send messages while the connection is lost; every one of them arrives."""
        self.report.title("Lose the connection; the session is recovered")
        begin = len(self.heard.notifications)
        await self.lose()
        notes = await send_notes(self.rc, [f"while away {number}" for number in range(1, NOTES + 1)])
        sent = [note.id for note in notes]
        ways = Counter(note.via for note in notes)
        self.report.say(f"messages sent meanwhile: {', '.join(f'{ways[way]} via {way}' for way in ways)}")
        await self.heard.event(Events.CONNECTION_READY, after=1)
        recovery = self.ws_ext.last_recovery
        if recovery is not None:
            self.report.say(f"connected again after {recovery.outage:.1f} s, attempt {recovery.attempts}")
        self.report.check(len(self.heard.of(Events.AUTO_RECOVER_SUCCESS)) == 1, "the session was recovered")
        # Delivery is in order: when this one has come, everything before it has.
        last = await self.cause_event("back again")
        came = self.heard.notifications[begin:]
        ids = [number for number in dict.fromkeys(self.heard.message_ids) if number in {*sent, last}]
        in_order = ids == [*sent, last] and len({item.uuid for item in came}) == len(came)
        arrived = len(set(ids) & set(sent))
        self.report.check(in_order, f"{arrived} of {NOTES} messages arrived, each once and in order")
        for gap in self.heard.of(Events.NOTIFICATION_GAP):
            self.report.say(f"notificationGap, {describe(gap)}")

    async def fail_to_recover(self) -> None:
        """Let the server refuse the recovery: the program learns what period to read again."""
        self.report.title("Lose it again; the session cannot be recovered")
        if self.account.gateway is None:
            self.report.say("a recovery that fails: skipped, RingCentral cannot be made to refuse one")
            return
        old = self.ws_ext.subscription and self.ws_ext.subscription.info
        gaps = len(self.heard.of(Events.NOTIFICATION_GAP))
        self.account.gateway.fail_recovery()
        await self.lose()
        missed = {note.id for note in await send_notes(self.rc, ["missed 1", "missed 2", "missed 3"])}
        self.report.say(f"{len(missed)} messages sent meanwhile")
        await self.heard.event(Events.AUTO_RECOVER_FAILED)
        gap: Gap = await self.heard.event(Events.NOTIFICATION_GAP, after=gaps)
        recovery = self.ws_ext.last_recovery
        refused = recovery is not None and recovery.outcome is Outcome.REFUSED
        self.report.check(refused, "the session was not recovered, and the program was told")
        self.report.check(gap.certain, f"notificationGap, {describe(gap)}")
        since = {} if gap.since is None else {"dateFrom": gap.since.isoformat()}
        listed = await self.rc.restapi().account().extension().message_store().get(params=since)
        found = {record["id"] for record in listed["records"]} & missed
        self.report.check(
            len(found) == len(missed), f"{len(found)} of {len(missed)} missed messages read again by REST"
        )
        new = self.ws_ext.subscription and self.ws_ext.subscription.info
        await self.cause_event("on the new subscription")
        self.report.check(new is not None and new != old, "a new subscription was made; an event came by it")


def describe(gap: Gap) -> str:
    """Put a gap in words."""
    kind = "events are missing" if gap.certain else "events may be missing"
    since = "?" if gap.since is None else f"{gap.since:%H:%M:%S.%f}"[:-3]
    return f"{kind} from {since} to {f'{gap.until:%H:%M:%S.%f}'[:-3]} UTC: {gap.reason}"


async def run(account: Account) -> int:
    """Run every step and give the exit code."""
    report = Report(account)
    ws_ext = WebSocketExtension(rest_over_websocket=True)
    heard = Heard(ws_ext)
    try:
        async with account.client() as rc:
            demo = Demo(account, rc, ws_ext, heard, report)
            await demo.connect()
            await demo.call()
            report.title("Cause an event by a REST call")
            await demo.cause_event("hello")
            await demo.recover()
            await demo.fail_to_recover()
    except (RcexError, TimeoutError) as error:
        report.broken_off(error)
    lost, recovered, refused = (
        len(heard.of(event)) for event in (Events.DISCONNECTED, Events.AUTO_RECOVER_SUCCESS, Events.AUTO_RECOVER_FAILED)
    )
    return report.end(
        f"Connections lost: {lost}. Recovered with {NOTES} of {NOTES} messages: {recovered}. "
        f"Not recovered, gap reported: {refused}."
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)  # the library's warnings come as events, and are printed as such
    with find_account() as where:
        sys.exit(anyio.run(run, where))
