"""Read a client's WebSocket from one task, as a test likes it: a link takes what comes where the loop calls it."""

from __future__ import annotations

import anyio
from msgspec.structs import replace

from rcex_ws.websocket.socket import Ending, Receivers, Socket


async def read(socket: Socket, receivers: Receivers) -> Ending:
    """Hand over what comes until the WebSocket ends; tell how it ended, or raise what a receiver raised."""
    endings: list[Ending] = []
    errors: list[Exception] = []
    over = anyio.Event()

    def end(ending: Ending) -> None:
        endings.append(ending)
        over.set()

    def fail(error: Exception) -> None:
        errors.append(error)
        over.set()

    try:
        async with anyio.create_task_group() as group:
            socket.start_reading(replace(receivers, ended=end, failed=fail), group)
            await over.wait()
    except ExceptionGroup as exc:  # on trio
        raise exc.exceptions[0] from None
    for error in errors:
        raise error
    return endings[0]
