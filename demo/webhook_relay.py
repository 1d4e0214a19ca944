"""Passes every event on to an HTTP endpoint, in order, and keeps on disk what the endpoint has not taken yet.

    python demo/webhook_relay.py https://example.com/hook

Without an address it posts to an endpoint of its own, which refuses the first post. An event is on the disk before the
next one is taken, so neither a dead endpoint nor a killed relay loses it. When the answer to a post is lost, it is
posted again, with the same Idempotency-Key: by that the endpoint takes each event once.
"""

import itertools
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import anyio
import httpx
from anyio.streams.memory import MemoryObjectReceiveStream
from shared import MESSAGES, Account, run

from rcex_ws import FileSessionStore, FileTokenStore, WebSocketExtension

TABLE = "CREATE TABLE IF NOT EXISTS outbox (uuid TEXT PRIMARY KEY, event BLOB, posted INTEGER DEFAULT 0)"
ADD = "INSERT OR IGNORE INTO outbox (uuid, event) VALUES (?, ?)"  # after a crash an event may come twice
OLDEST = "SELECT uuid, event FROM outbox WHERE NOT posted ORDER BY rowid LIMIT 1"
POSTED = "UPDATE outbox SET posted = 1, event = NULL WHERE uuid = ?"


async def post_all(outbox: sqlite3.Connection, url: str, added: MemoryObjectReceiveStream[None]) -> None:
    """Post one event after the other, each until the endpoint has taken it."""
    async with httpx.AsyncClient() as http:
        async for _ in added:
            while row := outbox.execute(OLDEST).fetchone():
                for attempt in itertools.count():
                    try:
                        answer = await http.post(url, content=row[1], headers={"Idempotency-Key": row[0]})
                        answer.raise_for_status()
                        break
                    except httpx.HTTPError as error:
                        print("not taken, trying again:", str(error).partition("\n")[0], flush=True)
                        await anyio.sleep(min(2**attempt / 5, 60))
                outbox.execute(POSTED, row[:1])


@contextmanager
def own_endpoint() -> Iterator[str]:
    """Run an endpoint that refuses the first post."""
    answers = itertools.chain([503], itertools.repeat(200))

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event, number = self.rfile.read(int(self.headers["content-length"])), next(answers)
            print(f"endpoint: {number} to {self.headers['idempotency-key']} {event[:60].decode()}...", flush=True)
            self.send_response(number)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"


async def main(account: Account) -> None:
    """Run until it is stopped."""
    add, added = anyio.create_memory_object_stream[None](1)  # one is enough to wake it
    add.send_nowait(None)  # what is left of last time
    rc = account.client(token_store=FileTokenStore("webhook_relay/token.json"))
    ws_ext = WebSocketExtension(session_store=FileSessionStore("webhook_relay/session.json"), on_gap=print)
    async with rc, anyio.create_task_group() as tasks:
        await rc.authorize(jwt=account.jwt)
        await rc.install_extension(ws_ext)
        database = sqlite3.connect("webhook_relay/outbox.db", isolation_level=None)  # each statement commits
        endpoint = nullcontext(sys.argv[1]) if sys.argv[1:] else own_endpoint()
        with closing(database) as outbox, endpoint as url:
            outbox.execute(TABLE)
            tasks.start_soon(post_all, outbox, url, added)
            async for notification in await ws_ext.subscribe([MESSAGES]):
                outbox.execute(ADD, (notification.uuid, notification.raw))
                with suppress(anyio.WouldBlock):
                    add.send_nowait(None)


if __name__ == "__main__":
    run(main, "receive_sms")
