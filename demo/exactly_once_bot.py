"""Answers every text message exactly once, whatever is killed, cut or lost.

    python demo/exactly_once_bot.py

It writes each text into a table first, and answers what stands there. docs/bots.md explains it, and its limits.
"""

import json
import sqlite3
from tempfile import TemporaryDirectory

import anyio.to_thread
from shared import Account, run

from rcex_ws import FileSessionStore, FileTokenStore, Gap, RcexError, RequestLost, RingCentral, WebSocketExtension
from rcex_ws.rest import LoginRefused, RestError

TEXTS = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS"
FILE = "texts.db"
SETTLE = 2.0  # seconds after which a sent message should be listed; RingCentral promises no number


class Bot:
    """Takes texts in and answers them."""

    def __init__(self, rc: RingCentral, file: str) -> None:
        self._extension = rc.restapi().account().extension()
        self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)  # commits each statement
        self._database.execute("CREATE TABLE IF NOT EXISTS texts (id PRIMARY KEY, text, tried DEFAULT 0, answer)")
        self._came = anyio.Event()

    async def _sql(self, sql: str, *values: object) -> list[tuple]:
        return await anyio.to_thread.run_sync(lambda: self._database.execute(sql, values).fetchall())

    async def take(self, text: dict) -> None:
        """Write a text down, unless it is there already. Its id is text in an event, and a number by REST."""
        await self._sql("INSERT OR IGNORE INTO texts (id, text) VALUES (?, ?)", str(text["id"]), json.dumps(text))
        self._came.set()

    async def read_again(self, gap: Gap) -> None:
        """Take in what came in a gap."""
        since = {"dateFrom": gap.since.isoformat()} if gap.since else {}  # without it RingCentral takes a day
        came = {"messageType": "SMS", "direction": "Inbound", **since}
        newest_first = [text async for text in self._extension.message_store().list_all(params=came)]
        for text in reversed(newest_first):
            await self.take(text)

    async def answer_all(self) -> None:
        """Answer one text after the other, first of all one whose answer is in doubt."""
        unanswered = "SELECT id, text, tried FROM texts WHERE answer IS NULL ORDER BY tried DESC, rowid LIMIT 1"
        while True:
            try:
                while rows := await self._sql(unanswered):
                    await self._answer(*rows[0])
                await self._came.wait()
                self._came = anyio.Event()
            except RcexError as error:
                if not (error.retryable or isinstance(error, RequestLost)):
                    raise
                print("not known to be answered:", error, flush=True)
                await anyio.sleep(error.retry_after or SETTLE)

    async def _answer(self, text_id: str, written: str, tried: int) -> None:
        text = json.loads(written)
        me, you = ({"phoneNumber": end["phoneNumber"]} for end in (text["to"][0], text["from"]))
        reply = {"from": me, "to": [you], "text": f"You wrote: {text['subject']}"}
        answer = await self._look_up(reply, text["creationTime"]) if tried else None
        if answer is None:
            await self._sql("UPDATE texts SET tried = 1 WHERE id = ?", text_id)  # before it is sent
            try:
                answer = str((await self._extension.sms().post(json=reply))["id"])
            except RestError as error:
                if error.retryable or isinstance(error, LoginRefused):
                    raise
                answer = f"refused: {error}"  # as it would be the next time
        await self._sql("UPDATE texts SET answer = ? WHERE id = ?", answer, text_id)
        print(f"{text['subject']!r} from {you['phoneNumber']} -> {answer}", flush=True)

    async def _look_up(self, reply: dict, since: str) -> str | None:
        """Find a reply sent since the question came, and not known as the answer to another one."""
        await anyio.sleep(SETTLE)
        sent = {"messageType": "SMS", "direction": "Outbound", "dateFrom": since, **reply["to"][0]}
        async for message in self._extension.message_store().list_all(params=sent):
            others = await self._sql("SELECT 1 FROM texts WHERE answer = ?", str(message["id"]))
            if message["subject"] == reply["text"] and not others:
                return str(message["id"])
        return None


async def main(account: Account) -> None:
    """Run until it is stopped or killed."""
    with TemporaryDirectory() as folder:
        file = FILE if account.gateway is None else f"{folder}/{FILE}"  # each new gateway gives out the same ids
        rc = account.client(token_store=FileTokenStore(f"{file}.token"))
        bot, store = Bot(rc, file), FileSessionStore(f"{file}.session")
        options = {"gap_timeout": 60, "rest_over_websocket": True}
        ws_ext = WebSocketExtension(session_store=store, on_gap=bot.read_again, **options)
        async with rc, anyio.create_task_group() as tasks:
            await rc.authorize(jwt=account.jwt)
            await rc.install_extension(ws_ext)
            await ws_ext.subscribe([TEXTS], lambda notification: bot.take(notification.body))
            tasks.start_soon(bot.answer_all)
            print("listening", flush=True)
            await ws_ext.wait_closed()


if __name__ == "__main__":
    run(main, 'receive_sms {"text": "Are you there?"}')
