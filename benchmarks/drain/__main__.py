"""Listen on a free port of the loopback, print the address, serve until stdin ends."""

from __future__ import annotations

import asyncio
import gc
import sys

import uvloop

from benchmarks.common.files import allow_many_files
from benchmarks.drain.connection import Connection
from benchmarks.drain.session import Session


async def main() -> None:
    """Serve."""
    sessions: dict[str, Session] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(sessions), "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    gc.freeze()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    allow_many_files()
    uvloop.run(main())
