"""Listen on a free port of the loopback, print the address, serve until stdin ends.

With `--deflate` bursts are compressed, with `--certificate FILE` all goes over TLS.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import ssl
import sys

import uvloop

from benchmarks.common.files import allow_many_files
from benchmarks.drain.connection import Connection
from benchmarks.drain.session import Session


async def main(*, deflate: bool, certificate: str | None) -> None:
    """Serve."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    scheme = "http" if context is None else "https"
    sessions: dict[str, Session] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(sessions, deflate=deflate), "127.0.0.1", 0, backlog=4096, ssl=context
    )
    port = server.sockets[0].getsockname()[1]
    print(f"{scheme}://127.0.0.1:{port}", flush=True)
    gc.freeze()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    allow_many_files()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deflate", action="store_true", help="compress bursts; refuse who does not offer it")
    parser.add_argument("--certificate", metavar="FILE", help="with its private key")
    given = parser.parse_args()
    uvloop.run(main(deflate=given.deflate, certificate=given.certificate))
