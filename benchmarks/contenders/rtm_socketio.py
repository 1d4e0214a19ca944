"""python-socketio as a server of events, a contender: under uvicorn, with its manager for Redis, users as rooms."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Awaitable
from typing import Any

import anyio
import anyio.abc
import socketio
import uvicorn

from benchmarks.common.events import EVENT
from benchmarks.common.serving import Serving, publish_all
from benchmarks.common.worker import run, serve

#: No pings: the audience reads only while something comes.
NEVER = 100_000


class SocketIO(Serving):
    """Takes orders.

    Args:
        group: runs the server.
    """

    def __init__(self, group: anyio.abc.TaskGroup) -> None:
        self._group = group
        self._server: Any = None

    async def listen(self, group: str, redis: str) -> dict[str, int]:
        """Start the server."""
        manager = socketio.AsyncRedisManager(redis, channel=group)
        self._server = server = socketio.AsyncServer(
            async_mode="asgi", client_manager=manager, ping_interval=NEVER, ping_timeout=NEVER, http_compression=False
        )

        async def connect(sid: str, _: Any, auth: dict[str, str]) -> None:
            await server.enter_room(sid, auth["user"])

        server.on("connect", connect)
        sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        config = uvicorn.Config(
            socketio.ASGIApp(server),
            lifespan="off",
            log_level=logging.WARNING,
            ws_per_message_deflate=False,
            ws_ping_interval=None,
        )
        self._group.start_soon(uvicorn.Server(config)._serve, [sock])  # `serve` takes over the signals
        return {"port": sock.getsockname()[1]}

    async def publish(self, group: str, **how: Any) -> dict[str, float]:
        """Publish, see `publish_all`."""
        return await publish_all(self._publish, **how)

    def _publish(self, user: str, *data: str) -> Awaitable[None]:
        sent: Awaitable[None] = self._server.emit(EVENT, data, room=user)
        return sent


async def main() -> None:
    """Serve."""
    with contextlib.suppress(ConnectionResetError):
        async with anyio.create_task_group() as group:
            await serve(SocketIO(group))
            group.cancel_scope.cancel()


if __name__ == "__main__":
    run(main)
