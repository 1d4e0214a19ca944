"""An ASGI application under uvicorn, in a thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from rcex_ws.websocket.listen import bind


@contextlib.contextmanager
def under_uvicorn(application: Any) -> Iterator[str]:
    """Run an application; yields host and port."""
    # By loop="auto" older ones make uvloop the loop of the whole process, and so of the tests that follow.
    config = uvicorn.Config(application, ws="websockets-sansio", log_level="error", loop="asyncio")
    server = uvicorn.Server(config)
    with bind() as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
