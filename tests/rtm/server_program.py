"""A server in a process of its own, which takes orders as JSON lines and says what happens in JSON lines.

python -m tests.rtm.server_program URL_OF_REDIS [PORT]; see tests/peers/driven.py for the lines.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.file import FileReadStream

from rcex_ws.broker import RedisBroker
from rcex_ws.rtm.server import RemoteClient, RtmServer

LONGEST_LINE = 1 << 20


def say(**step: Any) -> None:
    print(json.dumps(step), flush=True)


def authenticate(client: RemoteClient, token: Any) -> Any:
    return {"id": token["user"]} if token["secret"] == f"secret of {token['user']}" else None


def orders_of(server: RtmServer) -> dict[str, Callable[..., Awaitable[Any]]]:
    async def publish_many(user: str, first: int, count: int) -> None:
        for number in range(first, first + count):
            await server.publish(user, "n", number, wait=False)

    async def emit(event: str, *data: Any) -> int:
        return server.emit(event, None, *data)

    async def presence(user: str) -> dict[str, int]:
        return dict(await server.presence(user))

    return {
        "publish": server.publish,
        "publish_many": publish_many,
        "emit": emit,
        "presence": presence,
        "count": server.count,
        "drain": server.drain,
    }


async def main(redis: str, port: str = "0") -> None:
    broker = RedisBroker(redis, command_timeout=1.0, time_to_live=2.0, reconnect_delays=lambda _: 0.1)
    async with (
        RtmServer(authenticate=authenticate, broker=broker, port=int(port)) as server,
        anyio.create_task_group() as group,
    ):
        orders = orders_of(server)

        async def obey(order: dict[str, Any]) -> None:
            try:
                value = await orders[order["do"]](*order["args"])
            except Exception as exc:  # noqa: BLE001 - told
                say(step="rejected", **{"as": order["as"]}, error={"message": f"{type(exc).__name__}: {exc}"})
            else:
                say(step="resolved", **{"as": order["as"]}, value=value)

        server.on("error", lambda error: say(step="event", name="error", args=[repr(error)]))
        say(step="event", name="listening", args=[server.url, server.id])
        lines = BufferedByteReceiveStream(FileReadStream(sys.stdin.buffer.raw))
        try:
            while True:
                group.start_soon(obey, json.loads(await lines.receive_until(b"\n", LONGEST_LINE)))
        except (anyio.EndOfStream, anyio.IncompleteRead):
            group.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
