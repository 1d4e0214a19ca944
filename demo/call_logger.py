"""Writes every call of the account's user into SQLite, and reads from the call log what it may have missed.

    python demo/call_logger.py [calls.db]

Let the phone ring.
"""

import sqlite3
import sys
from functools import partial

import anyio.to_thread
from shared import Account, run

from rcex_ws import FileSessionStore, FileTokenStore, Gap, WebSocketExtension
from rcex_ws.wsg.views import TelephonySessionEvent

EXTENSION = "/restapi/v1.0/account/~/extension/~"
FILE = sys.argv[1] if len(sys.argv) > 1 else "calls.db"
LAST = 2**31  # a record of the call log is final


class CallTable:
    """The table of calls: one row for each, as far as it has come.

    Args:
        file: of the database.
    """

    def __init__(self, file: str) -> None:
        self._connection = sqlite3.connect(file, check_same_thread=False)  # one call at a time, in a worker thread
        with self._connection as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS calls"
                " (session TEXT PRIMARY KEY, sequence INTEGER, caller TEXT, called TEXT, state TEXT, source TEXT)"
            )

    async def write(self, *row: object) -> None:
        """Write what is newer than the row that is there: events of a call may come out of order."""
        await anyio.to_thread.run_sync(partial(self._write, row))

    def _write(self, row: tuple[object, ...]) -> None:
        with self._connection as database:
            database.execute(
                "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session) DO UPDATE SET sequence ="
                " excluded.sequence, state = excluded.state, source = excluded.source"
                " WHERE excluded.sequence > calls.sequence",
                row,
            )


async def main(account: Account) -> None:
    """Run until it is stopped."""
    calls = CallTable(FILE)
    rc = account.client(token_store=FileTokenStore(f"{FILE}.token"))

    async def read_again(gap: Gap) -> None:
        """Read from the call log what may be missing; new events wait until this is done."""
        print(f"reading the calls since {gap.since}: {gap.reason}", flush=True)
        since = {"dateFrom": gap.since.isoformat()} if gap.since else {}
        log = await rc.get(f"{EXTENSION}/call-log", params={**since, "perPage": 1000})
        for record in log.json()["records"]:
            ends = [record.get(end, {}).get("phoneNumber") for end in ("from", "to")]
            await calls.write(record["telephonySessionId"], LAST, *ends, record["result"], "call log")

    async def on_call(notification) -> None:
        """Write a step of a call."""
        call = notification.view
        if not isinstance(call, TelephonySessionEvent) or not call.parties:
            print("an event of another kind:", notification.event, flush=True)
            return
        party = call.parties[0]
        ends = [end.get("phoneNumber") for end in (party.from_, party.to)]
        await calls.write(call.telephony_session_id, call.sequence, *ends, party.status.code, "event")
        print(f"{ends[0]} -> {ends[1]}: {party.status.code}", flush=True)

    store = FileSessionStore(f"{FILE}.session")
    ws_ext = WebSocketExtension(session_store=store, on_gap=read_again, gap_timeout=60)
    async with rc:
        await rc.authorize(jwt=account.jwt)
        await rc.install_extension(ws_ext)
        await ws_ext.subscribe([f"{EXTENSION}/telephony/sessions"], on_call)
        print(f"listening; the calls stand in {FILE}", flush=True)
        await ws_ext.wait_closed()


if __name__ == "__main__":
    run(main, "ring", "answer", "hang_up")
